"""What can go wrong for a user, and the exit code that says so.

ConvoyError
├── ConfigError      2   the parameters are wrong
├── DataError        3   the data are wrong
├── IntegrityError   4   bytes are not what they were recorded to be
├── ResourceError    5   the environment lacks something (disk, server, package, device)
├── GateRefused      6   the model was not good enough
└── ToldError        1   another process told of an error; its own exit code stands for this one

An error says what happened, where (file, line, key, sample) and how to mend it.
"""

from typing import ClassVar


class ConvoyError(Exception):
    """An error a user can act on; rendered as one block, without a traceback."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [f"error {self.exit_code}: {self.what}"]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)


class ToldError(ConvoyError):
    """What another process of ours told: its exit code, and its error as one block."""

    def __init__(self, code: int, block: str) -> None:
        super().__init__(block)
        self.exit_code = code  # type: ignore[misc]  # known when it has ended

    def __str__(self) -> str:
        return self.what


class ConfigError(ConvoyError, ValueError):
    """The parameters are wrong (exit 2)."""

    exit_code = 2


class DataError(ConvoyError, ValueError):
    """The data are wrong (exit 3)."""

    exit_code = 3


class IntegrityError(ConvoyError):
    """Bytes differ from what was recorded, or a number that must be finite is not (exit 4)."""

    exit_code = 4


class ResourceError(ConvoyError):
    """The environment lacks something that the work needs (exit 5)."""

    exit_code = 5


class GateRefused(ConvoyError):
    """The model was measured and not promoted (exit 6)."""

    exit_code = 6
