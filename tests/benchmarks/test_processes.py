from pathlib import Path

import pytest
from benchmarks.processes import Framework

from benchmarks import mnist

OPTIONS = ("--epochs", "3", "--threads", "1")


@pytest.mark.parametrize("script", ["convoy_fit", "lightning_fit"])
def test_a_framework_trains_an_epoch_a_call_and_ends_when_none_comes(
    script: str, realdata_in_small: Path, tmp_path: Path
) -> None:
    with Framework(script, mnist.arrays(tmp_path / "arrays", 240), *OPTIONS) as framework:
        assert "torch" in framework.versions
        assert framework.accuracy == []
        assert framework.epoch() > 0
        assert framework.epoch() > 0
        assert len(framework.accuracy) == 2
        assert framework.accuracy[-1] > 0.5
        process = framework._process
        assert process.poll() is None
    assert process.returncode == 0


def test_a_framework_that_dies_tells_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with 1(.|\n)*No module named 'fastai'"):
        Framework("fastai_fit", tmp_path, *OPTIONS)  # an interpreter that lacks it
