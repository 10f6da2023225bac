from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from napari_ssp.training.quick_mish import QuickMish, with_quick_mish


def _numbers(count: int, seed: int) -> torch.Tensor:
    """Every bfloat16 that is a number, in random order, then normal ones."""
    every = torch.arange(2**16, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)
    rest = torch.randn(count, generator=torch.Generator().manual_seed(seed)).bfloat16()
    order = torch.randperm(2**16, generator=torch.Generator().manual_seed(seed))
    return torch.cat([every[order].nan_to_num(0.5), rest])[:count]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("threads", [1, 2])
def test_values_and_gradients_are_those_of_torch_to_the_bit(
    layout: torch.memory_format, threads: int
) -> None:
    shape = (4, 8, 160, 128)
    x = _numbers(4 * 8 * 160 * 128, 0).view(shape).to(memory_format=layout)
    above = torch.randn(shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    above = above.to(memory_format=layout)  # torch rounds otherwise where the two differ in it
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = []
        for layer in (nn.Mish(), QuickMish()):
            leaf = x.clone().requires_grad_()
            y = layer(leaf)
            y.backward(above)
            assert leaf.grad is not None
            found.append((y.detach(), leaf.grad))
    finally:
        torch.set_num_threads(before)
    for expected, ours in zip(*found, strict=True):
        assert ours.stride() == expected.stride()
        same = (ours == expected) | (ours.isnan() & expected.isnan())
        assert same.all()


def test_a_network_keeps_its_weights_and_what_it_learns() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Mish(inplace=True), nn.Conv2d(4, 1, 1))
    quick = copy.deepcopy(plain)
    with_quick_mish(quick)
    assert list(quick.state_dict()) == list(plain.state_dict())
    x = torch.rand(2, 1, 16, 16)
    for network in (plain, quick):
        with torch.autocast("cpu", torch.bfloat16):
            network(x).square().mean().backward()
    for one, other in zip(plain.parameters(), quick.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)  # type: ignore[arg-type]
    with torch.inference_mode():
        assert torch.equal(plain(x), quick(x)), "other types are left to torch"
    assert torch.equal(QuickMish()(x[:, :, ::2].bfloat16()), nn.Mish()(x[:, :, ::2].bfloat16()))
