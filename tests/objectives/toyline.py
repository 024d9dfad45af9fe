"""Toy pictures with one bright spot, and the stages run over them in this process."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from convoy.config.load import load
from convoy.config.schema import Config
from convoy.stages import augment, evaluate, ingest, package, prepare, split, train, validate

SIDE, COUNT = 16, 90
STAGES = (ingest, validate, split, prepare, augment, train, evaluate, package)


def write_spots(folder: Path, count: int = COUNT, seed: int = 0) -> pd.DataFrame:
    """Pictures whose spot is at x, y and so bright; a table of them, which is returned."""
    random = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(count):
        x, y = random.integers(2, SIDE - 2, 2).tolist()
        light = int(random.integers(80, 250))
        picture = random.integers(0, 40, (SIDE, SIDE), dtype=np.uint8)
        picture[y - 1 : y + 2, x - 1 : x + 2] = light
        done, content = cv2.imencode(".png", picture)
        assert done
        (folder / "images" / f"{number}.png").write_bytes(content.tobytes())
        # a spot has a left and a right edge, which change places in a mirror
        rows.append((f"images/{number}.png", f"p{number % 9}", light / 10, x - 1, y, x + 1, y))
    table = pd.DataFrame(rows, columns=["path", "person", "light", "xl", "yl", "xr", "yr"])
    table["sides"] = np.where(table["xl"] < SIDE // 2, "left", "right") + np.where(
        table["yl"] < SIDE // 2, ";top", ""
    )
    table["half"] = np.where(table["xl"] < SIDE // 2, "left", "right")
    table.to_csv(folder / "table.csv", index=False)
    return table


def params(repository: Path, **sections: dict[str, Any]) -> dict[str, Any]:
    """The default recipe, small, with other keys in some sections; `data`, `objective`, `model` anew."""
    document: dict[str, Any] = YAML(typ="safe").load((repository / "params.yaml").read_text(encoding="utf-8"))
    document["validate"]["max_bad_fraction"] = 0.2
    document["validate"]["checks"] = {"near_duplicates": "off", "label_issues": "off"}
    document["prepare"].update(height=SIDE, width=SIDE)
    document["augment"]["transforms"] = [{"name": "HorizontalFlip", "p": 0.5}]
    document["train"].update(
        epochs=2, batch_size=16, device="cpu", precision="fp32", threads=1, compile="off"
    )
    document["train"]["early_stopping"] = None
    document["evaluate"].update(resamples=100, robustness_samples=8, mistakes=4)
    document["register"]["gate"].update(beat_baseline=False, max_ece=None)
    for name, values in sections.items():
        anew = name in ("data", "objective", "model")
        document[name] = values if anew else {**document[name], **values}
    return document


def written(document: dict[str, Any], folder: Path) -> Config:
    """The parameters as a file in `folder`, read and checked."""
    with (folder / "params.yaml").open("w", encoding="utf-8") as handle:
        YAML(typ="safe").dump(document, handle)
    return load(folder / "params.yaml")


def run(config: Config) -> None:
    """All stages, in the current directory."""
    for stage in STAGES:
        stage.main(config)
