"""torch's random numbers, keyed."""

import torch


def seed(key: int) -> None:
    """What torch.manual_seed does for the generators in use, without its millisecond of bookkeeping."""
    torch.default_generator.manual_seed(key)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(key)
