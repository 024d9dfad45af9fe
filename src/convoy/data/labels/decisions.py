"""A person's decisions: the table of suggestions, filled in, becomes rows of data/fixes.csv."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from convoy.data.fixes import ACTIONS, Fix, cells, labels, refused, unknown
from convoy.errors import DataError

_NEEDED = ("id", "path", "target", "suggested", "action")


@dataclass(frozen=True)
class Merged:
    """Decisions laid over earlier ones.

    Attributes:
        fixes: all of them.
        added: those that are new, or differ from what stood there.
        known: how many stood there already.
    """

    fixes: list[Fix]
    added: list[Fix]
    known: int


def read(file: Path, samples: pd.DataFrame, classes: Sequence[str], earlier: Sequence[Fix]) -> list[Fix]:
    """The decided rows of a filled-in table of suggestions; rows without an action are passed over.

    Args:
        file: columns id, path, target, suggested and action, in any order, among others. `relabel` takes the
            label from `suggested`.
        samples: the table that `ingest` wrote: columns id, path and target.
        classes: all class names.
        earlier: decisions that are in force; one that is there already is no error whatever the data say.

    Raises:
        DataError: rows with an unknown id, class or action, whose label has changed, or that contradict each
            other; all are named with their lines.
    """
    in_force = _by_subject(earlier)
    targets: dict[str, set[str]] = {}
    for identity, target in zip(samples["id"].tolist(), labels(samples), strict=True):
        targets.setdefault(identity, set()).add(target)
    decided: dict[tuple[str, str], list[Fix]] = {}
    wrong: list[str] = []
    for line, row in cells(file, _NEEDED):
        if not row["action"]:
            continue
        action = row["action"].lower()
        label = row["suggested"] if action == "relabel" else ""
        fix = Fix(row["id"], row["target"], action, row["path"], label, line)
        others = decided.setdefault(_subject(fix), [])
        if not any(_says(fix, other) for other in in_force.get(_subject(fix), [])):
            complaint = _complaint(fix, targets, classes) or _contradiction(fix, others)
            if complaint is not None:
                wrong.append(f"line {line}: {complaint}")
        if not any(_says(fix, other) for other in others):
            others.append(fix)
    if wrong:
        raise refused(wrong, "row", file, "mend these lines and run the command again; nothing was written")
    return [fix for fixes in decided.values() for fix in fixes]


def drops(names: Sequence[str], samples: pd.DataFrame, folder: Path) -> list[Fix]:
    """Decisions to leave samples out.

    Args:
        names: locators of the sample table, files below `folder`, or ids (all copies of the content).
        samples: the table that `ingest` wrote: columns id, path and target.
        folder: where the data lie, `data.path`.

    Raises:
        DataError: there is no such sample.
    """
    paths: list[str] = samples["path"].tolist()
    places = {path: place for place, path in enumerate(paths)}
    copies: dict[str, list[int]] = {}
    for place, identity in enumerate(samples["id"].tolist()):
        copies.setdefault(identity, []).append(place)
    found: list[int] = []
    wrong: list[str] = []
    for name in names:
        file = Path(name).absolute()
        below = (
            file.relative_to(folder.absolute()).as_posix() if file.is_relative_to(folder.absolute()) else ""
        )
        if name in places or below in places:
            found.append(places[name if name in places else below])
        elif name in copies:
            found += copies[name]
        else:
            near = difflib.get_close_matches(name, paths[:10_000], n=1)
            wrong.append(name + (f"; did you mean {near[0]!r}?" if near else ""))
    if wrong:
        raise DataError(
            f"{len(wrong)} of {len(names)} names are no samples\n" + "\n".join(f"  {w}" for w in wrong[:20]),
            where=str(folder),
            fix="name samples as the data report does, files of the data folder, or ids; nothing was written",
        )
    ids, targets = samples["id"].tolist(), labels(samples)
    return [Fix(ids[place], targets[place], "drop", paths[place]) for place in dict.fromkeys(found)]


def merge(earlier: Sequence[Fix], decided: Sequence[Fix]) -> Merged:
    """Later decisions replace earlier ones about the same sample and label.

    A label that an earlier decision gave is traced to the source's own: 3 to 7 and then 7 to 9 is 3 to 9, and
    7 to 3 is to keep 3.
    """
    table = _by_subject(earlier)
    made: dict[tuple[str, str], list[str]] = {}  # content and the label it was given -> the source's labels
    for fix in earlier:
        if fix.action == "relabel":
            made.setdefault((fix.id, fix.label), []).append(fix.target)
    added: list[Fix] = []
    known = 0
    for fix in decided:
        origins = made.get(_subject(fix), [])
        stands = any(_says(fix, other) for other in table.get(_subject(fix), []))
        if stands or (fix.action == "keep" and origins):
            known += 1
            continue
        for traced in [_traced(fix, origin) for origin in origins or [fix.target]]:
            rows = table.setdefault(_subject(traced), [])
            rows[:] = [other for other in rows if not _clash(traced, other)] + [traced]
            added.append(traced)
    return Merged(sorted(fix for rows in table.values() for fix in rows), sorted(added), known)


def without(earlier: Sequence[Fix], names: Sequence[str]) -> Merged:
    """The decisions without those about samples of these paths or ids; `added` are those taken out.

    Raises:
        DataError: a name is in no row.
    """
    missing = [name for name in names if all(name not in (fix.id, fix.path) for fix in earlier)]
    if missing:
        raise DataError(
            f"no decision concerns {', '.join(missing[:20])}", fix="name paths or ids of data/fixes.csv"
        )
    out = [fix for fix in earlier if fix.id in names or fix.path in names]
    return Merged([fix for fix in earlier if fix not in out], out, 0)


def _subject(fix: Fix) -> tuple[str, str]:
    """What a decision is about: a content under a label."""
    return (fix.id, fix.target)


def _by_subject(fixes: Sequence[Fix]) -> dict[tuple[str, str], list[Fix]]:
    found: dict[tuple[str, str], list[Fix]] = {}
    for fix in fixes:
        found.setdefault(_subject(fix), []).append(fix)
    return found


def _clash(one: Fix, other: Fix) -> bool:
    """Whether only one of two decisions can hold; a copy may go while the others are relabelled."""
    return one.path == other.path or "drop" not in (one.action, other.action)


def _says(one: Fix, other: Fix) -> bool:
    """Whether two decisions about a subject are the same."""
    return (one.action, one.label) == (other.action, other.label) and _clash(one, other)


def _contradiction(fix: Fix, others: Sequence[Fix]) -> str | None:
    for other in others:
        if _clash(fix, other) and not _says(fix, other):
            return f"{fix.path} is decided twice: {_said(other)} in line {other.line}, {_said(fix)} here"
    return None


def _said(fix: Fix) -> str:
    return f"{fix.action} to {fix.label!r}" if fix.action == "relabel" else fix.action


def _complaint(fix: Fix, targets: dict[str, set[str]], classes: Sequence[str]) -> str | None:
    if fix.action not in ACTIONS:
        return unknown("action", fix.action, ACTIONS)
    if fix.id not in targets:
        return f"no sample has the id {fix.id!r}"
    if fix.target not in targets[fix.id]:
        labels = " and ".join(repr(target) for target in sorted(targets[fix.id]))
        return f"{fix.path} is labelled {labels} now, not {fix.target!r}: the table is older than the data"
    if fix.action == "relabel" and fix.label not in classes:
        return unknown("class", fix.label, list(classes))
    if fix.action == "relabel" and fix.label == fix.target:
        return f"{fix.path} is labelled {fix.label!r} already; write keep"
    return None


def _traced(fix: Fix, origin: str) -> Fix:
    """The decision about a sample whose label is `origin` by the source."""
    if fix.action == "relabel" and fix.label == origin:
        return replace(fix, target=origin, action="keep", label="")
    return replace(fix, target=origin)
