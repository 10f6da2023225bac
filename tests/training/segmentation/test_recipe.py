from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_ssp.flows import labels_to_flows
from napari_ssp.training.data import LabelledImage
from napari_ssp.training.losses import segmentation_loss
from napari_ssp.training.segmentation.augmentation import (
    STRENGTHS,
    AugmentationSettings,
    augment_crop,
)
from napari_ssp.training.segmentation.recipe import SegmentationBatches
from napari_ssp.training.segmentation.sampling import compute_sampling_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _image(shape: tuple[int, ...] = (90, 120), seed: int = 0) -> LabelledImage:
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape[:2], np.int32)
    labels[10:30, 15:40], labels[50:80, 60:100] = 1, 2
    plane = rng.integers(0, 50, shape)
    plane[labels > 0] += 150
    return LabelledImage.from_planes("x", plane.astype(np.uint8), labels)


def test_loss_is_the_one_of_the_original() -> None:
    from flow_inputs import make_labels

    labels = [make_labels("border", seed)[:96, :96] for seed in (0, 1)]
    output = np.random.default_rng(70).standard_normal((2, 3, 96, 96)).astype(np.float32)
    flows = torch.from_numpy(np.stack([labels_to_flows(one) for one in labels]))
    cells = torch.from_numpy(np.stack([one > 0 for one in labels]).astype(np.float32))
    loss = segmentation_loss(torch.from_numpy(output), flows, cells)
    assert float(loss) == pytest.approx(3.165004253387451, rel=1e-4)


@pytest.mark.parametrize("shape", [(90, 120), (300, 20), (1, 1), (90, 120, 3)])
def test_crops_have_the_asked_size_and_matching_labels(shape: tuple[int, ...]) -> None:
    plane = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    image = LabelledImage.from_planes("x", plane, np.ones(shape[:2], int))
    settings = AugmentationSettings(crop=64)
    for seed in range(6):
        pixels, labels = augment_crop(image, settings, np.random.default_rng(seed))
        assert pixels.shape == (3, 64, 64)
        assert pixels.dtype == np.float32
        assert labels.shape == (64, 64)
        assert np.isfinite(pixels).all()


def test_without_intensity_changes_bright_pixels_stay_on_the_labels() -> None:
    settings = AugmentationSettings(crop=64, intensity_probability=0.0, cell_gain=0.0)
    image = _image()
    for seed in range(12):
        pixels, labels = augment_crop(image, settings, np.random.default_rng(seed))
        agreement = ((pixels[0] > 0.5) == (labels > 0)).mean()
        assert agreement > 0.97, seed


def test_cell_aware_gain_reaches_every_cell_and_never_the_background() -> None:
    settings = AugmentationSettings(
        crop=64, zoom_range=(1.0, 1.0), intensity_probability=0, cell_share=1.0
    )
    labels = np.zeros((64, 64), np.int32)
    labels[5:20, 5:20], labels[40:60, 40:60] = 1, 2
    image = LabelledImage("x", np.full((1, 64, 64), 100, np.uint8), labels)
    brightened: set[int] = set()
    for seed in range(10):
        pixels, found = augment_crop(image, settings, np.random.default_rng(seed))
        gain = pixels[0] / np.float32(100 / 255)
        np.testing.assert_allclose(gain[found == 0], 1.0, rtol=1e-5)
        brightened |= {k for k in (1, 2) if gain[found == k].min() > 1.01}
    assert brightened == {1, 2}


def test_batches_repeat_for_the_same_seed_and_step() -> None:
    images = [_image(seed=k) for k in range(3)]
    batches = SegmentationBatches(images, AugmentationSettings(crop=64), size=2, seed=5)
    again = SegmentationBatches(images, AugmentationSettings(crop=64), size=2, seed=5)
    for half in (0, 1):
        for one, other in zip(batches(7)[half], again(7)[half], strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(batches(7)[0][0], batches(8)[0][0])
    (pixels,), (flows, cells, _) = batches(0)
    assert (pixels.shape, flows.shape, cells.shape) == (
        (2, 3, 64, 64),
        (2, 2, 64, 64),
        (2, 64, 64),
    )


def test_rare_modalities_are_drawn_more_than_their_share() -> None:
    dark = [_image(seed=k) for k in range(20)]
    bright = [LabelledImage("b", 255 - dark[k].pixels, dark[k].labels) for k in range(2)]
    weights = compute_sampling_weights([*dark, *bright])
    assert weights.sum() == pytest.approx(1.0)
    assert weights[-2:].sum() > 2 / 22


def test_shapes_that_differ_are_refused() -> None:
    plane: NDArray[np.uint8] = np.zeros((5, 6), np.uint8)
    with pytest.raises(ValueError, match=r"\(5, 6\).*\(6, 5\)"):
        LabelledImage.from_planes("x", plane, np.zeros((6, 5), int))


def test_a_share_of_each_batch_is_replayed() -> None:
    fresh = [_image(seed=k) for k in range(3)]
    known = [LabelledImage(f"known{k}", fresh[k].pixels, fresh[k].labels) for k in range(2)]
    settings = AugmentationSettings(crop=32)
    nine = SegmentationBatches(fresh, settings, size=9, replay=known, replay_share=1 / 9)
    assert nine.replayed == 1  # MEDIAR's eight and one
    half = SegmentationBatches(fresh, settings, size=4, replay=known, replay_share=0.5)
    for step in range(3):
        names = [image.name for image in half.chosen(step)]
        assert [name.startswith("known") for name in names] == [False, False, True, True]
    assert SegmentationBatches(fresh, settings, size=4, replay=known, replay_share=0).replayed == 0
    assert SegmentationBatches(fresh, settings, size=4).replayed == 0


def test_processes_share_a_batch_between_them() -> None:
    images, settings = [_image(seed=k) for k in range(3)], AugmentationSettings(crop=32)
    whole = SegmentationBatches(images, settings, size=4, seed=1)(5)
    for place in (0, 1):
        part = SegmentationBatches(images, settings, size=4, seed=1, part=(place, 2))(5)
        for half, all_of_it in zip(part, whole, strict=True):
            for one, many in zip(half, all_of_it, strict=True):
                assert torch.equal(one, many[place::2])


def test_sampling_rules() -> None:
    dark = [_image(seed=k) for k in range(24)]
    bright = [LabelledImage("b", 255 - dark[k].pixels, dark[k].labels) for k in range(4)]
    images = [*dark, *bright]
    np.testing.assert_allclose(compute_sampling_weights(images, "even"), 1 / 28)
    published = compute_sampling_weights(images, "mediar")
    assert published.sum() == pytest.approx(1.0)
    assert published[-4:].sum() >= 1 / 7 - 1e-9  # each of at most 7 modalities counts as 50 images


def _disks(radius: int, side: int = 400) -> LabelledImage:
    y, x = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    for number, (cy, cx) in enumerate([(100, 100), (100, 300), (300, 100), (300, 300)], 1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = number
    return LabelledImage.from_planes("disks", (labels > 0).astype(np.uint8) * 200, labels)


@pytest.mark.parametrize(("radius", "least", "most"), [(6, 10, 24), (50, 33.3, 200), (90, 60, 220)])
def test_typical_objects_stay_within_the_sizes_that_are_learned(
    radius: int, least: float, most: float
) -> None:
    settings = AugmentationSettings(
        crop=416, zoom_range=(1 / 3, 2.0), size_range=(10.0, 220.0), turns=False
    )
    seen = []
    disks = _disks(radius)
    for seed in range(20):
        _, labels = augment_crop(disks, settings, np.random.default_rng(seed))
        areas = np.bincount(labels.ravel())[1:]
        seen.append(2 * np.sqrt(areas.max() / np.pi))
    assert min(seen) >= 0.95 * least
    assert max(seen) <= 1.05 * most
    assert max(seen) > 1.6 * min(seen), "sizes hardly vary"


def test_colours_are_exchanged_or_become_grey_and_grey_images_stay() -> None:
    plane = np.full((64, 64, 3), 10, np.uint8)
    plane[8:24, 8:24, 0], plane[40:56, 40:56, 1] = 250, 200
    labels = (plane.max(axis=2) > 10).astype(np.int32)
    quiet = replace(STRENGTHS["none"], crop=64, colour_probability=1.0)
    coloured = LabelledImage.from_planes("c", plane, labels)
    orders, greys = set(), 0
    for seed in range(40):
        pixels, _ = augment_crop(coloured, quiet, np.random.default_rng(seed))
        if (pixels[0] == pixels[1]).all() and (pixels[1] == pixels[2]).all():
            greys += 1
            assert pixels.max() == 1.0
        else:
            orders.add(tuple(int(np.argmax(pixels[:, y, y])) for y in (16, 48)))
    assert orders == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}
    assert 5 < greys < 35
    grey = LabelledImage.from_planes("g", plane[..., 0], labels)
    pixels, _ = augment_crop(grey, quiet, np.random.default_rng(0))
    np.testing.assert_array_equal(pixels[0], grey.pixels[0] / np.float32(255))


def test_a_negative_leaves_the_surround_of_an_image_black() -> None:
    image = _image((40, 40))
    settings = replace(STRENGTHS["none"], crop=64, inversion_probability=1.0)
    pixels, labels = augment_crop(image, settings, np.random.default_rng(0))
    np.testing.assert_allclose(pixels[0, 12:52, 12:52], 1 - image.pixels[0] / 255, atol=1e-6)
    assert pixels[:, :12].max() == pixels[:, :, 52:].max() == 0.0
    np.testing.assert_array_equal(labels[12:52, 12:52] > 0, image.labels > 0)


def test_places_without_objects_are_drawn_again() -> None:
    labels = np.zeros((400, 400), np.int32)
    labels[40:140, 40:140] = 1
    image = LabelledImage("sparse", labels[None].astype(np.uint8) * 200, labels)
    shares = []
    for chance in (0.0, 1.0):
        settings = replace(STRENGTHS["none"], crop=64, object_probability=chance)
        crops = (augment_crop(image, settings, np.random.default_rng(k)) for k in range(60))
        shares.append(np.mean([labels.any() for _, labels in crops]))
    assert shares[0] < 0.4
    assert shares[1] > 0.85
