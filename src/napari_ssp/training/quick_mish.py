"""Mish in bfloat16 on a CPU: there are only 65,536 numbers, so it is looked up.

torch computes an exponential, a logarithm and a hyperbolic tangent for each number, which was a
quarter of a training step. The tables are filled by torch itself, so results are the same to the
bit, gradients too.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from napari_ssp.flows.jit import jit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

#: Numbers that one thread does before another is worth its start.
_PART = 2**18
#: Products that are rounded together; they stay in the first level of cache.
_BLOCK = 1024


class QuickMish(nn.Mish):
    """Mish that looks its values up where it can."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Mish of each number; the input is left as it is."""
        if input.device.type != "cpu" or input.dtype != torch.bfloat16 or not _is_dense(input):
            return nn.functional.mish(input)
        output: torch.Tensor = _LookUp.apply(input)  # type: ignore[no-untyped-call]
        return output


def with_quick_mish(network: nn.Module) -> None:
    """Let a network's Mish layers look their values up; its weights stay as they are."""
    for module in network.modules():
        if type(module) is nn.Mish:
            module.__class__ = QuickMish


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(values)
        output = torch.empty_like(values)
        table, source, result = _tables()[0], _bits(values), _bits(output)
        _in_parts(len(source), lambda part: _look_up(source[part], table, result[part]))
        return output

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (values,) = context.saved_tensors
        above = torch.empty_like(values).copy_(gradients[0])  # in the layout of the values
        slopes, numbers = _tables()[1:]
        source, factor = _bits(values), _bits(above)

        def work(part: slice) -> None:
            _multiply(source[part], factor[part], slopes, numbers, factor[part])

        _in_parts(len(source), work)
        return above


def _is_dense(values: torch.Tensor) -> bool:
    """Whether its numbers lie in memory without gaps."""
    return values.is_contiguous() or (
        values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last)
    )


def _bits(values: torch.Tensor) -> NDArray[np.uint16]:
    """Numbers of a tensor in the order of memory, as 16 bits each."""
    flat = values.detach().as_strided((values.numel(),), (1,), values.storage_offset())
    bits: NDArray[np.uint16] = flat.view(torch.uint16).numpy()
    return bits


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.uint16], NDArray[np.float32], NDArray[np.float32]]:
    """Mish, its slope, and the number itself by the bits of a bfloat16."""
    numbers = torch.arange(2**16, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)
    with torch.inference_mode(mode=False), torch.enable_grad():
        wide = numbers.float().requires_grad_()
        (slopes,) = torch.autograd.grad(nn.functional.mish(wide).sum(), wide)
    values = nn.functional.mish(numbers).view(torch.uint16).numpy()
    return values, slopes.numpy(), numbers.float().numpy()


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="mish")


def _in_parts(count: int, work: Callable[[slice], None]) -> None:
    """Work on all numbers, with as many threads as torch takes."""
    parts = max(1, min(torch.get_num_threads(), count // _PART))
    edges = [count * k // parts for k in range(parts + 1)]
    slices = [slice(*pair) for pair in pairwise(edges)]
    others = [_threads().submit(work, part) for part in slices[1:]]
    work(slices[0])
    for other in others:
        other.result()


@jit
def _look_up(
    source: NDArray[np.uint16], table: NDArray[np.uint16], result: NDArray[np.uint16]
) -> None:
    for k in range(len(source)):
        result[k] = table[source[k]]


@jit
def _multiply(
    source: NDArray[np.uint16],
    factor: NDArray[np.uint16],
    slopes: NDArray[np.float32],
    numbers: NDArray[np.float32],
    result: NDArray[np.uint16],
) -> None:
    """Product of slope and gradient, rounded to the nearest, ties to even, as torch does."""
    products = np.empty(_BLOCK, np.float32)
    bits = products.view(np.uint32)
    for start in range(0, len(source), _BLOCK):
        count = min(_BLOCK, len(source) - start)
        for k in range(count):
            products[k] = slopes[source[start + k]] * numbers[factor[start + k]]
        for k in range(count):
            wide = bits[k]
            if products[k] != products[k]:
                result[start + k] = 0x7FC0
            else:
                result[start + k] = (wide + np.uint32(0x7FFF) + ((wide >> 16) & 1)) >> 16
