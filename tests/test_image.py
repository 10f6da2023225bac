from __future__ import annotations

import math
from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, strategies as st

from napari_ssp.image import MicroscopyImage


@pytest.mark.parametrize(
    ("shape", "dtype", "axes", "rgb"),
    [
        ((7, 9), "u1", "yx", False),
        ((1, 9), "u1", "yx", False),
        ((1, 1), "u1", "yx", False),
        ((9, 9, 3), "u1", "yxc", True),
        ((9, 9, 4), "u2", "yxc", True),
        ((9, 9, 3), "f4", "zyx", False),
        ((9, 9, 3), "?", "zyx", False),
        ((4, 9, 3), "u1", "zyx", False),
        ((3, 9, 9), "u1", "zyx", False),
        ((9, 9, 9, 3), "u1", "zyxc", True),
        ((2, 9, 9, 9), "u1", "czyx", False),
        ((6, 9, 9, 9), "f4", "czyx", False),
        ((9, 2, 9, 9), "u1", "zcyx", False),
        ((2, 2, 9, 9), "u1", "czyx", False),
        ((7, 7, 9, 9), "u1", "tzyx", False),
    ],
)
def test_axes_are_guessed_from_the_shape(
    shape: tuple[int, ...], dtype: str, axes: str, rgb: bool
) -> None:
    image = MicroscopyImage.from_array(np.zeros(shape, dtype))
    assert (image.axes, image.rgb) == (axes, rgb)


def test_five_axes_are_not_guessed() -> None:
    with pytest.raises(ValueError, match=r"5 axes .* axes='tczyx'"):
        MicroscopyImage.from_array(np.zeros((2, 2, 2, 8, 8)))
    assert MicroscopyImage.from_array(np.zeros((2, 2, 2, 8, 8)), axes="TZCYX").axes == "tzcyx"


def test_a_named_last_colour_axis_is_colour_and_channels_in_front_are_not() -> None:
    assert MicroscopyImage.from_array(np.zeros((8, 8, 3)), axes="yxc").rgb
    assert not MicroscopyImage.from_array(np.zeros((8, 8, 2)), axes="yxc").rgb
    assert not MicroscopyImage.from_array(np.zeros((3, 8, 8)), axes="cyx").rgb


def test_sizes_and_counts() -> None:
    image = MicroscopyImage(np.zeros((2, 3, 4, 5, 6)), "tczyx")
    assert image.sizes == {"t": 2, "c": 3, "z": 4, "y": 5, "x": 6}
    assert (image.num_channels, image.num_planes) == (3, 8)
    assert image.dtype == np.float64
    assert list(image.planes()) == [(t, z) for t in range(2) for z in range(4)]
    colours = MicroscopyImage(np.zeros((5, 6, 3), "u1"), "yxc", rgb=True)
    assert (colours.num_channels, colours.num_planes) == (1, 1)
    assert list(colours.planes()) == [(0, 0)]


@given(st.permutations("tczyx"), st.data())
def test_plane_finds_the_pixels_whatever_the_order_of_the_axes(
    order: list[str], data: st.DataObject
) -> None:
    sizes = {"t": 2, "c": 3, "z": 2, "y": 4, "x": 5}
    stored = np.arange(240).reshape([sizes[a] for a in order])
    standard = stored.transpose([order.index(a) for a in "tczyx"])
    t, c, z = (data.draw(st.integers(0, sizes[a] - 1)) for a in "tcz")
    plane = MicroscopyImage(stored, "".join(order)).plane(t, z, c)
    np.testing.assert_array_equal(plane, standard[t, c, z])


def test_plane_defaults_to_the_first_channel_and_drops_alpha() -> None:
    stack = np.random.default_rng(0).integers(0, 9, (2, 4, 5))
    np.testing.assert_array_equal(MicroscopyImage(stack, "cyx").plane(), stack[0])
    rgba = np.random.default_rng(0).integers(0, 9, (2, 5, 6, 4)).astype("u1")
    image = MicroscopyImage(rgba, "zyxc", rgb=True)
    np.testing.assert_array_equal(image.plane(z=1), rgba[1, ..., :3])
    np.testing.assert_array_equal(image.plane(z=1, channel=0), rgba[1, ..., :3])
    with pytest.raises(IndexError, match="colours are one channel"):
        image.plane(channel=1)
    swapped = MicroscopyImage(rgba[0].swapaxes(0, 1), "xyc", rgb=True)
    np.testing.assert_array_equal(swapped.plane(), rgba[0, ..., :3])


def test_plane_reads_only_that_plane() -> None:
    read: list[int] = []

    def block(block_info: Any = None) -> np.ndarray:
        read.append(block_info[None]["chunk-location"][0])
        return np.full((1, 4, 5), read[-1])

    lazy = da.map_blocks(block, chunks=((1,) * 6, (4,), (5,)), dtype=int, meta=np.empty((0, 0, 0)))
    read.clear()
    assert (MicroscopyImage(lazy, "zyx").plane(z=3) == 3).all()
    assert read == [3]


@pytest.mark.parametrize(("t", "z", "channel"), [(1, 0, 0), (0, 4, 0), (0, -1, 0), (0, 0, 2)])
def test_a_position_outside_the_image_is_refused(t: int, z: int, channel: int) -> None:
    image = MicroscopyImage(np.zeros((2, 4, 5, 6)), "czyx", name="cells")
    with pytest.raises(IndexError, match=r"'cells' has \d along"):
        image.plane(t, z, channel)


@pytest.mark.parametrize("dtype", ["?", "u1", "i8", "u8", "f2", "f4", "f8"])
def test_all_real_types_pass(dtype: str) -> None:
    assert MicroscopyImage.from_array(np.ones((3, 4), dtype)).plane().dtype == dtype


@pytest.mark.parametrize("dtype", ["c8", "O", "U3", "M8[s]"])
def test_types_that_are_no_pixels_are_refused(dtype: str) -> None:
    with pytest.raises(TypeError, match="pixels must be bool, integers or floats"):
        MicroscopyImage.from_array(np.empty((3, 4), dtype))


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [
        ((), None, "at least the two axes"),
        ((5,), None, "at least the two axes"),
        ((0, 5), None, "no pixels"),
        ((5, 5), "zy", "need 'y' and 'x'"),
        ((5, 5, 5), "yyx", "each letter once"),
        ((5, 5, 5), "syx", "may add 't', 'c' and 'z'"),
        ((5, 5, 5), "yx", r"name 2 axes, but the array has 3 .*'zyx'"),
    ],
)
def test_arrays_and_axes_that_do_not_fit_are_refused(
    shape: tuple[int, ...], axes: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MicroscopyImage.from_array(np.zeros(shape), axes=axes)


@pytest.mark.parametrize(
    "size", [(1.0, 1.0), (1, 1, 0), (1, 1, -2), (1, 1, np.nan), (1, 1, np.inf)]
)
def test_a_voxel_size_is_three_positive_numbers(size: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="three positive numbers"):
        MicroscopyImage.from_array(np.zeros((3, 4)), voxel_size=size)


def test_voxel_size_and_names_are_normalised() -> None:
    image = MicroscopyImage.from_array(
        np.zeros((2, 3, 4)), "cyx", [1, 2, 3], "cells", channel_names=["a", "b"]
    )
    assert image.voxel_size == (1.0, 2.0, 3.0)
    assert (image.channel_names, image.name) == (("a", "b"), "cells")


def test_other_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="1 channel names were given for 2 channels"):
        MicroscopyImage(np.zeros((2, 3, 4)), "cyx", channel_names=("a",))
    with pytest.raises(ValueError, match="3 or 4 colour samples"):
        MicroscopyImage(np.zeros((3, 8, 8)), "cyx", rgb=True)
    with pytest.raises(ValueError, match="3 or 4 colour samples"):
        MicroscopyImage(np.zeros((8, 8, 2)), "yxc", rgb=True)
    with pytest.raises(ValueError, match="pyramid level"):
        MicroscopyImage(np.zeros((8, 8)), "yx", levels=(np.zeros((4, 9)),))
    with pytest.raises(ValueError, match="pyramid level"):
        MicroscopyImage(np.zeros((8, 8)), "yx", levels=(np.zeros((2, 4, 4)),))


def test_lists_are_taken_and_images_compare_by_identity() -> None:
    image = MicroscopyImage.from_array([[1, 2], [3, 4]])
    assert image.plane().tolist() == [[1, 2], [3, 4]]
    assert image == image and image != MicroscopyImage.from_array([[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"origin": (0, 1, 2)}, "four places"),
        ({"origin": (0, 0, -1, 0)}, "four places"),
        ({"origin": (0, 0, 0.5, 0)}, "four places"),
        ({"full_axes": "czyx"}, "may be 't', 'z', 'y' and 'x'"),
        ({"full_axes": "zyyx"}, "may be 't', 'z', 'y' and 'x'"),
        ({"position": (0.0, 1.0)}, "three numbers"),
        ({"position": (0.0, math.nan, 1.0)}, "three numbers"),
    ],
)
def test_a_place_is_whole_pixels_and_a_finite_position(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MicroscopyImage(np.zeros((4, 4)), "yx", **wrong)


def test_place_and_warnings_are_normalised() -> None:
    image = MicroscopyImage(
        np.zeros((4, 4)),
        "yx",
        origin=[np.int64(1), 2, 3, 4],  # type: ignore[arg-type]
        position=[0, 1, 2],  # type: ignore[arg-type]
        warnings=["odd"],  # type: ignore[arg-type]
    )
    assert image.origin == (1, 2, 3, 4)
    assert image.position == (0.0, 1.0, 2.0)
    assert image.warnings == ("odd",)
