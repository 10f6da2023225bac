"""Where images of files lie: translations, stages, scenes, and parts of images."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import roifile
import tifffile
import zarr
from napari.layers import Image, Labels

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, read_images, read_scenes, write_image, write_labels
from napari_ssp.io.layer_attributes import ORIGIN_KEY
from napari_ssp.io.napari_reader import read_layers
from napari_ssp.io.napari_writer import write_image_layer, write_labels_layer
from napari_ssp.io.objects.geojson import write_geojson
from napari_ssp.io.objects.rois import write_imagej_rois
from napari_ssp.measure import measure_objects
from napari_ssp.place import translation

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".ome.tif", ".ome.zarr")


def scale(*numbers: float) -> dict[str, Any]:
    return {"type": "scale", "scale": list(numbers)}


def shift(*numbers: float) -> dict[str, Any]:
    return {"type": "translation", "translation": list(numbers)}


def stored(
    path: Path,
    shape: tuple[int, ...],
    own: list[dict[str, Any]],
    shared: list[dict[str, Any]] | None = None,
    units: tuple[str | None, ...] = ("micrometer",) * 3,
    version: str = "0.4",
) -> Path:
    """Write an OME-Zarr of two levels by hand."""
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    group.create_array("0", data=np.zeros(shape, "u1"))
    group.create_array("1", data=np.zeros((*shape[:-2], shape[-2] // 2, shape[-1] // 2), "u1"))
    axes = [{"name": a, "type": "space"} for a in "zyx"[-len(shape) :]]
    for axis, unit in zip(axes, units, strict=False):
        axis |= {"unit": unit} if unit else {}
    doubled = [shift(*[99.0] * len(shape)) if "translation" in t else t for t in own]
    entry: dict[str, Any] = {
        "axes": axes,
        "datasets": [
            {"path": "0", "coordinateTransformations": own},
            {"path": "1", "coordinateTransformations": doubled},
        ],
    }
    if shared:
        entry["coordinateTransformations"] = shared
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [entry]}
    else:
        group.attrs["multiscales"] = [{**entry, "version": version}]
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("left", [20.0, 60.0])
def test_tiles_of_a_zarr_lie_side_by_side(tmp_path: Path, version: str, left: float) -> None:
    own = [scale(0.2, 0.2), shift(10.0, left)]
    path = stored(tmp_path / "tile.ome.zarr", (6, 8), own, version=version)
    image = read_image(path)
    assert image.position == (0.0, 10.0, left)
    assert image.origin == (0, 0, 0, 0)
    ((_, attributes, kind),) = read_layers(str(path))
    assert (attributes["translate"], attributes["scale"], kind) == (
        (10.0, left),
        (0.2, 0.2),
        "image",
    )


@pytest.mark.parametrize(
    ("own", "shared", "units", "expected"),
    [
        # µm: 2 * (3 + i * 0.5) + 7
        ([scale(1, 0.5, 0.5), shift(0, 3, 4)], [scale(1, 2, 2), shift(5, 7, 9)], "um", (5, 13, 17)),
        ([scale(2, 0.5, 0.5)], [shift(5, 7, -9)], "um", (5, 7, -9)),
        ([scale(300, 200, 200), shift(0, 5000, -6000)], None, "nm", (0, 5, -6)),
        ([scale(0.3, 0.2, 0.2), shift(0, 4, 6)], None, None, (0, 4, 6)),
        ([scale(1, 1, 1), shift(0, 4, 6)], None, None, (0, 4, 6)),  # voxels
        ([scale(1, 2, 2), shift(0, 4, 6)], None, "pixel", (0, 2, 3)),  # voxels
    ],
)
def test_transforms_are_joined_and_units_converted(
    tmp_path: Path,
    own: list[Any],
    shared: list[Any] | None,
    units: str | None,
    expected: tuple[float, ...],
) -> None:
    names = {"um": "micrometer", "nm": "nanometer", "pixel": "pixel", None: None}
    path = stored(tmp_path / "a.zarr", (3, 6, 8), own, shared, (names[units],) * 3)
    assert read_image(path).position == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("numbers", [[1.0], [float("nan"), 0.0], ["far", 0.0]])
def test_a_translation_that_is_none_is_an_error(tmp_path: Path, numbers: list[Any]) -> None:
    own = [scale(0.2, 0.2), {"type": "translation", "translation": numbers}]
    path = stored(tmp_path / "a.zarr", (6, 8), own)
    with pytest.raises(ValueError, match="OME-Zarr metadata cannot be read"):
        read_image(path)


def tiles(path: Path, places: list[dict[str, Any]], size: float | None = 0.5) -> Path:
    with tifffile.TiffWriter(path, ome=True) as tif:
        for k, place in enumerate(places):
            plane = {name: [value] for name, value in place.items()}
            voxel = {} if size is None else {"PhysicalSizeX": size, "PhysicalSizeY": size}
            pixels = np.full((6, 8), k, "u1")
            tif.write(pixels, metadata={"axes": "YX", "Name": f"P{k}", **voxel, "Plane": plane})
    return path


def ome_xml(path: Path) -> str:
    with tifffile.TiffFile(path) as tif:
        return str(tif.ome_metadata)


def at(x: float, y: float, unit: str | None = "µm") -> dict[str, Any]:
    units = {} if unit is None else {"PositionXUnit": unit, "PositionYUnit": unit}
    return {"PositionX": x, "PositionY": y, **units}


def test_stage_positions_place_the_images_of_one_file_beside_each_other(tmp_path: Path) -> None:
    path = tiles(tmp_path / "a.ome.tif", [at(12345.0, -20.0), at(12349.0, -20.0), at(12345, -17)])
    found = [image.position for image in read_images(path)]
    assert found == [(0, 0, 0), (0, 0, 4), (0, 3, 0)]
    mixed = tiles(tmp_path / "b.ome.tif", [at(2.0, 0.0, "mm"), at(1996.0, 1.0)])
    assert [i.position for i in read_images(mixed)] == [(0, 0, 4), (0, 1, 0)]


@pytest.mark.parametrize(
    "places",
    [
        [at(12345.0, -20.0)],  # far from every image without a stage
        [at(5.0, 5.0, None), at(9.0, 5.0, None)],  # in the stage's own unit
        [at(5.0, 5.0), {}],
    ],
)
def test_other_stage_positions_are_left_out(tmp_path: Path, places: list[Any]) -> None:
    images = read_images(tiles(tmp_path / "a.ome.tif", places))
    assert [image.position for image in images] == [(0.0, 0.0, 0.0)] * len(places)


def test_scenes_of_a_czi_lie_as_in_the_file(tmp_path: Path) -> None:
    czi = pytest.importorskip("pylibCZIrw.czi")
    path = tmp_path / "scenes.czi"
    with czi.create_czi(str(path)) as file:
        for (x, y), scene in (((-12, -6), 0), ((200, 18), 1)):
            plane = {"C": 0, "T": 0, "Z": 0}
            file.write(np.ones((20, 30, 1), "u1"), plane=plane, location=(x, y), scene=scene)
        file.write_metadata("scenes", scale_x=5e-7, scale_y=2.5e-7, scale_z=1e-6)
    first, second = read_images(path)
    assert first.position == (0.0, 0.0, 0.0)
    assert second.position == pytest.approx((0.0, 24 * 0.25, 212 * 0.5))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("size", [None, (2.0, 0.2, 0.3)])
def test_a_part_keeps_its_place(tmp_path: Path, suffix: str, size: Any) -> None:
    place: dict[str, Any] = {"origin": (3, 7, 10, 20), "position": (1.0, -5.5, 3.25)}
    pixels = np.random.default_rng(0).random((2, 3, 4, 6, 8)).astype("f4")
    image = MicroscopyImage(pixels, "tzcyx", size, **place, full_axes="tzyx")
    found = read_image(write_image(tmp_path / f"a{suffix}", image))
    assert (found.origin, found.full_axes) == (image.origin, "tzyx")
    assert found.position == pytest.approx(image.position)
    labels = MicroscopyImage(np.eye(6, dtype="u2"), "yx", size, **place)
    (scene,) = read_scenes(write_labels(tmp_path / f"b{suffix}", labels))
    assert scene.is_labels
    assert (scene.image.axes, scene.image.origin) == ("yx", labels.origin)
    assert scene.image.position == pytest.approx(labels.position)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_part_lies_right_in_other_programs(tmp_path: Path, suffix: str) -> None:
    """In OME's own words: a translation of each level, a position of each plane."""
    image = MicroscopyImage(
        np.zeros((2, 1100, 8), "u1"), "zyx", (2, 0.5, 0.25), origin=(0, 3, 10, 20)
    )
    path = write_image(tmp_path / f"a{suffix}", replace(image, position=(1.0, 100.0, 0.0)))
    if suffix == ".ome.zarr":
        levels = zarr.open_group(path).attrs["ome"]["multiscales"][0]["datasets"]  # type: ignore[index,call-overload]
        found = [level["coordinateTransformations"][1]["translation"] for level in levels]
        assert found == [[7.0, 105.0, 5.0], [7.0, 105.25, 5.125]]
        return
    xml = ome_xml(path)
    for z, depth in enumerate((7.0, 9.0)):
        words = (
            f'PositionX="5.0" PositionXUnit="µm" PositionY="105.0" PositionYUnit="µm" '
            f'PositionZ="{depth}" PositionZUnit="µm"'
        )
        assert f'TheZ="{z}" TheT="0" {words}' in xml


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_whole_image_says_nothing_of_a_place(tmp_path: Path, suffix: str) -> None:
    path = write_labels(tmp_path / f"a{suffix}", np.eye(6, dtype="u2"), voxel_size=(1, 0.5, 0.5))
    found = read_image(path)
    assert (found.origin, found.position, found.full_axes) == ((0,) * 4, (0.0,) * 3, "")
    if suffix == ".ome.zarr":
        assert "translation" not in (path / "zarr.json").read_text()
    else:
        assert "Position" not in ome_xml(path)


def test_a_hostile_origin_is_none(tmp_path: Path) -> None:
    image = MicroscopyImage(np.zeros((6, 8), "u1"), "yx", origin=(0, 0, 1, 2))
    path = write_image(tmp_path / "a.ome.zarr", image)
    attributes = json.loads((path / "zarr.json").read_text())
    for origin in ([1, 2], {"y": -1}, {"y": 10**30}, {"q": 1}, "far", {"y": True}):
        attributes["attributes"]["napari_ssp"]["origin"] = origin
        (path / "zarr.json").write_text(json.dumps(attributes))
        assert read_image(path).origin == (0, 0, 0, 0)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("plane", [0, 7])
def test_a_plane_is_shown_in_its_plane(tmp_path: Path, suffix: str, plane: int) -> None:
    labels = MicroscopyImage(
        np.eye(6, dtype="u2"), "yx", (2, 0.5, 0.5), origin=(0, plane, 10, 20), full_axes="zyx"
    )
    path = write_labels(tmp_path / f"a{suffix}", labels)
    ((data, attributes, kind),) = read_layers(str(path))
    assert (data.shape, kind) == ((1, 6, 6), "labels")
    assert attributes["translate"] == (2.0 * plane, 5.0, 10.0)
    layer = Labels(np.asarray(data), **attributes)
    again = read_image(write_labels_layer(str(tmp_path / f"b{suffix}"), *as_saved(layer))[0])
    assert (again.origin, again.full_axes) == (labels.origin, "zyx")
    assert again.position == (0.0, 0.0, 0.0)


def as_saved(layer: Any) -> tuple[Any, dict[str, Any]]:
    data, attributes, _ = layer.as_layer_data_tuple()
    return data, attributes


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_layer_is_saved_where_it_lies(tmp_path: Path, suffix: str) -> None:
    moved = np.eye(3)
    moved[:2, 2] = (100, 200)  # a registration
    layer = Image(
        np.zeros((6, 8)), scale=(0.5, 250), units=("um", "nm"), translate=(7, 3000), affine=moved,
        metadata={ORIGIN_KEY: {"y": 4, "x": 8}},
    )  # fmt: skip
    found = read_image(write_image_layer(str(tmp_path / f"a{suffix}"), *as_saved(layer))[0])
    assert found.voxel_size == pytest.approx((1, 0.5, 0.25))
    assert found.origin == (0, 0, 4, 8)
    assert translation(found) == pytest.approx((0, 107, 3.2))
    pixels = Labels(np.ones((6, 8), int), scale=(2, 2), translate=(7, -4))
    found = read_image(write_labels_layer(str(tmp_path / f"b{suffix}"), *as_saved(pixels))[0])
    assert (found.voxel_size, found.position) == (None, (0, 3.5, -2))


def test_labels_in_a_zarr_lie_on_its_image(tmp_path: Path) -> None:
    image = MicroscopyImage(np.zeros((6, 8), "u1"), "yx", (1, 0.2, 0.2), position=(0, 10, 20))
    path = write_image(tmp_path / "tile.ome.zarr", image)
    write_labels(path / "labels" / "cells", np.eye(6, 8, dtype="u1"))
    part = MicroscopyImage(np.ones((2, 2), "u1"), "yx", origin=(0, 0, 1, 5), full_axes="yx")
    write_labels(path / "labels" / "part", part)
    _, cells, some = (scene.image for scene in read_scenes(path))
    assert (cells.voxel_size, cells.position) == ((1, 0.2, 0.2), (0, 10, 20))
    assert some.origin == (0, 0, 1, 5)
    assert translation(some) == pytest.approx((0, 10.2, 21))


PART = MicroscopyImage(
    np.array([[0, 5, 5], [0, 5, 5]]), "yx", (2.0, 0.5, 0.5), origin=(2, 7, 10, 20),
    position=(0, 99, 99),
)  # fmt: skip


def test_outlines_of_a_part_are_those_of_the_full_image(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", PART, measurements=measure_objects(PART))
    (feature,) = json.loads(path.read_text())["features"]
    corners = [[21, 10], [23, 10], [23, 12], [21, 12], [21, 10]]
    assert feature["geometry"]["coordinates"] == [corners]
    assert feature["geometry"]["plane"] == {"c": -1, "z": 7, "t": 2}
    assert feature["properties"]["measurements"]["centroid_x_px"] == 21.5
    (roi,) = roifile.roiread(write_imagej_rois(tmp_path / "a.zip", PART))
    assert roi.name == "5_t003_z008"
    assert (roi.left, roi.top, roi.right, roi.bottom) == (21, 10, 23, 12)
    assert (roi.t_position, roi.z_position) == (3, 8)


def test_a_table_of_a_part_is_that_of_the_full_image() -> None:
    table = measure_objects(PART)
    expected = {
        "label": 5, "t": 2, "z": 7, "centroid_y_px": 10.5, "centroid_x_px": 21.5,
        "centroid_y_um": 5.25, "centroid_x_um": 10.75, "bbox_y_start_px": 10,
        "bbox_y_stop_px": 12, "bbox_x_start_px": 21, "bbox_x_stop_px": 23,
    }  # fmt: skip
    assert {name: table[name].tolist() for name in expected} == {
        k: [v] for k, v in expected.items()
    }
    stack = np.zeros((3, 9, 30, 40), "u2")
    stack[2, 7, 10:12, 21:23] = [[1, 2], [3, 6]]
    (mean,) = measure_objects(PART, MicroscopyImage(stack, "tzyx"))["mean_intensity"]
    assert mean == 3


def test_a_table_of_a_part_of_a_stack() -> None:
    labels = MicroscopyImage(np.ones((2, 2, 2), int), "zyx", (2, 1, 1), origin=(0, 3, 4, 5))
    table = measure_objects(labels)
    found = [float(table[f"centroid_{a}_um"][0]) for a in "zyx"]
    assert found == [7.0, 4.5, 5.5]
    assert [int(table[f"bbox_{a}_start_px"][0]) for a in "zyx"] == [3, 4, 5]
    assert measure_objects(labels, planewise=True)["z"].tolist() == [3, 4]
