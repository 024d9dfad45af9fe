"""The derivatives of a convolution written out: no autograd.

For y = x * w and a scalar L with v = dL/dy, both are convolutions again (Dumoulin & Visin 2016,
arXiv 1603.07285; stride s, dilation d, x padded with zeros):

    dL/dx = v transposed-convolved with w               every output sends its v back to the inputs it saw
    dL/dw = x convolved with v, strides and dilations   each weight sums v times the inputs it met
            exchanged, samples in place of channels
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def convolution(layer: nn.Conv2d, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """dL/dx (as x) and dL/dw (as layer.weight), from x (N, C, H, W) and v = dL/dy (N, O, H', W')."""
    stride, dilation = _pair(layer.stride), _pair(layer.dilation)
    weight, groups = layer.weight.detach(), layer.groups
    kernel = (weight.shape[2], weight.shape[3])
    top, bottom, left, right = _padding(layer, kernel, dilation)
    padded = functional.pad(x, (left, right, top, bottom))
    # rows and columns that no window of this stride reached get a derivative of 0
    missed = [
        padded.shape[2 + n] - ((v.shape[2 + n] - 1) * stride[n] + dilation[n] * (kernel[n] - 1) + 1)
        for n in (0, 1)
    ]
    by_input = functional.conv_transpose2d(v, weight, stride=stride, groups=groups, dilation=dilation)
    by_input = functional.pad(by_input, (0, missed[1], 0, missed[0]))
    by_input = by_input[:, :, top : top + x.shape[2], left : left + x.shape[3]]
    parts = [
        functional.conv2d(
            images.transpose(0, 1), outputs.transpose(0, 1), stride=dilation, dilation=stride
        ).transpose(0, 1)
        for images, outputs in zip(padded.chunk(groups, 1), v.chunk(groups, 1), strict=True)
    ]
    return by_input, torch.cat(parts)[:, :, : kernel[0], : kernel[1]]


def _padding(
    layer: nn.Conv2d, kernel: tuple[int, int], dilation: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Rows above and below, columns left and right."""
    if layer.padding == "valid":
        return 0, 0, 0, 0
    if layer.padding == "same":
        rows, columns = (dilation[n] * (kernel[n] - 1) for n in (0, 1))
        return rows // 2, rows - rows // 2, columns // 2, columns - columns // 2
    assert isinstance(layer.padding, tuple)
    rows, columns = _pair(layer.padding)
    return rows, rows, columns, columns


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    first, second = values
    return first, second
