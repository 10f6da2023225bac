from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_ssp.progress import run
from napari_ssp.registry import load_model
from napari_ssp.service import TrainRequest
from napari_ssp.service.training.segmentation.image_features import FEATURES_FILE
from napari_ssp.service.training.steps import train_steps
from napari_ssp.training.data import LabelledImage
from napari_ssp.training.segmentation.modalities import discover_modalities, encoder_features
from napari_ssp.training.segmentation.sampling import compute_sampling_weights

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def _picture(kind: str, seed: int, side: int = 70) -> NDArray[np.uint8]:
    """Fine stripes or broad spots, with the same grey levels in both."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] + rng.integers(0, 20)
    wave = np.sin(y * 2.0) if kind == "stripes" else np.sin(y / 9.0) * np.sin(x / 9.0)
    ranks = np.argsort(np.argsort(wave.ravel() + 0.01 * rng.random(side * side)))
    return (ranks * 255 // (side * side)).reshape(side, side).astype(np.uint8)


def _images(*kinds: str) -> list[LabelledImage]:
    labels = np.zeros((70, 70), np.int32)
    labels[20:40, 20:40] = 1
    pictures = [_picture(kind, seed) for seed, kind in enumerate(kinds)]
    return [LabelledImage(str(k), picture[None], labels) for k, picture in enumerate(pictures)]


def test_kinds_that_only_texture_tells_apart_are_found_by_the_encoder(tiny_model: Path) -> None:
    kinds = ["stripes"] * 8 + ["spots"] * 4
    features = run(encoder_features(load_model(str(tiny_model)), _images(*kinds)))
    assert len(features) == 12
    owner = discover_modalities(features, 2)
    assert len(set(owner[:8])) == len(set(owner[8:])) == 1
    assert owner[0] != owner[8]


def test_features_are_of_the_image_alone_and_leave_the_network_as_it_was(tiny_model: Path) -> None:
    network = load_model(str(tiny_model)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = _images("stripes", "spots", "stripes")
    forth = run(encoder_features(network, images))
    back = run(encoder_features(network, images[::-1]))
    np.testing.assert_array_equal(forth, back[::-1])
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    coloured = LabelledImage("c", np.repeat(images[0].pixels, 3, axis=0), images[0].labels)
    np.testing.assert_array_equal(run(encoder_features(network, [coloured]))[0], forth[0])


def test_features_decide_how_often_images_are_drawn() -> None:
    images = _images(*["stripes"] * 32)
    features = np.array([[0.0]] * 27 + [[9.0]] * 5)
    weights = compute_sampling_weights(images, "mediar", features)
    assert weights.sum() == np.float64(1.0)
    rare = weights[27:].sum()
    assert rare > 2 * 5 / 32
    np.testing.assert_allclose(weights[27:], weights[27])


def _folder(folder: Path) -> Path:
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for image in _images(*["stripes", "spots"] * 6):
        imsave(folder / "images" / f"{image.name}.png", image.pixels[0])
        labels = image.labels.astype(np.uint8)
        imsave(folder / "labels" / f"{image.name}.png", labels, check_contrast=False)
    return folder


def _stages(request: TrainRequest) -> list[str]:
    """Stages of a training that is stopped after its first step."""
    seen: list[str] = []
    steps = train_steps(request)
    for progress in steps:
        seen.append(progress.stage)
        if progress.preview is not None and progress.preview.step > 0:
            steps.close()
            break
    return seen


@pytest.mark.parametrize("begins_with", ["base", "random"])
def test_kinds_are_told_by_a_pretrained_encoder_once_for_a_run(
    tmp_path: Path, tiny_model: Path, begins_with: str
) -> None:
    request = TrainRequest(
        (_folder(tmp_path / "data"),),
        tmp_path / "run",
        base=str(tiny_model) if begins_with == "base" else None,
        decoder_channels=(16, 16, 16, 16),
        pab_channels=16,
        minutes=None,
        steps=3,
        crop=64,
        batch_size=2,
        install="never",
    )
    looked = [_stages(request).count("finding kinds of images") for _ in range(2)]
    assert looked == ([10, 0] if begins_with == "base" else [0, 0])
    kept = tmp_path / "run" / FEATURES_FILE
    assert kept.exists() == (begins_with == "base")
    if kept.exists():
        assert np.load(kept)["features"].shape[0] == 10
