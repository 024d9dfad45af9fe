"""What the gate on the data found, read back: findings.parquet of `validate`."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from convoy.errors import IntegrityError

FILE = "findings.parquet"
COLUMNS = ("id", "path", "target", "check", "policy", "reason", "detail", "other")


def read(folder: Path) -> pd.DataFrame:
    """The findings in the gate's order; what is missing is None, as are id and path of those of the whole.

    Raises:
        IntegrityError: there is no such table, or it is damaged.
    """
    path = folder / FILE
    try:
        found: pd.DataFrame = pq.ParquetFile(path).read(columns=list(COLUMNS)).to_pandas().astype(object)
    except (OSError, pa.ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged"
        raise IntegrityError(
            f"cannot read the findings: {reason}",
            where=str(path),
            fix="run the stage that writes them: dvc repro validate",
        ) from None
    missing = [name for name in COLUMNS if name not in found.columns]
    if missing:
        raise IntegrityError(
            f"the findings lack {', '.join(missing)}", where=str(path), fix="run validate again"
        )
    return found.where(found.notna(), None)
