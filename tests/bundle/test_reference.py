"""What a bundle carries for `convoy monitor`."""

from pathlib import Path

import numpy as np
import pandas as pd

from convoy.bundle import contents, reference
from convoy.data import appearance
from convoy.data.modalities.image import looking
from convoy.data.store import Store


def test_a_bundle_carries_answers_and_looks_of_its_held_out_samples(workshop: Path) -> None:
    found = reference.read(workshop / "good" / "bundle")
    assert found is not None
    assert list(found.columns) == ["prediction", "confidence", "brightness", "contrast", "sharpness"]
    table = pd.read_parquet(workshop / "good" / "evaluate" / "predictions.parquet").sort_values("id")
    store = Store.open(workshop / "shared" / "prepare" / "test")
    place = {value.decode(): n for n, value in enumerate(store.id.tolist())}
    images = np.asarray(store.images)[[place[value] for value in table["id"]]]
    assert found["prediction"].tolist() == table["prediction"].tolist()
    assert np.allclose(found["confidence"], table["confidence"], atol=1e-4)
    assert (found["brightness"] == appearance.measures(images)["brightness"]).all()


def test_it_is_vouched_for_by_the_checksums(workshop: Path) -> None:
    sums = contents.recorded_sums(workshop / "good" / "bundle")
    assert sums is not None
    assert reference.FILE in sums


def test_many_samples_are_cut_to_a_part_by_chance_that_is_always_the_same(
    workshop: Path, monkeypatch: object
) -> None:
    table = pd.read_parquet(workshop / "good" / "evaluate" / "predictions.parquet")
    stores = {"test": Store.open(workshop / "shared" / "prepare" / "test")}
    whole = reference.table(table, stores, looking)
    reference_most, reference.MOST = reference.MOST, 5
    try:
        part = reference.table(table.sample(frac=1.0, random_state=3), stores, looking)
    finally:
        reference.MOST = reference_most
    pd.testing.assert_frame_equal(part, whole.head(5))


def test_a_bundle_of_before_has_none(tmp_path: Path) -> None:
    assert reference.read(tmp_path) is None
