"""Sequences: what `convoy init` takes for them, and what it chooses."""

from pathlib import Path

import pytest

from convoy.config.load import load
from convoy.scaffold import project
from convoy.scaffold.columns import Wishes
from convoy.scaffold.modalities import sequence
from convoy.scaffold.recognise import recognise
from tests.data.modalities.sequence import toys
from tests.data.test_sources_contract import TOYS

SEQUENCES = sorted(name for name, toy in TOYS.items() if toy.DATA.modality == "sequence")


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_toy_of_every_source_is_recognised(name: str, tmp_path: Path) -> None:
    TOYS[name].write(tmp_path)
    found = recognise(tmp_path, Wishes())
    assert (found.modality, found.options) == ("sequence", {"source": name})
    assert found.root == tmp_path


def test_a_file_that_is_pointed_at_comes_with_those_of_its_other_splits(tmp_path: Path) -> None:
    TOYS["sequence_ts"].write(tmp_path)
    pointed = tmp_path / "Toy_TRAIN.ts"
    found = recognise(pointed, Wishes())
    shipment = sequence.selection(found, pointed)
    assert shipment is not None
    assert sorted(shipment.files) == ["Toy_TEST.ts", "Toy_TRAIN.ts"]


def test_a_project_of_sequences_has_parameters_that_hold_and_a_sheet(tmp_path: Path) -> None:
    toys.write(tmp_path, extra=("1,?,3:4,5,6:slow",))
    project.create(tmp_path / "raw", tmp_path / "made", wishes=Wishes())
    config = load(tmp_path / "made" / "params.yaml")
    assert config.data.modality == "sequence"
    assert config.model.name == "fcn"
    assert getattr(config.prepare, "missing", None) == "interpolate"
    sheet = (tmp_path / "made" / ".convoy" / sequence.SHEET).read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in sheet] == ['"slow"'] * 3 + ['"fast"'] * 3
