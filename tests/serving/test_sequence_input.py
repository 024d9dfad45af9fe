"""Sequences as somebody sends them: JSON in a column, files, folders."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convoy.errors import DataError
from convoy.serving import inputs, invocations, sequences
from convoy.serving.limits import Refused
from tests.data.sources import toys_sequence_folder, toys_sequence_ts

PREPROCESSING: dict[str, Any] = {
    "modality": "sequence",
    "spec": {"missing": "interpolate", "scale": "channel", "length": None, "rate": None, "max_length": 99},
    "channels": 2, "names": None, "rate": None, "mean": [1.0, 0.0], "deviation": [2.0, 1.0],
}  # fmt: skip
ROWS = [[1, 5], [None, 6], [5, 7]]


def given() -> Any:
    return inputs.of(PREPROCESSING)


def body(content: Any) -> bytes:
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    "sent",
    [
        {"instances": [ROWS]},
        {"inputs": {"sequence": [ROWS]}},
        {"dataframe_records": [{"sequence": ROWS}]},
        {"dataframe_records": [{"sequence": json.dumps(ROWS)}]},
        {"dataframe_split": {"columns": ["sequence"], "data": [[{"values": ROWS}]]}},
    ],
)
def test_every_form_of_invocations_gives_the_same_values(sent: dict[str, Any]) -> None:
    [content] = invocations.read("application/json", body(sent), 10, given())
    np.testing.assert_array_equal(given().prepare(content), [[0, 5], [1, 6], [2, 7]])


@pytest.mark.parametrize("wrong", [7, True, None])
def test_what_is_no_sequence_is_refused_with_its_row(wrong: Any) -> None:
    sent = body({"dataframe_records": [{"sequence": ROWS}, {"sequence": wrong}]})
    with pytest.raises(Refused, match="row 1 is not a sequence"):
        invocations.read("application/json", sent, 10, given())


def test_batches_of_other_lengths_are_joined_by_padding() -> None:
    one, two = (given().batch([np.ones((steps, 2), np.float32)]) for steps in (2, 4))
    found = given().join([one, two])
    assert found.shape == (2, 4, 2)
    assert np.isnan(found[0, 2:]).all()
    assert not np.isnan(found[1]).any()


def test_bundles_that_scale_otherwise_do_not_share_what_was_prepared() -> None:
    other = inputs.of({**PREPROCESSING, "mean": [0.0, 0.0]})
    assert other.spec != given().spec


def test_a_bundle_that_lacks_what_was_fitted_is_refused() -> None:
    lacking = {key: value for key, value in PREPROCESSING.items() if key != "mean"}
    with pytest.raises(ValueError, match="the preprocessing cannot be used"):
        inputs.of(lacking)


def test_files_folders_and_lines_are_named(tmp_path: Path) -> None:
    toys_sequence_folder.write(tmp_path)
    (tmp_path / "many").mkdir()
    toys_sequence_ts.write(tmp_path / "many")
    names, contents = sequences.read([tmp_path / "train", tmp_path / "many" / "Toy_TEST.ts"])
    assert len(names) == len(contents) == 5
    assert names[-1].endswith("Toy_TEST.ts:6")
    assert all(given().prepare(content).shape[1] == 2 for content in contents)


def test_what_is_not_there_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        sequences.read([tmp_path / "none"])
    with pytest.raises(DataError, match="holds no file that ends in"):
        sequences.read([tmp_path])
    (tmp_path / "a.ts").write_text("@classLabel true a\n@data\n1,2:1:a\n")
    with pytest.raises(DataError, match="channel 2 has 1 values") as refused:
        sequences.read([tmp_path / "a.ts"])
    assert refused.value.where.endswith("a.ts:3")
