"""What lies under labels, and which labels cover the same pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_ssp.widgets.layers.alignment import image_under, same_part
from napari_ssp.widgets.layers.images import layer_image

PIXELS = np.arange(3 * 20 * 30).reshape(3, 20, 30).astype(np.float32)


def _labels(shape: tuple[int, ...], **place: Any) -> Labels:
    return Labels(np.ones(shape, np.uint32), name="cells", **place)


def test_a_region_is_found_where_it_lies() -> None:
    layer = Image(PIXELS[0], scale=(0.5, 0.25), translate=(7, 9), name="i")
    labels = _labels((4, 5), scale=(0.5, 0.25), translate=(7 + 3 * 0.5, 9 + 8 * 0.25))
    np.testing.assert_array_equal(image_under(layer, labels).data, PIXELS[0, 3:7, 8:13])


def test_a_plane_of_a_stack_is_found() -> None:
    layer = Image(PIXELS, scale=(2, 1, 1), name="i")
    labels = _labels((1, 20, 30), scale=(2, 1, 1), translate=(4, 0, 0))
    np.testing.assert_array_equal(image_under(layer, labels).data, PIXELS[2:])


def test_all_channels_lie_under_labels_without_them() -> None:
    layer = Image(PIXELS, axis_labels=("c", "y", "x"), name="i")
    under = image_under(layer, _labels((10, 30), axis_labels=("y", "x"), translate=(5, 0)))
    assert under.num_channels == 3
    np.testing.assert_array_equal(under.data, PIXELS[:, 5:15])


def test_colours_and_rotation_are_followed() -> None:
    colours = np.zeros((20, 30, 3), np.uint8)
    assert image_under(Image(colours, rgb=True, name="i"), _labels((20, 30))).rgb
    turned = Image(PIXELS[0], rotate=30, translate=(3, 4), name="i")
    labels = _labels((20, 30), rotate=30, translate=(3, 4))
    np.testing.assert_array_equal(image_under(turned, labels).data, PIXELS[0])


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"translate": (0.5, 0)}, "do not lie pixel on pixel along y"),
        ({"scale": (1, 2)}, "do not lie pixel on pixel along x"),
        ({"translate": (5, 0)}, "reaches beyond 'i' along y: it covers 5 to 25 of 20 pixels"),
        ({"translate": (0, -2)}, "reaches beyond 'i' along x"),
    ],
)
def test_what_does_not_lie_under_is_refused(place: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        image_under(Image(PIXELS[0], name="i"), _labels((20, 30), **place))


def test_a_plane_has_no_place_in_a_stack_of_its_own() -> None:
    with pytest.raises(ValueError, match="'i' has 3 positions along z, and 'cells' has no such"):
        image_under(Image(PIXELS, name="i"), _labels((20, 30)))


def test_labels_know_their_pixel_size() -> None:
    image = layer_image(_labels((4, 5), scale=(0.5, 0.25), units=("um", "um")))
    assert image.voxel_size == (1.0, 0.5, 0.25)
    assert layer_image(_labels((4, 5))).voxel_size is None


def test_the_same_pixels_may_have_an_axis_of_length_one() -> None:
    first, second = _labels((1, 4, 5)), _labels((4, 5))
    assert [image.shape for image in same_part(first, second)] == [(1, 4, 5), (4, 5)]


@pytest.mark.parametrize(
    ("shape", "place", "words"),
    [
        ((4, 6), {}, "'cells' is 5 × 4 pixels, but 'cells' is 6 × 4"),
        ((3, 4, 5), {}, "5 × 4 × 3"),
        ((4, 5), {"scale": (2, 2)}, "do not lie pixel on pixel"),
        ((4, 5), {"translate": (1, 0)}, "lie at different places"),
    ],
)
def test_labels_of_other_places_are_refused(
    shape: tuple[int, ...], place: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        same_part(_labels((4, 5)), _labels(shape, **place))
