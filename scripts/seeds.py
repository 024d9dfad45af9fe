"""A recipe's test score with several seeds of split and training: each, mean and standard deviation.

    python scripts/seeds.py recipes/ucr.yaml data/raw/GunPoint --seeds 0,1,2
    python scripts/seeds.py recipes/ucr.yaml data/raw/ArrowHead data.path=data/raw/ArrowHead

The second argument is where the data lie; the recipe finds them under its own `data.path`.
`section.key=VALUE` (YAML) changes the recipe. Runs the stages from ingest to evaluate in a folder for each
seed below `--work`; a seed that is finished there, with the same parameters, is not run again. Prints JSON
of each seed as it ends. Damaged test samples are left out (`evaluate.robustness_samples: 0`). With
`--train-only` the split is as the recipe has it, so that all seeds are tested on the same samples.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ruamel.yaml import YAML

STAGES = ("ingest", "validate", "split", "prepare", "augment", "train", "evaluate")
DONE = "seed.json"


def parameters(text: str, changes: Sequence[str], seed: int, *, train_only: bool) -> dict[str, Any]:
    """The recipe's parameters with a seed and changes.

    Raises:
        SystemExit: a change names a section that the recipe lacks.
    """
    yaml = YAML(typ="safe")
    found: dict[str, Any] = yaml.load(text)
    found["evaluate"]["robustness_samples"] = 0
    found["train"]["seed"] = seed
    if not train_only:
        found["split"]["seed"] = seed
    for change in changes:
        name, equals, value = change.partition("=")
        *path, last = name.split(".")
        place: Any = found
        for part in path:
            place = place.get(part) if isinstance(place, Mapping) else None
        if not equals or not path or not isinstance(place, dict):
            raise SystemExit(f"{change!r} is no change of the recipe; write section.key=VALUE")
        place[last] = yaml.load(value)
    return found


def lay_out(folder: Path, params: Mapping[str, Any], data: Path, fixes: Path) -> None:
    """A project in which the stages run: params.yaml, data/fixes.csv and a link to the data."""
    place = folder / params["data"]["path"]
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(data.resolve())
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "fixes.csv").write_text(fixes.read_text(encoding="utf-8"), encoding="utf-8")
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(dict(params), file)


def score(folder: Path, params: Mapping[str, Any], data: Path, fixes: Path, metric: str) -> float:
    """The metric on the test split; what the stages print goes to stderr.

    Raises:
        SystemExit: a stage failed, or the evaluation has no such metric.
    """
    done = folder / DONE
    if not done.is_file() or json.loads(done.read_text(encoding="utf-8"))["params"] != params:
        lay_out(folder, params, data, fixes)
        command = [sys.executable, "-u", "-m", "convoy.cli.fold_process", str(folder), *STAGES]
        code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
        if code:
            failure = folder / "failure.json"
            raise SystemExit(failure.read_text(encoding="utf-8") if failure.is_file() else code)
        metrics = json.loads((folder / "artifacts/evaluate/metrics.json").read_text(encoding="utf-8"))
        done.write_text(json.dumps({"params": params, "test": metrics["test"]}), encoding="utf-8")
    found = json.loads(done.read_text(encoding="utf-8"))["test"]
    if metric not in found:
        raise SystemExit(f"no {metric} among {', '.join(found)}")
    return float(found[metric])


def _say(found: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="A recipe's score with several seeds.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("changes", nargs="*", metavar="section.key=VALUE")
    parser.add_argument("--seeds", default="0,1,2", help="default 0,1,2")
    parser.add_argument("--metric", help="default: that of the recipe's gate")
    parser.add_argument("--work", type=Path, default=Path(".convoy/seeds"))
    parser.add_argument("--train-only", action="store_true", help="keep the recipe's split")
    options = parser.parse_args()
    text = options.recipe.read_text(encoding="utf-8")
    fixes = Path(__file__).parents[1] / "data" / "fixes.csv"
    values = []
    for seed in [int(part) for part in options.seeds.split(",")]:
        params = parameters(text, options.changes, seed, train_only=options.train_only)
        metric = options.metric or params["register"]["gate"]["metric"]
        folder = options.work.resolve() / options.recipe.stem / options.data.name / f"seed-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        values.append(score(folder, params, options.data, fixes, metric))
        _say({"seed": seed, metric: values[-1]})
    spread = round(stdev(values), 6) if len(values) > 1 else None
    _say({"mean": round(mean(values), 6), "sd": spread, "seeds": len(values)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
