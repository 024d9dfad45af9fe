"""The ranks of a data-parallel training: which rows of a batch are whose, and sums over all of them."""

from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class World:
    """This process's place among `size` equal ones."""

    rank: int = 0
    size: int = 1

    def rows(self, count: int) -> tuple[slice, float]:
        """Which of a batch's rows are this rank's, and how many those are, in equal parts.

        Where there are fewer rows than ranks, the last ranks get the first row, and 0.
        """
        mine = len(range(self.rank, count, self.size))
        return slice(self.rank, None, self.size) if mine else slice(0, 1), mine * self.size / count


ALONE = World()


def is_first() -> bool:
    """Whether this process is alone, or the first of the ranks."""
    return not distributed.is_initialized() or distributed.get_rank() == 0


def total(sums: dict[str, Tensor], count: int) -> tuple[dict[str, Tensor], int]:
    """Sums and a count over all ranks; every rank must ask with the same names."""
    if not distributed.is_initialized() or not sums:
        return sums, count
    names = sorted(sums)
    device = sums[names[0]].device
    seen = torch.tensor(count, dtype=torch.float64, device=device)
    every = torch.stack([*(sums[name].double() for name in names), seen])
    distributed.all_reduce(every)
    return dict(zip(names, every[:-1].float(), strict=True)), int(every[-1])
