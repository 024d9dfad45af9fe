"""Where bundles come from. Serving does not know the registry; the command line wires it in here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from convoy.serving.predictor import Predictor


@dataclass(frozen=True)
class Reference:
    """Which bundle it is: name and version in the registry (a folder has no version), digest of its bytes."""

    name: str
    version: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}/{self.version}" if self.version else f"{self.name} ({self.digest[:12]})"


class Source(Protocol):
    """What a server asks for bundles.

    Attributes:
        moves: whether another bundle may be named later.
    """

    moves: bool

    def resolve(self) -> Reference:
        """What is to be served now; cheap. Raises ConvoyError."""

    def fetch(self, reference: Reference, scratch: Path, /) -> Path:
        """The verified bundle; `scratch` is removed when it is loaded. Raises ConvoyError."""

    def check(self, bundle: Path, predictor: Predictor) -> None:
        """Try the loaded bundle. Raises ConvoyError."""
