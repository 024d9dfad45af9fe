"""Sequences that lie in arrays or lines of files: a sample is one of them, its locator "<file>#<number>"."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data.sources._base import Content, Reader
from convoy.errors import DataError


class Ragged(DataError):
    """The channels of a sample differ in length."""


@dataclass(frozen=True)
class Known:
    """The sequences of a source, read when the first one is asked for.

    Attributes:
        place: of the data, for messages.
        read: everything, by locator: arrays (T, C), or why there is none.
    """

    place: str
    read: Callable[[], Mapping[str, NDArray[Any] | DataError]]

    @cached_property
    def _all(self) -> Mapping[str, NDArray[np.float64] | DataError]:
        return self.read()

    def content(self, locator: str) -> Content:
        """(T, C).

        Raises:
            DataError: there is no such sequence, or it is damaged.
        """
        found = self._all.get(locator)
        if found is None:
            raise DataError(
                f"there is no sequence {locator!r}",
                where=self.place,
                fix="if it was removed, run ingest again",
            )
        if isinstance(found, DataError):
            raise type(found)(found.what, where=found.where, fix=found.fix)
        return found

    def reader(self) -> Reader:
        """Without stamps: reading is cheap."""
        return Reader(self.content)
