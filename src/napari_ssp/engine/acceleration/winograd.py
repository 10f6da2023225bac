"""Winograd convolution: 5×5×5 kernels multiply less, 1.8-3.0 times as fast in float32 on a CPU.

Measured per convolution at the published size of RepMode. Planes are combined along z before and
after, so that eight 2D convolutions do the work of twenty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from napari_ssp.engine.acceleration.winograd_matrices import TAPS, group_tiles, winograd_scheme

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Bytes of combined planes that are held at once; more would leave the cache.
_BYTES = 2**23
#: Values of a kernel that are transformed at once.
_VALUES = 2**20


def use_winograd(network: nn.Module, depths: Mapping[str, int]) -> None:
    """Replace 5×5×5 convolutions of a network, so that outputs are the same up to rounding.

    Parameters
    ----------
    network : torch.nn.Module
        In float32, on the CPU. It is changed, so that its kernels are held once.
    depths : mapping of str to int
        Names of the layers, each a convolution or a pair of it and a ReLU; planes that they will
        see, at most.
    """
    for name, depth in depths.items():
        layer = network.get_submodule(name)
        conv = layer[0] if isinstance(layer, nn.Sequential) else layer
        assert isinstance(conv, nn.Conv3d)
        # One channel has too little to multiply to make up for the combined planes.
        if conv.in_channels > 1:
            network.set_submodule(name, WinogradConv3d(conv, depth, has_relu=conv is not layer))


class WinogradConv3d(nn.Module):
    """5×5×5 convolution as a few 2D convolutions of combined planes.

    Parameters
    ----------
    conv : torch.nn.Conv3d
        Convolution to compute, with padding 2.
    depth : int
        Planes of the inputs, at most.
    has_relu : bool
        Whether negative values become 0.
    """

    def __init__(self, conv: nn.Conv3d, depth: int, has_relu: bool = False) -> None:
        super().__init__()
        self.depth, self.has_relu = depth, has_relu
        self.in_channels, self.out_channels = conv.in_channels, conv.out_channels
        kernels = _transformed_kernels(conv.weight.detach(), winograd_scheme(depth).kernel)
        self.kernels = nn.Parameter(kernels, requires_grad=False)
        self.bias = conv.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve (N, C, Z, Y, X); each sample by itself, so that a batch changes nothing.

        Raises
        ------
        ValueError
            When there are more planes than the convolution was made for.
        """
        depth = x.shape[2]
        if depth > self.depth:
            raise ValueError(
                f"The convolution was made for {self.depth} planes at most, got {depth}; make it "
                "for the depth of the patches."
            )
        shape = (len(x), self.out_channels, *x.shape[2:])
        result = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last_3d)
        for sample, out in zip(_planes(x), _planes(result), strict=True):
            self._convolve(sample, out)
        return result

    def multiplications(self, shape: tuple[int, ...]) -> int:
        """Count those of the 2D convolutions for one sample (Z, Y, X)."""
        tiles = -(-shape[0] // len(winograd_scheme(self.depth).output))
        return tiles * shape[1] * shape[2] * self.kernels.numel()

    def _convolve(self, planes: torch.Tensor, out: torch.Tensor) -> None:
        """Fill planes (Z, Y, X, C) tile by tile."""
        depth, *plane, channels = planes.shape
        count = len(self.kernels)
        tile = count * planes[0].numel() * planes.element_size()
        groups = group_tiles(self.depth, depth, min(max(_BYTES // tile, 1), depth))
        rows = len(groups[0].data)
        # Taken once: the system clears large memory whenever it is taken anew.
        mixed = planes.new_empty(rows, *plane, channels)
        products = planes.new_empty(rows, *plane, self.out_channels)
        for group in groups:
            used = slice(len(group.data))
            torch.mm(group.data, planes[group.seen].flatten(1), out=mixed[used].flatten(1))
            tiles = (part[used].view(count, -1, *part.shape[1:]) for part in (mixed, products))
            self._multiply(*tiles)
            given = out[group.given]
            torch.mm(group.output, products[used].flatten(1), out=given.flatten(1))
            if self.has_relu:
                given.relu_()

    def _multiply(self, mixed: torch.Tensor, products: torch.Tensor) -> None:
        """Convolve each combination (K, tiles, Y, X, C) with its own kernel."""
        shape = (self.out_channels, TAPS, TAPS, self.in_channels)
        bias_product = winograd_scheme(self.depth).bias_product
        for k, (kernel, planes) in enumerate(zip(self.kernels, mixed, strict=True)):
            weight = kernel.view(shape).permute(0, 3, 1, 2)
            bias = self.bias if k == bias_product else None
            found = functional.conv2d(planes.permute(0, 3, 1, 2), weight, bias, padding=TAPS // 2)
            products[k] = found.permute(0, 2, 3, 1)


def _planes(x: torch.Tensor) -> torch.Tensor:
    """(N, C, Z, Y, X) as contiguous (N, Z, Y, X, C)."""
    return x.permute(0, 2, 3, 4, 1).contiguous()


def _transformed_kernels(weight: torch.Tensor, transform: torch.Tensor) -> torch.Tensor:
    """Kernels (products, out, y · x · in) from a kernel (out, in, 5, 5, 5), through float64."""
    outputs, inputs = weight.shape[:2]
    length = TAPS**2 * inputs
    result = weight.new_empty(len(transform), outputs, length)
    # Many channels at once give all threads work, and room for them is taken once.
    step = min(max(_VALUES // (TAPS * length), 1), outputs)
    columns = transform.new_empty(TAPS, step * length)
    products = transform.new_empty(len(transform), step * length)
    for part, out in zip(torch.split(weight, step), torch.split(result, step, 1), strict=True):
        used = slice(len(part) * length)
        shape = (TAPS, len(part), TAPS, TAPS, inputs)
        columns[:, used].view(shape).copy_(part.permute(2, 0, 3, 4, 1))
        torch.mm(transform, columns[:, used], out=products[:, used])
        out.copy_(products[:, used].view_as(out))
    return result
