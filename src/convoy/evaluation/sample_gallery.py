"""Samples of a data set as pictures: by class, by split, or by what the gate found in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from convoy.data import findings, manifest
from convoy.data.previews import previews
from convoy.data.sources._base import Reader
from convoy.errors import DataError
from convoy.evaluation.gallery import Sample, render_gallery
from convoy.layout import INGEST, SPLIT, VALIDATE

By = Literal["class", "split", "check"]
_COLUMN: Mapping[By, str] = {"class": "target", "split": "split", "check": "check"}
_MOST_GROUPS = 200


def samples(root: Path, by: By, wanted: Mapping[str, str]) -> pd.DataFrame:
    """The samples that are asked for, as the last stage that has run knows them.

    Args:
        root: of the project.
        by: how they are to be grouped; with `check` a sample has a row for each finding.
        wanted: column (target, split, check) -> its value.

    Returns:
        id, path, target, split, and with `check` or a wanted check: check, reason, detail.

    Raises:
        IntegrityError: no stage has run, or its table is damaged.
        DataError: no sample is like that.
    """
    if by == "check" or "check" in wanted:
        known = manifest.read(root / INGEST)[["path", "split"]].drop_duplicates("path")
        table = findings.read(root / VALIDATE)
        table = table[table["path"].notna()].merge(known, on="path", how="left", sort=False)
    else:
        done = [folder for folder in (SPLIT, VALIDATE) if (root / folder / manifest.FILE).is_file()]
        table = manifest.read(root / (done or [INGEST])[0])
    for column, value in wanted.items():
        choices = sorted({str(each) for each in table[column] if each is not None})
        table = table[table[column] == value]
        if table.empty:
            name = next(name for name, each in _COLUMN.items() if each == column)
            some = ", ".join(choices[:20]) + (f" and {len(choices) - 20} more" if len(choices) > 20 else "")
            raise DataError(f"no sample is of {name} {value!r}", fix=f"there are: {some or 'none at all'}")
    return table


def chosen(table: pd.DataFrame, by: By, most: int) -> pd.DataFrame:
    """At most `most` rows of each group, evenly over the table; findings from the first on.

    Adds the column `group`, its heading. Groups come in the order of their names, those of checks in the
    gate's; after 200 groups there are no more.
    """
    column = table[_COLUMN[by]].astype(object)
    headings = column.where(column.notna(), f"no {by}").astype(str)
    names = list(dict.fromkeys(headings)) if by == "check" else sorted(set(headings))
    parts = []
    for name in names[:_MOST_GROUPS]:
        group = table[(headings == name).to_numpy()]
        if by == "check":
            group = group.head(most)
        elif len(group) > most:
            group = group.iloc[np.linspace(0, len(group) - 1, most).round().astype(int)]
        parts.append(group.assign(group=name))
    return pd.concat(parts) if parts else table.assign(group=[])


def render(table: pd.DataFrame, total: int, read: Reader, max_pixels: int, cache: Path | None = None) -> str:
    """The page, HTML.

    Args:
        table: as `chosen` gives it.
        total: how many samples there are.
        read: gives the content of a sample.
        max_pixels: pictures that claim more are not opened.
        cache: a folder that may keep the small pictures.
    """
    pictures = previews(table["id"].tolist(), table["path"].tolist(), read, max_pixels, cache)
    return render_gallery(
        "Samples",
        [
            Sample(
                picture,
                row["target"] or "no label",
                detail=row["detail"] if "detail" in row else row["split"] or "",
                source=row["path"],
                group=row["group"],
            )
            for row, picture in zip(table.to_dict("records"), pictures, strict=True)
        ],
        subtitle=f"{len(table):,} of {total:,}",
    )
