"""Texts that lie in the rows or lines of a file; a sample is one of them, its locator "<file>#<line>"."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from convoy.data.files import Files
from convoy.data.sources._base import Content, Reader
from convoy.errors import DataError

_LOCATOR = re.compile(r"(.+)#([1-9][0-9]{0,17})", re.DOTALL)


@dataclass(frozen=True)
class Texts:
    """The texts of a source, read when the first one is asked for.

    Attributes:
        files: where they lie.
        read: everything, by locator.
    """

    files: Files
    read: Callable[[], Mapping[str, str]]

    @cached_property
    def known(self) -> Mapping[str, str]:
        return self.read()

    def content(self, locator: str) -> Content:
        """UTF-8.

        Raises:
            DataError: there is no such text.
        """
        text = self.known.get(locator) if _LOCATOR.fullmatch(locator) else None
        if text is None:
            raise DataError(
                f"there is no text {locator!r}",
                where=self.files.place,
                fix="if it was removed, run ingest again",
            )
        return text.encode("utf-8", "surrogatepass")

    def reader(self) -> Reader:
        """Without stamps: column and encoding decide about the content, too, and reading is cheap."""
        return Reader(self.content)
