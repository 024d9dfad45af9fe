"""Our epoch of TextCNN on MR over a hand-written PyTorch loop.

The loop is what tutorials write: a `TextCNN` of its own (Kim 2014: embedding, three widths of convolution,
maximum over time, dropout, bounded rows of the head), token ids in memory, a random order, and each batch
padded to its longest sentence. Both sides have the same sentences, batch size, number of weights, precision,
AdamW (ours, fused) and schedule, and validate once an epoch. Ours also keeps its journal and two checkpoints
an epoch; its batches hold sentences of like length.
"""

import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from benchmarks import reviews
from benchmarks.epoch import best_precision, conditions
from benchmarks.measure import Report, in_turns, ratio, spread, verdict
from benchmarks.ours import VALIDATION_BATCH, Task, Timed, turn, whole
from convoy.config.text_models import TextCnnConfig
from convoy.data import ragged
from convoy.data.modalities.text.batching import TOKENS, loading
from convoy.data.store import Store
from convoy.training import optimizers, schedules
from convoy.training.groups import groups
from convoy.training.precision import Precision

TARGET = 1.05
_EPOCHS = 3  # the first is not timed
_AGREE = 0.06  # accuracies of two trainings that differ in the order of their samples

OURS, LOOP = "convoy", "PyTorch loop"


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    with TemporaryDirectory(prefix="convoy-bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        progress("preparing the reviews")
        job = task(Path(folder))
        kept: dict[str, list[Timed]] = {OURS: [], LOOP: []}
        seconds = in_turns(
            {
                OURS: turn(lambda: whole(job, None), kept[OURS]),
                LOOP: turn(lambda: loop(job), kept[LOOP]),
            },
            rounds,
            progress,
        )
    steps = {timed.steps for runs in kept.values() for timed in runs}
    assert len(steps) == 1, f"the sides took different numbers of steps: {steps}"
    learned = {
        name: median(timed.history[-1]["val_accuracy"] for timed in runs) for name, runs in kept.items()
    }
    gap = abs(learned[OURS] - learned[LOOP])
    assert gap <= _AGREE, f"the sides do not learn alike: {learned}"
    over = ratio(seconds[OURS], seconds[LOOP])
    size = len(job.data.train)
    rates = {name: size / median(taken) for name, taken in seconds.items()}
    return Report(
        title=f"seconds of an epoch: textcnn, {job.precision.name}, {size:,} sentences",
        columns=["side", "s / epoch (least–most)", "sentences / s", "over the loop", f"≤ {TARGET:.2f}"],
        rows=[
            [OURS, spread(seconds[OURS]), f"{rates[OURS]:,.0f}", f"{over:.3f}", verdict(over, TARGET)],
            [LOOP, spread(seconds[LOOP]), f"{rates[LOOP]:,.0f}", "1", ""],
        ],
        notes=[
            f"{steps.pop()} steps on each side; accuracy on the validation split after {_EPOCHS} epochs: "
            f"{learned[OURS]:.3f} and {learned[LOOP]:.3f}.",
            conditions(job.config.batch_size, rounds),
        ],
        data={"seconds": seconds, "ratio": over, "target": TARGET, "met": over <= TARGET, "accuracy": learned,
              "precision": job.precision.name},
    )  # fmt: skip


def task(folder: Path) -> Task:
    """The recipe's training, short, without its augmentation."""
    data = reviews.make(folder)
    precision = best_precision()
    config = data.config.train.model_copy(update={"epochs": _EPOCHS, "precision": precision})
    return Task(data, data.config.model, config, Precision(precision), loading(data.preprocessor))


class TextCNN(nn.Module):
    """Kim's network as it is usually written: ids (N, L) -> (N, classes)."""

    def __init__(self, config: TextCnnConfig, words: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, config.embedding.size, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.embedding.size, config.filters, kernel, padding=kernel - 1)
            for kernel in config.kernels
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.filters * len(config.kernels), classes)

    def forward(self, ids: Tensor) -> Tensor:
        vectors = self.embedding(ids).transpose(1, 2)
        found = [torch.relu(convolution(vectors)).amax(2) for convolution in self.convolutions]
        logits: Tensor = self.head(self.dropout(torch.cat(found, 1)))
        return logits


def loop(task: Task) -> Timed:
    """What one would write by hand."""
    config, model = task.config, task.model
    assert isinstance(model, TextCnnConfig)
    ids, target = sentences(task.data.train)
    val_ids, val_target = sentences(task.data.val)
    start = time.perf_counter()
    torch.manual_seed(config.seed)
    net = TextCNN(model, len(task.data.preprocessor["vocabulary"]), len(task.data.preprocessor["classes"]))
    weights = sum(each.numel() for each in net.parameters())
    assert weights == sum(each.numel() for each in task.build().parameters()), "the networks differ in size"
    optimizer = optimizers.optimizer(config.optimizer, groups(net, config.optimizer), head=net.head.weight)
    factor = schedules.factor(
        config.schedule, epochs=config.epochs, steps_per_epoch=-(-len(ids) // config.batch_size)
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    criterion = nn.CrossEntropyLoss(label_smoothing=task.data.objective.label_smoothing)
    bf16 = task.precision.name == "bf16"
    set_up = time.perf_counter() - start
    ends, history, steps = [time.perf_counter()], [], 0
    for _ in range(config.epochs):
        net.train()
        total = torch.zeros(())
        for chosen in torch.split(torch.randperm(len(ids)), config.batch_size):
            x = pad_sequence([ids[row] for row in chosen.tolist()], batch_first=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = criterion(net(x), target[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if model.max_norm is not None:
                with torch.no_grad():
                    net.head.weight.copy_(net.head.weight.renorm(2, 0, model.max_norm))
            total += loss.detach() * len(chosen)
            steps += 1
        net.eval()
        right = torch.zeros(())
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            for at in range(0, len(val_ids), VALIDATION_BATCH):
                x = pad_sequence(val_ids[at : at + VALIDATION_BATCH], batch_first=True)
                right += (net(x).argmax(1) == val_target[at : at + VALIDATION_BATCH]).sum()
        history.append(
            {"train_loss": float(total) / len(ids), "val_accuracy": float(right) / len(val_target)}
        )
        ends.append(time.perf_counter())
    periods = [after - before for before, after in pairwise(ends[1:])]
    return Timed(set_up, mean(periods), steps, history)


def sentences(store: Store) -> tuple[list[Tensor], Tensor]:
    """Ids of each sentence, and the classes (N,)."""
    values, bounds = ragged.take(*store.field(TOKENS), np.arange(len(store)))
    found = [torch.from_numpy(values[a:b].astype(np.int64)) for a, b in pairwise(bounds.tolist())]
    return found, torch.from_numpy(np.array(store.target))
