"""Gradients of several batches in one step of the optimiser."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Accumulation:
    """How an epoch's batches are grouped; the last group may be smaller, in batches and in samples.

    Attributes:
        every: batches in a group.
        batches: in an epoch.
        batch_size: of all batches but, perhaps, the last.
        samples: in all batches of an epoch.
    """

    every: int
    batches: int
    batch_size: int
    samples: int

    @property
    def steps(self) -> int:
        """Of the optimiser, in an epoch."""
        return -(-self.batches // self.every)

    def weights(self, batch: int) -> tuple[float, float]:
        """What a batch's mean loss, and what is added once a step, weigh in Lightning's mean over `every`
        batches, so that a group's gradient is that of one batch with all its samples.

        Args:
            batch: its number in the epoch.
        """
        first = batch - batch % self.every
        last = min(first + self.every, self.batches)
        together = self._samples(first, last)
        return self.every * self._samples(batch, batch + 1) / together, self.every / (last - first)

    def _samples(self, first: int, last: int) -> int:
        """Of the batches from `first` up to `last`."""
        end = last * self.batch_size if last < self.batches else self.samples
        return end - first * self.batch_size
