"""A rebuilt bundle against the registered one: bit-identical, within tolerance, or where they part.

The registered bundle is the truth. dvc.lock of the run, where the registry holds it, tells which stage was
the first whose output differs; without it the bundle's own files do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from convoy import plugins
from convoy.bundle import contents, golden
from convoy.data.store import Store
from convoy.layout import BUNDLE, INGEST, PREPARE, SPLIT, VALIDATE
from convoy.proof import books
from convoy.proof.origin import Origin
from convoy.serving.predictor import Predictor

Verdict = Literal["bit-identical", "within tolerance", "different"]
Listing = Callable[[str], Mapping[str, str] | None]  # a folder's digest -> its files' MD5s, where known

Row = Mapping[str, str]

TOLERANCE = 0.01  # of a probability on a test picture
_SAMPLES = "samples.parquet"
_KINDS = ("relabelled", "added", "removed", "moved")
_BATCH = 256


@dataclass(frozen=True)
class Difference:
    """A file that a stage made otherwise; empty digests where there is no such file."""

    stage: str
    file: str
    registered: str
    rebuilt: str


@dataclass(frozen=True)
class SampleChange:
    """A sample that is not what it was.

    Attributes:
        kind: relabelled, added, removed, or moved (to another split).
        path: in the data of the rebuild; empty for a removed one.
        before, after: class, or split for `moved`.
    """

    id: str
    kind: Literal["relabelled", "added", "removed", "moved"]
    path: str
    before: str
    after: str

    def __str__(self) -> str:
        place = f"{self.path} ({self.id})" if self.path else self.id
        change = {
            "relabelled": f"class {self.before} → {self.after}",
            "moved": f"split {self.before} → {self.after}",
            "added": f"new, class {self.after}",
            "removed": f"gone, was class {self.before}",
        }
        return f"{place}: {change[self.kind]}"


@dataclass(frozen=True)
class Reproduction:
    """What came of a rebuild.

    Attributes:
        first: the first stage and file that differ, in the graph's order; None where nothing does.
        files: of the bundle, that differ.
        samples: that differ.
        numbers: of `answers` and `metrics`; empty where no bundle was rebuilt.
        stages: (stage, seconds) of those that ran.
        data: of supply.Supplied.
        notes: about environment and provenance, in words.
        failure: what a stage said that ended in an error.
    """

    origin: Origin
    verdict: Verdict
    first: Difference | None = None
    files: Sequence[Difference] = ()
    samples: Sequence[SampleChange] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    stages: Sequence[tuple[str, float]] = ()
    data: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()
    failure: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.origin.name,
            "version": self.origin.version,
            "commit": self.origin.commit,
            "bundle": self.origin.digest,
            "verdict": self.verdict,
            "first": asdict(self.first) if self.first else None,
            "files": [asdict(each) for each in self.files],
            "samples": [asdict(each) for each in self.samples],
            "numbers": dict(self.numbers),
            "stages": [{"stage": stage, "seconds": round(seconds, 2)} for stage, seconds in self.stages],
            "data": [dict(each) for each in self.data],
            "notes": list(self.notes),
            "failure": self.failure,
        }


def sample_changes(bundle: Path, project: Path) -> list[SampleChange]:
    """The bundle's samples against the rebuilt table of `split`, or of the last stage before it that ran.

    Before `validate`, what it would have left out is no change; before `split`, nothing has a split.

    Args:
        bundle: the registered one.
        project: the worktree.
    """
    before = _by_id(pd.read_parquet(bundle / _SAMPLES, columns=["id", "split", "target"]))
    table, stage = _last_table(project)
    if table is None:
        return []
    after = _by_id(table)
    found = [_change(name, before.get(name), after.get(name)) for name in before.keys() | after.keys()]
    wanted = {"ingest": ("relabelled", "removed"), "validate": ("relabelled", "removed", "added")}.get(
        stage, _KINDS
    )
    kept = [change for change in found if change is not None and change.kind in wanted]
    return sorted(kept, key=lambda change: (_KINDS.index(change.kind), change.path, change.id))


def _change(name: str, old: Row | None, new: Row | None) -> SampleChange | None:
    if old is None or new is None:
        if new is not None:
            return SampleChange(name, "added", new["path"], "", new["target"])
        return SampleChange(name, "removed", "", old["target"], "") if old is not None else None
    if old["target"] != new["target"]:
        return SampleChange(name, "relabelled", new["path"], old["target"], new["target"])
    if old["split"] != new["split"]:
        return SampleChange(name, "moved", new["path"], old["split"], new["split"])
    return None


def _by_id(table: pd.DataFrame) -> dict[str, Row]:
    """Id -> row; of equal pictures the first counts."""
    rows = table.drop_duplicates("id").to_dict("records")
    return {str(row["id"]): {str(key): str(value) for key, value in row.items()} for row in rows}


def stage_of(changes: Sequence[SampleChange], project: Path) -> str:
    """The stage that first shows these changes."""
    if all(change.kind == "moved" for change in changes):
        return "split"
    ingested = _read(project / INGEST)
    removed = {change.id for change in changes if change.kind == "removed"}
    others = [change for change in changes if change.kind in ("relabelled", "added")]
    if not others and ingested is not None and removed <= set(ingested["id"]):
        return "validate"
    return "ingest"


def lock_differences(
    recorded: Mapping[str, Any] | None,
    rebuilt: Mapping[str, Any],
    order: Iterable[str],
    before: Listing,
    after: Listing,
) -> list[Difference]:
    """Outputs whose digests differ, stage after stage; of folders the files, where the listings are known."""
    if recorded is None:
        return []
    found = []
    old, new = ({(r.stage, r.path): r.md5 for r in books.lock_records(lock) if r.role == "out"}
                for lock in (recorded, rebuilt))  # fmt: skip
    for stage in order:
        for name, path in sorted(key for key in old.keys() & new.keys() if key[0] == stage):
            was, now = old[name, path], new[name, path]
            if was != now:
                found += _inside(stage, path, was, now, before, after)
    return found


def bundle_differences(registered: Path, rebuilt: Path) -> list[Difference]:
    """Files of the bundle that differ, each with the stage that decides it."""
    old, new = contents.sha256s(registered), contents.sha256s(rebuilt)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    stages = [_deciding(name, registered, rebuilt) for name in names]
    found = [
        Difference(stage, f"{BUNDLE.as_posix()}/{name}", old.get(name, ""), new.get(name, ""))
        for name, stage in zip(names, stages, strict=True)
    ]
    order = ("split", "prepare", "train", "evaluate", "package")
    return sorted(found, key=lambda each: (order.index(each.stage), each.file))


def numbers(registered: Path, rebuilt: Path, project: Path) -> dict[str, Any]:
    """How far the answers and the metrics of two bundles are apart.

    Returns:
        {"samples", "max_difference", "changed_predictions", "golden_max_difference", "metrics": {name:
        {"registered", "rebuilt", "difference"}}}; without the first three where the classes differ.
    """
    models = [Predictor(registered), Predictor(rebuilt)]
    found: dict[str, Any] = {"metrics": _metrics(models[0].info, models[1].info)}
    if models[0].classes != models[1].classes or models[0].spec != models[1].spec:
        return found
    preprocessing = models[0].info["preprocessing"]
    view = plugins.load("view", preprocessing["modality"])
    tests = view.samples(Store.open(project / PREPARE / "test"), preprocessing)
    largest, changed = 0.0, 0
    for start in range(0, len(tests), _BATCH):
        one, other = (model.decode(tests[start : start + _BATCH]) for model in models)
        largest = max(largest, float(np.abs(one - other).max()))
        said = models[0].output.said
        changed += sum(said(row) != said(again) for row, again in zip(one, other, strict=True))
    samples = golden.read(registered)
    answers = [row for rows in models[1].rows([sample["content"] for sample in samples]) for row in rows]
    output = models[1].output
    gaps = [
        output.gap(golden.expected(sample, output), row) for sample, row in zip(samples, answers, strict=True)
    ]
    return {
        "samples": len(tests), "max_difference": largest, "changed_predictions": changed,
        "golden_max_difference": max(gaps, default=0.0), **found,
    }  # fmt: skip


def same_recipe(registered: Path, rebuilt: Path) -> bool:
    """Whether both were made with the same parameters: close answers of others are no reproduction."""
    old, new = contents.info(registered), contents.info(rebuilt)
    return all(old[part] == new[part] for part in ("params", "classes"))


def within(found: Mapping[str, Any], tolerance: float) -> bool:
    """Whether no probability of a test picture is further off than the tolerance."""
    return "max_difference" in found and bool(found["max_difference"] <= tolerance)


def _last_table(project: Path) -> tuple[pd.DataFrame | None, str]:
    for folder, stage in ((SPLIT, "split"), (VALIDATE, "validate"), (INGEST, "ingest")):
        table = _read(project / folder)
        if table is not None:
            return table, stage
    return None, ""


def _read(folder: Path) -> pd.DataFrame | None:
    path = folder / _SAMPLES
    return pd.read_parquet(path) if path.is_file() else None


def _inside(stage: str, path: str, was: str, now: str, before: Listing, after: Listing) -> list[Difference]:
    old, new = before(was), after(now)
    if old is None or new is None:
        return [Difference(stage, path, was, now)]
    return [
        Difference(stage, f"{path}/{name}", old.get(name, ""), new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _deciding(name: str, registered: Path, rebuilt: Path) -> str:
    """The stage whose work a file of the bundle shows first."""
    if name == _SAMPLES:
        return "split"
    if name == "model.safetensors":
        old, new = (
            contents.info(bundle)["provenance"].get("data_digest") for bundle in (registered, rebuilt)
        )
        return "prepare" if old != new else "train"
    if name == "bundle.json":
        old, new = contents.info(registered), contents.info(rebuilt)
        if old["provenance"] != new["provenance"]:
            same_data = old["provenance"].get("data_digest") == new["provenance"].get("data_digest")
            return "train" if same_data else "prepare"
        same = all(old.get(part) == new.get(part) for part in ("metrics", "calibration", "thresholds"))
        return "package" if same else "evaluate"
    return "package"


def _metrics(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    one, other = (
        {name: value for name, value in info["metrics"]["test"].items() if isinstance(value, int | float)}
        for info in (old, new)
    )
    return {
        name: {"registered": one[name], "rebuilt": other[name], "difference": other[name] - one[name]}
        for name in sorted(one.keys() & other.keys())
    }
