"""A project of texts that trains in a second, and folds that were never trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from convoy.folds.plan import DONE, Fold, Plan
from convoy.io import write_json
from convoy.layout import EVALUATE, PREPARE
from tests.data.modalities.text import toys
from tests.project import ROOT, commit, copy_files, git

SAMPLES = 60


def make_project(folder: Path, **changes: dict[str, Any]) -> Path:
    """Committed, of questions and orders."""
    copy_files(folder)
    yaml = YAML()
    params = yaml.load((ROOT / "recipes" / "trec.yaml").read_text(encoding="utf-8"))
    params["data"] = {
        "modality": "text",
        "source": "text_lines",
        "path": "data/raw/toy",
        "lines": {"all": "all.txt"},
    }
    settings: dict[str, dict[str, Any]] = {
        "train": {"epochs": 4, "batch_size": 8, "precision": "fp32", "threads": 1, "compile": "off"},
        "evaluate": {"resamples": 100},
        "split": {"val": 0.2},
        "model": {"embedding": {"size": 8}, "filters": 8},
    }
    for section, values in [*settings.items(), *changes.items()]:
        params[section].update(values)
    params["train"]["optimizer"]["lr"] = 0.02
    with (folder / "params.yaml").open("w", encoding="utf-8") as handle:
        yaml.dump(params, handle)
    write_texts(folder / "data" / "raw" / "toy")
    with (folder / ".gitignore").open("a") as handle:
        handle.write("/data/raw/\n")
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def write_texts(folder: Path, count: int = SAMPLES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "all.txt").write_text("\n".join(toys.lines(count)) + "\n", encoding="utf-8")


def predictions(made: Plan, fold: Fold) -> pd.DataFrame:
    """Of a made-up model: every third answer of the fold's samples is wrong."""
    numbers = np.arange(SAMPLES)
    tested = numbers % made.count == fold.number
    target = numbers % 2
    answer = np.where(numbers % 3 == (fold.seed or 0) % 3, 1 - target, target)
    sure = np.where(answer == 0, 0.8, 0.2)
    return pd.DataFrame(
        {
            "id": [f"{number:032x}" for number in numbers],
            "split": np.where(tested, "test", "val"),
            "target": np.where(target == 0, "a", "b"),
            "prediction": np.where(answer == 0, "a", "b"),
            "p:a": sure,
            "p:b": 1 - sure,
            "loss": -np.log(np.where(answer == target, 0.8, 0.2)),
        }
    )


def finish(made: Plan, fold: Fold) -> None:
    """What a finished fold leaves."""
    table = predictions(made, fold)
    (fold.folder / EVALUATE).mkdir(parents=True)
    (fold.folder / PREPARE / "train").mkdir(parents=True)
    table.to_parquet(fold.folder / EVALUATE / "predictions.parquet", index=False)
    tested = table[table["split"] == "test"]
    accuracy = float((tested["target"] == tested["prediction"]).mean())
    metrics = {
        "test": {"accuracy": accuracy, "macro_f1": accuracy, "samples": len(tested)},
        "baseline": {"accuracy": 0.5, "name": "majority"},
    }
    write_json(
        fold.folder / DONE,
        {"seed": fold.seed, "fold": fold.number, "key": "k", "seconds": 1.0, "metrics": metrics},
    )
