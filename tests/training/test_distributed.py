"""Two processes with gloo against one with the same global batch, and what happens when one of them dies."""

import os
import signal
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from convoy.config.engine import DistributedConfig
from convoy.errors import IntegrityError, ResourceError
from convoy.io import read_json
from convoy.training import checkpoints, distributed
from convoy.training.distributed import launch, place
from convoy.training.journal import read
from convoy.training.world import ALONE, World
from tests.training.killing import Training, write_data

TWO = {"processes": 2}


@pytest.mark.parametrize(("count", "size"), [(16, 2), (5, 2), (1, 2), (7, 3), (2, 3)])
def test_ranks_share_each_batch_without_remainder(count: int, size: int) -> None:
    parts = [World(rank, size).rows(count) for rank in range(size)]
    taken = [row for rows, share in parts if share for row in range(count)[rows]]
    assert sorted(taken) == list(range(count))
    assert sum(share for _, share in parts) == pytest.approx(size)
    assert all(len(range(count)[rows]) >= 1 for rows, _ in parts)


def test_a_lone_rank_has_all_rows() -> None:
    assert ALONE.rows(9) == (slice(0, None, 1), 1.0)


def test_a_node_among_several_must_know_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    config = DistributedConfig(nodes=2)
    for name in ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ResourceError, match="NODE_RANK, MASTER_ADDR, MASTER_PORT missing"):
        place(config)
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "29500")
    monkeypatch.setenv("NODE_RANK", "2")
    with pytest.raises(ResourceError, match="NODE_RANK is 2"):
        place(config)
    monkeypatch.setenv("NODE_RANK", "1")
    assert place(config) == distributed.Place(1, "10.0.0.1", 29500)


def _refuse(world: World) -> None:
    if world.rank == 1:
        raise IntegrityError("the loss is nan", where="step 3")
    time.sleep(60)


def _die(world: World) -> None:
    if world.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _miss(failing: Path, world: World) -> None:
    """Rank 0 misses the other only once that is there to fail, as in a collective operation."""
    if world.rank == 0:
        while not failing.exists():
            time.sleep(0.01)
        raise RuntimeError("connection closed by peer")
    failing.touch()
    raise IntegrityError("the loss is nan", where="step 3")


def test_the_error_that_ended_a_rank_comes_before_that_it_was_missed(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="the loss is nan"):
        launch(partial(_miss, tmp_path / "failing"), DistributedConfig(processes=2), threads=1)


def test_what_a_rank_raises_is_raised_and_ends_the_others() -> None:
    begun = time.monotonic()
    with pytest.raises(IntegrityError, match="the loss is nan") as caught:
        launch(_refuse, DistributedConfig(processes=2), threads=1)
    assert caught.value.where == "step 3"
    assert time.monotonic() - begun < 50
    assert not [child for child in psutil.Process().children() if "rank" in " ".join(child.cmdline())]


def test_a_killed_rank_ends_the_others() -> None:
    with pytest.raises(ResourceError, match="rank 1 of 2 was ended by signal 9"):
        launch(_die, DistributedConfig(processes=2), threads=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


# No dropout, no batch normalisation, no mixing: ranks have masks, statistics and partners of their own. And
# no Adam, which makes steps of full size out of gradients that are nothing but rounding.
# No dropout, no batch normalisation, no mixing: ranks have masks, statistics and partners of their own. And
# no Adam, which makes steps of full size out of gradients that are nothing but rounding.
PLAIN: dict[str, Any] = {
    "model": {"name": "lenet5"},
    "mixing": False,
    "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9},
    "epochs": 3,
    "batch_size": 10,
    "checkpoint_minutes": None,
}


def metrics(place: Path) -> list[dict[str, float]]:
    return [event["values"] for event in read(place / "out" / "journal.jsonl") if event["event"] == "metrics"]


def test_two_processes_find_the_metrics_of_one_with_the_same_global_batch(data: Path, tmp_path: Path) -> None:
    one = Training(data, tmp_path / "one", **PLAIN)
    two = Training(data, tmp_path / "two", distributed=TWO, **PLAIN)
    assert one.end() == 0
    assert two.end() == 0, (two.place / "log").read_text()
    for ours, theirs in zip(metrics(two.place), metrics(one.place), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
    record = read_json(two.place / "out" / "training.json")
    assert record["ranks"] == 2


def test_processes_train_a_network_that_is_frozen_in_part(data: Path, tmp_path: Path) -> None:
    frozen = Training(data, tmp_path, distributed=TWO, **{**PLAIN, "fine_tune": {"freeze": 2}})
    assert frozen.end() == 0, (frozen.place / "log").read_text()


def test_killing_a_rank_ends_the_job(data: Path, tmp_path: Path) -> None:
    plain = {**PLAIN, "epochs": 200, "checkpoint_minutes": 0.0}
    training = Training(data, tmp_path / "job", distributed=TWO, **plain)
    job = psutil.Process(training.pid)
    journal = tmp_path / "job" / "state" / "runs"
    while not any("metrics" in file.read_text() for file in journal.glob("*/journal.jsonl")):
        assert training.end(0.05) is None, (training.place / "log").read_text()
    ranks = [child for child in job.children() if "spawn_main" in " ".join(child.cmdline())]
    assert len(ranks) == 2
    ranks[1].kill()
    begun = time.monotonic()
    assert training.end(60) == 5
    assert time.monotonic() - begun < 60
    assert not any(rank.is_running() for rank in ranks)


@pytest.mark.slow
def test_two_nodes_with_a_process_each_are_as_two_processes(data: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    nodes = [
        Training(
            data, tmp_path, variables={**address, "NODE_RANK": str(node)}, distributed={"nodes": 2}, **PLAIN
        )
        for node in (1, 0)
    ]
    assert [node.end(120) for node in nodes] == [0, 0], (tmp_path / "log").read_text()
    one = Training(data, tmp_path / "one", **PLAIN)
    assert one.end() == 0
    for ours, theirs in zip(metrics(tmp_path), metrics(one.place), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def test_a_signal_ends_all_ranks_behind_one_checkpoint(data: Path, tmp_path: Path) -> None:
    training = Training(data, tmp_path / "job", distributed=TWO, **{**PLAIN, "epochs": 2000})
    while not any("metrics" in f.read_text() for f in training.place.glob("state/runs/*/journal.jsonl")):
        assert training.end(0.05) is None, (training.place / "log").read_text()
    ranks = psutil.Process(training.pid).children()
    training.signal(signal.SIGTERM)
    assert training.end(60) == 128 + signal.SIGTERM, (training.place / "log").read_text()
    assert not any(rank.is_running() for rank in ranks)
    [folder] = training.place.glob("state/checkpoints/*")
    steps = checkpoints.read(checkpoints.last_path(folder))["global_step"]
    [journal] = training.place.glob("state/runs/*/journal.jsonl")
    epochs = [event["step"] for event in read(journal) if event["event"] == "metrics"]
    assert steps >= 7 * len(epochs) > 0
