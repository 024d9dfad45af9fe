import numpy as np
import pandas as pd
import pytest

from convoy.evaluation import slices


def table(count: int = 400) -> pd.DataFrame:
    """Dark pictures are mistaken; width takes two values, height many, mode two."""
    random = np.random.default_rng(0)
    brightness = random.permutation(count).astype(float)
    target = np.where(np.arange(count) % 2, "狗", "cat")
    wrong = np.where(target == "cat", "狗", "cat")
    return pd.DataFrame(
        {
            "id": [f"{n:032x}" for n in range(count)],
            "target": target,
            "prediction": np.where(brightness < count / 4, wrong, target),
            "p:cat": 0.5,
            "confidence": 0.5,
            "loss": 0.7,
            "width": np.where(np.arange(count) < 100, 64, 128),
            "height": np.arange(count),
            "bytes": 1000,
            "mode": np.where(np.arange(count) % 4 == 0, "L", "RGB"),
            "brightness": brightness,
        }
    )


def test_the_worst_slice_comes_first_with_its_difference() -> None:
    report = slices.report(table(), confidence=0.95)
    assert report.loc[0, "slice"] == "brightness: darkest quarter"
    assert (report.loc[0, "samples"], report.loc[0, "accuracy"]) == (100, 0.0)
    assert report.loc[0, "difference"] == -0.75
    assert report["accuracy"].is_monotonic_increasing
    assert ((report["low"] <= report["accuracy"]) & (report["accuracy"] <= report["high"])).all()


def test_classes_modes_sizes_and_brightness_are_slices() -> None:
    found = slices.groups(table())
    assert {"class cat", "class 狗", "mode: L", "mode: RGB", "width: 64", "width: 128"} <= set(found)
    assert {"height: up to 99", "height: 100 to 199", "height: 200 to 299", "height: from 300"} <= set(found)
    assert found["mode: L"].sum() == 100
    assert found["brightness: brightest quarter"].sum() == 100


def test_a_slice_of_everything_is_none() -> None:
    assert not any(name.startswith("file size") for name in slices.groups(table()))


def test_slices_that_are_too_small_are_left_out() -> None:
    frame = table().assign(camera=["rare"] * 19 + ["common"] * 381)
    assert "camera: common" in slices.groups(frame)
    assert "camera: rare" not in slices.groups(frame)
    assert "camera: rare" in slices.groups(frame, least=19)


def test_a_column_of_many_values_makes_no_slices() -> None:
    frame = table().assign(person=[f"p{n}" for n in range(400)])
    assert not any(name.startswith("person") for name in slices.groups(frame, least=1))


def test_missing_values_are_in_no_slice() -> None:
    frame = table().assign(
        camera=[None] * 100 + ["a"] * 300, brightness=[np.nan] * 100 + [1.0, 2.0, 3.0] * 100
    )
    found = slices.groups(frame)
    assert found["camera: a"].sum() == 300
    assert sum(int(m.sum()) for name, m in found.items() if name.startswith("brightness")) == 300


def test_only_the_target_is_needed() -> None:
    found = slices.groups(pd.DataFrame({"target": ["a"] * 30 + ["b"] * 30}))
    assert set(found) == {"class a", "class b"}


def test_no_slices_make_an_empty_report() -> None:
    report = slices.report(table(10), confidence=0.95)
    assert report.empty
    assert list(report.columns) == list(slices.COLUMNS)


def test_the_interval_is_wilsons() -> None:
    from scipy import stats

    row = slices.report(table(), confidence=0.9).set_index("slice").loc["class cat"]
    hits = round(row["accuracy"] * row["samples"])
    theirs = stats.binomtest(hits, int(row["samples"])).proportion_ci(0.9, method="wilson")
    assert [row["low"], row["high"]] == pytest.approx([theirs.low, theirs.high], abs=1e-6)
