"""Who a thing belongs to: a process, named so that no later one is taken for it.

A number alone does not do: the system gives it out again. A start time alone does not do: it moves when
the clock is set. On Linux a process is known by its number, its ticks since the boot, the boot, and the
namespace that its number counts in. Of another host, or of another namespace (a container), nobody here can
tell.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

_TICKS_FIELD = 19  # of /proc/PID/stat, counted behind the name: `starttime`, proc(5)
_ROUNDED_SECONDS = 1.0  # between two readings of one start time


@dataclass(frozen=True)
class Owner:
    """A process at the time of writing.

    Attributes:
        create_time: seconds since the epoch, by the clock of that day.
        boot: of the system; empty where it is not told.
        ticks: from the boot to the start of the process; 0: not told.
        space: the namespace of process numbers; empty where there is none.
    """

    pid: int
    create_time: float
    host: str
    boot: str = ""
    ticks: int = 0
    space: str = ""

    @classmethod
    def of(cls, pid: int | None = None) -> Self:
        """The process with a number, this one by default.

        Raises:
            psutil.NoSuchProcess: there is none.
        """
        import psutil

        process = psutil.Process(pid)
        return cls(
            process.pid, process.create_time(), socket.gethostname(), _boot(), _ticks(process.pid), _space()
        )

    @classmethod
    def find(cls, pid: int) -> Self | None:
        """As `of`; None where there is no such process."""
        import psutil

        try:
            return cls.of(pid)
        except psutil.NoSuchProcess:
            return None

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Self | None:
        """From `record`, which may hold more; None where it is no such record."""
        try:
            return cls(
                int(record["pid"]), float(record["create_time"]), str(record["host"]),
                str(record.get("boot", "")), int(record.get("ticks", 0)), str(record.get("space", "")),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError):
            return None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """From `text`, as `str(owner)` writes it; None where it is anything else."""
        names = ("host", "pid", "create_time", "ticks", "boot", "space")
        parts = text.split(" ")
        if len(parts) != len(names):
            return None
        return cls.read({name: "" if part == "-" else part for name, part in zip(names, parts, strict=True)})

    def __str__(self) -> str:
        """In one line, for a tag."""
        where = f"{self.boot or '-'} {self.space or '-'}"
        return f"{self.host} {self.pid} {self.create_time:.2f} {self.ticks} {where}"

    def record(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def local(self) -> bool:
        """Whether its number means anything here: this host, this namespace."""
        return self.host == socket.gethostname() and self.space in ("", _space())

    @property
    def restarted(self) -> bool:
        """The machine was started anew since."""
        return self.local and bool(self.boot) and self.boot != _boot()

    @property
    def gone(self) -> bool:
        """It has ended, for certain; False where it lives or where nobody here can know."""
        import psutil

        if not self.local:
            return False
        if self.restarted:
            return True
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            ticks = _ticks(self.pid)
            if self.ticks and ticks:
                return ticks != self.ticks
            return bool(abs(process.create_time() - self.create_time) > _ROUNDED_SECONDS)
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _ticks(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        return int(stat.rpartition(b")")[2].split()[_TICKS_FIELD])
    except (OSError, ValueError, IndexError):
        return 0


def _space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115  # it names no file
    except OSError:
        return ""
