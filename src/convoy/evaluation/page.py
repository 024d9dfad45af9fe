"""HTML pages: jinja2 templates, everything escaped, nothing fetched from anywhere."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from convoy.data import fonts

_TEMPLATES = Path(__file__).with_name("templates")


def page(template: str, *, folder: Path = _TEMPLATES, **values: Any) -> str:
    """A template filled with `values`; its Chinese letters come with it.

    Args:
        folder: where the template lies; it may extend those of `templates/`.
    """
    text = _environment(folder).get_template(template).render(**values)
    return text.replace("</style>", f"{fonts.web_face(text)}</style>", 1)


@cache
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([folder, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"share": share, "points": points, "count": count, "figure": figure}
    return environment


def share(value: float) -> str:
    """0.989 -> "98.9 %"; what is not quite all or nothing never reads 100.0 or 0.0."""
    shown = min(max(100 * value, 0.1), 99.9) if 0 < value < 1 else 100 * value
    return f"{shown:.1f}\N{NO-BREAK SPACE}%"


def points(value: float) -> str:
    """A difference of shares: 0.032 -> "+3.2 points"."""
    return f"{100 * value:+.1f}\N{NO-BREAK SPACE}points".replace("-", "\N{MINUS SIGN}")


def count(value: int) -> str:
    """1000 -> "1,000"."""
    return f"{value:,}"


def figure(value: float) -> str:
    """A metric in four decimals."""
    return f"{value:.4f}".replace("-", "\N{MINUS SIGN}")
