from pathlib import Path

import pandas as pd
import pytest

from convoy.data.fixes import Fix
from convoy.data.labels import decisions, suggestions
from convoy.errors import DataError

CLASSES = ["cat", "dog", "猫"]
A, B, C = (letter * 32 for letter in "abc")
SAMPLES = pd.DataFrame(
    {
        "id": [A, B, C, C],
        "path": ["1.png", "2.png", "train/3.png", "test/3.png"],
        "target": ["cat", "dog", "cat", "cat"],
    }
)


def filled(folder: Path, *rows: tuple[str, str, str, str, str]) -> Path:
    """A filled-in table of (id, path, target, suggested, action)."""
    lines = [",".join(suggestions.COLUMNS)]
    lines += [f"{i},{path},{target},{suggested},0.91,{action}" for i, path, target, suggested, action in rows]
    file = folder / "filled.csv"
    file.write_text("\r\n".join(lines), encoding="utf-8-sig", newline="")
    return file


def refusal(file: Path, earlier: list[Fix] | None = None) -> str:
    with pytest.raises(DataError) as caught:
        decisions.read(file, SAMPLES, CLASSES, earlier or [])
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_decided_rows_are_read_and_the_others_passed_over(tmp_path: Path) -> None:
    file = filled(
        tmp_path,
        (A, "1.png", "cat", "猫", "Relabel "),
        (B, "2.png", "dog", "cat", ""),
        (C, "train/3.png", "cat", "dog", "keep"),
    )
    assert decisions.read(file, SAMPLES, CLASSES, []) == [
        Fix(A, "cat", "relabel", "1.png", "猫"),
        Fix(C, "cat", "keep", "train/3.png"),
    ]


def test_every_wrong_row_is_named_by_its_line(tmp_path: Path) -> None:
    said = refusal(
        filled(
            tmp_path,
            ("f" * 32, "1.png", "cat", "dog", "relabel"),
            (A, "1.png", "cat", "dogg", "relabel"),
            (B, "2.png", "dog", "cat", "delete"),
            (B, "2.png", "cat", "dog", "keep"),
            (A, "1.png", "cat", "cat", "relabel"),
            (A, "1.png", "cat", "", "relabel"),
        )
    )
    assert said.startswith("error 3: 6 rows of the table cannot be used")
    assert f"line 2: no sample has the id '{'f' * 32}'" in said
    assert "line 3: no class is called 'dogg'; did you mean 'dog'?" in said
    assert "line 4: no action is called 'delete'" in said
    assert "line 5: 2.png is labelled 'dog' now, not 'cat': the table is older than the data" in said
    assert "line 6: 1.png is labelled 'cat' already; write keep" in said
    assert "line 7: no class is called ''" in said


def test_a_sample_that_is_decided_in_two_ways_is_refused(tmp_path: Path) -> None:
    row = (A, "1.png", "cat")
    said = refusal(filled(tmp_path, (*row, "dog", "relabel"), (*row, "dog", "keep"), (*row, "猫", "relabel")))
    assert "line 3: 1.png is decided twice: relabel to 'dog' in line 2, keep here" in said
    assert "line 4: 1.png is decided twice: relabel to 'dog' in line 2, relabel to '猫' here" in said
    twice = filled(tmp_path, (*row, "dog", "relabel"), (*row, "dog", "relabel"))
    assert len(decisions.read(twice, SAMPLES, CLASSES, [])) == 1


def test_one_copy_may_go_while_another_is_relabelled(tmp_path: Path) -> None:
    file = filled(tmp_path, (C, "train/3.png", "cat", "dog", "relabel"), (C, "test/3.png", "cat", "", "drop"))
    assert [fix.action for fix in decisions.read(file, SAMPLES, CLASSES, [])] == ["relabel", "drop"]


def test_a_table_that_was_used_already_is_no_error_although_the_data_have_changed(tmp_path: Path) -> None:
    file = filled(tmp_path, (A, "1.png", "猫", "cat", "relabel"), ("f" * 32, "9.png", "cat", "", "drop"))
    earlier = [Fix(A, "猫", "relabel", "1.png", "cat"), Fix("f" * 32, "cat", "drop", "9.png")]
    again = decisions.read(file, SAMPLES, CLASSES, earlier)
    merged = decisions.merge(earlier, again)
    assert (merged.fixes, merged.added, merged.known) == (sorted(earlier), [], 2)


def test_later_decisions_replace_earlier_ones() -> None:
    earlier = [Fix(A, "cat", "keep", "1.png"), Fix(B, "dog", "drop", "2.png")]
    merged = decisions.merge(
        earlier, [Fix(A, "cat", "relabel", "1.png", "dog"), Fix(B, "dog", "keep", "2.png")]
    )
    assert merged.fixes == [Fix(A, "cat", "relabel", "1.png", "dog"), Fix(B, "dog", "keep", "2.png")]
    assert merged.added == merged.fixes
    dropped = decisions.merge(merged.fixes, [Fix(A, "cat", "drop", "1.png")])
    assert dropped.fixes[0] == Fix(A, "cat", "drop", "1.png")
    assert len(dropped.fixes) == 2


def test_a_label_that_a_decision_gave_is_traced_to_the_source() -> None:
    earlier = [Fix(A, "cat", "relabel", "1.png", "dog")]
    on = decisions.merge(earlier, [Fix(A, "dog", "relabel", "1.png", "猫")])
    assert on.fixes == [Fix(A, "cat", "relabel", "1.png", "猫")]
    back = decisions.merge(earlier, [Fix(A, "dog", "relabel", "1.png", "cat")])
    assert back.fixes == [Fix(A, "cat", "keep", "1.png")]
    gone = decisions.merge(earlier, [Fix(A, "dog", "drop", "1.png")])
    assert gone.fixes == [Fix(A, "cat", "drop", "1.png")]
    kept = decisions.merge(earlier, [Fix(A, "dog", "keep", "1.png")])
    assert (kept.fixes, kept.known) == (earlier, 1)


def test_dropping_one_copy_leaves_decisions_about_the_other() -> None:
    earlier = [Fix(C, "cat", "relabel", "train/3.png", "dog")]
    merged = decisions.merge(earlier, [Fix(C, "cat", "drop", "test/3.png")])
    assert [fix.action for fix in merged.fixes] == ["drop", "relabel"]


def test_samples_to_drop_are_named_by_path_file_or_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("data/raw")
    assert decisions.drops(["1.png"], SAMPLES, folder) == [Fix(A, "cat", "drop", "1.png")]
    assert decisions.drops(["data/raw/train/3.png"], SAMPLES, folder) == [
        Fix(C, "cat", "drop", "train/3.png")
    ]
    both = decisions.drops([str(tmp_path / "data/raw/2.png"), C, "test/3.png"], SAMPLES, folder)
    assert [fix.path for fix in both] == ["2.png", "train/3.png", "test/3.png"]
    with pytest.raises(DataError) as caught:
        decisions.drops(["1.png", "trian/3.png", "nothing like it"], SAMPLES, folder)
    assert "2 of 3 names are no samples" in str(caught.value)
    assert "trian/3.png; did you mean 'train/3.png'?" in str(caught.value)


def test_decisions_are_taken_back_by_path_or_id() -> None:
    earlier = [Fix(A, "cat", "keep", "1.png"), Fix(B, "dog", "drop", "2.png"), Fix(C, "cat", "keep", "3.png")]
    merged = decisions.without(earlier, ["1.png", B])
    assert merged.fixes == earlier[2:]
    assert merged.added == earlier[:2]
    with pytest.raises(DataError, match=r"no decision concerns 9\.png"):
        decisions.without(earlier, ["1.png", "9.png"])
