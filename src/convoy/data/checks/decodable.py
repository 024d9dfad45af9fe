"""Every picture opens: read, header within bounds, all pixels decoded."""

from typing import Any

import pandas as pd

from convoy.data import pixels
from convoy.data._quiet import decoders_quiet
from convoy.data._threads import in_chunks
from convoy.data.checks._base import Context, Verdict

NAME = "decodable"
_UNKNOWN = {"width": 0, "height": 0, "mode": "", "bytes": 0}


def run(samples: pd.DataFrame, context: Context) -> Verdict:
    """Reasons: empty, oversized, undecodable. Adds width, height, mode and bytes."""
    paths = samples["path"].tolist()

    def chunk(rows: range) -> list[tuple[dict[str, Any], tuple[str, str] | None]]:
        return [_open(context, paths[row]) for row in rows]

    with decoders_quiet():
        opened = [result for part in in_chunks(chunk, len(paths)) for result in part]
    bad = {row: finding for row, (_, finding) in enumerate(opened) if finding is not None}
    return Verdict(bad=bad, columns={name: [facts[name] for facts, _ in opened] for name in _UNKNOWN})


def _open(context: Context, path: str) -> tuple[dict[str, Any], tuple[str, str] | None]:
    content = context.read(path)
    facts = {**_UNKNOWN, "bytes": len(content) if isinstance(content, bytes) else content.nbytes}
    try:
        header = pixels.inspect(content, context.max_pixels)
        facts |= {name: header[name] for name in ("width", "height", "mode")}
        pixels.decode(content, 3, context.max_pixels)
    except pixels.UndecodableImage as error:
        return facts, (error.reason, str(error))
    return facts, None
