"""Convolutions with fewer multiplications: planes are combined along z before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn import functional

from napari_ssp.networks.repmode import KERNEL, LEVELS
from napari_ssp.networks.toom_cook import cut, fewest_products

if TYPE_CHECKING:
    from napari_ssp.networks.repmode import MergedRepMode

#: Combined planes that are held at once; larger ones leave the cache.
_BYTES = 2**23
#: Values of a kernel that are combined at once.
_TAPS = 2**20


def filter_minimally(network: MergedRepMode, depth: int) -> MergedRepMode:
    """Replace the convolutions of a merged network by ones that multiply less.

    Parameters
    ----------
    network : MergedRepMode
        In float32, on the CPU. It is changed, so that its kernels are held once.
    depth : int
        Planes of the patches that it will see, at most.

    Returns
    -------
    MergedRepMode
        The same network; its outputs are the same up to rounding.
    """
    pairs = [*network.encoder, network.bottle, *network.decoder]
    levels = [*range(LEVELS + 1), *reversed(range(LEVELS))]
    for pair, level in zip(pairs, levels, strict=True):
        for index, layer in enumerate(cast("nn.Sequential", pair)):
            conv = cast("nn.Conv3d", cast("nn.Sequential", layer)[0])
            # One channel has too little to multiply to make up for the combined planes.
            if conv.in_channels > 1:
                pair[index] = MinimalConv3d(conv, depth >> level, has_relu=True)
    network.out = MinimalConv3d(cast("nn.Conv3d", network.out), depth)
    return network


class MinimalConv3d(nn.Module):
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
        kernels = _combined_kernels(conv.weight.detach(), fewest_products(depth).kernel)
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
        tiles = -(-shape[0] // len(fewest_products(self.depth).after))
        return tiles * shape[1] * shape[2] * self.kernels.numel()

    def _convolve(self, planes: torch.Tensor, out: torch.Tensor) -> None:
        """Fill planes (Z, Y, X, C) tile by tile."""
        depth, *plane, channels = planes.shape
        count = len(self.kernels)
        tile = count * planes[0].numel() * planes.element_size()
        pieces = cut(self.depth, depth, min(max(_BYTES // tile, 1), depth))
        rows = len(pieces[0].before)
        # Taken once: the system clears large memory whenever it is taken anew.
        mixed = planes.new_empty(rows, *plane, channels)
        products = planes.new_empty(rows, *plane, self.out_channels)
        for piece in pieces:
            used = slice(len(piece.before))
            torch.mm(piece.before, planes[piece.seen].flatten(1), out=mixed[used].flatten(1))
            tiles = (part[used].view(count, -1, *part.shape[1:]) for part in (mixed, products))
            self._multiply(*tiles)
            given = out[piece.given]
            torch.mm(piece.after, products[used].flatten(1), out=given.flatten(1))
            if self.has_relu:
                given.relu_()

    def _multiply(self, mixed: torch.Tensor, products: torch.Tensor) -> None:
        """Convolve each combination (K, tiles, Y, X, C) with its own kernel."""
        shape = (self.out_channels, KERNEL, KERNEL, self.in_channels)
        everywhere = fewest_products(self.depth).everywhere
        for k, (kernel, planes) in enumerate(zip(self.kernels, mixed, strict=True)):
            weight = kernel.view(shape).permute(0, 3, 1, 2)
            bias = self.bias if k == everywhere else None
            found = functional.conv2d(planes.permute(0, 3, 1, 2), weight, bias, padding=KERNEL // 2)
            products[k] = found.permute(0, 2, 3, 1)


def _planes(x: torch.Tensor) -> torch.Tensor:
    """(N, C, Z, Y, X) as contiguous (N, Z, Y, X, C)."""
    return x.permute(0, 2, 3, 4, 1).contiguous()


def _combined_kernels(weight: torch.Tensor, combine: torch.Tensor) -> torch.Tensor:
    """Kernels (products, out, y · x · in) of a kernel (out, in, 5, 5, 5), combined in float64."""
    outputs, inputs = weight.shape[:2]
    length = KERNEL**2 * inputs
    result = weight.new_empty(len(combine), outputs, length)
    # Many channels at once give all threads work, and room for them is taken once.
    step = min(max(_TAPS // (KERNEL * length), 1), outputs)
    columns = combine.new_empty(KERNEL, step * length)
    products = combine.new_empty(len(combine), step * length)
    for part, out in zip(torch.split(weight, step), torch.split(result, step, 1), strict=True):
        used = slice(len(part) * length)
        shape = (KERNEL, len(part), KERNEL, KERNEL, inputs)
        columns[:, used].view(shape).copy_(part.permute(2, 0, 3, 4, 1))
        torch.mm(combine, columns[:, used], out=products[:, used])
        out.copy_(products[:, used].view_as(out))
    return result
