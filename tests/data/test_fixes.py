from pathlib import Path

import pandas as pd
import pytest

from convoy.data import fixes, manifest
from convoy.data.fixes import Fix
from convoy.data.sources._base import Scan
from convoy.errors import DataError

IDS = {name: f"{number:032x}" for number, name in enumerate("abcdef", 1)}


def scanned(rows: list[tuple[str, str, str | None]], **other: object) -> tuple[Scan, pd.DataFrame]:
    """Samples from (letter of the content, path, target)."""
    samples = pd.DataFrame(
        {
            "path": [path for _, path, _ in rows],
            "target": pd.Series([target for _, _, target in rows], dtype=object),
            "split": pd.Series([None] * len(rows), dtype=object),
        }
    )
    scan = Scan(samples, ["cat", "dog", "猫"], **other)  # type: ignore[arg-type]
    return scan, samples.assign(id=[IDS[letter] for letter, _, _ in rows])


PLAIN = [("a", "1.png", "cat"), ("b", "2.png", "dog"), ("c", "3.png", "cat"), ("d", "4.png", "dog")]


def written(folder: Path, *rows: Fix) -> Path:
    fixes.write(folder / "fixes.csv", rows)
    return folder / "fixes.csv"


def test_without_a_table_nothing_changes(tmp_path: Path) -> None:
    scan, samples = scanned(PLAIN)
    assert fixes.apply(scan, samples, tmp_path / "fixes.csv") is samples
    assert fixes.apply(scan, samples, written(tmp_path)) is samples
    assert scan.notes == []


def test_relabelled_dropped_and_kept(tmp_path: Path) -> None:
    scan, samples = scanned(PLAIN)
    table = written(
        tmp_path,
        Fix(IDS["a"], "cat", "relabel", "1.png", "猫"),
        Fix(IDS["b"], "dog", "drop", "2.png"),
        Fix(IDS["c"], "cat", "keep", "3.png"),
    )
    found = fixes.apply(scan, samples, table)
    assert found["path"].tolist() == ["1.png", "3.png", "4.png"]
    assert found["target"].tolist() == ["猫", "cat", "dog"]
    assert found["origin"].tolist() == ["fixes.csv", None, None]
    assert found.index.tolist() == [0, 1, 2]
    assert samples["target"].tolist() == ["cat", "dog", "cat", "dog"]
    assert scan.notes == ["fixes.csv: 1 relabelled, 1 dropped"]
    manifest.write(tmp_path, found)
    assert manifest.read(tmp_path)["target"].tolist() == ["猫", "cat", "dog"]


def test_all_copies_with_the_label_are_relabelled_and_others_stay(tmp_path: Path) -> None:
    scan, samples = scanned([("a", "1.png", "cat"), ("a", "2.png", "cat"), ("a", "3.png", "dog")])
    table = written(tmp_path, Fix(IDS["a"], "cat", "relabel", "1.png", "dog"))
    assert fixes.apply(scan, samples, table)["target"].tolist() == ["dog", "dog", "dog"]


def test_of_several_copies_the_one_that_is_named_is_dropped(tmp_path: Path) -> None:
    rows = [("a", "train/1.png", "cat"), ("a", "test/1.png", "cat"), ("b", "2.png", "dog")]
    scan, samples = scanned(rows)
    table = written(tmp_path, Fix(IDS["a"], "cat", "drop", "test/1.png"))
    assert fixes.apply(scan, samples, table)["path"].tolist() == ["train/1.png", "2.png"]
    moved = written(tmp_path, Fix(IDS["a"], "cat", "drop", "elsewhere.png"))
    assert fixes.apply(scan, samples, moved)["path"].tolist() == ["2.png"]


def test_a_copy_may_go_while_the_others_are_relabelled(tmp_path: Path) -> None:
    scan, samples = scanned([("a", "1.png", "cat"), ("a", "2.png", "cat"), ("b", "3.png", "dog")])
    table = written(
        tmp_path,
        Fix(IDS["a"], "cat", "drop", "2.png"),
        Fix(IDS["a"], "cat", "relabel", "1.png", "dog"),
    )
    found = fixes.apply(scan, samples, table)
    assert list(zip(found["path"], found["target"], strict=True)) == [("1.png", "dog"), ("3.png", "dog")]


def test_a_label_that_has_changed_since_is_refused_by_line_and_name(tmp_path: Path) -> None:
    scan, samples = scanned(PLAIN)
    for action, label in (("relabel", "猫"), ("drop", "")):
        table = written(
            tmp_path,
            Fix(IDS["a"], "dog", action, "1.png", label),
            Fix(IDS["c"], "cat", "keep", "3.png"),
        )
        with pytest.raises(DataError) as caught:
            fixes.apply(scan, samples, table)
        assert "line 2: 1.png is labelled 'cat' now, not 'dog'" in str(caught.value)
        assert str(table) in str(caught.value)


def test_rows_about_nothing_any_more_are_noted(tmp_path: Path) -> None:
    scan, samples = scanned(PLAIN)
    table = written(
        tmp_path,
        Fix(IDS["e"], "dog", "relabel", "gone.png", "cat"),
        Fix(IDS["f"], "dog", "drop", "also gone.png"),
        Fix(IDS["a"], "dog", "keep", "1.png"),
        Fix(IDS["b"], "cat", "relabel", "mended at the source.png", "dog"),
    )
    found = fixes.apply(scan, samples, table)
    pd.testing.assert_frame_equal(found, samples)
    assert scan.notes[1] == (
        "fixes.csv: 4 rows have nothing to correct any more "
        "(1.png, mended at the source.png, gone.png, also gone.png)"
    )


def test_a_class_that_does_not_exist_is_refused_with_a_guess(tmp_path: Path) -> None:
    scan, samples = scanned(PLAIN)
    table = written(tmp_path, Fix(IDS["a"], "cat", "relabel", "1.png", "dogg"))
    with pytest.raises(DataError, match="line 2: no class is called 'dogg'; did you mean 'dog'"):
        fixes.apply(scan, samples, table)


def test_keypoints_can_be_dropped_but_not_relabelled(tmp_path: Path) -> None:
    scan, samples = scanned([("a", "1.png", None), ("b", "2.png", None)], task="keypoints")
    table = written(tmp_path, Fix(IDS["a"], "", "drop", "1.png"))
    assert fixes.apply(scan, samples, table)["path"].tolist() == ["2.png"]
    table = written(tmp_path, Fix(IDS["a"], "", "relabel", "1.png", "cat"))
    with pytest.raises(DataError, match=r"1\.png has keypoints, no class"):
        fixes.apply(scan, samples, table)


def test_a_label_that_was_missing_can_be_given_and_its_problem_is_solved(tmp_path: Path) -> None:
    scan, samples = scanned([("a", "1.png", None), ("b", "2.png", "dog"), ("c", "3.png", None)])
    samples["id"] = [IDS["a"], IDS["b"], manifest.content_id(b"unreadable:3.png")]
    samples = samples.assign(problem=["no label", None, "the file is missing"], origin="labels.csv:2")
    table = written(
        tmp_path,
        Fix(IDS["a"], "", "relabel", "1.png", "cat"),
        Fix(samples["id"][2], "", "relabel", "3.png", "cat"),
    )
    found = fixes.apply(scan, samples, table)
    assert found["target"].tolist() == ["cat", "dog", "cat"]
    assert found["problem"].tolist() == [None, None, "the file is missing"]
    assert found["origin"].tolist() == ["fixes.csv", "labels.csv:2", "fixes.csv"]


def test_dropping_everything_is_refused(tmp_path: Path) -> None:
    scan, samples = scanned(PLAIN[:1])
    with pytest.raises(DataError, match="every sample is dropped"):
        fixes.apply(scan, samples, written(tmp_path, Fix(IDS["a"], "cat", "drop", "1.png")))


def test_at_most_twenty_rows_are_named_and_all_are_counted(tmp_path: Path) -> None:
    rows = [("a", "1.png", "cat")]
    scan, samples = scanned(rows)
    samples = pd.concat([samples] * 30, ignore_index=True)
    samples["id"] = [f"{n:032x}" for n in range(30)]
    table = written(tmp_path, *(Fix(f"{n:032x}", "dog", "drop", f"{n}.png") for n in range(30)))
    with pytest.raises(DataError) as caught:
        fixes.apply(scan, samples, table)
    lines = str(caught.value).splitlines()
    assert lines[0] == "error 3: 30 rows of the table cannot be used"
    assert sum("is labelled" in line for line in lines) == 20
    assert "  and 10 more" in lines


def test_the_table_reads_back_whatever_the_names_hold_in_the_order_of_ids(tmp_path: Path) -> None:
    rows = [
        Fix(IDS["b"], '猫 "咪"', "relabel", "a,b\n.png", "dog"),
        Fix(IDS["a"], "", "drop", "数据/1.png"),
    ]
    table = written(tmp_path, *rows)
    assert table.read_bytes().startswith(b"id,path,target,action,label\n" + IDS["a"].encode())
    assert fixes.read(table) == sorted(rows)
    assert fixes.read(tmp_path / "none.csv") == []
    before = table.read_bytes()
    fixes.write(table, fixes.read(table))
    assert table.read_bytes() == before


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_that_a_spreadsheet_has_saved_is_read(tmp_path: Path, encoding: str, separator: str) -> None:
    table = tmp_path / "fixes.csv"
    lines = [fixes.COLUMNS, (IDS["a"], "猫咪 照片/1.png", "狗", "relabel", "猫"), ("",) * 5]
    table.write_bytes("\r\n".join(separator.join(line) for line in lines).encode(encoding))
    assert fixes.read(table) == [Fix(IDS["a"], "狗", "relabel", "猫咪 照片/1.png", "猫")]
    assert fixes.read(table)[0].line == 2


def test_damaged_rows_are_named_by_line(tmp_path: Path) -> None:
    table = tmp_path / "fixes.csv"
    rows = [
        f"{IDS['a']},1.png,cat,remove,",
        f"{IDS['b']},2.png,cat,relabel,",
        f"{IDS['c']},3.png,cat,drop,dog",
        ",4.png,cat,drop,",
        f"{IDS['d']},5.png,cat,keep,",
        f"{IDS['d']},6.png,cat,relabel,dog",
    ]
    table.write_text("\n".join([",".join(fixes.COLUMNS), *rows]), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        fixes.read(table)
    said = str(caught.value)
    assert "line 2: no action is called 'remove' (relabel, drop, keep)" in said
    assert "line 3: relabel goes with a label" in said
    assert "line 4: drop goes without a label" in said
    assert "line 5: there is no id" in said
    assert f"line 7: {IDS['d']} is decided in line 6 already" in said


def test_a_file_that_is_no_such_table_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "fixes.csv"
    for content, said in (
        (b"", "no column id, path, target, action, label; it has none"),
        (b"id,path\n", "no column target, action, label; it has id, path"),
        (b'id,path,target,action,label\n"a,b\n', "the table is damaged"),
        (b"id,path,target,action,label\n\xff\xff\x81,b,c,keep,\n", "is not UTF-8"),
    ):
        table.write_bytes(content)
        with pytest.raises(DataError, match=said):
            fixes.read(table)


def test_what_is_settled_is_the_label_that_a_person_wants(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        Fix(IDS["a"], "cat", "keep", "1.png"),
        Fix(IDS["b"], "cat", "relabel", "2.png", "dog"),
        Fix(IDS["c"], "cat", "drop", "3.png"),
    )
    assert fixes.settled(table) == {(IDS["a"], "cat"), (IDS["b"], "dog")}
    assert fixes.settled(tmp_path / "none.csv") == set()
