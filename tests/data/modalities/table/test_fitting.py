"""What sklearn fits, our numbers apply: the same features to the last digits, and nothing of other splits."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from convoy.config.tables import TablePrepareConfig
from convoy.data.modalities.table import fitting
from convoy.data.modalities.table.cells import FIRST, Transformer

Floats = NDArray[np.float64]
SCALERS: dict[str, Any] = {
    "none": FunctionTransformer(),
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "robust": RobustScaler(),
    "quantile": QuantileTransformer(n_quantiles=300, subsample=None),
}
READING: dict[str, Any] = {
    "columns": [
        {"name": "a", "kind": "number"},
        {"name": "b", "kind": "number"},
        {"name": "c", "kind": "category", "categories": ["x", "y", "z"], "rare": []},
    ],
    "missing": [""], "decimal": ".", "earliest": "1800-01-01", "latest": "2199-12-31", "dates": ["year"],
    "unseen": "unknown",
}  # fmt: skip


def cells(count: int, seed: int, *, unseen: bool = False) -> Floats:
    random = np.random.default_rng(seed)
    numbers = np.column_stack([random.normal(3, 2, count), random.exponential(50, count).round()])
    numbers[random.random((count, 2)) < 0.15] = np.nan
    codes = random.choice([0, 2, 3, 4] + ([1] if unseen else []), count)
    return np.column_stack([numbers, codes])


def section(**changes: Any) -> TablePrepareConfig:
    return TablePrepareConfig.model_validate(changes)


def fitted(config: TablePrepareConfig, count: int = 300) -> tuple[dict[str, Any], Floats, NDArray[np.int64]]:
    training = cells(count, 0)
    target = (np.nan_to_num(training[:, 0], nan=3) + (training[:, 2] == 4) > 3).astype(np.int64)
    spec, stays = fitting.fit(training, target, READING, config)
    return json.loads(json.dumps(spec, allow_nan=False)), training[stays], target[stays]


def names_of(values: Floats) -> NDArray[np.object_]:
    """Codes as sklearn sees them: missing and what was never seen are names, too."""
    return np.array(["(missing)", "(new)", "x", "y", "z"], dtype=object)[values.astype(int)][:, None]


@pytest.mark.parametrize("scale", SCALERS)
@pytest.mark.parametrize("impute", ["mean", "median", "most_frequent", "constant"])
def test_numbers_are_those_of_sklearn(scale: str, impute: str) -> None:
    config = section(numbers={"scale": scale, "impute": impute, "constant": -7.0})
    spec, training, _ = fitted(config)
    imputer = SimpleImputer(strategy=impute, fill_value=-7.0, add_indicator=True)
    theirs = ColumnTransformer(
        [
            (
                "scaled",
                make_pipeline(SimpleImputer(strategy=impute, fill_value=-7.0), SCALERS[scale]),
                [0, 1],
            ),
            ("gaps", make_pipeline(imputer, FunctionTransformer(lambda x: x[:, 2:])), [0, 1]),
        ]
    ).fit(training)
    others = cells(200, 1, unseen=True)
    found = Transformer(spec).all(others)
    np.testing.assert_allclose(found[:, :4], theirs.transform(others), rtol=1e-12, atol=1e-12)
    assert found.shape[1] == 5  # and the code to embed
    assert Transformer(spec)(others).dtype == np.float32


def test_one_hot_and_ordinal_are_those_of_sklearn() -> None:
    others = cells(200, 1, unseen=True)
    spec, training, _ = fitted(section(categories={"encode": "one_hot"}, numbers={"indicator": False}))
    theirs = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(names_of(training[:, 2]))
    np.testing.assert_array_equal(
        Transformer(spec).all(others)[:, 2:], theirs.transform(names_of(others[:, 2]))
    )
    assert spec["features"][2:] == ["c missing", "c is x", "c is y", "c is z"]
    spec, training, _ = fitted(section(categories={"encode": "ordinal"}, numbers={"indicator": False}))
    known = names_of(training[training[:, 2] >= FIRST, 2])
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(known)
    mine = others[others[:, 2] >= 1]
    found = Transformer(spec).all(mine)[:, 2] * 2
    np.testing.assert_allclose(found, ordinal.transform(names_of(mine[:, 2]))[:, 0])


def test_a_gap_among_categories_is_a_category_or_the_commonest_one() -> None:
    spec, training, _ = fitted(section(categories={"missing": "most_frequent"}))
    most = int(np.bincount(training[:, 2].astype(int))[2:].argmax()) + 2
    found = Transformer(spec)(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 3.0]]))
    assert found[:, -1].tolist() == [most, 3.0]


@pytest.mark.parametrize("name", ["iqr", "z_score"])
def test_outliers_are_clipped_flagged_or_dropped_from_the_training_rows_alone(name: str) -> None:
    plain = cells(300, 0)
    if name == "iqr":
        first, third = np.nanquantile(plain[:, 1], [0.25, 0.75])
        high = third + 1.5 * (third - first)
    else:
        high = np.nanmean(plain[:, 1]) + 3 * np.nanstd(plain[:, 1])
    far = np.array([[3.0, 1e6, 2.0]])
    spec, _, _ = fitted(section(numbers={"scale": "none", "outliers": {"name": name, "action": "clip"}}))
    assert Transformer(spec).all(far)[0, 1] == pytest.approx(high)
    spec, _, _ = fitted(section(numbers={"scale": "none", "outliers": {"name": name, "action": "flag"}}))
    found = dict(zip(spec["features"], Transformer(spec).all(far)[0], strict=True))
    assert (found["b"], found["b outlying"]) == (1e6, 1.0)
    spec, stay, _ = fitted(section(numbers={"scale": "none", "outliers": {"name": name, "action": "drop"}}))
    assert len(stay) < 300
    assert np.nanmax(stay[:, 1]) <= high
    assert Transformer(spec).all(far)[0, 1] == 1e6


def test_the_isolation_forest_judges_as_sklearns_does() -> None:
    outliers = {"name": "isolation_forest", "action": "flag", "limit": 0.1}
    spec, training, _ = fitted(section(numbers={"scale": "none", "impute": "median", "outliers": outliers}))
    imputer = SimpleImputer(strategy="median")
    theirs = IsolationForest(n_estimators=100, contamination=0.1, random_state=0).fit(
        imputer.fit_transform(training[:, :2])
    )
    others = cells(400, 2)
    found = Transformer(spec).all(others)[:, spec["features"].index("row outlying")]
    np.testing.assert_array_equal(found == 1, theirs.predict(imputer.transform(others[:, :2])) == -1)
    assert 0.02 < found.mean() < 0.3


def test_piecewise_numbers_say_how_far_a_value_has_gone_through_each_bin() -> None:
    spec, training, _ = fitted(section(numbers={"scale": "piecewise", "bins": 4, "indicator": False}))
    points = np.array(spec["numbers"][0]["points"])
    assert points[0] == np.nanmin(training[:, 0])
    middle = (points[1] + points[2]) / 2
    found = Transformer(spec).all(np.array([[middle, 0.0, 2.0], [1e9, 0.0, 2.0], [-1e9, 0.0, 2.0]]))
    np.testing.assert_allclose(found[:, :4], [[1, 0.5, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]])


@pytest.mark.parametrize("name", ["univariate", "mutual_information", "l1", "model"])
def test_a_selection_keeps_what_tells_the_class(name: str) -> None:
    spec, _, _ = fitted(section(select={"name": name, "keep": 2}))
    kept = [spec["features"][n] for n in spec["kept"]]
    assert kept == ["a", "c"]
    assert spec["embedded"] == [{"name": "c", "size": 5}]
    assert Transformer(spec)(cells(3, 1)).shape == (3, 2)


def test_univariate_and_variance_keep_what_sklearns_selectors_keep() -> None:
    one_hot = {"encode": "one_hot"}
    spec, training, target = fitted(section(categories=one_hot, select={"name": "univariate", "keep": 3}))
    everything = Transformer({**spec, "kept": list(range(len(spec["features"])))}).all(training)
    theirs = SelectKBest(f_classif, k=3).fit(everything, target)
    assert spec["kept"] == theirs.get_support(indices=True).tolist()
    spec, _, _ = fitted(section(categories=one_hot, select={"name": "variance", "threshold": 0.15}))
    assert spec["kept"] == VarianceThreshold(0.15).fit(everything).get_support(indices=True).tolist()


def test_a_column_that_is_empty_or_constant_does_no_harm() -> None:
    training = cells(50, 0)
    training[:, 0], training[:, 1] = np.nan, 7.0
    target = (np.arange(50) % 2).astype(np.int64)
    for scale in ("none", "standard", "minmax", "robust", "quantile", "piecewise"):
        spec, _ = fitting.fit(training, target, READING, section(numbers={"scale": scale}))
        assert np.isfinite(Transformer(spec)(cells(20, 1))).all()


def test_the_same_rows_give_the_same_spec() -> None:
    config = section(numbers={"scale": "quantile"}, select={"name": "model", "keep": 4})
    assert fitted(config)[0] == fitted(config)[0]
