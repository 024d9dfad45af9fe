import hashlib
from pathlib import Path

from convoy import digests


def test_a_folder_has_the_digest_that_dvc_gives_it(tmp_path: Path) -> None:
    from dvc.repo import Repo

    folder = tmp_path / "raw"
    for name in ("b/2.txt", "a.txt", "b/10.txt", "b c/图.txt", "empty"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if name == "empty" else f"{name}\r\n")
    with Repo.init(str(tmp_path), no_scm=True) as repo:
        (stage,) = repo.add(str(folder))
        expected = stage.outs[0].hash_info.value
    assert digests.md5_of(folder)[0] == expected
    assert digests.md5_of(folder / "empty")[0] == hashlib.md5(b"").hexdigest()


def test_what_dvc_ignores_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"1")
    digest = digests.md5_of(folder, tmp_path)[0]
    (folder / ".DS_Store").write_bytes(b"x")
    assert digests.md5_of(folder, tmp_path)[0] != digest
    (tmp_path / ".dvcignore").write_text(".DS_Store\n")
    assert digests.md5_of(folder, tmp_path)[0] == digest
