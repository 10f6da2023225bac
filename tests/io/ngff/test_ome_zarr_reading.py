from __future__ import annotations

import pickle
import shutil
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_ssp.io import read_image, read_images, read_scenes
from napari_ssp.io.calibration import calibrate
from napari_ssp.io.ngff.metadata import parse_image

if TYPE_CHECKING:
    from pathlib import Path


def noise(*shape: int, dtype: str = "u2") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def axis(name: str, unit: str | None = "micrometer") -> dict[str, str]:
    kind = {"t": "time", "c": "channel"}.get(name, "space")
    found = {"name": name, "type": kind}
    return {**found, "unit": unit} if unit and kind == "space" else found


def multiscale(axes: str, scale: list[float], unit: str | None = "micrometer") -> dict[str, Any]:
    transforms = [{"type": "scale", "scale": scale}]
    return {
        "axes": [axis(a, unit) for a in axes],
        "datasets": [{"path": "0", "coordinateTransformations": transforms}],
        "name": "given",
    }


def stored(
    path: Path, pixels: np.ndarray, entry: dict[str, Any], version: str = "0.5", **more: Any
) -> Path:
    """Write one image by hand, without our own writer."""
    kind = 3 if version == "0.5" else 2
    group = zarr.open_group(path, mode="a", zarr_format=kind)
    chunks = tuple(min(n, 64) for n in pixels.shape)
    group.create_array("0", shape=pixels.shape, dtype=pixels.dtype, chunks=chunks)[:] = pixels
    if kind == 3:
        group.attrs["ome"] = {"version": version, "multiscales": [entry], **more}
    else:
        group.attrs.update({"multiscales": [{**entry, "version": version}], **more})
    return path


def test_three_files_of_one_image_agree(shared_data: Path) -> None:
    folder = shared_data / "reader_files"
    tiff = read_image(folder / "brightfield_lamin_czyx.ome.tif")
    for version in ("v04", "v05"):
        image = read_image(folder / f"brightfield_lamin_{version}.ome.zarr")
        assert (image.axes, image.shape, image.dtype) == ("czyx", (2, 16, 128, 128), np.uint8)
        assert image.voxel_size == (0.29, 0.29, 0.29)
        assert image.channel_names == ("Bright", "Lamin B1")
        assert image.name == f"brightfield_lamin_{version}"
        assert isinstance(image.data, da.Array)
        assert [level.shape for level in image.levels] == [(2, 16, 64, 64)]
        np.testing.assert_array_equal(np.asarray(image.data), tiff.data)
        assert np.asarray(image.levels[0]).mean() == pytest.approx(tiff.data.mean(), rel=0.01)


def test_bioformats2raw_and_its_tiff_agree(shared_data: Path) -> None:
    folder = shared_data / "reader_files"
    tiff = read_image(folder / "mitotic_plate_imagej.tif")
    (image,) = read_images(folder / "mitotic_plate_v04.ome.zarr")
    assert (image.axes, image.shape, image.dtype) == ("zyx", (6, 263, 263), np.uint8)
    assert image.voxel_size == pytest.approx((3.0, 0.0851964, 0.0851964), rel=1e-5)
    assert image.channel_names == ("Channel 0",)
    assert image.name == "mitotic_plate_v04"
    assert [level.shape for level in image.levels] == [(6, 131, 131)]
    np.testing.assert_array_equal(np.asarray(image.data), tiff.data)
    (part,) = read_images(folder / "mitotic_plate_v04.ome.zarr" / "0")
    assert part.name == "mitotic_plate_v04 0"
    np.testing.assert_array_equal(np.asarray(part.data), tiff.data)


def test_a_mask_with_five_levels(shared_data: Path) -> None:
    image = read_image(shared_data / "reader_files" / "label_mask_v05.zarr")
    assert (image.axes, image.shape, image.dtype) == ("zyx", (2, 100, 100), np.bool_)
    assert image.voxel_size == (1.0, 1.0, 1.0)
    assert [level.shape[-1] for level in image.levels] == [50, 25, 12, 6]
    assert image.plane().mean() == pytest.approx(0.5248)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_axes_of_length_one_are_dropped(tmp_path: Path, version: str) -> None:
    pixels = noise(1, 3, 1, 9, 8)
    entry = multiscale("tczyx", [1, 1, 500, 250, 125], "nanometer")
    image = read_image(stored(tmp_path / "a.ome.zarr", pixels, entry, version))
    assert (image.axes, image.name) == ("cyx", "a")
    assert image.voxel_size == pytest.approx((0.5, 0.25, 0.125))
    np.testing.assert_array_equal(np.asarray(image.data), pixels[0, :, 0])


def test_series_and_their_labels(tmp_path: Path) -> None:
    path = tmp_path / "series.ome.zarr"
    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    for name in ("0", "1"):
        stored(path / name, noise(3, 9, 8), multiscale("zyx", [2, 0.5, 0.5]), "0.4")
    labels = zarr.open_group(path / "1" / "labels", mode="w", zarr_format=2)
    labels.attrs["labels"] = ["cells", "mask"]
    for name, dtype in (("cells", "u4"), ("mask", "?")):
        entry = multiscale("zyx", [2, 0.5, 0.5])
        stored(path / "1" / "labels" / name, noise(3, 9, 8, dtype=dtype), entry, "0.4")
    scenes = read_scenes(path)
    assert [(scene.image.name, scene.is_labels, str(scene.image.dtype)) for scene in scenes] == [
        ("series given 0", False, "uint16"),
        ("series given 1", False, "uint16"),
        ("series given 1 cells", True, "uint32"),
        ("series given 1 mask", True, "bool"),
    ]
    assert len(read_images(path)) == 2
    assert [s.is_labels for s in read_scenes(path / "1" / "labels")] == [True, True]


def test_a_series_is_named_by_its_file_of_series(tmp_path: Path) -> None:
    path = tmp_path / "named.ome.zarr"
    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    root.create_group("OME").attrs["ome"] = {"version": "0.5", "series": ["b", "a"]}
    for name, value in (("a", 1), ("b", 2)):
        entry = {**multiscale("yx", [1, 1]), "name": name}
        stored(path / name, np.full((9, 8), value, "u1"), entry)
    images = read_images(path)
    assert [(image.name, int(image.plane().max())) for image in images] == [
        ("named b", 2),
        ("named a", 1),
    ]


@pytest.mark.parametrize(
    ("entry", "axes", "size"),
    [
        (multiscale("zyx", [2, 0.5, 0.25], None), "zyx", (2, 0.5, 0.25)),
        (multiscale("zyx", [1, 1, 1], None), "zyx", None),
        (multiscale("zyx", [1, 1, 1]), "zyx", (1, 1, 1)),
        (multiscale("zyx", [1, 1, 1], "parsec in a row"), "zyx", None),
        ({"datasets": [{"path": "0"}], "axes": ["z", "y", "x"]}, "zyx", None),
        ({"datasets": [{"path": "0"}]}, "tczyx", None),
        (
            {
                **multiscale("zyx", [1, 1, 1]),
                "coordinateTransformations": [{"type": "scale", "scale": [3, 0.5, 0.5]}],
            },
            "zyx",
            (3, 0.5, 0.5),
        ),
    ],
)
def test_versions_and_scales(
    entry: dict[str, Any], axes: str, size: tuple[float, ...] | None
) -> None:
    for attributes in ({"multiscales": [entry]}, {"ome": {"multiscales": [entry]}}):
        found = parse_image(attributes)
        assert (found.axes, found.paths) == (axes, ("0",))
        voxel_size = calibrate(found.lengths, planes=True).voxel_size
        assert voxel_size == (None if size is None else pytest.approx(size))


def test_small_chunks_are_joined_and_only_the_plane_is_read(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    array = group.create_array("0", shape=(4, 5000, 3000), chunks=(1, 100, 100), dtype="u2")
    group.attrs["multiscales"] = [{**multiscale("zyx", [1, 1, 1]), "version": "0.4"}]
    array[2, 4900:, :100] = 7
    image = read_image(tmp_path / "a.zarr")
    assert image.data.chunksize == (1, 2000, 2000)
    assert image.plane(z=2).sum() == 7 * 100 * 100
    (tmp_path / "a.zarr" / "0" / "2.49.0").write_bytes(b"broken")
    assert image.plane(z=1).sum() == 0
    with pytest.raises(OSError, match=r"a\.zarr.0' is cut off or damaged: a block cannot be read"):
        image.plane(z=2)


def test_an_array_can_be_sent_to_another_process(shared_data: Path) -> None:
    image = read_image(shared_data / "reader_files" / "brightfield_lamin_v05.ome.zarr")
    again = pickle.loads(pickle.dumps(image.data))
    np.testing.assert_array_equal(np.asarray(again), np.asarray(image.data))


@pytest.mark.parametrize("version", ["v04", "v05"])
@pytest.mark.parametrize("text", ["", "{", "[]", '"a"', '{"zarr_format": 9}'])
def test_broken_json(shared_data: Path, tmp_path: Path, version: str, text: str) -> None:
    path = tmp_path / "broken.ome.zarr"
    shutil.copytree(shared_data / "reader_files" / f"brightfield_lamin_{version}.ome.zarr", path)
    path.chmod(0o755)
    marker = path / ("zarr.json" if version == "v05" else ".zattrs")
    marker.chmod(0o644)
    marker.write_text(text)
    with pytest.raises(ValueError, match=r"broken\.ome\.zarr'.*(cannot be read|is a Zarr group)"):
        read_image(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multiscales": []}, "cannot be read .IndexError"),
        ({"multiscales": [{}]}, "cannot be read .KeyError: 'datasets'"),
        ({"multiscales": [{"datasets": []}]}, "cannot be read"),
        ({"multiscales": "many"}, "cannot be read"),
        ({"multiscales": [{**multiscale("yx", [1, 1])}]}, "names the axes 'yx' for an array of"),
        ({"multiscales": [multiscale("zyw", [1, 1, 1])]}, "names the axes 'zy\\?'"),
        ({"multiscales": [multiscale("zyx", ["a", 1, 1])]}, "cannot be read .ValueError"),
        ({"multiscales": [{"axes": [1, 2, 3], "datasets": [{"path": "0"}]}]}, "names the axes"),
        ({"omero": {"channels": 5}}, "cannot be read"),
    ],
)
def test_broken_metadata(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = stored(tmp_path / "a.zarr", noise(3, 9, 8), multiscale("zyx", [1, 1, 1]))
    group = zarr.open_group(path, mode="a")
    group.attrs["ome"] = {**group.attrs["ome"], **change}
    with pytest.raises(ValueError, match=message):
        read_image(path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.zarr", noise(3, 9, 8), multiscale("zyx", [1, 1, 1]))
    shutil.rmtree(path / "0")
    with pytest.raises(OSError, match=r"its metadata name '0', which is not there.*again"):
        read_image(path)
    zarr.open_group(path / "0", mode="w", zarr_format=3)
    with pytest.raises(OSError, match="its level '0' is no array"):
        read_image(path)


def test_an_axis_without_a_name_is_refused_unless_it_is_short(tmp_path: Path) -> None:
    entry = multiscale("zyx", [1, 1, 1])
    entry["axes"][0] = {"name": "angle"}
    long = stored(tmp_path / "long.zarr", noise(3, 9, 8), entry)
    with pytest.raises(ValueError, match=r"axes other than t, c, z, y and x \(shape \(3, 9, 8\)\)"):
        read_image(long)
    assert read_image(stored(tmp_path / "short.zarr", noise(1, 9, 8), entry)).axes == "yx"


def test_a_zarr_that_is_no_image(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "group.zarr", mode="w")
    with pytest.raises(ValueError, match=r"is a Zarr group without an OME-Zarr image.*empty"):
        read_image(tmp_path / "group.zarr")
    zarr.create_array(tmp_path / "array.zarr", shape=(3, 4), dtype="u1")
    with pytest.raises(ValueError, match=r"is a bare Zarr array \(3, 4\)"):
        read_image(tmp_path / "array.zarr")
    (tmp_path / "folder.zarr").mkdir()
    with pytest.raises(ValueError, match=r"holds none of zarr\.json.*no image in it"):
        read_image(tmp_path / "folder.zarr")
    (tmp_path / "file.zarr").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"is neither a folder nor a zip"):
        read_image(tmp_path / "file.zarr")
