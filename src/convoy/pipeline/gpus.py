"""Which GPUs a training takes, by names that all projects of a machine share."""

from contextlib import ExitStack

import torch

from convoy.config.train import TrainConfig
from convoy.pipeline import lease


def wanted(config: TrainConfig) -> list[str]:
    """The driver's identities of the GPUs of this node's processes; empty on a CPU.

    A number would mean another GPU where CUDA_VISIBLE_DEVICES differs.
    """
    if config.device == "cpu" or not torch.cuda.is_available():
        return []
    count = min(config.distributed.processes, torch.cuda.device_count())
    return [str(torch.cuda.get_device_properties(n).uuid) for n in range(count)]


def leased(identities: list[str], what: str, say: lease.Say) -> ExitStack:
    """Have these GPUs to oneself; in one order for everybody, so that no two wait for each other.

    Raises:
        ResourceError: see `lease.device`.
    """
    with ExitStack() as stack:
        for identity in sorted(identities):
            stack.enter_context(lease.device(identity, what, say=say))
        return stack.pop_all()
