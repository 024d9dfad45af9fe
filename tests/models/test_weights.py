"""Weights from local files: found, pinned, read as tensors alone, matched by name or by order."""

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from convoy.errors import ConfigError, IntegrityError, ResourceError
from convoy.io import sha256_file
from convoy.models import _weights

NET = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    torch.save(NET.state_dict(), path)
    return path


def test_a_file_is_found_by_its_path_and_digest(file: Path) -> None:
    assert _weights.find(str(file), sha256_file(file)) == file


def test_without_a_digest_the_message_holds_it(file: Path) -> None:
    with pytest.raises(ConfigError, match="pinned by their digest") as caught:
        _weights.find(str(file), None)
    assert sha256_file(file) in caught.value.fix


def test_another_file_is_noticed(file: Path) -> None:
    with pytest.raises(IntegrityError, match=r"are not those of model\.sha256"):
        _weights.find(str(file), "0" * 64)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ("missing.pth", ResourceError, "there are no weights at"),
        ("weights.h5", ConfigError, "cannot read weights from 'weights.h5'"),
        ("package:no-such-package", ResourceError, "'no-such-package' is not installed"),
        ("package:pydantic", ConfigError, "ships 0 files of weights, not one"),
    ],
)
def test_what_is_not_there_is_named(weights: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        _weights.find(weights, None)


def test_a_package_is_searched_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, info = tmp_path / "little_weights", tmp_path / "little_weights-1.0.dist-info"
    for folder in (package, info):
        folder.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('was run')")
    torch.save(NET.state_dict(), package / "net.pth")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: little-weights\nVersion: 1.0\n")
    (info / "RECORD").write_text("little_weights/__init__.py,,\nlittle_weights/net.pth,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = _weights.find("package:little-weights", sha256_file(package / "net.pth"))
    assert found == package / "net.pth"


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_tensors_come_back_as_they_were(tmp_path: Path, name: str, nested: bool) -> None:
    path = tmp_path / name
    state = NET.state_dict()
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state} if nested else state, path)
    found = _weights.read(path)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key]) for key in state)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("code from a file",))


@pytest.mark.parametrize(
    "content",
    ["truncated", Evil(), NET, [1, 2], {"a": 1}],
    ids=["truncated", "code", "a module", "a list", "no tensors"],
)
def test_what_is_no_state_dict_is_refused_and_not_run(
    tmp_path: Path, content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.pth"
    torch.save(content, path)
    if content == "truncated":
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(IntegrityError, match=r"cannot be read as tensors alone|does not hold a state_dict"):
        _weights.read(path)
    assert "code from a file" not in capsys.readouterr().out


def test_damaged_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"\x10\x00\x00")
    with pytest.raises(IntegrityError, match="cannot be read"):
        _weights.read(path)


def test_equal_names_are_matched_by_name() -> None:
    state = NET.state_dict()
    mixed = dict(reversed(state.items()))
    assert _weights.fit(mixed, state, Path("a.safetensors"))["1.bias"] is mixed["1.bias"]


def test_other_names_are_matched_by_order_where_all_shapes_agree_and_it_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = NET.state_dict()
    foreign = {f"features.{number}": value for number, value in enumerate(state.values())}
    with caplog.at_level(logging.WARNING):
        found = _weights.fit(foreign, state, Path("foreign.pth"))
    assert list(found) == list(state)
    assert all(found[key] is value for key, value in zip(state, foreign.values(), strict=True))
    assert "foreign.pth: names differ; its 7 tensors are taken in order" in caplog.text


def test_other_names_are_not_matched_where_the_file_keeps_no_order_or_shapes_differ() -> None:
    state = NET.state_dict()
    foreign = {f"features.{key}": value for key, value in state.items()}
    for found, path in (
        (foreign, "a.safetensors"),
        ({**foreign, "features.0.bias": torch.zeros(3)}, "a.pth"),
    ):
        with pytest.raises(ConfigError, match=r"7 tensors are missing \(0\.weight, …\), 7 are unknown"):
            _weights.fit(found, state, Path(path))
