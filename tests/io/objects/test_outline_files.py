"""ImageJ ROIs and GeoJSON: read back and filled they are the labels."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import roifile
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from napari_ssp.io.objects.geojson import write_geojson
from napari_ssp.io.objects.rois import write_imagej_rois

if TYPE_CHECKING:
    from pathlib import Path

small_stacks = hnp.arrays(np.uint8, (2, 5, 7), elements=st.integers(0, 3))
HOLED = np.array([[4, 4, 4, 0], [4, 0, 4, 0], [4, 4, 4, 9]])


def even_odd(rings: list, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels whose centre lies inside an odd number of rings of (x, y)."""
    crossings = np.zeros((shape[0], shape[1] + 1), np.int64)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if x0 == x1:
                crossings[int(min(y0, y1)) : int(max(y0, y1)), int(x0)] += 1
    return np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1


def features(path: Path) -> list[dict]:
    collection = json.loads(path.read_text(encoding="utf-8"))
    assert collection["type"] == "FeatureCollection"
    assert all(f["type"] == "Feature" for f in collection["features"])
    return collection["features"]


def polygons(feature: dict) -> list:
    geometry = feature["geometry"]
    single = geometry["type"] == "Polygon"
    assert single or geometry["type"] == "MultiPolygon"
    return [geometry["coordinates"]] if single else geometry["coordinates"]


@settings(deadline=None, max_examples=40)
@given(small_stacks)
def test_geojson_is_the_labels(tmp_path_factory: pytest.TempPathFactory, stack: np.ndarray) -> None:
    path = write_geojson(tmp_path_factory.mktemp("j") / "a.geojson", stack, axes="zyx")
    back = np.zeros_like(stack)
    for feature in features(path):
        plane = feature["geometry"]["plane"]
        assert (plane["c"], plane["t"]) == (-1, 0)
        rings = [ring for polygon in polygons(feature) for ring in polygon]
        assert all(ring[0] == ring[-1] for ring in rings), "GeoJSON rings are closed"
        back[plane["z"]][even_odd(rings, stack.shape[1:])] = int(feature["properties"]["name"])
    np.testing.assert_array_equal(back, stack)


@settings(deadline=None, max_examples=40)
@given(small_stacks)
def test_imagej_rois_are_the_labels(
    tmp_path_factory: pytest.TempPathFactory, stack: np.ndarray
) -> None:
    path = write_imagej_rois(tmp_path_factory.mktemp("r") / "RoiSet.zip", stack, axes="tyx")
    back = np.zeros_like(stack)
    for roi in roifile.roiread(path) if stack.any() else []:
        rings = roi.coordinates(multi=True)
        # ImageJ closes a selection by itself; here it is done by the helper.
        label, plane = roi.name.split("_t")
        assert int(plane) == roi.position
        back[roi.position - 1][even_odd(rings, stack.shape[1:])] = int(label)
        points = np.concatenate(rings)
        box = ((roi.left, roi.top), (roi.right, roi.bottom))
        np.testing.assert_array_equal([points.min(axis=0), points.max(axis=0)], box)
    np.testing.assert_array_equal(back, stack)


def test_a_feature_is_what_qupath_reads(tmp_path: Path) -> None:
    table = {
        "label": np.array([4, 9]),
        "area_um2": np.array([2.0, 0.25]),
        "perimeter_um": np.array([3.5, np.nan]),
    }
    path = write_geojson(
        tmp_path / "a.geojson", HOLED, object_type="annotation", measurements=table
    )
    first, second = features(path)
    assert first["properties"] == {
        "objectType": "annotation",
        "name": "4",
        "measurements": {"area_um2": 2.0, "perimeter_um": 3.5},
    }
    assert second["properties"]["measurements"] == {"area_um2": 0.25}
    shell, hole = first["geometry"]["coordinates"]
    assert shell == [[0, 0], [3, 0], [3, 3], [0, 3], [0, 0]]
    assert len(hole) == 5
    assert "plane" not in first["geometry"]


def test_measurements_of_planes_find_their_plane(tmp_path: Path) -> None:
    table = {"label": np.array([1, 1]), "t": np.array([0, 1]), "area_px2": np.array([6, 2])}
    labels = np.ones((2, 2, 3), int)
    path = write_geojson(tmp_path / "a.geojson", labels, axes="tyx", measurements=table)
    found = [f["properties"]["measurements"]["area_px2"] for f in features(path)]
    assert found == [6, 2]
    assert [f["geometry"]["plane"]["t"] for f in features(path)] == [0, 1]


def test_kinds_of_rois(tmp_path: Path) -> None:
    composite, traced = roifile.roiread(write_imagej_rois(tmp_path / "a.zip", HOLED))
    assert composite.roitype == roifile.ROI_TYPE.RECT
    assert composite.composite
    assert traced.roitype == roifile.ROI_TYPE.TRACED
    assert (composite.name, traced.name, traced.position) == ("4", "9", 0)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["4.roi", "9.roi"]


def test_positions_in_a_hyperstack(tmp_path: Path) -> None:
    labels = np.zeros((2, 3, 4, 4), int)
    labels[1, 2, 1:3, 1:3] = 5
    roi = roifile.roiread(write_imagej_rois(tmp_path / "a.zip", labels, axes="tzyx"))
    roi = roi[0] if isinstance(roi, list) else roi
    assert (roi.position, roi.t_position, roi.z_position, roi.c_position) == (0, 2, 3, 0)
    assert roi.name == "5_t002_z003"


def test_images_wider_than_short_integers(tmp_path: Path) -> None:
    labels = np.zeros((3, 70_000), np.uint8)
    labels[1, 40_000:40_004] = 1
    labels[1, 69_990:69_995] = 2
    short, far = roifile.roiread(write_imagej_rois(tmp_path / "a.zip", labels))
    assert short.coordinates()[:, 0].max() == 40_004
    assert not short.subpixelresolution
    assert far.subpixelresolution
    assert far.coordinates()[:, 0].tolist() == [69_990, 69_995, 69_995, 69_990]


def test_nothing_gives_empty_files(tmp_path: Path) -> None:
    empty = np.zeros((3, 4), np.uint16)
    assert features(write_geojson(tmp_path / "a.geojson", empty)) == []
    with zipfile.ZipFile(write_imagej_rois(tmp_path / "a.zip", empty)) as archive:
        assert archive.namelist() == []


@pytest.mark.parametrize(
    ("write", "name"), [(write_geojson, "a.geojson"), (write_imagej_rois, "a.zip")]
)
def test_files_are_kept_and_never_half_written(write: object, name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, HOLED)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="exists already"):
        write(path, HOLED)
    with pytest.raises(ValueError, match="negative number -9"):
        write(path, np.stack([HOLED, -HOLED]), axes="zyx", overwrite=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [name]
    write(path, HOLED[:1], overwrite=True)
    assert path.read_bytes() != before


def test_bad_names_and_types_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Name it e\.g\. 'rois\.zip'"):
        write_imagej_rois(tmp_path / "rois.roi", HOLED)
    with pytest.raises(ValueError, match="use detection or annotation"):
        write_geojson(tmp_path / "a.geojson", HOLED, object_type="cell")


def test_classes_become_classifications_and_text_is_no_measurement(tmp_path: Path) -> None:
    labels = np.array([[1, 0, 2], [0, 3, 0]], np.uint8)
    table = {
        "label": np.array([1, 2, 3]),
        "area_px2": np.array([1.0, 1.0, np.nan]),
        "class": np.array(["cell", "debris", ""], object),
        "note": np.array(["a", "b", "c"]),
    }
    out = write_geojson(
        tmp_path / "a.geojson", labels, measurements=table, class_colors={"cell": "#0072b2"}
    )
    found = [each["properties"] for each in json.loads(out.read_text())["features"]]
    assert [each.get("classification") for each in found] == [
        {"name": "cell", "color": [0, 114, 178]},
        {"name": "debris"},
        None,
    ]
    assert [each.get("measurements") for each in found] == [{"area_px2": 1.0}] * 2 + [None]
