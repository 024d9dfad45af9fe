"""One line an epoch where there is no terminal; a bar where there is one."""

import re
from pathlib import Path

import pytest
from rich.console import Console

from convoy.training import progress
from tests.stages.test_train import Run, run  # noqa: F401  # a fixture


def test_a_pipe_gets_one_plain_line_an_epoch(run: Run, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    run("a")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(lines) == 4
    for number, line in enumerate(lines, start=1):
        assert re.fullmatch(
            rf"epoch {number}/4  train_loss \d\.\d{{4}}  val_accuracy \d\.\d{{4}}  val_loss \d\.\d{{4}}  "
            r"\d+\.\d s  [\d,]+ samples/s",
            line,
        )


def test_a_terminal_gets_a_bar_with_loss_metric_and_rate(
    run: Run,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (tmp_path / "screen").open("w") as screen:
        console = Console(file=screen, force_terminal=True, width=120)
        monkeypatch.setattr(progress, "Console", lambda **_: console)
        monkeypatch.setattr(progress, "_REFRESH_SECONDS", 0.0)
        run("a")
    shown = (tmp_path / "screen").read_text()
    assert re.search(r"loss \d\.\d{4}  val_loss \d\.\d{4}  [\d,]+ samples/s", shown)
    assert "16/16" in shown
