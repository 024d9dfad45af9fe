"""What differs between the machine that trained and the one that rebuilds."""

from pathlib import Path
from typing import Any

from convoy import provenance
from convoy.proof import origin, surroundings


def made_by(tmp_path: Path, **facts: Any) -> origin.Origin:
    tags = {name: facts.pop(name) for name in list(facts) if name.startswith("convoy.")}
    return origin.Origin("digits", "1", "0" * 40, tmp_path, "0" * 64, tags, info={"provenance": facts})


def test_an_equal_environment_has_no_differences(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text(f"numpy=={provenance.versions()['numpy']}\n")
    found = made_by(
        tmp_path, environment_lock=provenance.file_digest(tmp_path / "requirements.lock"), threads=1,
        torch=provenance.versions()["torch"], **{"convoy.python": provenance.versions()["python"] or ""},
    )  # fmt: skip
    assert surroundings.differences(found, tmp_path) == []


def test_what_differs_in_the_environment_is_said_with_both_values(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text(
        "numpy==0.1\nno-such-package==1\nfor-windows==1 ; os_name == 'nt'\n"
    )
    found = made_by(
        tmp_path, environment_lock="a" * 64, threads=100_000, torch="0.1",
        **{"convoy.cpu": "Another", "convoy.python": "2.7"},
    )  # fmt: skip
    text = "\n".join(surroundings.differences(found, tmp_path))
    for part in (
        "requirements.lock: the version names aaaaaaaaaaaa", "2 of 2 differ", "numpy 0.1 (here: ",
        "no-such-package 1 (here: not installed)", "torch: made with 0.1", "Python: made with 2.7",
        "processor: made with Another", "threads: made with 100000",
    ):  # fmt: skip
        assert part in text


def test_a_local_version_that_only_one_side_tells_is_no_difference(tmp_path: Path) -> None:
    torch = str(provenance.versions()["torch"]).partition("+")[0]
    found = made_by(tmp_path, environment_lock=None, torch=f"{torch}+cpu" if "+" not in torch else torch)
    assert surroundings.differences(found, tmp_path) == []
