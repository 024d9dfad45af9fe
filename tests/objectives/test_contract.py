"""An objective is complete: it has its part in every layer, and the configuration knows what goes with it."""

from pathlib import Path
from typing import Any

import pytest

from convoy import plugins
from convoy.config.combinations import SUITS
from convoy.config.objective import ObjectiveConfig
from convoy.config.register import rises
from convoy.errors import ConfigError
from tests.models.sections import CLASSICAL, CODERS, SECTIONS
from tests.objectives import toyline
from tests.objectives.toyline import params, written

TABLE = {"source": "table", "path": "data", "table": "table.csv", "image_col": "path"}
DATA: dict[str, dict[str, Any]] = {
    "classification": {**TABLE, "target": "person"},
    "values": {**TABLE, "value_cols": ["light"]},
    "keypoints": {
        **TABLE,
        "points": {
            "columns": ["x{}", "y{}"],
            "names": ["l", "r"],
            "swap": [["l", "r"]],
            "distance": ["l", "r"],
        },
    },
    "labels": {**TABLE, "target": "sides", "label_separator": ";"},
    "none": {"source": "pictures", "path": "data"},
}
GATES: dict[str, dict[str, Any]] = {
    name: {"metric": suits.metrics[0], "minimum": 0.0 if rises(suits.metrics[0]) else None}
    | ({} if rises(suits.metrics[0]) else {"maximum": 9.0})
    for name, suits in SUITS.items()
}


@pytest.mark.parametrize("part", plugins.OF_OBJECTIVES)
def test_every_objective_has_this_part(part: str) -> None:
    assert set(SUITS) <= set(plugins.names(part))
    if part != "objective":  # some can be trained from Python before they are known to all layers
        assert plugins.names(part) == sorted(SUITS)


def test_the_configuration_offers_all_that_are_whole() -> None:
    offered = {
        model.model_fields["name"].annotation.__args__[0] for model in ObjectiveConfig.__args__[0].__args__
    }
    assert set(SUITS) <= offered


def suited(objective: str, model: str) -> bool:
    """Whether the model can give what the objective compares; of all others any model of pictures can."""
    return objective != "reconstruction" or model in CODERS


def sections(objective: str, task: str) -> dict[str, Any]:
    gate = GATES.get(objective, GATES["classification"])
    none = objective != "classification"
    return {
        "data": DATA[task],
        "objective": {"name": objective},
        "evaluate": {"calibration": "none" if none else "temperature", "baseline": "none"},
        "register": {"gate": {**_gate(), **gate}},
    }


def _gate() -> dict[str, Any]:
    return {
        "first": "promote", "margin": 0.0, "non_inferiority": 0.01, "beat_baseline": False, "max_ece": None,
        "slice_margin": None, "slice_samples": 20, "max_latency_ms": None, "max_latency_ratio": None,
        "max_size_mb": None,
    }  # fmt: skip


ALL = {**SECTIONS, **CLASSICAL["image"]}


@pytest.mark.parametrize("task", DATA)
@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("objective", plugins.names("objective"))
def test_every_combination_is_taken_or_refused_with_the_reason(
    objective: str, model: str, task: str, repository: Path, tmp_path: Path
) -> None:
    document = params(repository, model=ALL[model], **sections(objective, task))
    document["register"] = {**document["register"], "model": "toy"}
    suits = SUITS.get(objective)
    goes = model in SECTIONS or objective == "classification"  # the others are fitted to classes alone
    if suits is not None and task in suits.tasks and goes and suited(objective, model):
        assert written(document, tmp_path).objective.name == objective
        return
    with pytest.raises(ConfigError) as refused:
        written(document, tmp_path)
    assert f"name: {objective}" in str(refused.value)


QUICK = {"lenet5", "cnn", "conv_autoencoder"}  # the others take longer, and train by the same code


@pytest.mark.parametrize(
    "model", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SECTIONS]
)
@pytest.mark.parametrize(
    ("objective", "task"),
    [(name, task) for name, suits in SUITS.items() for task in suits.tasks if name != "classification"],
)
def test_what_is_taken_trains(
    objective: str, task: str, model: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convoy.stages import augment, ingest, prepare, split, train, validate

    if not suited(objective, model):
        pytest.skip(f"{objective} needs a model that gives its samples back; the check refuses {model}")
    monkeypatch.chdir(tmp_path)
    toyline.write_spots(tmp_path / "data", 40)
    document = params(repository, model=SECTIONS[model], **sections(objective, task))
    document["prepare"].update(height=32, width=32)
    document["register"] = {**document["register"], "model": "toy"}
    config = written(document, tmp_path)
    for stage in (ingest, validate, split, prepare, augment, train):
        stage.main(config)
    assert len((tmp_path / "artifacts/train/history.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluate": {"calibration": "temperature"}}, "calibration: temperature is of probabilities"),
        ({"evaluate": {"baseline": "hog_linear"}}, "does not go with objective regression; use mean or none"),
        ({"evaluate": {"tta": 2}}, "tta: 2 averages probabilities"),
        ({"augment": {"mixup": {"alpha": 0.2}}}, "does not go with augment.mixup"),
        ({"gate": {"metric": "accuracy", "minimum": 0.5, "maximum": None}}, "is not measured for values"),
        ({"gate": {"metric": "nme"}}, "metric: nme is not measured for values; use mae, rmse, r2"),
        ({"gate": {"maximum": None}}, "metric: mae needs a number as register.gate.maximum"),
        ({"gate": {"minimum": 0.5}}, "metric: mae has a maximum, not a minimum"),
        ({"gate": {"max_ece": 0.1}}, "max_ece is of probabilities"),
        ({"train": {"early_stopping": {"monitor": "val_accuracy", "patience": 1}}}, "use val_loss"),
    ],
)
def test_what_does_not_go_with_numbers_is_refused(
    changes: dict[str, Any], message: str, repository: Path, tmp_path: Path
) -> None:
    document = params(repository, **sections("regression", "values"))
    document["register"]["model"] = "toy"
    for name, values in changes.items():
        if name == "gate":
            document["register"]["gate"] |= values
        else:
            document[name] |= values
    with pytest.raises(ConfigError) as refused:
        written(document, tmp_path)
    assert message in str(refused.value)
