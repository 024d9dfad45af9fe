"""What the device forms share: batches as (B, C, H, W) float32 of whole values from 0 to 255."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convoy.data.batched import AnyForm

Apply = Callable[[AnyForm, Tensor, Any], Tensor]  # form, batch, what it drew -> batch


def sent(values: Any, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """An array, as a tensor where `like` is."""
    tensor = torch.as_tensor(np.ascontiguousarray(values), dtype=dtype)
    if like.device.type == "cuda":
        return tensor.pin_memory().to(like.device, non_blocking=True)
    return tensor.to(like.device)


def whole(values: Tensor) -> Tensor:
    """Rounded and clipped, as a picture of 8 bits would be."""
    return values.round_().clamp_(0, 255)


def placed(values: NDArray[Any], chosen: NDArray[np.int64], rest: NDArray[Any]) -> NDArray[Any]:
    """(B, …): `values` (n, …) for the chosen samples, `rest` (B, …) for the others."""
    result = rest.copy()
    result[chosen] = values
    return result
