from typing import Any

import pytest
import torch
from torch import nn

from convoy.training import by_hand


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(
    "section",
    [
        {"kernel_size": 3},
        {"kernel_size": 5, "padding": 2},
        {"kernel_size": (3, 5), "padding": (1, 2), "stride": (2, 1)},
        {"kernel_size": 3, "stride": 3, "padding": 1},
        {"kernel_size": 3, "dilation": 2, "padding": "same"},
        {"kernel_size": 4, "padding": "same"},
        {"kernel_size": 3, "groups": 2, "stride": 2},
        {"kernel_size": 3, "groups": 4, "dilation": (2, 1), "stride": 2, "padding": "valid"},
    ],
    ids=str,
)
def test_the_written_out_derivatives_are_those_of_autograd(section: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, **section).double()
    x = torch.randn(3, 4, 11, 10, dtype=torch.float64, requires_grad=True)
    y = layer(x)
    v = torch.randn(y.shape, dtype=torch.float64)
    by_input, by_kernel = torch.autograd.grad((y * v).sum(), [x, layer.weight])
    found = by_hand.convolution(layer, x.detach(), v)
    torch.testing.assert_close(found[0], by_input)
    torch.testing.assert_close(found[1], by_kernel)
