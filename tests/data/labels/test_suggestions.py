from pathlib import Path

import numpy as np
import pandas as pd

from convoy.data.labels import suggestions
from convoy.data.labels.audit import Audit
from tests.data.labels.toys import CLASSES, table, truth


def audited(count: int, doubted: int) -> Audit:
    """Labels are the less probable the smaller the row; the next class is suggested."""
    codes = truth(count)
    given = np.linspace(0, 0.9, count)
    return Audit(
        pd.DataFrame(
            {
                "given": given,
                "suggested": [CLASSES[(code + 1) % 3] for code in codes],
                "confidence": 1 - given,
                "doubted": np.arange(count) < doubted,
            }
        ),
        0.9,
        [],
    )


def test_as_many_follow_the_doubted_ones_and_sixty_at_least() -> None:
    samples = table(truth(900))
    for doubted, expected in ((0, 60), (10, 60), (50, 100), (240, 480), (400, 500)):
        found = suggestions.table(audited(900, doubted), samples, set())
        assert len(found) == expected
        assert found["doubted"].sum() == doubted
        assert found["given"].is_monotonic_increasing
    assert len(suggestions.table(audited(900, 700), samples, set())) == 500


def test_doubted_ones_come_first_whatever_their_probability() -> None:
    found = audited(100, 0)
    found.table.loc[[20, 30], "doubted"] = True
    assert suggestions.table(found, table(truth(100)), set()).index[:3].tolist() == [20, 30, 0]


def test_settled_labels_and_those_that_the_model_names_itself_are_not_listed() -> None:
    samples = table(truth(90))
    found = audited(90, 3)
    found.table.loc[5, "suggested"] = samples["target"][5]
    settled = {(samples["id"][1], samples["target"][1]), (samples["id"][2], "another label")}
    listed = suggestions.table(found, samples, settled)
    assert {1, 5}.isdisjoint(listed.index)
    assert 2 in listed.index


def test_copies_are_asked_about_once() -> None:
    samples = table(truth(90))
    samples.loc[3, "id"] = samples["id"][0]
    listed = suggestions.table(audited(90, 3), samples, set())
    assert 0 in listed.index
    assert 3 not in listed.index


def test_the_table_to_fill_in_opens_in_a_spreadsheet_and_is_the_same_each_time(tmp_path: Path) -> None:
    samples = table(truth(6)).assign(path=[f"猫,{n}.png" for n in range(6)])
    listed = suggestions.table(audited(6, 2), samples, set())
    suggestions.write(tmp_path / "a.csv", listed)
    suggestions.write(tmp_path / "b.csv", listed)
    content = (tmp_path / "a.csv").read_bytes()
    assert content == (tmp_path / "b.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfid,path,target,suggested,confidence,action\n")
    read = pd.read_csv(tmp_path / "a.csv", dtype=str)
    assert read["path"].tolist() == [f"猫,{n}.png" for n in range(6)]
    assert read["confidence"].tolist()[0] == "1.00"
    assert read["action"].isna().all()
