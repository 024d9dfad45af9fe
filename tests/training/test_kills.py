"""kill -9 at random moments: the next run goes on in the same run and ends in the same bytes."""

import time
from pathlib import Path
from random import Random

import pytest

from convoy.io import sha256_file, sha256_tree
from convoy.training.journal import read
from tests.training.killing import Training, write_data


@pytest.mark.parametrize("kills", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_trainings_killed_at_random_moments_end_in_the_same_bytes(kills: int, tmp_path: Path) -> None:
    write_data(tmp_path)
    whole = Training(tmp_path, tmp_path / "whole")
    begun = time.monotonic()
    assert whole.end() == 0
    seconds = time.monotonic() - begun
    moments = Random(kills)
    struck = resumed = tried = 0
    while struck < kills:
        tried += 1
        assert tried <= 3 * kills
        place = tmp_path / f"killed{tried}"
        training = Training(tmp_path, place)
        training.end(moments.uniform(0, seconds))
        if not training.kill():  # too late
            seconds *= 0.9
            continue
        struck += 1
        resumed += any(place.glob("state/checkpoints/*/last.ckpt"))
        assert Training(tmp_path, place).end() == 0, (place / "log").read_text()
        weights = "out/model.safetensors"
        assert sha256_file(place / weights) == sha256_file(whole.place / weights)
        assert sha256_tree(place / "out") == sha256_tree(whole.place / "out")
        [journal] = place.glob("state/runs/*/journal.jsonl")  # one key, so one run
        events = list(read(journal))
        assert [event["event"] for event in events].count("start") == 1
        steps = [event["step"] for event in events if event["event"] == "metrics"]
        assert steps == list(range(len(steps)))
    assert resumed >= kills // 5
