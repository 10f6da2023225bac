"""Transforms of Winograd convolutions along z, and a stack cut into their tiles."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import torch

#: Planes that one tile gives: eight products in place of twenty. More would cost digits.
TILE = 4
#: Taps of the filter.
TAPS = 5
#: Small numbers, so that little is lost to rounding. Infinity is one more.
_POINTS = [Fraction(n, d) for n, d in ((0, 1), (1, 1), (-1, 1), (1, 2), (-1, 2), (2, 1), (-2, 1))]

_Rows = list[list[Fraction]]


@dataclass(frozen=True)
class WinogradScheme:
    """Transforms of F(tile, 5): ``output @ ((kernel @ taps) * (data @ planes))`` is a tile.

    Attributes
    ----------
    data : torch.Tensor
        Float64 (products, planes that a tile sees); Bᵀ in the papers.
    kernel : torch.Tensor
        Float64 (products, 5); G in the papers.
    output : torch.Tensor
        Float64 (planes that a tile gives, products); Aᵀ in the papers.
    margin : int
        Planes that a tile sees before the first one that it gives.
    """

    data: torch.Tensor
    kernel: torch.Tensor
    output: torch.Tensor
    margin: int

    @property
    def bias_product(self) -> int:
        """Product that counts once in each plane: what is added to it is added to all."""
        return int((self.output == 1).all(dim=0).nonzero()[0])


@dataclass(frozen=True)
class TileGroup:
    """Tiles computed at once: the planes that they see and give, float32 transforms for them."""

    seen: slice
    given: slice
    data: torch.Tensor
    output: torch.Tensor


@lru_cache
def winograd_scheme(depth: int) -> WinogradScheme:
    """Make the scheme with the fewest products for stacks of so many planes at most, 0 around them.

    References
    ----------
    S. Winograd: Arithmetic Complexity of Computations. SIAM (1980).
    A. Lavin, S. Gray: Fast Algorithms for Convolutional Neural Networks. CVPR (2016).
    """
    if depth > TILE:
        output, kernel, data = _toom_cook(TILE, TAPS)
        return WinogradScheme(data, kernel, output, TAPS // 2)
    # One tile sees the whole stack and nothing around it: the planes are the filter of the taps.
    output, data, kernel = _toom_cook(depth, depth)
    taps = torch.zeros(2 * depth - 1, TAPS, dtype=torch.float64)
    for row in range(2 * depth - 1):
        tap = depth - 1 - row + TAPS // 2
        if 0 <= tap < TAPS:
            taps[row, tap] = 1
    return WinogradScheme(data.flip(1), kernel @ taps, output, 0)


@lru_cache
def group_tiles(made_for: int, depth: int, at_once: int) -> list[TileGroup]:
    """Cut a stack into groups of so many tiles, for the scheme of ``made_for`` planes."""
    scheme = winograd_scheme(made_for)
    tiles = -(-depth // len(scheme.output))
    return [
        _group(scheme, depth, range(first, min(first + at_once, tiles)))
        for first in range(0, tiles, at_once)
    ]


def _group(scheme: WinogradScheme, depth: int, tiles: range) -> TileGroup:
    """Join the transforms of a few tiles; what lies outside of the stack is 0 and left out."""
    (products, seen), step, count = scheme.data.shape, len(scheme.output), len(tiles)
    data = torch.zeros(products, count, (count - 1) * step + seen)
    output = torch.zeros(count, step, products, count)
    for k in range(count):
        data[:, k, k * step : k * step + seen] = scheme.data
        output[k, :, :, k] = scheme.output
    first = tiles[0] * step
    given = slice(first, min(first + count * step, depth))
    start = first - scheme.margin
    inside = slice(max(start, 0), min(start + data.shape[2], depth))
    data = data[:, :, inside.start - start : inside.stop - start].flatten(0, 1)
    output = output.flatten(0, 1).flatten(1)[: given.stop - first]
    return TileGroup(inside, given, data.contiguous(), output)


def _toom_cook(outputs: int, taps: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Matrices A, G and B of ``A @ ((G @ g) * (B @ d))``, the d filtered by g.

    A filter is the transpose of a product of polynomials, which is found from its values at as many
    points as it has coefficients.
    """
    points = _POINTS[: outputs + taps - 2]
    output = [[p**k for p in points] + [Fraction(k == outputs - 1)] for k in range(outputs)]
    others = [[q for q in points if q != p] for p in points]
    scales = [_product([p - q for q in rest]) for p, rest in zip(points, others, strict=True)]
    kernel = [[p**k / s for k in range(taps)] for p, s in zip(points, scales, strict=True)]
    kernel.append([Fraction(k == taps - 1) for k in range(taps)])
    data = [[*_with_roots(rest), Fraction(0)] for rest in others] + [_with_roots(points)]
    return _matrix(output), _matrix(kernel), _matrix(data)


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


def _matrix(rows: _Rows) -> torch.Tensor:
    return torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float64)
