"""Bad texts, found by name."""

import re
from pathlib import Path

import pandas as pd
import pytest

from convoy.config.data import ChecksConfig, DataConfig, ValidateConfig
from convoy.errors import ConfigError, DataError
from convoy.stages.ingest import ingest
from convoy.stages.validate import validate
from tests.data.modalities.text import toys

CONFIG = ValidateConfig(max_bad_fraction=0.5, max_pixels=1000, min_per_class=3)


def checked(root: Path, extra: list[str], data: DataConfig = toys.DATA) -> pd.DataFrame:
    """What the gate finds in the toy data and some lines more: check, reason, path."""
    (root / "raw").mkdir()
    content = "\n".join([*toys.lines(80), *extra])
    (root / "raw" / "all.txt").write_text(content, encoding="utf-8")
    ingest(data, out=root / "ingest", corrections=root / "none.csv")
    validate(root / "ingest", data, CONFIG, out=root / "validate", base=root)
    return pd.read_parquet(root / "validate" / "findings.parquet").set_index("path")


@pytest.mark.parametrize(
    ("line", "check", "reason", "policy"),
    [
        ("order", "unreadable", "empty", "quarantine"),
        (toys.lines(1)[0], "duplicates", "duplicate", "quarantine"),
        (
            toys.lines(1)[0].upper().replace("ORDER", "order") + " !",
            "near_duplicates",
            "near duplicate",
            "warn",
        ),
        ("question" + toys.lines(1)[0].removeprefix("order"), "conflicts", "conflict", "quarantine"),
        ("order take the cafÃ© now", "encoding", "encoding", "warn"),
        ("order возьми эту машину сейчас", "script", "script", "warn"),
        ("order " + "go now " * 200, "length", "long", "warn"),
    ],
    ids=lambda value: value if value in ("quarantine", "warn") or len(value) < 20 else "line",
)
def test_a_bad_text_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, check: str,
                             reason: str, policy: str) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    found = checked(tmp_path, [line]).loc[["all.txt#81"]]
    assert (check, reason, policy) in set(
        found[["check", "reason", "policy"]].itertuples(index=False, name=None)
    )


def test_classes_that_length_tells_apart_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    long = [f"question who {'really ' * 12}{n}" for n in range(200)]
    found = checked(tmp_path, long)
    assert "length tells" in set(found["reason"])


def test_a_wrong_encoding_is_told_with_line_and_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "all.txt").write_bytes("order go\nquestion où est-il\n".encode("latin-1"))
    data = toys.DATA.model_copy(update={"encoding": "utf-8"})
    with pytest.raises(DataError, match=r"line 2 is not utf-8 \(byte 0xf9\)"):
        ingest(data, out=tmp_path / "ingest", corrections=tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="no encoding 'latin-99'"):
        ingest(data.model_copy(update={"encoding": "latin-99"}), out=tmp_path / "ingest",
               corrections=tmp_path / "none.csv")  # fmt: skip
    ingest(data.model_copy(update={"encoding": "latin-1"}), out=tmp_path / "ingest",
           corrections=tmp_path / "none.csv")  # fmt: skip


def test_doubtful_labels_of_texts_are_not_silently_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    toys.write(tmp_path)
    ingest(toys.DATA, out=tmp_path / "ingest", corrections=tmp_path / "none.csv")
    asked = CONFIG.model_copy(update={"checks": ChecksConfig(label_issues="warn")})
    with pytest.raises(ConfigError, match="no check doubts the labels of texts"):
        validate(tmp_path / "ingest", toys.DATA, asked, out=tmp_path / "validate", base=tmp_path)


def test_the_report_shows_how_many_texts_have_how_many_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checked(tmp_path, [])
    page = (tmp_path / "validate" / "report.html").read_text(encoding="utf-8")
    bars = [int(count) for count in re.findall(r"<title>\d+ to \d+ words: (\d+)</title>", page)]
    assert sum(bars) == 80
    assert 'aria-label="number of texts by words"' in page
