from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch

from convoy.errors import IntegrityError
from convoy.training import checkpoints
from convoy.training.checkpoints import BackgroundCheckpointIO


def checkpoint(epoch: int, best: int) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "state_dict": {"w": torch.full((4,), float(epoch))},
        "callbacks": {"BestEpoch": {"best": 0.1, "epoch": best}},
    }


def epochs(folder: Path) -> tuple[int, int]:
    load = BackgroundCheckpointIO().load_checkpoint
    return load(checkpoints.best_path(folder))["epoch"], load(checkpoints.last_path(folder))["epoch"]


def save(folder: Path, *states: tuple[int, int]) -> None:
    io = BackgroundCheckpointIO()
    for epoch, best in states:
        io.save_checkpoint(checkpoint(epoch, best), checkpoints.last_path(folder))
    io.teardown()


def test_best_stays_where_it_was_while_last_goes_on(tmp_path: Path) -> None:
    save(tmp_path, (0, 0), (1, 1), (2, 1), (3, 1))
    assert epochs(tmp_path) == (1, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.ckpt", "last.ckpt", "previous.ckpt",
    ]  # fmt: skip
    assert checkpoints.read(checkpoints.previous_path(tmp_path))["epoch"] == 2


def test_without_hard_links_the_best_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(source: Path, target: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("convoy.training.checkpoints.os.link", unsupported)
    save(tmp_path, (0, 0), (1, 1), (2, 1))
    assert epochs(tmp_path) == (1, 2)


def test_what_is_saved_is_the_state_at_that_moment(tmp_path: Path) -> None:
    io = BackgroundCheckpointIO()
    state = checkpoint(0, 0)
    io.save_checkpoint(state, checkpoints.last_path(tmp_path))
    state["state_dict"]["w"].fill_(99.0)  # as the next training step does
    io.teardown()
    loaded = io.load_checkpoint(checkpoints.last_path(tmp_path))
    assert loaded["state_dict"]["w"].tolist() == [0.0] * 4


def test_an_interrupted_write_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, (0, 0))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("convoy.io.os.fsync", full)
    io = BackgroundCheckpointIO()
    io.save_checkpoint(checkpoint(1, 0), checkpoints.last_path(tmp_path))
    with pytest.raises(OSError, match="No space left"):
        io.teardown()
    assert epochs(tmp_path) == (0, 0)


def test_a_checkpoint_that_holds_code_is_not_loaded(tmp_path: Path) -> None:
    content = BytesIO()
    torch.save({"state": Path("an object of a class")}, content)
    checkpoints.seal(content)
    (tmp_path / "evil.ckpt").write_bytes(content.getvalue())
    with pytest.raises(Exception, match="weights_only"):
        BackgroundCheckpointIO().load_checkpoint(tmp_path / "evil.ckpt", weights_only=False)


def test_any_flipped_byte_and_any_cut_is_noticed(tmp_path: Path) -> None:
    save(tmp_path, (0, 0))
    path = checkpoints.last_path(tmp_path)
    content = path.read_bytes()
    for at in range(0, len(content), len(content) // 50):
        flipped = bytearray(content)
        flipped[at] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(IntegrityError, match=r"last\.ckpt is damaged"):
            checkpoints.read(path)
        path.write_bytes(content[:at])
        with pytest.raises(IntegrityError, match="cut short"):
            checkpoints.read(path)


def test_a_sealed_checkpoint_is_one_that_torch_reads(tmp_path: Path) -> None:
    save(tmp_path, (4, 4))
    assert torch.load(checkpoints.last_path(tmp_path), weights_only=True)["epoch"] == 4


def test_what_a_checkpoint_relies_on_is_on_the_disk_before_it_has_its_name(tmp_path: Path) -> None:
    there: list[bool] = []
    io = BackgroundCheckpointIO(ahead=lambda: there.append(checkpoints.last_path(tmp_path).exists()))
    io.save_checkpoint(checkpoint(0, 0), checkpoints.last_path(tmp_path))
    io.save_checkpoint(checkpoint(1, 1), checkpoints.last_path(tmp_path))
    io.teardown()
    assert there == [False, True]


def test_what_a_checkpoint_relies_on_being_lost_there_is_no_checkpoint(tmp_path: Path) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    io = BackgroundCheckpointIO(ahead=full)
    io.save_checkpoint(checkpoint(0, 0), checkpoints.last_path(tmp_path))
    with pytest.raises(OSError, match="No space left"):
        io.teardown()
    assert list(tmp_path.iterdir()) == []
