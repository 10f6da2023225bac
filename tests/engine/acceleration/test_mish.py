"""Mish by one exponential: PyTorch's values, wherever and however the numbers lie."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.nn import functional

from napari_ssp.engine.acceleration.mish import QuickMish, use_quick_mish
from napari_ssp.networks import MediarFormer


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
def test_values_are_those_of_pytorch(numbers: list[float]) -> None:
    x = torch.tensor(numbers, dtype=torch.float32)
    exact = functional.mish(x.double()).float()  # not a number for -inf, as it is here
    found = QuickMish()(x.clone())
    torch.testing.assert_close(found, exact, rtol=2e-6, atol=1e-30, equal_nan=True)


@pytest.mark.parametrize("shape", [(3,), (2, 5, 7, 9), (1, 3, 300, 301), (0, 4, 3, 3)])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_any_shape_in_place(shape: tuple[int, ...], order: torch.memory_format) -> None:
    x = 4 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    if len(shape) == 4:
        x = x.to(memory_format=order)
    expected = functional.mish(x)
    found = QuickMish()(x)
    assert found.data_ptr() == x.data_ptr()
    torch.testing.assert_close(found, expected, rtol=2e-6, atol=1e-7)


def test_numbers_with_gaps_and_other_numbers() -> None:
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    gaps = x[:, ::2].clone(memory_format=torch.preserve_format)
    whole = x.clone()
    torch.testing.assert_close(QuickMish()(x[:, ::2]), functional.mish(gaps))
    torch.testing.assert_close(x[:, 1::2], whole[:, 1::2], rtol=0, atol=0)
    half = torch.randn(8).bfloat16()
    torch.testing.assert_close(QuickMish()(half.clone()), functional.mish(half), rtol=0, atol=0)


def test_a_network_gives_the_same() -> None:
    torch.manual_seed(0)
    network = MediarFormer("tu-resnet18d", (32, 16, 16, 16), 16).eval()
    quick, image = deepcopy(network), torch.rand(2, 3, 96, 64)
    count = sum(type(module) is nn.Mish for module in network.modules())
    assert use_quick_mish(quick) == count > 0
    assert not any(type(module) is nn.Mish for module in quick.modules())
    with torch.inference_mode():
        expected, found = network(image), quick(image)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
