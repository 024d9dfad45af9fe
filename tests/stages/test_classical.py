"""Models that are fitted go through the stages as those that are trained: `train` to `package`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from convoy import io
from convoy.config.load import load
from convoy.config.model import ModelConfig
from convoy.config.objective import ClassificationConfig
from convoy.errors import DataError
from convoy.serving.predictor import Predictor
from convoy.stages.train import train
from convoy.training.journal import read
from tests.models.sections import CLASSICAL
from tests.objectives import toyline
from tests.stages.test_train import config
from tests.toys import write_policy, write_prepared

CONFIG: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
FLIP = [{"name": "HorizontalFlip", "p": 0.5}]


def run(place: Path, section: dict[str, Any], **changes: Any) -> Path:
    if not (place / "prepared").exists():
        write_prepared(place / "prepared")
        write_policy(place / "augmented", FLIP, mixup={"alpha": 0.2, "p": 1.0})
    train(
        place / "prepared", place / "augmented", CONFIG.validate_python(section),
        ClassificationConfig(name="classification", label_smoothing=0.1), config(**changes),
        state=place / "state", out=place / "out",
    )  # fmt: skip
    return place / "out"


def test_the_stage_leaves_what_a_training_leaves(tmp_path: Path) -> None:
    out = run(tmp_path, {"name": "hog"}, epochs=20, device="auto", precision="auto")
    training = io.read_json(out / "training.json")
    assert (training["epochs_run"], training["best_epoch"], training["ended_by"]) == (1, 0, "fit")
    assert (training["device"], training["precision"], training["compile"]) == ("cpu", "fp32", False)
    history = pd.read_csv(out / "history.csv")
    assert list(history["epoch"]) == [1]
    assert {"train_loss", "train_accuracy", "val_loss", "val_accuracy"} <= set(history.columns)
    start = next(read(out / "journal.jsonl"))
    assert start["name"].startswith("hog-linear_svm-")
    assert start["params"]["classifier.name"] == "linear_svm"
    assert start["params"]["classifier.C"] == 1.0
    told = set(start["params"])
    assert not {name for name in told if name.startswith(("optimizer", "schedule"))}
    assert "augment.online" not in told


def test_settings_of_epochs_change_no_weight(tmp_path: Path) -> None:
    first = run(tmp_path / "first", {"name": "hog"})
    other = run(tmp_path / "other", {"name": "hog"}, epochs=7, batch_size=3)
    assert (first / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


def test_what_was_fitted_before_is_fitted_again_to_the_same_bytes(tmp_path: Path) -> None:
    before = io.sha256_tree(run(tmp_path, {"name": "hog"}))
    assert io.sha256_tree(run(tmp_path, {"name": "hog"})) == before


def test_a_failed_fit_is_told_in_the_journal(tmp_path: Path) -> None:
    write_prepared(tmp_path / "prepared", train=1)
    write_policy(tmp_path / "augmented")
    with pytest.raises(DataError, match="one class"):
        run(tmp_path, {"name": "hog"})
    [journal] = (tmp_path / "state" / "runs").glob("*/journal.jsonl")
    assert list(read(journal))[-1]["status"] == "FAILED"


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSICAL["image"])
def test_a_bundle_predicts_without_torch_and_sklearn(
    name: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _write_two_classes(tmp_path / "data")
    document = toyline.params(
        repository,
        model=CLASSICAL["image"][name],
        data={
            "source": "table", "path": "data", "table": "table.csv", "image_col": "path", "target": "class",
        },
        evaluate={"baseline": "none"},
    )  # fmt: skip
    document["prepare"].update(height=32, width=32)
    toyline.run(toyline.written(document, tmp_path))
    metrics = io.read_json(tmp_path / "artifacts/evaluate/metrics.json")
    assert metrics["test"]["accuracy"] > 0.6
    bundle = tmp_path / "artifacts/bundle"
    picture = next((bundle / "golden").glob("*.png"))
    code = (
        "import sys, json\n"
        f"sys.path.insert(0, {str(bundle / 'code')!r})\n"
        "from predictor import Predictor\n"
        "from pathlib import Path\n"
        f"found = Predictor(Path({str(bundle)!r})).rows([open({str(picture)!r}, 'rb').read()])\n"
        "assert not {'torch', 'sklearn', 'convoy'} & set(sys.modules), 'too much'\n"
        "print(json.dumps(next(iter(found)), default=str))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert Predictor(bundle)


def _write_two_classes(folder: Path) -> None:
    table = toyline.write_spots(folder, 120)
    table["class"] = ["left" if x < toyline.SIDE // 2 else "right" for x in table["xl"]]
    table.to_csv(folder / "table.csv", index=False)


@pytest.mark.parametrize("model", [section for kind in CLASSICAL.values() for section in kind.values()])
def test_a_recipe_needs_another_model_section_and_nothing_else(
    model: dict[str, Any], repository: Path, tmp_path: Path
) -> None:
    recipes = {"image": "digits", "text": "trec", "sequence": "ucr", "table": "adult"}
    kind = next(kind for kind, sections in CLASSICAL.items() if model["name"] in sections)
    source = repository / "recipes" / f"{recipes[kind]}.yaml"
    document = YAML(typ="safe").load(source.read_text(encoding="utf-8"))
    document["model"] = model
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as handle:
        YAML(typ="safe").dump(document, handle)
    assert load(tmp_path / "params.yaml").model.name == model["name"]
