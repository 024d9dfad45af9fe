"""The ranks of a data-parallel training on this node: started, watched, and ended together.

The process that starts them takes no part in training. So it hears at once when one of them dies, and ends
the others, which would wait for that one for ever; and they end when it dies.
"""

import ctypes
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from typing import Any

import torch

from convoy.config.engine import DistributedConfig
from convoy.errors import ConvoyError, ResourceError
from convoy.training.world import World

_FIRST_NODE_SECONDS = 600.0
_CHECKPOINT_SECONDS = 12.0  # that ranks have for a checkpoint after a signal
_SETTLE_SECONDS = 10.0  # after a rank missed another one: for that one to have ended, too
_MISSED = 1  # how a rank ends that has an error of no known kind, as one that misses another has
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Place:
    """Where this node stands among the nodes.

    Attributes:
        address: of node 0; port: at which its first rank listens.
    """

    node: int
    address: str
    port: int


def place(config: DistributedConfig) -> Place:
    """From the variables that torchrun knows; a single node needs none.

    Raises:
        ResourceError: there are several nodes and a variable is missing or wrong.
    """
    if config.nodes == 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return Place(0, "127.0.0.1", int(free.getsockname()[1]))
    names = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
    missing = [name for name in names if not os.environ.get(name)]
    try:
        node, port = (int(os.environ.get(name) or 0) for name in ("NODE_RANK", "MASTER_PORT"))
    except ValueError:
        missing = ["NODE_RANK and MASTER_PORT as whole numbers"]
    if missing or not 0 <= node < config.nodes:
        raise ResourceError(
            f"this node does not know its place among {config.nodes}: "
            + (f"{', '.join(missing)} missing" if missing else f"NODE_RANK is {node}"),
            where="environment; params.yaml: train.distributed.nodes",
            fix="on each node set NODE_RANK (from 0), and MASTER_ADDR and MASTER_PORT of node 0",
        )
    return Place(node, os.environ["MASTER_ADDR"], port)


def wait_for_first(here: Place) -> None:
    """Until node 0's ranks listen: by then it has found the checkpoint to go on from.

    Raises:
        ResourceError: they did not come.
    """
    end = time.monotonic() + _FIRST_NODE_SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection((here.address, here.port), timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise ResourceError(
        f"node 0 does not listen at {here.address}:{here.port}",
        where="environment: MASTER_ADDR, MASTER_PORT",
        fix="start `convoy stage train` there, too; see that the port can be reached",
    )


def launch(work: Callable[[World], None], config: DistributedConfig, threads: int) -> None:
    """Do `work` in each of this node's ranks; return when all are done.

    Args:
        work: can be pickled.
        threads: of torch in each rank.

    Raises:
        ResourceError: a rank was killed.
        ConvoyError: what a rank raised.
        SystemExit: this process or a rank was told to end; a checkpoint was written.
    """
    here = place(config)
    ranks = [_Rank(work, config, here, number, threads) for number in range(config.processes)]
    try:
        _watch(ranks)
    except (SystemExit, KeyboardInterrupt):
        for rank in ranks:
            rank.signal(signal.SIGTERM)
        end = time.monotonic() + _CHECKPOINT_SECONDS
        for rank in ranks:
            rank.process.join(max(0.0, end - time.monotonic()))
        raise
    finally:
        for rank in ranks:
            rank.signal(signal.SIGKILL)
            rank.process.join()


class _Rank:
    """One process, and what it said when it failed."""

    def __init__(
        self,
        work: Callable[[World], None],
        config: DistributedConfig,
        here: Place,
        number: int,
        threads: int,
    ) -> None:
        self.world = World(here.node * config.processes + number, config.ranks)
        self._heard, told = get_context("spawn").Pipe(duplex=False)
        self.process: SpawnProcess = get_context("spawn").Process(
            target=_run,
            args=(work, self.world, here, number, threads, told),
            name=f"rank-{self.world.rank}",
        )
        self.process.start()
        told.close()

    def signal(self, number: int) -> None:
        if self.process.exitcode is None and self.process.pid is not None:
            os.kill(self.process.pid, number)

    def error(self) -> BaseException:
        code = self.process.exitcode
        assert code, "a rank that ended well has no error"
        if code > 0 and self._heard.poll():
            told = self._heard.recv()
            return told if isinstance(told, BaseException) else RuntimeError(told)
        if code > 128:
            return SystemExit(code)
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        return ResourceError(
            f"rank {self.world.rank} of {self.world.size} {how}",
            where="params.yaml: train.distributed",
            fix="see why (`dmesg` tells of memory that ran out) and run again: "
            "training goes on from its last checkpoint",
        )


def _watch(ranks: list[_Rank]) -> None:
    """Wait for all; raise the error of the first that fails, a killed one before those that missed it."""
    running = list(ranks)
    while running:
        connection.wait([rank.process.sentinel for rank in running])
        codes = [rank.process.exitcode for rank in ranks]  # once: a dying one has it a little later
        if any(codes):
            _settle(ranks)
            failed = [rank for rank in ranks if rank.process.exitcode]
            raise min(failed, key=_cause).error()
        running = [rank for rank, code in zip(ranks, codes, strict=True) if code is None]


def _settle(ranks: list[_Rank]) -> None:
    """Wait until a cause is known, or nobody is left who could have another one."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        codes = [rank.process.exitcode for rank in ranks]
        if None not in codes or any(code not in (None, 0, _MISSED) for code in codes):
            return
        time.sleep(0.05)


def _cause(rank: _Rank) -> tuple[bool, bool, int]:
    """What was told comes first, then signals; ranks that merely missed another one come last."""
    code = rank.process.exitcode or 0
    return not 1 < code < 128, code == _MISSED, code


def _run(
    work: Callable[[World], None], world: World, here: Place, local: int, threads: int, told: Any
) -> None:
    """What a rank's process does."""
    os.setsid()  # Ctrl-C reaches the process that started it, which passes it on once
    _end_with_parent()
    os.environ.update(
        LOCAL_RANK=str(local),
        NODE_RANK=str(here.node),
        MASTER_ADDR=here.address,
        MASTER_PORT=str(here.port),
        OMP_NUM_THREADS=str(threads),  # or Lightning would choose
    )
    torch.set_num_threads(threads)
    try:
        work(world)
    except (ConvoyError, OSError) as error:
        told.send(error)
        os._exit(getattr(error, "exit_code", ResourceError.exit_code))
    except Exception:  # noqa: BLE001  # it is told where it can be seen
        told.send(traceback.format_exc())
        os._exit(_MISSED)


def _end_with_parent() -> None:
    """On Linux, the kernel kills this process when the one that started it ends, however that happens."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
