"""Large validation images are scored in parts, so that one look does not take a run's time."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ssp.training.data import LabelledImage, ScoredArray, StructurePair
from napari_ssp.training.scored_images import ScoredImages
from napari_ssp.training.scored_parts import divide_plane, divide_stack, in_parts, place_parts
from napari_ssp.training.segmentation.parts import cut_image, divide_image
from napari_ssp.training.structures.parts import cut_pair, divide_pair


def test_parts_are_even_and_cover_all() -> None:
    assert place_parts((1535, 900), (1024, 1024)) == []
    parts = place_parts((2500, 1000), (1024, 1024))
    assert parts == [
        (slice(0, 1250), slice(0, 1000)),
        (slice(1250, 2500), slice(0, 1000)),
    ]
    covered = np.zeros((3000, 2047), int)
    for part in place_parts(covered.shape, (1024, 1024)):
        covered[part] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize(("zoom", "count"), [(0.5, 0), (1.0, 4), (2.0, 16)])
def test_large_is_what_the_network_sees_as_large(zoom: float, count: int) -> None:
    assert len(divide_plane((2048, 2048), zoom)) == count


def test_a_projection_needs_all_planes() -> None:
    assert len(divide_stack((128, 512, 512))) == 8
    assert len(divide_stack((128, 512, 512), is_projected=True)) == 4


def _labelled(labels: np.ndarray) -> LabelledImage:
    pixels = np.arange(labels.size, dtype=np.uint32).astype(np.uint8).reshape(1, *labels.shape)
    return LabelledImage("slide", pixels, labels.astype(np.int32))


def test_parts_hold_whole_objects_and_those_that_are_cut_are_unknown() -> None:
    labels = np.zeros((8, 12), int)
    labels[1:3, 1:3] = 1
    labels[2:6, 5:7] = 2  # across all borders of the four parts
    labels[6, 8:10] = 3
    part = (slice(0, 4), slice(0, 6))
    cut = cut_image(_labelled(labels), part)
    assert cut.name == "slide"
    wanted = labels[part].copy()
    wanted[wanted == 2] = -1
    assert np.array_equal(cut.labels, wanted)
    assert np.array_equal(cut.pixels, _labelled(labels).pixels[:, :4, :6])
    last = cut_image(_labelled(labels), (slice(4, 8), slice(6, 12)))
    assert set(np.unique(last.labels)) == {-1, 0, 1}, "numbered from 1"


def test_one_large_image_is_scored_in_the_time_that_there_is() -> None:
    labels = np.zeros((3072, 3072), np.int32)
    labels[:2048:64, ::64] = 1 + np.arange(32 * 48).reshape(32, 48)
    images = [_labelled(np.ones((8, 8))), _labelled(labels)]
    parts = in_parts(images, lambda image: divide_image(image, 1.0), cut_image)
    assert len(parts) == 1 + 6, "nothing is annotated in the other three"
    assert parts[0] is images[0]
    assert [image.labels.shape for image in parts] == [(8, 8), *[(1024, 1024)] * 6]
    ticks = iter(range(0, 1000, 10))
    scored = ScoredImages(parts, 25.0, clock=lambda: float(next(ticks)))
    assert len(list(scored)) == scored.count == 2, "the third would end after 30 seconds"
    assert scored.noun == "parts of the validation images"


def test_small_images_are_scored_as_they_are() -> None:
    images = [_labelled(np.ones((1500, 40)))]
    assert in_parts(images, lambda image: divide_image(image, 1.0), cut_image) is images
    assert ScoredImages(images).noun == "validation images"


def test_parts_of_stacks_keep_the_statistics_of_the_whole() -> None:
    signal = np.random.default_rng(0).normal(size=(4, 512, 40)).astype(np.float32)
    flat = signal.max(axis=0)
    pair = StructurePair("s", ScoredArray.of(signal), ScoredArray.of(flat), 1)
    parts = in_parts([pair], divide_pair, cut_pair)
    assert len(parts) == 2
    second = parts[1]
    assert (second.signal.shape, second.target.shape, second.task) == ((4, 256, 40), (256, 40), 1)
    whole = pair.signal.read((slice(None),) * 3)
    assert np.array_equal(second.signal.read((slice(None),) * 3), whole[:, 256:])
    assert np.array_equal(
        second.target.read((slice(2, 5), slice(None))),
        pair.target.read((slice(258, 261), slice(None))),
    )
