"""From a picture to the versions that learned from it."""

import cv2
import numpy as np
import pandas as pd
import pytest

from convoy import layout
from convoy.data import manifest
from convoy.errors import ConfigError
from convoy.registry import lineage, tracking
from convoy.registry.register import register
from tests.registry.fixtures import Project


@pytest.fixture
def two(project: Project) -> Project:
    """Two versions made from the same samples."""
    for model in ("poor", "good"):
        project.use(model)
        register(project.root, project.config, tracking.sync(project.root, project.config))
    return project


def _sample(project: Project, split: str) -> tuple[str, str]:
    samples = manifest.read(project.root / layout.SPLIT)
    row = samples[samples["split"] == split].iloc[0]
    return str(row["id"]), str(row["path"])


def test_an_id_its_beginning_the_path_and_the_picture_find_the_same_versions(two: Project) -> None:
    sample, path = _sample(two, "train")
    picture = two.root / "data" / "raw" / "toy" / path
    for wanted in (sample, sample[:10], path, str(picture)):
        found = lineage.where(two.client, wanted, two.root)
        assert found.ids == [sample] or wanted == str(picture)
        assert [(u.version, u.aliases, u.split, u.learned) for u in found.uses] == [
            ("1", ["previous"], "train", True),
            ("2", ["champion"], "train", True),
        ]
        assert (found.searched, found.unreadable) == (2, [])


def test_a_sample_that_was_only_tested_on_is_not_learned_from(two: Project) -> None:
    found = lineage.where(two.client, _sample(two, "test")[0], two.root)
    assert {(use.split, use.learned) for use in found.uses} == {("test", False)}


def test_a_sample_that_chose_the_epoch_is_learned_from(two: Project) -> None:
    found = lineage.where(two.client, _sample(two, "val")[0], two.root)
    assert {(use.split, use.learned) for use in found.uses} == {("val", True)}


def test_a_picture_that_nobody_learned_from_finds_nothing(two: Project) -> None:
    picture = two.root / "new.png"
    cv2.imwrite(str(picture), np.full((12, 12), 7, np.uint8))
    found = lineage.where(two.client, str(picture), two.root)
    assert (found.uses, found.searched) == ([], 2)


def test_a_picture_of_a_packed_data_set_is_found_by_its_pixels(project: Project) -> None:
    image = np.arange(144, dtype=np.uint8).reshape(12, 12)
    table = project.root / layout.BUNDLE / manifest.FILE
    samples = pd.read_parquet(table)
    samples.loc[0, "id"] = manifest.content_id(image)
    samples.to_parquet(table, index=False)
    register(project.root, project.config, tracking.sync(project.root, project.config))
    picture = project.root / "exported.png"
    cv2.imwrite(str(picture), image)
    (use,) = lineage.where(project.client, str(picture), project.root).uses
    assert use.version == "1"


def test_versions_that_cannot_be_read_are_named_and_the_others_searched(two: Project) -> None:
    sample, _ = _sample(two, "train")
    bundles = sorted((two.root / ".convoy").rglob("artifacts/bundle/samples.parquet"))
    bundles[0].write_bytes(b"x")
    found = lineage.where(two.client, sample, two.root)
    assert len(found.uses) == found.searched == 1
    assert len(found.unreadable) == 1
    assert "are not those that were registered" in found.unreadable[0]


@pytest.mark.parametrize("wanted", ["no/such.png", "xyz", "ab"])
def test_what_names_no_sample_is_a_config_error(two: Project, wanted: str) -> None:
    with pytest.raises(ConfigError, match="names no sample"):
        lineage.where(two.client, wanted, two.root)


def test_one_models_versions_can_be_asked_alone(two: Project) -> None:
    sample, _ = _sample(two, "train")
    two.client.create_registered_model("empty")
    assert lineage.where(two.client, sample, None, "empty").searched == 0
    with pytest.raises(ConfigError, match="no model is called 'nobody'"):
        lineage.where(two.client, sample, None, "nobody")
