from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image

from napari_ssp.io import read_image
from napari_ssp.io.napari_reader import read_layers
from napari_ssp.place import with_voxel_size
from napari_ssp.widgets.layers.images import current_plane, layer_axes, layer_image, visible_region

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("shape", "arguments", "axes"),
    [
        ((5, 6), {}, "yx"),
        ((3, 5, 6), {}, "zyx"),
        ((2, 3, 5, 6), {}, "tzyx"),
        ((5, 6, 3), {"rgb": True}, "yxc"),
        ((2, 5, 6, 4), {"rgb": True}, "zyxc"),
        ((3, 5, 6), {"axis_labels": ("t", "y", "x")}, "tyx"),
        ((3, 5, 6), {"axis_labels": ("C", "Y", "X")}, "cyx"),
        ((3, 5, 6), {"axis_labels": ("time", "y", "x")}, "tyx"),
        ((3, 5, 6), {"axis_labels": ("frame", "row", "col")}, "tyx"),
        ((3, 5, 6), {"axis_labels": ("position", "y", "x")}, "tyx"),
        ((3, 5, 6), {"axis_labels": ("Time_points", "Height", "Width")}, "tyx"),
        ((3, 5, 6), {"axis_labels": ("slices", "rows", "columns")}, "zyx"),
        ((3, 5, 6), {"axis_labels": ("wavelength", "y", "x")}, "cyx"),
        ((3, 5, 6), {"axis_labels": ("axis -3", "axis -2", "axis -1")}, "zyx"),
        ((3, 5, 6), {"axis_labels": ("0", "1", "2")}, "zyx"),
        ((3, 5, 6), {"axis_labels": ("time", "-2", "-1")}, "tyx"),
        ((3, 5, 6), {"axis_labels": ("x", "-2", "-1")}, "xzy"),
        ((2, 3, 5, 6), {"axis_labels": ("frame", "", "", "")}, "tzyx"),
        ((2, 3, 5, 6), {"axis_labels": ("z", "-3", "-2", "-1")}, "ztyx"),
        ((5, 6), {"axis_labels": ("dorsal", "lateral")}, "yx"),
        ((2, 2, 3, 5, 6), {"axis_labels": tuple("tczyx")}, "tczyx"),
    ],
)
def test_axes_come_from_labels_or_the_number_of_dimensions(
    shape: tuple[int, ...], arguments: dict[str, Any], axes: str
) -> None:
    image = layer_image(Image(np.zeros(shape, np.uint8), **arguments))
    assert image.axes == axes
    assert image.shape == shape
    assert image.rgb == ("rgb" in arguments)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("plate", "y", "x"), r"axis 'plate' of the layer 'film' is not known.*layer\.axis_labels"),
        (("a", "b", "x"), r"axis 'a' and 'b' of the layer 'film' is not known"),
        (("frame", "time", "0"), r"axes 'frame' and 'time' of .* both read as images one"),
        (("t", "z", "c"), r"axis labels \('t', 'z', 'c'\) do not say what they are"),
    ],
)
def test_words_that_leave_it_open_are_asked_about(labels: tuple[str, ...], message: str) -> None:
    layer = Image(np.zeros((3, 5, 6)), axis_labels=labels, name="film")
    with pytest.raises(ValueError, match=message):
        layer_axes(layer)


def test_five_unnamed_dimensions_ask_for_names() -> None:
    layer = Image(np.zeros((1, 2, 2, 4, 4)), name="movie")
    with pytest.raises(ValueError, match=r"'movie' has 5 dimensions.*Set layer\.axis_labels"):
        layer_axes(layer)


@pytest.mark.parametrize(
    ("scale", "units", "expected"),
    [
        ((2.0, 0.5, 0.25), ("um", "um", "um"), (2.0, 0.5, 0.25)),
        ((2.0, 0.5, 0.25), ("pixel", "pixel", "pixel"), None),
        ((300.0, 65.0, 65.0), ("nm", "nm", "nm"), (0.3, 0.065, 0.065)),
        ((1.0, 1.0, 1.0), ("s", "mm", "mm"), (1.0, 1000.0, 1000.0)),
        ((1.0, -0.5, 0.5), ("um", "um", "um"), (1.0, 0.5, 0.5)),
        ((1.0, 0.5, 0.5), ("pixel", "um", "pixel"), None),
    ],
)
def test_the_voxel_size_is_in_micrometres(
    scale: tuple[float, ...], units: tuple[str, ...], expected: tuple[float, ...] | None
) -> None:
    image = layer_image(Image(np.zeros((2, 4, 4)), scale=scale, units=units))
    assert image.voxel_size == (None if expected is None else pytest.approx(expected))


def test_a_lazy_array_is_not_read() -> None:
    def refuse(block: Any) -> Any:
        raise AssertionError("read")

    source = da.zeros((2, 64, 64), chunks=(1, 64, 64))
    with pytest.raises(AssertionError, match="read"):
        source.map_blocks(refuse, dtype=float, meta=np.empty((0, 0, 0))).compute()
    layer = Image(source)
    layer._data = source.map_blocks(refuse, dtype=float, meta=np.empty((0, 0, 0)))
    assert layer_image(layer).shape == (2, 64, 64)


def test_a_pyramid_gives_its_full_level() -> None:
    levels = [np.zeros((64, 32)), np.zeros((32, 16))]
    assert layer_image(Image(levels, multiscale=True)).shape == (64, 32)


# napari itself warns about such a layer.
@pytest.mark.filterwarnings("ignore:.*encountered in divide:RuntimeWarning")
def test_an_empty_layer_is_refused_with_a_reason() -> None:
    with pytest.raises(ValueError, match="no pixels"):
        layer_image(Image(np.zeros((0, 5, 6)), contrast_limits=(0, 1)))


def test_the_current_plane_is_where_the_sliders_stand() -> None:
    viewer = ViewerModel()
    stack = viewer.add_image(np.zeros((2, 6, 4, 4)), scale=(1, 2.5, 1, 1), translate=(0, 5, 0, 0))
    viewer.dims.set_point((0, 1), (1, 5 + 2.5 * 4))
    assert current_plane(stack, viewer) == (1, 4)


def test_a_layer_with_fewer_dimensions_uses_the_last_sliders() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((2, 6, 4, 4)))
    stack = viewer.add_image(np.zeros((6, 4, 4)))
    viewer.dims.set_point((0, 1), (1, 3))
    assert current_plane(stack, viewer) == (0, 3)


def test_a_slider_beside_the_layer_has_no_plane() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((20, 4, 4)))
    short = viewer.add_image(np.zeros((3, 4, 4)), name="short")
    viewer.dims.set_point(0, 12)
    with pytest.raises(ValueError, match=r"'short' is not on display.*z=12.*z=0 to 2"):
        current_plane(short, viewer)


def test_3d_display_has_neither_plane_nor_region() -> None:
    viewer = ViewerModel()
    stack = viewer.add_image(np.zeros((3, 4, 4)))
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="Switch to 2D"):
        current_plane(stack, viewer)
    with pytest.raises(ValueError, match="the viewer shows 3D"):
        visible_region(stack, viewer)


def test_the_region_is_in_pixels_of_the_full_level() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image([np.zeros((100, 80)), np.zeros((50, 40))], multiscale=True)
    layer._data_level = 1
    layer.corner_pixels = np.array([[5, 10], [20, 39]])
    assert visible_region(layer, viewer) == (10, 42, 20, 80)


def test_the_region_needs_y_and_x_on_display() -> None:
    viewer = ViewerModel()
    stack = viewer.add_image(np.zeros((3, 4, 4)))
    viewer.dims.order = (1, 0, 2)
    with pytest.raises(ValueError, match="needs y and x on display"):
        visible_region(stack, viewer)


def test_what_reading_a_file_gave_to_doubt_comes_with_its_layer(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.zeros((9, 8), "u1"), resolution=(100, 0.01), resolutionunit="CENTIMETER"
    )
    ((data, attributes, _),) = read_layers(str(path))
    layer = Image(data, **attributes)
    (warning,) = layer_image(layer).warnings
    assert "the voxel size is taken as unknown" in warning
    assert read_image(path).warnings == (warning,)
    layer.scale, layer.units = (0.5, 0.5), ("um", "um")
    assert layer_image(layer).warnings == ()
    assert with_voxel_size(read_image(path), (1.0, 0.5, 0.5)).warnings == ()
