import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from convoy.config.load import load
from convoy.errors import ConfigError, DataError, ResourceError
from convoy.pipeline import code
from convoy.proof import pins
from convoy.scaffold import originals, project, versioning
from convoy.scaffold.columns import Wishes
from convoy.scaffold.project import Made
from tests.project import git
from tests.scaffold.toys import class_folders, pictures, table_of


def create(pointed: Path, into: Path, **how: Any) -> Made:
    return project.create(pointed, into, **{"wishes": Wishes(), **how})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("somewhere")
    return create(class_folders(folder / "猫 与 dogs"), folder / "数据" / "猫 咪")


def test_the_project_is_whole_and_committed(made: Made) -> None:
    root = made.project
    assert (made.name, made.path, made.committed) == ("dogs", "data/raw/dogs", True)
    assert git(root, "status", "--porcelain") == ""
    assert set(git(root, "-c", "core.quotepath=off", "ls-files").split()) == set(made.files) | {
        "data/raw/.gitignore"
    }
    assert load(root / "params.yaml").data.path == "data/raw/dogs"
    assert (root / "data" / "fixes.csv").read_text() == "id,path,target,action,label\n"
    assert (root / made.as_dict()["contact_sheet"]).is_file()
    assert made.seen.counts["all"].to_dict() == {"dog": 4, "猫": 4}
    assert (
        subprocess.run(["git", "-C", root, "check-ignore", "-q", "data/raw/dogs"], check=False).returncode
        == 0
    )


def test_dvc_knows_the_data_and_reads_the_graph(made: Made) -> None:
    from convoy.pipeline import dag
    from convoy.provenance import pinned_digest

    assert (pinned_digest(made.project, "data/raw/dogs") or "").endswith(".dir")
    assert list(dag.graph(made.project)) == code.stages()


def test_each_stage_depends_on_its_pins_and_no_file_of_the_checkout(made: Made) -> None:
    text = (made.project / "dvc.yaml").read_text(encoding="utf-8")
    assert "src/" not in text
    assert set(pins.read(made.project)) == set(code.stages())
    assert pins.differences(made.project) == {}
    assert all(f"- code/{stage}.json" in text for stage in code.stages())


def test_a_second_project_is_not_laid_over_the_first(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is a project already"):
        create(class_folders(tmp_path / "data"), made.project)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(ConfigError, match=r"there already: dvc\.yaml"):
        create(tmp_path / "data", tmp_path / "other")


def test_data_inside_of_the_project_stay_where_they_are(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "photos")
    made = create(folder, tmp_path, git=False)
    assert (made.path, made.in_place) == ("photos", True)
    assert (tmp_path / "photos.dvc").is_file()
    assert not (tmp_path / "data" / "raw").exists()
    assert not (tmp_path / ".git").exists()
    assert "no git repository" in made.notes[-1]


def test_what_was_copied_inside_of_the_project_is_ignored_by_git(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "photos")
    table = table_of(folder, tmp_path / "labels.csv", base=tmp_path)
    made = create(table, tmp_path)
    assert (made.path, made.in_place) == ("data/raw/labels", False)
    assert git(tmp_path, "status", "--porcelain") == ""
    lines = (tmp_path / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/photos/", "/labels.csv"} <= set(lines)


def test_the_project_never_lies_inside_of_its_data(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "photos")
    for into in (folder, folder / "project"):
        with pytest.raises(ConfigError, match="inside of its data"):
            create(folder, into)
    with pytest.raises(ConfigError, match="only data inside of the project"):
        create(folder, tmp_path / "project", in_place=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_in_an_existing_repository_the_commit_is_the_users(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("mine\n.venv/", encoding="utf-8")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "--message", "before")
    source = tmp_path.parent / f"{tmp_path.name} data"
    made = create(class_folders(source), tmp_path / "sub", name="sub")
    assert not made.committed
    assert "commit the new files" in made.notes[-1]
    assert len(git(tmp_path, "log", "--oneline").splitlines()) == 1
    assert not (tmp_path / "sub" / ".git").exists()
    shutil.rmtree(source)


def test_existing_ignores_are_kept(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / ".gitignore").write_text("mine\n.venv/", encoding="utf-8")
    create(class_folders(tmp_path / "data"), tmp_path / "p", git=False)
    lines = (tmp_path / "p" / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["mine", ".venv/"]
    assert lines.count(".venv/") == 1
    assert ".convoy/" in lines


def test_after_an_error_everything_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = class_folders(tmp_path / "data")
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / ".gitignore").write_text("mine\n", encoding="utf-8")

    def fails(*_: object) -> list[Path]:
        raise ResourceError("DVC cannot take the data")

    monkeypatch.setattr(versioning, "track", fails)
    for into in (kept, tmp_path / "new" / "deep"):
        with pytest.raises(ResourceError):
            create(source, into)
    assert [path.name for path in kept.iterdir()] == [".gitignore"]
    assert (kept / ".gitignore").read_text(encoding="utf-8") == "mine\n"
    assert not (tmp_path / "new").exists()
    assert len(pictures(source)) == 8


def test_data_without_one_usable_sample_make_no_project(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match="nothing here that convoy can learn from"):
        create(tmp_path / "data", tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_a_name_is_made_from_that_of_the_data(tmp_path: Path) -> None:
    for given, wanted in (("Été 2024.v2", "Ete-2024.v2"), ("猫咪", "pictures"), ("__x__", "x")):
        (tmp_path / given).mkdir(exist_ok=True)
        assert project._name(None, tmp_path / given) == wanted
    assert project._name(None, tmp_path / "cats.tar.gz") == "cats"
    with pytest.raises(ConfigError, match="cannot be the name"):
        project._name("a b", tmp_path)


def test_a_refresh_brings_the_installed_files_and_spares_what_is_not_committed(
    made: Made, tmp_path: Path
) -> None:
    root = tmp_path / "project"
    git(tmp_path, "clone", "--quiet", str(made.project), str(root))
    assert originals.refresh(root) == []
    (root / "code" / "split.json").write_text('{"stage": "split", "files": {}}\n')
    (root / "dvc.yaml").write_text((root / "dvc.yaml").read_text() + "# of an older convoy\n")
    with pytest.raises(ConfigError, match=r"not committed: dvc\.yaml"):
        originals.refresh(root)
    git(root, "commit", "--quiet", "-a", "--message", "older")
    assert originals.refresh(root) == ["dvc.yaml", "code/split.json"]
    assert originals.refresh(root) == []
    git(root, "diff", "--quiet", "HEAD~1")


def test_a_refresh_gives_an_older_project_its_modality(made: Made, tmp_path: Path) -> None:
    root = tmp_path / "project"
    git(tmp_path, "clone", "--quiet", str(made.project), str(root))
    params = root / "params.yaml"
    text = params.read_text(encoding="utf-8")
    params.write_text(text.replace("  modality: image\n", ""), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"not committed: params\.yaml"):
        originals.refresh(root)
    git(root, "commit", "--quiet", "-a", "--message", "older")
    assert originals.refresh(root) == ["params.yaml"]
    assert params.read_text(encoding="utf-8") == text


def test_a_checkout_with_its_own_code_is_not_refreshed(repository: Path) -> None:
    with pytest.raises(ConfigError, match="code of its own"):
        originals.refresh(repository)
