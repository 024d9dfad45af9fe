"""From a row of a table to the numbers that a network takes. It travels with the bundle: numpy alone.

A row is an object of JSON, by column. Its cells are a vector: the numbers first (NaN: missing; a date gives
several), then the categories as codes (0 missing, 1 not known from the training split, then its categories in
the order of their names). The features are what the network takes of it: numbers, then codes to embed.
"""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.float64]  # (N, numbers + categories)
Features = NDArray[np.float32]  # (N, features)

MISSING, UNKNOWN, FIRST = 0, 1, 2
TRUE, FALSE = {"true", "t", "yes", "y", "1", "1.0"}, {"false", "f", "no", "n", "0", "0.0"}

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?[\d.,]*\d[.,]\d+[\d.,]*")
_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ](.+))?")


class BadRow(ValueError):
    """It is no row that the model can answer. `reason`: empty, undecodable, column or value."""

    def __init__(self, detail: str, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


def number(text: str, decimal: str = ".") -> float:
    """Raises:
    ValueError: it is none; nothing is guessed where a comma may part thousands or a fraction.
    """
    plain = text if decimal == "." else text.replace(",", ".") if "." not in text else ""
    if not _NUMBER.fullmatch(plain) or not np.isfinite(float(plain)):
        if _COMMA.fullmatch(text):
            raise ValueError(
                f"{text!r} has a comma or several points: write 1234.5, without marks of thousands"
            )
        raise ValueError(f"{text!r} is no number")
    return float(plain)


def boolean(text: str) -> float:
    """Raises:
    ValueError: it is none.
    """
    word = text.casefold()
    if word not in TRUE | FALSE:
        raise ValueError(f"{text!r} is neither true nor false")
    return float(word in TRUE)


def date(text: str, earliest: str, latest: str) -> float:
    """Seconds since 1970; a time without a zone is taken for UTC.

    Raises:
        ValueError: it is no date, there is no such day, or it is out of range.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no date: write 2024-05-31, or 2024-05-31T13:45")
    year, month, day, rest = found.groups()
    try:
        moment = datetime.fromisoformat(f"{year}-{int(month):02d}-{int(day):02d}T{rest or '00:00'}")
    except ValueError as error:
        raise ValueError(f"{text!r} is no date: {error}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not earliest <= f"{moment:%Y-%m-%d}" <= latest:
        raise ValueError(f"{text!r} is out of range: before {earliest} or after {latest}")
    return moment.timestamp()


def parts(seconds: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.float64]:
    """(N,) seconds since 1970 -> (N, parts), NaN where the date is missing."""
    known = np.isfinite(seconds)
    whole = np.where(known, seconds, 0.0)
    days = np.floor(whole / 86400).astype(np.int64)
    day = days.astype("datetime64[D]")
    month, year = day.astype("datetime64[M]"), day.astype("datetime64[Y]")
    values = {
        "year": year.astype(np.int64) + 1970,
        "month": month.astype(np.int64) % 12 + 1,
        "day": (day - month).astype(np.int64) + 1,
        "weekday": (days + 3) % 7,  # 0: Monday
        "hour": np.floor((whole - 86400 * days) / 3600),
        "days": whole / 86400,
    }
    found: NDArray[np.float64] = np.stack([values[name].astype(np.float64) for name in names], axis=1)
    found[~known] = np.nan
    return found


class Rows:
    """Records -> cells.

    Args:
        spec: as of preprocessor.json.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._spec = spec
        self.columns: list[str] = [column["name"] for column in spec["columns"]]
        self._missing = set(spec["missing"])
        self._known = {
            column["name"]: {name: FIRST + n for n, name in enumerate(column["categories"])}
            for column in spec["columns"]
            if column["kind"] == "category"
        }

    def record(self, content: bytes | str) -> dict[str, Any]:
        """The object that JSON holds.

        Raises:
            BadRow: it is no JSON, or no object.
        """
        try:
            text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        except UnicodeDecodeError as error:
            raise BadRow(f"byte {error.start} is not UTF-8", "undecodable") from None
        if not text.strip():
            raise BadRow("the row is empty", "empty")
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadRow(f"the row is no JSON: {error}", "undecodable") from None
        if not isinstance(found, dict):
            raise BadRow("the row is no JSON object with a value for each column", "undecodable")
        return found

    def expect(self, columns: Sequence[str]) -> None:
        """Raises:
        BadRow: a column is missing; one that is called nearly so is named. Others than those that the model
            knows do not matter.
        """
        missing = [name for name in self.columns if name not in columns]
        if not missing:
            return
        others = [name for name in columns if name not in self.columns]
        folded = {name.casefold(): name for name in others}
        said = []
        for name in missing:
            near = difflib.get_close_matches(name.casefold(), folded, 1, 0.7)
            said.append(f"{name!r}" + (f" (is {folded[near[0]]!r} it?)" if near else ""))
        plural = "s" if len(said) > 1 else ""
        raise BadRow(
            f"column{plural} {', '.join(said)} missing; write null where a value is not known", "column"
        )

    def text(self, value: Any) -> str | None:
        """A value of JSON or of a table as text; None where it is missing.

        Raises:
            ValueError: it is a list or an object.
        """
        if value is None or value != value:  # NaN and NaT
            return None
        if isinstance(value, bool | np.bool_):
            return "true" if value else "false"
        if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < 1e15:
            return str(int(value))
        if isinstance(value, list | dict):
            raise ValueError(f"a {'list' if isinstance(value, list) else 'object'} is no value")
        found = str(value).strip()
        return None if found in self._missing else found

    def cell(self, column: Mapping[str, Any], value: Any) -> list[float]:
        """What one value gives: a number, a code, or the parts of a date.

        Raises:
            ValueError: it is none that the column can hold.
        """
        text = self.text(value)
        kind = column["kind"]
        if kind == "category":
            if text is None:
                return [float(MISSING)]
            known = self._known[column["name"]]
            code = known.get(text, known.get(f"{text}.0", UNKNOWN) if isinstance(value, float) else UNKNOWN)
            if code == UNKNOWN and self._spec["unseen"] == "error" and text not in column["rare"]:
                raise ValueError(f"{text!r} is none of the categories of the training split")
            return [float(code)]
        if kind == "date":
            seconds = np.nan if text is None else date(text, self._spec["earliest"], self._spec["latest"])
            return [float(part) for part in parts(np.array([seconds]), self._spec["dates"])[0]]
        if text is None:
            return [float("nan")]
        return [boolean(text) if kind == "boolean" else number(text, self._spec["decimal"])]

    def cells(self, record: Mapping[str, Any]) -> NDArray[np.float64]:
        """(numbers + categories,).

        Raises:
            BadRow: a column is missing, or a value is none that it can hold.
        """
        self.expect(list(record))
        numbers: list[float] = []
        codes: list[float] = []
        for column in self._spec["columns"]:
            try:
                found = self.cell(column, record[column["name"]])
            except ValueError as error:
                raise BadRow(f"column {column['name']!r}: {error}", "value") from None
            (codes if column["kind"] == "category" else numbers).extend(found)
        return np.array([*numbers, *codes], np.float64)


class Transformer:
    """Cells -> features, as they were fitted (see `fitting`).

    Args:
        spec: as of preprocessor.json.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        numbers = spec["numbers"]
        self.width = len(numbers)
        self._low, self._high, self._fill, self._center, self._scale = (
            np.array([each[name] for each in numbers], np.float64)
            for name in ("low", "high", "fill", "center", "scale")
        )
        self._clip = bool(spec["clip"])
        self._flagged = np.array(spec["flagged"], np.int64)
        self._indicated = np.array(spec["indicated"], np.int64)
        self._points = [np.array(each["points"], np.float64) for each in numbers]
        self._form: str = spec["form"]
        self._forest = Forest(spec["forest"]) if spec["forest"] else None
        self._categories: list[Mapping[str, Any]] = spec["categories"]
        self._kept = np.array(spec["kept"], np.int64)
        self.features = len(self._kept)

    def __call__(self, cells: Cells) -> Features:
        """(N, features), float32."""
        return self.all(cells)[:, self._kept].astype(np.float32)

    def all(self, cells: Cells) -> NDArray[np.float64]:
        """(N, features before the selection)."""
        raw, codes = cells[:, : self.width], cells[:, self.width :].astype(np.int64)
        with np.errstate(invalid="ignore"):
            outside = (raw < self._low) | (raw > self._high)
            usual = np.clip(raw, self._low, self._high) if self._clip else raw
        filled = np.where(np.isnan(raw), self._fill, usual)
        found = [self._scaled(filled), np.isnan(raw)[:, self._indicated], outside[:, self._flagged]]
        if self._forest is not None:
            found.append(self._forest.outlying(filled)[:, None])
        embedded = []
        for number, each in enumerate(self._categories):
            column = codes[:, number]
            if each["fill"] is not None:
                column = np.where(column == MISSING, each["fill"], column)
            if each["encode"] == "one_hot":
                found.append(column[:, None] == np.array(each["codes"], np.int64)[None])
            elif each["encode"] == "ordinal":
                found.append((column[:, None] - FIRST) / max(1, each["size"] - FIRST - 1))
            else:
                embedded.append(column[:, None])
        whole: NDArray[np.float64] = np.concatenate([*found, *embedded], axis=1, dtype=np.float64)
        return whole

    def _scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        plain = (values - self._center) / self._scale
        if self._form == "linear" or not self.width:
            return plain
        found = []
        for number, points in enumerate(self._points):
            if len(points) == 0:  # a boolean
                found.append(plain[:, [number]])
            elif self._form == "quantile":
                found.append(_quantile(values[:, number], points)[:, None])
            else:
                steps = (values[:, [number]] - points[:-1]) / np.diff(points)
                found.append(np.clip(steps, 0, 1))
        return np.concatenate(found, axis=1)


def _quantile(values: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of the training rows below, as sklearn's QuantileTransformer has it (uniform)."""
    shares = np.linspace(0, 1, len(points))
    up = np.interp(values, points, shares)
    down = -np.interp(-values, -points[::-1], -shares[::-1])
    found = 0.5 * (up + down)
    found[values == points[0]] = 0.0
    found[values == points[-1]] = 1.0
    return found


class Forest:
    """An isolation forest (Liu et al. 2008) as arrays, whose nodes are numbered through all trees."""

    def __init__(self, trees: Mapping[str, Any]) -> None:
        self._feature, self._left, self._right, self._roots = (
            np.array(trees[name], np.int64) for name in ("feature", "left", "right", "roots")
        )
        self._threshold, self._depth = (np.array(trees[name], np.float64) for name in ("threshold", "depth"))
        self._usual, self._offset = float(trees["usual"]), float(trees["offset"])

    def outlying(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(N,)."""
        rows, single = np.arange(len(values)), values.astype(np.float32)
        total = np.zeros(len(values))
        for root in self._roots.tolist():
            node = np.full(len(values), root)
            while (inner := self._left[node] >= 0).any():
                below = single[rows, self._feature[node]] <= self._threshold[node]
                node = np.where(inner, np.where(below, self._left[node], self._right[node]), node)
            total += self._depth[node]
        score = -(2.0 ** (-total / (len(self._roots) * self._usual)))
        outlying: NDArray[np.bool_] = score < self._offset
        return outlying
