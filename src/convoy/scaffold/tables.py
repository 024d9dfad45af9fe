"""A table of samples read whole, by the same code as the sources, and written again with other paths."""

import csv
import io

import pandas as pd

from convoy.data.files import Files
from convoy.data.sources import _tables

is_table = _tables.is_table


def read(files: Files, name: str) -> pd.DataFrame:
    """All columns as text; missing cells are empty.

    Raises:
        DataError: the file is damaged, in an unknown encoding, or no table.
    """
    found = _tables.read(files, name, _tables.header(files, name))
    return pd.DataFrame(
        {key: [cell or "" for cell in cells] for key, cells in found.columns.items()}, dtype=object
    )


def write(table: pd.DataFrame, name: str) -> bytes:
    """A file of the kind that its name says: Parquet, or UTF-8 text."""
    ending = _tables.ending(name)
    if ending in (".parquet", ".pq"):
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        return buffer.getvalue()
    if ending == ".jsonl":
        return table.to_json(orient="records", lines=True, force_ascii=False).encode("utf-8")
    text = io.StringIO()
    rows = csv.writer(text, delimiter="\t" if ending == ".tsv" else ",", lineterminator="\n")
    rows.writerow(table.columns)
    rows.writerows(table.itertuples(index=False))
    return text.getvalue().encode("utf-8")
