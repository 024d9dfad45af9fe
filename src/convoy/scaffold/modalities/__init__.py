"""What `convoy init` knows of a modality: a module a modality, found by its name, that is a `Part`.

The parts are asked one after another, those with the more telling signs first: pictures (0) are seen in the
files themselves, a column of texts (20) in its words, and nearly every table could be a table (90). A sign
that cannot tell raises ConfigError with the option that decides: `--modality`, or a column's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from convoy import plugins
from convoy.config.data import DataConfig
from convoy.data.sources._base import Reader, Scan
from convoy.errors import ConfigError
from convoy.scaffold.bring import Shipment
from convoy.scaffold.columns import Wishes
from convoy.scaffold.place import Found, Options, Sign
from convoy.scaffold.survey import Seen


class Chosen(Protocol):
    """Parameters for a first run."""

    @property
    def minutes(self) -> int: ...
    @property
    def duration(self) -> str: ...


class Part(Protocol):
    """The type of a module.

    ORDER   the lower, the sooner its signs are asked
    NOUN    what samples are called, in the plural
    RECIPE  that its params.yaml is made of
    SHEET   name of the file of samples to look at
    WANTED  what it takes, for the message that nothing was recognised
    COLUMNS options of `Wishes` that mean this modality
    SIGNS   of folders and archives, from the most telling to the least
    """

    ORDER: int
    NOUN: str
    RECIPE: str
    SHEET: str
    WANTED: str
    COLUMNS: Sequence[str]
    SIGNS: Sequence[Sign]

    def of_file(self, path: Path, wishes: Wishes) -> tuple[Path, Options] | None:
        """What a single file, that is no archive, is: `data.path` and the options; None: not mine.

        Raises:
            ConfigError: it may be several things; the message names the option that decides.
            DataError: it would be mine, and is damaged.
        """

    def said(self, options: Options) -> str:
        """The options in words."""

    def selection(self, found: Found, pointed: Path) -> Shipment | None:
        """What to bring of `found.root`; None: all."""

    def survey(self, data: DataConfig, scan: Scan, read: Reader) -> Seen: ...

    def sheet(self, scan: Scan, read: Reader, path: Path) -> Path:
        """Write some samples of each class; the same data give the same bytes."""

    def choose(self, seen: Any) -> Chosen: ...

    def fit(self, tree: Any, choices: Any) -> None:
        """Put choices into the tree of params.yaml."""

    def told(self, choices: Any) -> str:
        """The choices in a few words."""

    def doubts(self, data: DataConfig, seen: Any) -> list[str]:
        """What the user should know."""


def part(modality: str) -> Part:
    return cast(Part, plugins.load("scaffold", modality))


def asked(wishes: Wishes) -> list[tuple[str, Part]]:
    """The parts by name, the most telling first; one where the user named the modality or its column.

    Raises:
        ConfigError: there is no such modality.
    """
    known = [(name, part(name)) for name in plugins.names("scaffold")]
    named = [pair for pair in known if not wishes.given().keys().isdisjoint(pair[1].COLUMNS)]
    if len(named) > 1:
        raise ConfigError(
            "a sample has one modality, and columns of two are named",
            where=", ".join(f"--{column.replace('_', '-')}" for _, one in named for column in one.COLUMNS),
            fix="name the one column that is the sample",
        )
    if wishes.modality is not None:
        return [(wishes.modality, part(wishes.modality))]
    return named or sorted(known, key=lambda pair: (pair[1].ORDER, pair[0]))
