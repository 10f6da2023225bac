"""Convolutions with fewer multiplications: planes are combined along z before and after."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn import functional

from napari_ssp.networks.repmode import KERNEL, LEVELS

if TYPE_CHECKING:
    from napari_ssp.networks.repmode import MergedRepMode

#: Planes that one tile gives: eight products in place of twenty. More would cost digits.
_TILE = 4
#: Small numbers, so that little is lost to rounding. Infinity is one more.
_POINTS = [Fraction(n, d) for n, d in ((0, 1), (1, 1), (-1, 1), (1, 2), (-1, 2), (2, 1), (-2, 1))]
#: Combined planes that are held at once; larger ones leave the cache.
_BYTES = 2**23


def filter_minimally(network: MergedRepMode, depth: int) -> MergedRepMode:
    """Replace the convolutions of a merged network by ones that multiply less.

    Parameters
    ----------
    network : MergedRepMode
        In float32, on the processor. It is changed, so that its kernels are held once.
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
        layers = cast("nn.Sequential", pair)
        for index, layer in enumerate(layers):
            conv = cast("nn.Sequential", layer)[0]
            # One channel has too little to multiply to make up for the combined planes.
            if isinstance(conv, nn.Conv3d) and conv.in_channels > 1:
                layers[index] = MinimalConv3d(conv, depth >> level, has_relu=True)
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

    References
    ----------
    S. Winograd: Arithmetic Complexity of Computations. SIAM (1980).
    A. Lavin, S. Gray: Fast Algorithms for Convolutional Neural Networks. CVPR (2016).
    """

    def __init__(self, conv: nn.Conv3d, depth: int, has_relu: bool = False) -> None:
        super().__init__()
        self.depth, self.has_relu = depth, has_relu
        self.in_channels, self.out_channels = conv.in_channels, conv.out_channels
        kernels = _combined_kernels(conv.weight.detach(), _scheme(depth).kernel)
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
        tiles = -(-shape[0] // len(_scheme(self.depth).after))
        return tiles * shape[1] * shape[2] * self.kernels.numel()

    def _convolve(self, planes: torch.Tensor, out: torch.Tensor) -> None:
        """Fill planes (Z, Y, X, C) tile by tile."""
        depth, height, width, channels = planes.shape
        pieces = _pieces(self.depth, depth, height * width * channels * planes.element_size())
        for piece in pieces:
            mixed = piece.before @ planes[piece.seen].flatten(1)
            mixed = mixed.view(len(self.kernels), -1, height, width, channels)
            products = self._products(mixed)
            given = out[piece.given]
            torch.mm(piece.after, products.flatten(0, 1).flatten(1), out=given.flatten(1))
            if self.has_relu:
                given.relu_()

    def _products(self, mixed: torch.Tensor) -> torch.Tensor:
        """Convolve each combination (K, tiles, Y, X, C) with its own kernel."""
        result = mixed.new_empty((*mixed.shape[:-1], self.out_channels))
        shape = (self.out_channels, KERNEL, KERNEL, self.in_channels)
        everywhere = _scheme(self.depth).everywhere
        for k, (kernel, planes) in enumerate(zip(self.kernels, mixed, strict=True)):
            weight = kernel.view(shape).permute(0, 3, 1, 2)
            bias = self.bias if k == everywhere else None
            found = functional.conv2d(planes.permute(0, 3, 1, 2), weight, bias, padding=KERNEL // 2)
            result[k] = found.permute(0, 2, 3, 1)
        return result


def _planes(x: torch.Tensor) -> torch.Tensor:
    """(N, C, Z, Y, X) as contiguous (N, Z, Y, X, C)."""
    return x.permute(0, 2, 3, 4, 1).contiguous()


@dataclass(frozen=True)
class _Scheme:
    """How tiles come of products: ``after @ ((kernel @ taps) * (before @ planes))``.

    Attributes
    ----------
    before : torch.Tensor
        (products, planes that a tile sees), float64 as the others.
    kernel : torch.Tensor
        (products, 5).
    after : torch.Tensor
        (planes that a tile gives, products).
    margin : int
        Planes that a tile sees before the first one that it gives.
    """

    before: torch.Tensor
    kernel: torch.Tensor
    after: torch.Tensor
    margin: int

    @property
    def everywhere(self) -> int:
        """Product that counts once in each plane: what is added to it is added to all."""
        return int((self.after == 1).all(dim=0).nonzero()[0])


@lru_cache
def _scheme(depth: int) -> _Scheme:
    """Scheme with the fewest products for stacks of so many planes at most."""
    if depth > _TILE:
        after, kernel, before = _toom_cook(_TILE, KERNEL)
        return _Scheme(before, kernel, after, KERNEL // 2)
    # One tile sees the whole stack and nothing around it: the planes are the filter of the taps.
    after, before, kernel = _toom_cook(depth, depth)
    taps = torch.zeros(2 * depth - 1, KERNEL, dtype=torch.float64)
    for row in range(2 * depth - 1):
        tap = depth - 1 - row + KERNEL // 2
        if 0 <= tap < KERNEL:
            taps[row, tap] = 1
    return _Scheme(before.flip(1), kernel @ taps, after, 0)


def _toom_cook(outputs: int, taps: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Matrices A, G and B of ``A @ ((G @ g) * (B @ d))``, the d filtered by g.

    A filter is the transpose of a product of polynomials, which is found from its values at as many
    points as it has coefficients.
    """
    count = outputs + taps - 1
    points = _POINTS[: count - 1]
    after = [[p**k for p in points] + [Fraction(k == outputs - 1)] for k in range(outputs)]
    others = [[q for q in points if q != p] for p in points]
    scales = [_product([p - q for q in rest]) for p, rest in zip(points, others, strict=True)]
    middle = [[p**k / s for k in range(taps)] for p, s in zip(points, scales, strict=True)]
    middle.append([Fraction(k == taps - 1) for k in range(taps)])
    before = [[*_with_roots(rest), Fraction(0)] for rest in others] + [_with_roots(points)]
    return _matrix(after), _matrix(middle), _matrix(before)


def _product(factors: list[Fraction]) -> Fraction:
    result = Fraction(1)
    for factor in factors:
        result *= factor
    return result


def _with_roots(roots: list[Fraction]) -> list[Fraction]:
    """Coefficients of the polynomial with these roots, the constant first."""
    found = [Fraction(1)]
    for root in roots:
        higher, lower = [Fraction(0), *found], [*found, Fraction(0)]
        found = [a - root * b for a, b in zip(higher, lower, strict=True)]
    return found


def _matrix(rows: list[list[Fraction]]) -> torch.Tensor:
    return torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float64)


def _combined_kernels(weight: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Kernels (products, out, y · x · in) of a kernel (out, in, 5, 5, 5), combined in float64."""
    outputs, inputs = weight.shape[:2]
    result = weight.new_empty(len(matrix), outputs, KERNEL**2 * inputs)
    for index, taps in enumerate(weight):
        columns = taps.permute(1, 2, 3, 0).reshape(KERNEL, -1)
        result[:, index] = matrix @ columns.double()
    return result


@dataclass(frozen=True)
class _Piece:
    """Some tiles of a stack: the planes that they see and give, and how."""

    seen: slice
    given: slice
    before: torch.Tensor
    after: torch.Tensor


def _pieces(made_for: int, depth: int, plane: int) -> list[_Piece]:
    """Cut a stack into pieces that are small in memory, given the bytes of a plane."""
    at_once = max(1, _BYTES // (len(_scheme(made_for).before) * plane))
    return _cut(made_for, depth, min(at_once, depth))


@lru_cache
def _cut(made_for: int, depth: int, at_once: int) -> list[_Piece]:
    scheme = _scheme(made_for)
    step = len(scheme.after)
    tiles = -(-depth // step)
    return [
        _piece(scheme, depth, range(first, min(first + at_once, tiles)))
        for first in range(0, tiles, at_once)
    ]


def _piece(scheme: _Scheme, depth: int, tiles: range) -> _Piece:
    """Matrices of a few tiles; what lies outside of the stack is 0 and left out."""
    products, seen = scheme.before.shape
    step = len(scheme.after)
    first = tiles[0] * step
    before = torch.zeros(products, len(tiles), (len(tiles) - 1) * step + seen)
    after = torch.zeros(len(tiles), step, products, len(tiles))
    for k in range(len(tiles)):
        before[:, k, k * step : k * step + seen] = scheme.before
        after[k, :, :, k] = scheme.after
    start = first - scheme.margin
    stop = min(first + len(tiles) * step, depth)
    inside = slice(max(start, 0), min(start + before.shape[2], depth))
    before = before[:, :, inside.start - start : inside.stop - start]
    after = after.reshape(len(tiles) * step, -1)[: stop - first]
    return _Piece(inside, slice(first, stop), before.flatten(0, 1), after)
