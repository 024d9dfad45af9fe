"""The text benchmarks on sentences made in place: both sides see the same ones and learn from them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.measure import Unavailable
from benchmarks.ours import Task, whole
from benchmarks.textcnn import TextCNN, loop, sentences, task

from benchmarks import reviews
from convoy.config.text_models import TextCnnConfig
from convoy.training.precision import Precision

_WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    random = np.random.default_rng(0)
    lines = []
    for row in range(400):
        words = [*random.choice(_WORDS, random.integers(3, 12)), f"n{row}"]
        words.insert(int(random.integers(0, len(words))), ("awful", "lovely")[row % 2])
        lines.append(f"{row % 2} {' '.join(words)} .\n")
    folder = tmp_path / "data" / "text"
    folder.mkdir(parents=True)
    (folder / "rt-polarity.all").write_text("".join(lines), encoding="latin-1")
    monkeypatch.setenv("CONVOY_REALDATA", str(folder.parent))
    (tmp_path / "work").mkdir()
    made = task(tmp_path / "work")
    assert isinstance(made.model, TextCnnConfig)
    small = made.model.embedding.model_copy(update={"size": 16})
    fast = made.config.optimizer.model_copy(update={"lr": 0.01})
    config = made.config.model_copy(update={"batch_size": 16, "epochs": 4, "optimizer": fast})
    return replace(
        made,
        precision=Precision("fp32"),
        model=made.model.model_copy(update={"embedding": small}),
        config=config,
    )


def test_both_sides_take_the_same_steps_and_learn_the_same(job: Task) -> None:
    ours, theirs = whole(job, None), loop(job)
    assert ours.steps == theirs.steps == 4 * -(-len(job.data.train) // 16)
    assert ours.history[-1]["val_accuracy"] > 0.9
    assert theirs.history[-1]["val_accuracy"] > 0.9


def test_the_loops_network_is_ours_where_no_padding_tells_them_apart(job: Task) -> None:
    assert isinstance(job.model, TextCnnConfig)
    theirs, ours = (
        TextCNN(job.model, len(job.data.preprocessor["vocabulary"]), 2).eval(),
        job.build().eval(),
    )
    values = list(theirs.state_dict().values())
    mine = dict(zip(ours.state_dict(), values, strict=True))
    ours.load_state_dict(mine)
    ids, target = sentences(job.data.train)
    assert len(ids) == len(target) == len(job.data.train)
    with torch.inference_mode():
        for each in ids[:5]:
            assert torch.allclose(ours(each[None]), theirs(each[None]), atol=1e-6)


def test_without_the_reviews_the_benchmark_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVOY_REALDATA", str(tmp_path))
    with pytest.raises(Unavailable, match=r"MR's reviews are not in .*CONVOY_REALDATA"):
        reviews.file()
