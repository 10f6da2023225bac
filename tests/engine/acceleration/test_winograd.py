from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

from napari_ssp.engine.acceleration.winograd import WinogradConv3d, use_winograd
from napari_ssp.networks import RepMode


def _conv(inputs: int, outputs: int, bias: bool = True) -> nn.Conv3d:
    conv = nn.Conv3d(inputs, outputs, 5, padding=2, bias=bias)
    nn.init.kaiming_normal_(conv.weight)
    return conv


def _network(width: int, seed: int = 0) -> RepMode:
    """Network with statistics of batches that differ from channel to channel."""
    torch.manual_seed(seed)
    network = RepMode(3, width).eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm3d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    return network


@given(
    seed=st.integers(0, 2**31),
    channels=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    shape=st.tuples(st.integers(1, 21), st.integers(1, 12), st.integers(1, 12)),
    samples=st.integers(1, 3),
    spare=st.integers(0, 5),
    bias=st.booleans(),
)
@settings(deadline=None, max_examples=150)
def test_equals_the_convolution(
    seed: int,
    channels: tuple[int, int],
    shape: tuple[int, int, int],
    samples: int,
    spare: int,
    bias: bool,
) -> None:
    torch.manual_seed(seed)
    conv = _conv(*channels, bias=bias)
    x = torch.randn(samples, channels[0], *shape)
    with torch.inference_mode():
        found = WinogradConv3d(conv, shape[0] + spare)(x)
        expected = conv.double()(x.double())
    # A deviation of the sum, had nothing cancelled.
    scale = (2 * x.square().mean()).sqrt() + 1
    assert float((found - expected).abs().max()) < 1e-4 * float(scale)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_any_layout_of_the_input_gives_the_same_to_the_bit(layout: torch.memory_format) -> None:
    layer, x = WinogradConv3d(_conv(4, 6), 9, has_relu=True), torch.randn(2, 4, 9, 20, 24)
    with torch.inference_mode():
        found, again = layer(x.contiguous(memory_format=layout)), layer(x)
    assert torch.equal(found, again)
    assert found.is_contiguous(memory_format=torch.channels_last_3d)
    assert float(found.min()) == 0


def test_a_sample_is_the_same_in_any_batch_to_the_bit() -> None:
    layer, x = WinogradConv3d(_conv(8, 8), 16), torch.randn(3, 8, 16, 32, 32)
    with torch.inference_mode():
        together = layer(x)
        for index in range(3):
            assert torch.equal(layer(x[index : index + 1])[0], together[index])


def test_pieces_of_large_planes_fit_together() -> None:
    """Planes of 128 × 128 with eight channels are computed tile by tile, the last one cut."""
    conv, x = _conv(16, 2), torch.randn(1, 16, 14, 128, 128)
    with torch.inference_mode():
        found, expected = WinogradConv3d(conv, 14)(x), conv(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.std()))


@pytest.mark.parametrize(("depth", "products"), [(1, 1), (2, 3), (3, 5), (4, 7), (5, 8), (32, 8)])
def test_products_are_as_few_as_can_be(depth: int, products: int) -> None:
    layer = WinogradConv3d(_conv(2, 3), depth)
    assert layer.kernels.shape == (products, 3, 25 * 2)
    tiles = -(-depth // 4)
    assert layer.multiplications((depth, 6, 7)) == tiles * products * 6 * 7 * 25 * 2 * 3


def test_more_planes_than_it_was_made_for_are_refused() -> None:
    with pytest.raises(ValueError, match="made for 4 planes at most, got 5"):
        WinogradConv3d(_conv(1, 1), 4)(torch.zeros(1, 1, 5, 8, 8))


@pytest.mark.parametrize("shape", [(16, 32, 48), (32, 64, 64), (48, 16, 16)])
def test_a_network_predicts_what_it_did(shape: tuple[int, int, int]) -> None:
    network, x = _network(8), torch.randn(1, 1, *shape)
    merged = network.merge(1)
    use_winograd(merged, merged.depths(shape[0]))
    with torch.inference_mode():
        expected, found = network(x, torch.tensor([1])), merged(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.std()))


def test_a_merged_network_stays_plain_until_it_is_asked_for() -> None:
    network = _network(2)
    state = network.merge(0).state_dict()
    merged = network.merge(0)
    use_winograd(merged, merged.depths(16))
    again = network.merge(0).state_dict()
    assert list(state) == list(again)
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert not any("kernels" in name for name in state)


def test_many_channels_are_combined_part_by_part() -> None:
    """The last part has fewer channels than the others."""
    conv, x = _conv(64, 140), torch.randn(1, 64, 5, 6, 7)
    with torch.inference_mode():
        found, expected = WinogradConv3d(conv, 5)(x), conv(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.std()))
