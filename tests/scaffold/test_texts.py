"""Texts: what `convoy init` takes for them, and what it asks."""

import codecs
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from convoy import plugins
from convoy.config.load import load
from convoy.errors import ConfigError, DataError
from convoy.scaffold import project, text_lines, text_survey
from convoy.scaffold.columns import Wishes
from convoy.scaffold.project import Made
from convoy.scaffold.recognise import recognise
from tests.scaffold.toys import class_folders, pictures, write_csv

GOOD = "the food came warm and the driver smiled at all of us"
BAD = "it was cold and late and nobody said a word about it"


def reviews(path: Path, *, more: dict[str, list[str]] | None = None, rows: int = 40) -> Path:
    """A table of reviews: number, review, stars."""
    columns: dict[str, list[str]] = {
        "number": [str(n) for n in range(rows)],
        "review": [f"{GOOD if n % 2 else BAD}, order {n}" for n in range(rows)],
        "stars": ["5" if n % 2 else "1" for n in range(rows)],
        **(more or {}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pd.DataFrame(columns).to_parquet(path)
        return path
    return write_csv(path, list(columns), [list(row) for row in zip(*columns.values(), strict=True)])


def lines(path: Path, encoding: str = "utf-8", word: str = "café", rows: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{'pos' if n % 2 else 'neg'} {word} number {n} of the street\n" for n in range(rows))
    path.write_bytes(text.encode(encoding))
    return path


def create(pointed: Path, into: Path, **how: Any) -> Made:
    return project.create(pointed, into, **{"wishes": Wishes(), **how})


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("as_folder", [False, True])
def test_a_table_is_recognised_by_its_column_of_texts(ending: str, as_folder: bool, tmp_path: Path) -> None:
    table = reviews(tmp_path / f"reviews.{ending}")
    found = recognise(tmp_path if as_folder else table, Wishes())
    assert (found.modality, found.root) == ("text", tmp_path)
    assert found.options == {
        "source": "text_table", "table": table.name, "text_col": "review", "target": "stars",
    }  # fmt: skip


def test_pictures_in_a_table_go_before_its_texts(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "shots")
    rows = [[str(path), f"{GOOD} {n}", "ab"[n % 2]] for n, path in enumerate(pictures(folder))]
    table = write_csv(tmp_path / "t.csv", ["file", "words", "label"], rows)
    assert recognise(table, Wishes()).options["source"] == "table"
    assert recognise(table, Wishes(modality="text")).options["text_col"] == "words"
    assert recognise(table, Wishes(text_col="words")).options["source"] == "text_table"


def test_two_columns_of_texts_have_to_be_told_apart(tmp_path: Path) -> None:
    other = {"answer": [f"we are sorry about order {n} and hope to see you" for n in range(40)]}
    table = reviews(tmp_path / "t.csv", more=other)
    assert recognise(table, Wishes()).options["text_col"] == "review"  # its name says so
    frame = pd.read_csv(table, dtype=str).rename(columns={"review": "one", "answer": "two"})
    frame.to_csv(table, index=False)
    with pytest.raises(ConfigError, match=r"'one', 'two'|'two', 'one'") as error:
        recognise(table, Wishes())
    assert "--text-col" in error.value.fix
    assert recognise(table, Wishes(text_col="two")).options["text_col"] == "two"


def test_texts_among_many_features_are_asked_about(tmp_path: Path) -> None:
    features = {name: [str(n * k % 7) for n in range(40)] for k, name in enumerate("abc", 1)}
    table = reviews(tmp_path / "t.csv", more=features)
    with pytest.raises(ConfigError, match=r"may be texts \(column 'review'\) or rows of features") as error:
        recognise(table, Wishes(target="stars"))
    assert "--modality text" in error.value.fix
    assert recognise(table, Wishes(target="stars", modality="text")).options["text_col"] == "review"


def test_names_of_people_among_features_are_no_texts() -> None:
    from convoy.scaffold.text_columns import options

    rows = [[f"Miss Anna{n} Maria{n} Smith", "ab"[n % 2], str(n % 3), str(n % 4)] for n in range(40)]
    table = pd.DataFrame(rows, columns=["name", "survived", "class", "deck"], dtype=object)
    assert options(table, Wishes(), "t.csv", rivals=["table"]) is None


def test_a_first_line_that_is_a_sample_is_no_header(tmp_path: Path) -> None:
    rows = [["1" if n % 2 else "0", f"{GOOD} {n}"] for n in range(40)]
    table = write_csv(tmp_path / "t.csv", rows[1], rows[2:])
    with pytest.raises(DataError, match="first line looks like a sample"):
        recognise(table, Wishes())


def test_lines_are_recognised_with_the_files_of_the_other_splits(tmp_path: Path) -> None:
    for side in ("train", "dev", "test"):
        lines(tmp_path / f"q.{side}.all", word="cafe")
    wanted = {"source": "text_lines", "lines": {
        "train": "q.train.all", "val": "q.dev.all", "test": "q.test.all"}}  # fmt: skip
    assert recognise(tmp_path, Wishes()).options == wanted
    assert recognise(tmp_path / "q.test.all", Wishes()).options == wanted
    lines(tmp_path / "other.txt")
    with pytest.raises(ConfigError, match="several sets of texts"):
        recognise(tmp_path, Wishes())
    assert recognise(tmp_path / "other.txt", Wishes()).options["lines"] == {"all": "other.txt"}


@pytest.mark.parametrize(
    ("encoding", "word", "said"),
    [
        ("utf-8", "café", None), ("utf-16", "café", None), ("ascii", "cafe", None),
        ("latin-1", "café", "latin-1"), ("cp1252", "“café”", "cp1252"), ("gb18030", "很好吃", "gb18030"),
    ],
)  # fmt: skip
def test_an_encoding_is_guessed_and_said(encoding: str, word: str, said: str | None, tmp_path: Path) -> None:
    file = lines(tmp_path / "t.txt", encoding, word)
    if said is None:
        assert "encoding" not in recognise(file, Wishes()).options
    else:
        assert recognise(file, Wishes()).options["encoding"] == said
        made = create(file, tmp_path / "p", git=False)
        assert any(f"read as {said}" in note for note in made.notes)
        assert load(tmp_path / "p" / "params.yaml").data.encoding == said
        assert word in (tmp_path / "p" / made.sheet).read_text(encoding="utf-8")


def test_an_encoding_that_nobody_can_tell_is_asked_for(tmp_path: Path) -> None:
    file = lines(tmp_path / "t.txt", "koi8-r", "очень вкусно")
    with pytest.raises(DataError, match="encoding cannot be told") as error:
        recognise(file, Wishes())
    assert "--encoding" in error.value.fix
    assert recognise(file, Wishes(encoding="koi8-r")).options["encoding"] == "koi8-r"
    with pytest.raises(ConfigError, match="no encoding 'klingon'"):
        recognise(file, Wishes(encoding="klingon"))
    lines(tmp_path / "q.train.txt", "latin-1")
    lines(tmp_path / "q.test.txt", "utf-8")
    with pytest.raises(ConfigError, match="different encodings"):
        recognise(tmp_path / "q.train.txt", Wishes())


def test_a_mark_says_the_encoding(tmp_path: Path) -> None:
    assert text_lines.guess(codecs.BOM_UTF16_LE + "a".encode("utf-16-le"), "t") == ("utf-16", "")


@pytest.mark.parametrize(
    "text",
    [
        "It was a dark night.\nNobody came to the door.\nThe wind blew hard.\nRain fell on all of us.\n",
        "39, State-gov, 77516, Bachelors\n50, Self-emp, 83311, Bachelors\n" * 4,
        "a\nb\na\nb\n",
        "one label here\none label there\none label again\none label still\n",
    ],
)
def test_prose_rows_and_lists_are_no_labelled_lines(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.data").write_text(text)
    with pytest.raises(DataError, match="nothing here that convoy can learn from"):
        recognise(tmp_path / "t.data", Wishes())


def test_only_the_files_that_were_meant_are_brought(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "private.txt").write_text("mine")
    table = reviews(tmp_path / "in" / "reviews.csv")
    made = create(table, tmp_path / "p")
    assert [path.name for path in (tmp_path / "p" / made.path).iterdir()] == ["reviews.csv"]
    told = made.as_dict()
    assert (told["texts"], told["data"]["modality"], told["committed"]) == (40, "text", True)
    config = load(tmp_path / "p" / "params.yaml")
    assert (config.data.modality, config.prepare.model_dump()["tokens"]) == ("text", "words")
    assert config.registration.gate.minimum == 0.6


def test_chinese_is_segmented_where_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["1" if n % 2 else "0", f"送餐很快,第{n}次了,味道{'好' if n % 2 else '差'}"] for n in range(40)]
    table = write_csv(tmp_path / "t.csv", ["label", "review"], rows)
    for there, wanted in ((True, "chinese"), (False, "characters")):
        monkeypatch.setattr(text_survey, "segmenter", lambda there=there: there)
        monkeypatch.setattr(plugins.load("scaffold", "text"), "segmenter", lambda there=there: there)
        made = create(table, tmp_path / wanted, git=False)
        assert load(tmp_path / wanted / "params.yaml").prepare.model_dump()["tokens"] == wanted
        assert any("convoy[text]" in note for note in made.notes) is not there


def test_a_column_of_each_of_two_modalities_is_refused(tmp_path: Path) -> None:
    table = reviews(tmp_path / "t.csv")
    with pytest.raises(ConfigError, match="columns of two are named"):
        recognise(table, Wishes(image_col="number", text_col="review"))
    with pytest.raises(ConfigError, match="no scaffold is called 'texts'"):
        recognise(table, Wishes(modality="texts"))
