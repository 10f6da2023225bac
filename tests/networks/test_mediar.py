from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_ssp.networks import MediarFormer

if TYPE_CHECKING:
    from pathlib import Path


def _facts(reference: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((reference / "checkpoints.json").read_text())[
        "mediar_former"
    ]
    return facts


def _check_keys(network: MediarFormer, entries: list[Any]) -> None:
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    assert list(shapes.items()) == [(entry[0], entry[1]) for entry in entries]


def test_published_size_has_the_keys_of_the_original(reference: Path) -> None:
    """What it computes is compared where a file of this size is imported."""
    network = MediarFormer()
    _check_keys(network, _facts(reference)["keys"])
    assert sum(p.numel() for p in network.parameters()) == 121_303_587


@pytest.mark.parametrize("shape", [(2, 3, 64, 96), (1, 3, 128, 128)])
def test_small_size_computes_as_the_original(reference: Path, shape: tuple[int, ...]) -> None:
    from seeded_weights import seeded_input, seeded_state_dict

    tiny = _facts(reference)["variants"]["tiny_mit_b0"]
    network = MediarFormer(
        tiny["encoder_name"], tiny["decoder_channels"], tiny["decoder_pab_channels"]
    ).eval()
    _check_keys(network, tiny["keys"])
    network.load_state_dict(seeded_state_dict(tiny["keys"], 0), strict=True)
    name = "mit_b0_" + "x".join(map(str, shape))
    golden = np.load(reference / "forward_mediar_shared.npz")[f"{name}_every3"]
    x = np.clip(0.5 + 0.25 * seeded_input("mediar01", shape, 0), 0, 1)
    with torch.inference_mode():
        output = network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(output[..., ::3, ::3], golden, atol=1e-4 * golden.std())


def test_a_convolutional_encoder_of_four_levels() -> None:
    network = MediarFormer("tu-resnet18d", (32, 16, 16, 16), 16).eval()
    assert network.stride == 16
    assert network(torch.zeros(1, 3, 48, 80)).shape == (1, 3, 48, 80)


def test_sizes_that_do_not_fit_are_refused() -> None:
    network = MediarFormer("mit_b0", (32, 16, 16, 8, 8), 16)
    with pytest.raises(ValueError, match=r"multiples of 32, got 40 x 64"):
        network(torch.zeros(1, 3, 40, 64))


def test_the_decoder_has_mish_in_place_of_every_relu() -> None:
    network = MediarFormer("mit_b0", (32, 16, 16, 8, 8), 16)
    kinds = [type(module).__name__ for module in network.decoder.modules()]
    assert "ReLU" not in kinds
    assert kinds.count("Mish") > 10
