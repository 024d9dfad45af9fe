"""What changed between two sides: their samples, their answers on the same test samples, their commits."""

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convoy.gate import paired
from convoy.registry.collecting import Side

SHOWN = 20
_COMMIT = re.compile(r"[0-9a-f]{40}")
_GIT_SECONDS = 20


def of_samples(first: Side, other: Side) -> dict[str, Any] | None:
    """Samples that were added, removed, relabelled, or moved to another split; None where one side has none.

    {"complete": bool, "added": {"count", "first": [{"id", "split", "target"}]}, "removed": the same,
    "relabelled" and "moved": {"count", "first": [{"id", "from", "to"}]}}; where not `complete`, the training
    samples of one side are not known and both are compared on validation and test alone.
    """
    if first.samples is None or other.samples is None:
        return None
    complete = first.complete and other.complete
    before, after = (
        (side.samples if complete else side.samples[side.samples["split"] != "train"])
        .drop_duplicates("id")
        .set_index("id")
        .sort_index()
        for side in (first, other)
        if side.samples is not None
    )
    both = before.index.intersection(after.index)
    found: dict[str, Any] = {"complete": complete}
    for name, rows in (
        ("added", after.loc[after.index.difference(before.index)]),
        ("removed", before.loc[before.index.difference(after.index)]),
    ):
        listed = rows.head(SHOWN).reset_index().to_dict("records")
        found[name] = {
            "count": len(rows),
            "first": [{k: _plain(v) for k, v in row.items()} for row in listed],
        }
    for name, column in (("relabelled", "target"), ("moved", "split")):
        old, new = before.loc[both, column], after.loc[both, column]
        changed = both[((old != new) & ~(old.isna() & new.isna())).to_numpy(bool)]
        found[name] = {
            "count": len(changed),
            "first": [
                {"id": sample, "from": _plain(old[sample]), "to": _plain(new[sample])}
                for sample in changed[:SHOWN]
            ],
        }
    return found


def of_answers(first: Side, other: Side) -> dict[str, Any] | None:
    """Both on the test samples that they share under the same label; None where there are none.

    {"samples", "metrics": {name: {"values": [first, other], "difference", "interval"}},
    "mcnemar": {"only_first_right", "only_other_right", "p"}}
    """
    table = common_tests(first, other)
    if table is None or table.empty:
        return None
    names = sorted({*table["target"], *table["first"], *table["other"]})
    code = {name: n for n, name in enumerate(names)}
    target, old, new = (
        np.array([code[name] for name in table[column]], np.int64) for column in ("target", "first", "other")
    )
    answers = paired.Answers(target, new, old, len(names))
    measured = {metric: paired.compare(metric, answers) for metric in paired.METRICS}
    test = measured["accuracy"]["mcnemar"]
    figures = {
        f"test_{name}": {
            "values": [row["champion"], row["challenger"]],
            "difference": row["difference"],
            "interval": row["interval"],
        }
        for name, row in measured.items()
    }
    losses = (table["loss_first"].to_numpy(np.float64), table["loss_other"].to_numpy(np.float64))
    figures["test_log_loss"] = {
        "values": [float(each.mean()) for each in losses],
        "difference": float((losses[1] - losses[0]).mean()),
        "interval": paired.mean_interval(losses[1] - losses[0]),
    }
    return {
        "samples": len(table),
        "metrics": figures,
        "mcnemar": {
            "only_first_right": test["only_champion_right"],
            "only_other_right": test["only_challenger_right"],
            "p": test["p"],
        },
    }


def sides(first: Side, other: Side) -> list[dict[str, Any]]:
    """The common test samples that one has right and the other wrong: first those that were lost.

    [{"id", "path", "target", "first", "other", "confidence": [first, other], "change": "lost" | "won"}], the
    most confident mistakes first.
    """
    table = common_tests(first, other)
    if table is None:
        return []
    was, now = table["first"] == table["target"], table["other"] == table["target"]
    changed = table[was != now].assign(change=np.where(was[was != now], "lost", "won"))
    wrong = changed["confidence_other"].where(changed["change"] == "lost", changed["confidence_first"])
    ordered = changed.assign(wrong=-wrong).sort_values(["change", "wrong", "id"])
    return [
        {
            **{name: _plain(row[name]) for name in ("id", "path", "target", "first", "other", "change")},
            "confidence": [float(row["confidence_first"]), float(row["confidence_other"])],
        }
        for row in ordered.to_dict("records")
    ]


def of_code(root: Path | None, first: Side, other: Side) -> dict[str, Any] | None:
    """Commits and files between the two, where this clone has both; None where nothing differs.

    {"from", "to", "commits": [...], "files": [...]}; `commits` and `files` are null where git does not know.
    """
    commits = [side.origin.get("commit", "") for side in (first, other)]
    if commits[0] == commits[1] or not all(map(_COMMIT.fullmatch, commits)):
        return None
    before, after = commits
    found: dict[str, Any] = {"from": before, "to": after, "commits": None, "files": None}
    if root is not None:
        found["commits"] = _lines(root, "log", "--oneline", "--no-decorate", f"{before}..{after}")
        found["files"] = _lines(root, "diff", "--name-only", before, after)
    return found


def common_tests(first: Side, other: Side) -> pd.DataFrame | None:
    """One row a test sample of both, of the same label, sorted by id.

    Columns id, path, target, first, other (predictions), confidence_first, confidence_other, loss_first,
    loss_other. None where a side has no predictions.
    """
    if first.predictions is None or other.predictions is None:
        return None
    columns = ["id", "path", "target", "prediction", "confidence", "loss"]
    if any(not {*columns} <= {*map(str, each.columns)} for each in (first.predictions, other.predictions)):
        return None  # of an objective without classes
    old, new = (
        side.predictions.loc[side.predictions["split"] == "test", columns].drop_duplicates("id")
        for side in (first, other)
        if side.predictions is not None
    )
    both = old.merge(new.drop(columns="path"), on=["id", "target"], suffixes=("_first", "_other"))
    return both.rename(columns={"prediction_first": "first", "prediction_other": "other"}).sort_values(
        "id", ignore_index=True
    )


def _lines(root: Path, *arguments: str) -> list[str] | None:
    try:
        done = subprocess.run(
            ["git", "-c", "core.quotepath=off", *arguments, "--"],
            cwd=root,
            capture_output=True,
            check=False,
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").splitlines() if done.returncode == 0 else None


def _plain(value: Any) -> Any:
    """None for pandas' missing values."""
    return None if value is None or value != value else value
