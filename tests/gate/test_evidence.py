"""What the gate looks at: digests of data by content, figures that are none, time and size, scores."""

import math
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from convoy import layout
from convoy.config.data import DataConfig
from convoy.data import manifest
from convoy.gate import budgets, doubts, evidence, scoring
from convoy.gate.rules import PROVEN
from tests.registry.fixtures import Project

DATA = DataConfig(source="image_folder", path="data/raw/toy")


def test_a_flipped_byte_with_the_old_time_is_seen(project: Project) -> None:
    assert doubts.of_data(project.root, "data/raw/toy") == PROVEN
    picture = next((project.root / "data" / "raw" / "toy").rglob("*.png"))
    state = picture.stat()
    content = bytearray(picture.read_bytes())
    content[-1] ^= 1
    picture.write_bytes(content)
    os.utime(picture, ns=(state.st_atime_ns, state.st_mtime_ns))
    found = doubts.of_data(project.root, "data/raw/toy")
    assert "its .dvc file says" in found.reason


def test_data_that_moved_on_since_the_stages_ran_are_in_doubt(project: Project) -> None:
    (project.root / "dvc.lock").write_text(
        f"stages:\n  ingest:\n    deps:\n    - {{path: data/raw/toy, md5: {'0' * 32}.dir}}\n"
    )
    found = doubts.of_data(project.root, "data/raw/toy")
    assert "dvc.lock says 0000" in found.reason
    assert "convoy run" in found.fix


def test_figures_that_are_no_numbers_are_found_wherever_they_stand() -> None:
    figures = {"test": {"a": 1.0, "b": math.nan}, "intervals": {"a": [0.0, math.inf]}, "name": "x", "n": None}
    assert list(evidence.not_finite(figures, "metrics")) == ["metrics.test.b", "metrics.intervals.a[1]"]


def test_models_are_timed_in_turns(project: Project) -> None:
    bundle = project.root / layout.BUNDLE
    tests = scoring.current_tests(project.root / layout.SPLIT, DATA, project.root)
    pictures = list(scoring.read(tests, tests.samples.head(3)))
    found = budgets.speed(bundle, bundle, pictures)
    assert found.rounds >= budgets.LEAST_ROUNDS
    assert found.champion is not None
    assert found.ratio is not None
    for values in (found.challenger, found.champion, found.ratio):
        assert 0 < values[0] <= values[1] <= values[2]
    assert 0.2 < found.ratio[1] < 5  # it is the same model
    alone = budgets.speed(bundle, None, pictures, seconds=0.0)
    assert (alone.champion, alone.ratio, alone.rounds) == (None, None, budgets.LEAST_ROUNDS)


def test_the_size_is_that_of_the_network_in_megabytes(project: Project) -> None:
    bundle = project.root / layout.BUNDLE
    assert budgets.size_mb(bundle) == len((bundle / "model.onnx").read_bytes()) / 1e6


def test_scores_are_those_of_each_bundle_on_its_own(project: Project) -> None:
    from convoy.serving.predictor import Predictor

    other = project.workshop / "poor" / "bundle"
    bundle = project.root / layout.BUNDLE
    tests = scoring.current_tests(project.root / layout.SPLIT, DATA, project.root)
    found = scoring.score(tests, bundle, other)
    contents = list(scoring.read(tests, tests.samples))
    assert np.allclose(found.rows, np.concatenate(list(Predictor(bundle).rows(contents))))
    assert found.rival is not None
    assert found.rival.tolist() == [row["prediction"] for row in Predictor(other).predict(contents)]
    assert found.samples["brightness"].between(0, 255).all()
    assert found.shared.all()
    assert (found.answers().target == found.target).all()


def test_what_only_the_champion_learned_from_counts_for_the_challenger_alone(
    project: Project, tmp_path: Path
) -> None:
    rival = tmp_path / "rival"
    shutil.copytree(project.workshop / "poor" / "bundle", rival)
    samples = pd.read_parquet(rival / manifest.FILE)
    moved = set(samples.loc[samples["split"] == "test", "id"][:7])
    samples.assign(split=samples["split"].where(~samples["id"].isin(moved), "val")).to_parquet(
        rival / manifest.FILE, index=False
    )
    tests = scoring.current_tests(project.root / layout.SPLIT, DATA, project.root)
    found = scoring.score(tests, project.root / layout.BUNDLE, rival)
    assert len(found.samples) == 24
    assert int(found.shared.sum()) == len(found.answers().target) == 17
    assert found.left_out == {"challenger": 0, "champion": 7}


@pytest.mark.parametrize("problem", ["no commit yet", ""])
def test_a_tree_is_doubted_for_a_reason_with_a_way_out(problem: str) -> None:
    found = doubts.of_tree({"git": {"problem": problem, "dirty": True, "changed": ["a.py"]}})
    assert found.reason.startswith("dirty tree")
    assert "convoy register" in found.fix
    assert doubts.of_tree({"git": {"problem": "", "dirty": False, "changed": []}}) == PROVEN


def test_a_few_of_the_uncommitted_files_are_named() -> None:
    changed = [f"{number}.txt" for number in range(7)]
    found = doubts.of_tree({"git": {"problem": "", "dirty": True, "changed": changed}})
    assert found.reason.endswith("not committed: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more")
