"""Verification: every altered byte is found and named, whatever the file's times say."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convoy import digests, layout
from convoy.environment import default_tracking_uri
from convoy.proof import audit, books, objects, verify, verify_versions
from convoy.registry.client import database_file
from tests.proof import proven
from tests.registry.fixtures import Project

Corruption = tuple[str, str, Callable[[], None], Callable[[], None]]  # area, place, do, undo


@pytest.fixture
def known(project: Project) -> Project:
    return proven.prove(project)


def check(project: Project) -> verify.Report:
    return verify.verify(project.root, project.client, default_tracking_uri(project.root))


@contextmanager
def altered(path: Path, random: np.random.Generator) -> Iterator[None]:
    """One byte changed, with the old times and mode."""
    before, status = path.read_bytes(), path.stat()
    changed = bytearray(before)
    changed[random.integers(len(changed))] ^= int(random.integers(1, 256))
    try:
        _rewrite(path, bytes(changed), status)
        yield
    finally:
        _rewrite(path, before, status)


def _rewrite(path: Path, content: bytes, status: os.stat_result) -> None:
    path.chmod(0o644)
    with path.open("r+b") as handle:  # the same inode
        handle.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.chmod(status.st_mode)


@contextmanager
def altered_tag(project: Project, key: str, random: np.random.Generator) -> Iterator[None]:
    """One character of a tag of the registered model changed in the database."""
    file = database_file(default_tracking_uri(project.root))
    assert file is not None
    with closing(sqlite3.connect(file)) as database:
        query = "SELECT value FROM registered_model_tags WHERE key = ?"
        before = str(database.execute(query, (key,)).fetchone()[0])
        at = int(random.integers(len(before)))
        new = chr((ord(before[at]) - 32 + int(random.integers(1, 94))) % 95 + 32)
        assert new != before[at]

        def put(value: str) -> None:
            database.execute("UPDATE registered_model_tags SET value = ? WHERE key = ?", (value, key))
            database.commit()

        try:
            put(before[:at] + new + before[at + 1 :])
            yield
        finally:
            put(before)


def model_folders(project: Project) -> list[Path]:
    file = database_file(default_tracking_uri(project.root))
    assert file is not None
    return sorted((file.parent / "artifacts" / "models").glob("*/artifacts"))


def files_below(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]


def test_nothing_is_found_where_nothing_was_altered(known: Project) -> None:
    report = check(known)
    assert report.problems == []
    assert report.failure() is None
    assert set(report.checked) == set(verify.AREAS)
    assert report.checked["data"]["files"] == 72
    assert report.checked["ledger"] == {"entries": 2}
    assert all(row.get("bytes", 1) > 0 for row in report.checked.values())


def test_each_of_50_single_byte_corruptions_is_found_and_named(known: Project) -> None:
    random = np.random.default_rng(5)
    root = known.root
    places = {
        "data": files_below(root / proven.DATA),
        "cache": files_below(proven.cache(root)),
        "bundle": files_below(root / layout.BUNDLE),
        "registry": files_below(*(folder / verify_versions.BUNDLE for folder in model_folders(known))),
    }
    tags = ["convoy.ledger.000001", "convoy.ledger.000002", "convoy.ledger.applied"]
    for number in range(50):
        area = [*places, "ledger"][number % 5]
        if area == "ledger":
            tag = tags[number // 5 % 3]
            with altered_tag(known, tag, random):
                report = check(known)
            assert {problem.area for problem in report.problems} == {"ledger"}, (number, tag)
            continue
        path = places[area][random.integers(len(places[area]))]
        with altered(path, random):
            report = check(known)
        found = [problem for problem in report.problems if problem.area == area]
        assert found, (number, path)
        place = path.name if area != "cache" else path.relative_to(root).as_posix()
        assert any(place in problem.where for problem in found), (path, found)
        assert {problem.area for problem in report.problems} <= {area, "artifacts"}, report.problems
    assert check(known).problems == []


def test_a_flipped_byte_in_an_output_is_named_with_its_file(known: Project) -> None:
    path = layout.TRAIN / "history.csv"
    with altered(known.root / path, np.random.default_rng(0)):
        [problem] = check(known).problems
    assert (problem.area, problem.where) == ("artifacts", path.as_posix())
    assert problem.expected != problem.found
    assert "dvc checkout" in problem.fix


def test_missing_and_additional_files_are_named(known: Project) -> None:
    folder = known.root / proven.DATA / "up"
    gone = next(folder.glob("*.png"))
    gone.rename(folder / "another.png")
    problems = {problem.where.rpartition("/")[2]: problem.what for problem in check(known).problems}
    assert problems == {gone.name: "the file is missing", "another.png": "the file does not belong here"}


def test_data_that_dvc_does_not_track_are_named_by_the_ids_of_their_samples(known: Project) -> None:
    (known.root / f"{proven.DATA}.dvc").unlink()
    samples = known.root / layout.SPLIT / "samples.parquet"
    (known.root / layout.INGEST).mkdir()
    (known.root / layout.INGEST / "samples.parquet").write_bytes(samples.read_bytes())
    digest = digests.md5_of(known.root / proven.DATA)[0]
    objects.object_path(proven.cache(known.root), digest).unlink()
    path = known.root / proven.DATA / "up" / "test 1.png"
    with altered(path, np.random.default_rng(0)):
        [problem] = check(known).problems
    assert problem.where == "data/raw/toy/up/test 1.png"
    assert "dvc checkout" in problem.fix


def test_what_mlflow_would_run_instead_of_the_bundle_is_named(known: Project) -> None:
    folder = model_folders(known)[0]
    text = (folder / "MLmodel").read_text()
    for old, new, said in (
        ("mlflow.pyfunc.loaders.code_model", "os", "would load it by 'os'"),
        ("code: null", "code: code", "import code from 'code'"),
        ("path: artifacts/bundle", "path: ../elsewhere", "not the bundle alone"),
        ("/pyfunc.py", "/evil.py", "would run"),
        ("flavors:\n", "flavors:\n  sklearn: {pickled_model: model.pkl}\n", "another flavour: sklearn"),
        ("    streamable: false", "    streamable: false\n    python_model: model.pkl", "'python_model'"),
        (text, "- no: mapping", "describes no pyfunc model"),
    ):
        assert old in text
        (folder / "MLmodel").write_text(text.replace(old, new))
        assert [(name, said in what) for name, what in verify_versions.wrapping(folder)] == [
            ("MLmodel", True)
        ]
    (folder / "MLmodel").write_text(text)
    (folder / "pyfunc.py").write_text("print('hello')\n")
    (folder / "requirements.txt").write_text((folder / "requirements.txt").read_text() + "\nevil==1\n")
    assert [name for name, _ in verify_versions.wrapping(folder)] == ["pyfunc.py", "requirements.txt"]
    (folder / "model.pkl").write_bytes(b"\x80\x04.")
    assert verify_versions.wrapping(folder) == [("model.pkl", "the file does not belong to the model")]
    assert [problem.area for problem in check(known).problems] == ["registry"]


def test_a_version_whose_files_are_gone_is_named(known: Project) -> None:
    folder = model_folders(known)[0]
    folder.rename(folder.with_name("moved"))
    [problem] = check(known).problems
    assert (problem.area, problem.what) == ("registry", "the files are gone")
    assert problem.where.startswith("digits/")


def test_a_damaged_database_is_named(known: Project) -> None:
    uri = default_tracking_uri(known.root)
    file = database_file(uri)
    assert file is not None
    assert verify_versions.database(uri) == []
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 20] = b"\xff" * (4096 * 17)
    file.write_bytes(content)
    assert "the database is damaged" in verify_versions.database(uri)[0].what


def test_a_run_that_dvc_remembers_wrongly_is_named(known: Project) -> None:
    value: dict[str, Any] = {"cmd": "x", "outs": [{"path": "y", "md5": "a" * 32, "size": 3}]}
    from dvc.stage.cache import _get_cache_hash

    name = _get_cache_hash(value)
    path = proven.cache(known.root).parent.parent / "runs" / "ab" / ("ab" + "0" * 62) / name
    path.parent.mkdir(parents=True)
    path.write_text(f"cmd: x\nouts:\n- path: y\n  md5: {'a' * 32}\n  size: 3\n")
    assert check(known).problems == []
    path.write_text(path.read_text().replace("aaaa", "baaa", 1))
    assert [problem.where for problem in check(known).problems] == [path.relative_to(known.root).as_posix()]


def test_a_file_that_cannot_be_read_is_a_problem_of_its_own(tmp_path: Path) -> None:
    key = (tmp_path / "none", "md5")
    found = audit.hash_all([key])
    [problem] = audit.File("data", tmp_path / "none", "0" * 32, "none", "fix").judge(found)
    assert "cannot be read: No such file" in problem.what


def test_digests_are_dvcs_own(known: Project, tmp_path: Path) -> None:
    record = next(iter(books.data_records(known.root)))
    assert record.path == proven.DATA.as_posix()
    digest, entries = digests.md5_of(known.root / proven.DATA, known.root)
    assert digest == record.md5
    assert entries == objects.folder_listing(proven.cache(known.root), record.md5)


def test_what_dvcignore_names_is_no_part_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / ".dvcignore").write_text("__pycache__/\n*.tmp\n")
    for name in ("data/a", "data/b.tmp", "data/__pycache__/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert list(digests.listing(tmp_path / "data", tmp_path)) == ["a"]
    assert list(digests.listing(tmp_path / "data")) == ["__pycache__/c", "a", "b.tmp"]


def test_a_listing_that_leads_out_of_its_folder_is_none() -> None:
    for name in ("../x", "/x", "a/../../x"):
        with pytest.raises(ValueError, match="out of the folder"):
            digests.parse_listing(digests.dump_listing({name: "0" * 32}))
    with pytest.raises(ValueError, match="not a list"):
        digests.parse_listing(b'{"a": 1}')
