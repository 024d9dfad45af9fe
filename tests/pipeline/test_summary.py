from pathlib import Path

import pytest

from convoy.layout import EVALUATE
from convoy.pipeline import summary


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("", "artifacts/evaluate/report.html"),
        ("http://127.0.0.1:5000/#/experiments/1/runs/ab", "http://127.0.0.1:5000/#/experiments/1/runs/ab/artifacts/evaluation/report.html"),
    ],
)  # fmt: skip
def test_the_report_is_shown_where_it_can_be_opened(tmp_path: Path, link: str, expected: str) -> None:
    assert summary.report(tmp_path, link) == ""
    (tmp_path / EVALUATE).mkdir(parents=True)
    (tmp_path / EVALUATE / "report.html").write_text("")
    assert summary.report(tmp_path, link) == expected
