"""What differs from the data that were accepted last: what came, went and changed its label; class shares.

What was accepted before is known to this checkout alone. So the findings are told and kept in .convoy/, and
are no part of what the stage gives to others: the same data give the same bytes everywhere.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from convoy.config.data import DataConfig
from convoy.data.checks._base import Context, Finding, number
from convoy.io import atomic_path, sha256_bytes
from convoy.layout import STATE

NAME = "changes"
_COLUMNS = ["id", "path", "target"]
_SIGNIFICANT = 0.01
_EXAMPLES = 20


@dataclass(frozen=True)
class Changes:
    """Rows of the tables by what happened to them; `relabelled` has the old label as `before`."""

    came: pd.DataFrame
    went: pd.DataFrame
    relabelled: pd.DataFrame


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reasons: came, went, relabelled, shares; of the data as a whole."""
    if context.before is None:
        return []
    changes = compare(context.before, samples)
    found = []
    for name, rows in (("came", changes.came), ("went", changes.went)):
        if len(rows):
            found.append(Finding(None, name, f"{_counted(rows)} {name}: {_examples(rows['path'])}"))
    if len(changes.relabelled):
        rows = changes.relabelled
        moves = rows["path"] + " (" + rows["before"].astype(str) + " to " + rows["target"].astype(str) + ")"
        found.append(Finding(None, "relabelled", f"{_counted(rows)} changed the label: {_examples(moves)}"))
    if context.task == "classification":
        found += _shares(context.before, samples)
    return found


def compare(before: pd.DataFrame, now: pd.DataFrame) -> Changes:
    """By content: a file that was only renamed neither came nor went."""
    earlier = dict(zip(before["id"].tolist(), before["target"].tolist(), strict=True))
    ids = now["id"].tolist()
    present = set(ids)
    came = now[[identity not in earlier for identity in ids]]
    went = before[[identity not in present for identity in before["id"].tolist()]]
    differs = [
        identity in earlier and (target or "") != (earlier[identity] or "")
        for identity, target in zip(ids, now["target"].tolist(), strict=True)
    ]
    relabelled = now.loc[differs, _COLUMNS].drop_duplicates("id")
    old = [earlier[identity] for identity in relabelled["id"]]
    return Changes(came[_COLUMNS], went[_COLUMNS], relabelled.assign(before=old))


def last(data: DataConfig, base: Path) -> pd.DataFrame | None:
    """The data that were accepted last; None where there are none."""
    try:
        table = pd.read_parquet(_path(data, base))
    except (OSError, ValueError):  # what pyarrow says of damage is a ValueError
        return None
    if list(table.columns) != _COLUMNS:
        return None
    return table.astype(object).where(table.notna(), None)


def accept(samples: pd.DataFrame, data: DataConfig, base: Path) -> None:
    """Remember the data for the next time."""
    with atomic_path(_path(data, base)) as temporary:
        samples[_COLUMNS].to_parquet(temporary, index=False, compression="zstd")


def _path(data: DataConfig, base: Path) -> Path:
    key = sha256_bytes(f"{data.source}:{data.path}:{data.table or data.dataset or ''}".encode())[:16]
    return base / STATE / "cache" / "accepted" / f"{key}.parquet"


def _shares(before: pd.DataFrame, now: pd.DataFrame) -> list[Finding]:
    """Pearson's chi-square test of homogeneity of the classes' counts before and now."""
    counts = (
        pd.DataFrame({"before": before["target"].value_counts(), "now": now["target"].value_counts()})
        .fillna(0)
        .astype(float)
    )
    if len(counts) < 2 or (counts.sum() == 0).any() or counts["before"].equals(counts["now"]):
        return []
    from scipy.special import chdtrc

    observed = counts.to_numpy()
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / observed.sum()
    p = float(chdtrc(len(counts) - 1, ((observed - expected) ** 2 / expected).sum()))
    if not p < _SIGNIFICANT:
        return []
    shares = counts / counts.sum()
    moved = (
        (shares["now"] - shares["before"]).abs().sort_values(ascending=False, kind="stable").index[:_EXAMPLES]
    )
    named = ", ".join(f"{name} {shares['before'][name]:.1%} to {shares['now'][name]:.1%}" for name in moved)
    return [
        Finding(None, "shares", f"the shares of the classes changed (chi-square test, p = {p:.2g}): {named}")
    ]


def _counted(rows: pd.DataFrame) -> str:
    return f"{number(len(rows))} {'picture' if len(rows) == 1 else 'pictures'}"


def _examples(values: "pd.Series[str]") -> str:
    more = f" and {number(len(values) - _EXAMPLES)} more" if len(values) > _EXAMPLES else ""
    return ", ".join(values.iloc[:_EXAMPLES]) + more
