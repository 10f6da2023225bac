from __future__ import annotations

import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.place import add_axes, cut, cut_like, drop_axes, translation, with_voxel_size

STACK = MicroscopyImage(
    np.arange(4 * 6 * 8).reshape(4, 6, 8), "zyx", (2.0, 0.5, 0.25), position=(1.0, 10.0, -20.0)
)


def test_a_part_lies_where_it_was_cut() -> None:
    part = cut(STACK, {"z": 1, "y": 2, "x": 4}, {"z": 1, "y": 3, "x": 2})
    assert (part.shape, part.origin, part.full_axes) == ((1, 3, 2), (0, 1, 2, 4), "zyx")
    assert part.position == STACK.position
    assert translation(part) == (3.0, 11.0, -19.0)
    again = cut(part, {"y": 1}, {"y": 1})
    assert (again.origin, again.full_axes) == ((0, 1, 3, 4), "zyx")
    np.testing.assert_array_equal(again.data, STACK.data[1:2, 3:4, 4:6])


def test_an_image_is_cut_like_a_part_of_it() -> None:
    labels = MicroscopyImage(np.ones((3, 2), int), "yx", origin=(0, 2, 1, 5), full_axes="zyx")
    under = cut_like(STACK, labels)
    np.testing.assert_array_equal(drop_axes(under).data, STACK.data[2, 1:4, 5:7])
    same = MicroscopyImage(np.zeros((3, 2)), "yx")
    assert cut_like(same, labels) is same
    beyond = MicroscopyImage(np.ones((3, 2), int), "yx", origin=(0, 2, 4, 5), name="l")
    with pytest.raises(ValueError, match=r"'l' reaches beyond 'image' along y: it covers 4 to 7"):
        cut_like(STACK, beyond)


def test_axes_of_the_full_image_come_and_go() -> None:
    plane = MicroscopyImage(np.ones((3, 2), int), "yx", origin=(0, 0, 1, 5), full_axes="tzyx")
    full = add_axes(plane)
    assert (full.axes, full.shape) == ("tzyx", (1, 1, 3, 2))
    assert drop_axes(full).axes == "yx"
    assert add_axes(STACK) is STACK


def test_a_position_in_voxels_becomes_one_in_micrometres() -> None:
    image = MicroscopyImage(np.zeros((3, 3)), "yx", position=(0.0, 4.0, -2.0))
    assert with_voxel_size(image, (1.0, 0.5, 0.25)).position == (0.0, 2.0, -0.5)
    known = with_voxel_size(STACK, (1.0, 1.0, 1.0))
    assert known.position == STACK.position
