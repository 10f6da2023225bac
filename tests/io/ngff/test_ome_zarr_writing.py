from __future__ import annotations

import json
import shutil
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, read_scenes, write_image, write_labels
from napari_ssp.io.ngff.pyramid import halve, level_sides

yaozarrs = pytest.importorskip("yaozarrs")

DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">u2", ">f4"]
AXES = ["yx", "zyx", "cyx", "tyx", "czyx", "tzyx", "tczyx", "zcyx", "xy", "xzyct"]


def metadata(path: Path) -> dict[str, Any]:
    content = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    attributes: dict[str, Any] = content["attributes"]["ome"]
    return attributes


@settings(max_examples=25, deadline=None)
@given(
    st.data(),
    st.sampled_from(AXES),
    st.sampled_from(DTYPES),
    st.none() | st.tuples(*[st.floats(0.3, 3.0)] * 3),
)
def test_an_image_survives_the_round_trip(
    data: st.DataObject, axes: str, dtype: str, size: tuple[float, float, float] | None
) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=len(axes), max_dims=len(axes), max_side=4))
    pixels = data.draw(hnp.arrays(np.dtype(dtype), shape))
    image = MicroscopyImage(pixels, axes, size)
    with tempfile.TemporaryDirectory() as folder:
        path = write_image(Path(folder) / "image.ome.zarr", image)
        yaozarrs.validate_zarr_store(str(path))
        back = read_image(path)
        found = np.asarray(back.data)
    order = [axes.index(a) for a in "tczyx" if a in axes]
    expected = pixels.transpose(order)
    assert back.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(found, expected.reshape(found.shape))
    assert set(back.axes) == {a for a, n in image.sizes.items() if n > 1} | {"y", "x"}
    if size and "z" not in axes:  # OME-Zarr has no place for it
        size = (1.0, *size[1:])
    assert back.voxel_size == (None if size is None else pytest.approx(size))


def test_a_large_image_is_valid_and_has_levels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 60000, (2, 3, 1201, 1500)).astype("u2")
    image = MicroscopyImage(pixels, "czyx", (2.0, 0.5, 0.25), ("Bright", "µ-tubulin"), "cells")
    path = write_image(tmp_path / "large.ome.zarr", image)
    assert yaozarrs.validate_zarr_store(str(path)).ome_version() == "0.5"
    back = read_image(path)
    assert (back.axes, back.voxel_size) == ("czyx", (2.0, 0.5, 0.25))
    assert back.channel_names == ("Bright", "µ-tubulin")
    np.testing.assert_array_equal(np.asarray(back.data), pixels)
    (level,) = back.levels
    assert level.shape == (2, 3, 601, 750)
    whole = pixels[:, :, :1200].reshape(2, 3, 600, 2, 750, 2).mean((3, 5))
    np.testing.assert_allclose(np.asarray(level)[:, :, :600], whole, atol=0.5)
    last = pixels[:, :, 1200].reshape(2, 3, 750, 2).mean(-1)
    np.testing.assert_allclose(np.asarray(level)[:, :, 600], last, atol=0.5)
    ome = metadata(path)
    scales = [d["coordinateTransformations"][0]["scale"] for d in ome["multiscales"][0]["datasets"]]
    assert scales == [[1, 2, 0.5, 0.25], [1, 2, 1, 0.5]]
    assert {a.get("unit") for a in ome["multiscales"][0]["axes"][1:]} == {"micrometer"}
    for number, channel in enumerate(ome["omero"]["channels"]):
        assert channel["window"]["min"] == pixels[number].min()
        assert channel["window"]["max"] == pixels[number].max()


def test_chunks_are_of_one_channel_and_about_a_mebibyte(tmp_path: Path) -> None:
    image = MicroscopyImage(np.zeros((2, 40, 600, 700), "f4"), "czyx")
    path = write_image(tmp_path / "a.zarr", image)
    content = json.loads((path / "0" / "zarr.json").read_text())
    assert content["chunk_grid"]["configuration"]["chunk_shape"] == [1, 1, 512, 512]
    assert content["dimension_names"] == ["c", "z", "y", "x"]
    small = write_image(tmp_path / "b.zarr", MicroscopyImage(np.zeros((40, 64, 64), "u1"), "zyx"))
    content = json.loads((small / "0" / "zarr.json").read_text())
    assert content["chunk_grid"]["configuration"]["chunk_shape"] == [40, 64, 64]


@pytest.mark.parametrize("samples", [3, 4])
def test_colours_come_back_as_colours(tmp_path: Path, samples: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (2, 30, 40, samples)).astype("u1")
    path = write_image(tmp_path / "a.zarr", MicroscopyImage(pixels, "zyxc", rgb=True))
    yaozarrs.validate_zarr_store(str(path))
    names = [channel["label"] for channel in metadata(path)["omero"]["channels"]]
    assert names == ["Red", "Green", "Blue", "Alpha"][:samples]
    back = read_image(path)
    assert (back.axes, back.rgb) == ("zyxc", True)
    np.testing.assert_array_equal(np.asarray(back.data), pixels)


def test_values_that_are_no_numbers(tmp_path: Path) -> None:
    pixels = np.full((1100, 30), np.nan, "f4")
    pixels[0, :3] = [-np.inf, np.inf, 2.5]
    image = MicroscopyImage(
        np.stack([pixels, np.zeros_like(pixels)]), "cyx", channel_names=("a", "b")
    )
    path = write_image(tmp_path / "a.zarr", image)
    first, second = (c["window"] for c in metadata(path)["omero"]["channels"])
    assert (first["min"], first["max"]) == (2.5, 2.5)
    assert (second["min"], second["max"]) == (0.0, 0.0)
    np.testing.assert_array_equal(read_image(path).plane(channel=0), pixels)


def test_labels_of_their_own(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 70000, (1100, 1030))
    path = write_labels(tmp_path / "cells.ome.zarr", labels, voxel_size=(1, 0.5, 0.5))
    yaozarrs.validate_zarr_store(str(path))
    (scene,) = read_scenes(path)
    assert scene.is_labels
    assert (scene.image.dtype, scene.image.voxel_size) == (np.uint32, (1, 0.5, 0.5))
    np.testing.assert_array_equal(np.asarray(scene.image.data), labels)
    np.testing.assert_array_equal(np.asarray(scene.image.levels[0]), labels[::2, ::2])


def test_labels_in_an_image(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.ome.zarr", MicroscopyImage(np.zeros((30, 40), "u1"), "yx"))
    for name, value in (("cells", 1), ("nuclei", 2), ("cells", 3)):
        write_labels(path / "labels" / name, np.full((30, 40), value), overwrite=value == 3)
    assert metadata(path / "labels")["labels"] == ["cells", "nuclei"]
    assert sorted(p.name for p in (path / "labels").iterdir()) == ["cells", "nuclei", "zarr.json"]
    for part in (path, path / "labels", path / "labels" / "cells"):
        yaozarrs.validate_zarr_store(str(part))
    scenes = read_scenes(path)
    assert [(s.image.name, s.is_labels) for s in scenes] == [
        ("a", False),
        ("a cells", True),
        ("a nuclei", True),
    ]
    assert [int(s.image.plane().max()) for s in scenes] == [0, 3, 2]
    with pytest.raises(FileExistsError, match="allow overwriting"):
        write_labels(path / "labels" / "cells", np.ones((30, 40), int))


def test_labels_that_were_deleted_by_hand(tmp_path: Path) -> None:
    path = write_image(tmp_path / "image.ome.zarr", MicroscopyImage(np.ones((30, 40)), "yx"))
    for name in ("cells", "nuclei", "spots"):
        write_labels(path / "labels" / name, np.full((30, 40), 2))
    for name in ("nuclei", "spots"):
        shutil.rmtree(path / "labels" / name)
    for place in (path, path / "labels"):
        scenes = read_scenes(place)
        assert scenes[-1].is_labels
        assert len(scenes) == 2 - (place != path)
        assert scenes[0].image.warnings == (
            f"'{path / 'labels'}' lists label images that are not there: nuclei, spots. They were "
            "deleted, or not copied; the others are read.",
        )
    write_labels(path / "labels" / "nuclei", np.full((30, 40), 5))
    assert metadata(path / "labels")["labels"] == ["cells", "nuclei"]
    scenes = read_scenes(path)
    assert [s.image.warnings for s in scenes] == [(), (), ()]
    assert [int(s.image.data[0, 0]) for s in scenes[1:]] == [2, 5]


def test_labels_beside_a_real_image_of_version_0_4(tmp_path: Path, shared_data: Path) -> None:
    path = tmp_path / "image.ome.zarr"
    shutil.copytree(shared_data / "reader_files" / "brightfield_lamin_v04.ome.zarr", path)
    labels = np.zeros((16, 128, 128), np.uint16)
    labels[4:9, 20:60, 30:80] = 7
    write_labels(path / "labels" / "cells", labels, axes="zyx")
    _, found = read_scenes(path)
    assert (found.is_labels, found.image.name) == (True, "image cells")
    assert found.image.voxel_size == (0.29, 0.29, 0.29)
    np.testing.assert_array_equal(np.asarray(found.image.data), labels)
    group = zarr.open_group(path / "labels" / "cells", mode="r")
    assert group.metadata.zarr_format == 2
    assert group.attrs["multiscales"][0]["version"] == "0.4"
    assert "image-label" in group.attrs
    assert zarr.open_group(path / "labels", mode="r").attrs["labels"] == ["cells"]


def test_places_where_labels_cannot_go(tmp_path: Path) -> None:
    labels = np.ones((30, 40), int)
    with pytest.raises(ValueError, match=r"version 0\.4 or 0\.5, but '.*gone\.zarr' is none"):
        write_labels(tmp_path / "gone.zarr" / "labels" / "cells", labels)
    old = zarr.open_group(tmp_path / "old.zarr", mode="w", zarr_format=2)
    old.attrs["multiscales"] = [{"version": "0.3"}]
    with pytest.raises(ValueError, match=r"is of version 0\.3\. Write the labels to a \.zarr of"):
        write_labels(tmp_path / "old.zarr" / "labels" / "cells", labels)
    image = MicroscopyImage(labels.astype("u1"), "yx")
    path = write_image(tmp_path / "a.zarr", image)
    with pytest.raises(ValueError, match=r"is a place for labels, and this is an image"):
        write_image(path / "labels" / "cells", image)
    with pytest.raises(RuntimeError, match="network drive"):
        write_labels(path / "labels" / "cells", broken(), axes="zyx")
    assert sorted(p.name for p in path.iterdir()) == ["0", "zarr.json"]


def broken() -> Any:
    def fail(block: np.ndarray) -> np.ndarray:
        raise RuntimeError("the network drive is gone")

    return da.ones((5, 3, 4), dtype=int).map_blocks(fail, dtype=int, meta=np.empty((0, 0, 0), int))


def test_a_failure_leaves_the_old_zarr_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    image = MicroscopyImage(np.ones((3, 4), "u1"), "yx")
    write_image(path, image)
    with pytest.raises(FileExistsError, match=r"a\.ome\.zarr' exists already.*overwriting"):
        write_image(path, image)
    with pytest.raises(RuntimeError, match="network drive"):
        write_image(path, MicroscopyImage(broken(), "zyx"), overwrite=True)
    assert read_image(path).plane().sum() == 12
    write_image(path, MicroscopyImage(np.zeros((3, 4), "u1"), "yx"), overwrite=True)
    assert read_image(path).plane().sum() == 0
    assert [p.name for p in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_only_a_zarr_is_replaced_by_a_zarr(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.zarr"
    precious.mkdir()
    (precious / "thesis.docx").write_text("years of work")
    image = MicroscopyImage(np.ones((3, 4)), "yx")
    with pytest.raises(FileExistsError, match="exists and is no Zarr, so it was left as it is"):
        write_image(precious, image, overwrite=True)
    assert (precious / "thesis.docx").read_text() == "years of work"
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_image(tmp_path / "b" / "c.zarr", image)


class Virtual:
    """A stack that is made when it is looked at."""

    dtype = np.dtype("u2")
    ndim = 3

    def __init__(self, depth: int) -> None:
        self.shape = (depth, 1200, 1100)

    def __getitem__(self, key: Any) -> np.ndarray:
        z, y, x = (np.arange(n, dtype="u2")[k] for n, k in zip(self.shape, key, strict=True))
        return np.asarray(z[..., None, None] + (y[:, None] ^ x))


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.ome.tif"])
def test_memory_does_not_grow_with_the_stack(tmp_path: Path, name: str) -> None:
    peaks = {}
    for depth in (1, 4, 16):  # the first one imports the libraries
        image = MicroscopyImage(Virtual(depth), "zyx")
        tracemalloc.start()
        write_image(tmp_path / name, image, overwrite=True)
        peaks[depth] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    stack = 16 * 1200 * 1100 * 2
    assert peaks[16] < 1.1 * peaks[4] + 2**20 < 0.8 * stack
    back = read_image(tmp_path / name)
    np.testing.assert_array_equal(back.plane(z=15), Virtual(16)[15, :, :])


def test_a_chunk_of_the_source_is_read_once(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 9, (2, 12, 60, 50)).astype("u1")
    for name in ("a.zarr", "a.tif"):
        seen = []

        def spy(block: np.ndarray, seen: list[Any] = seen) -> np.ndarray:
            seen.append(block.shape)
            return block

        lazy = da.from_array(pixels, chunks=(1, 4, 60, 50)).map_blocks(spy, dtype="u1", meta=pixels)
        path = write_image(tmp_path / name, MicroscopyImage(lazy, "czyx"))
        assert seen == [(1, 4, 60, 50)] * 6
        np.testing.assert_array_equal(np.asarray(read_image(path).data), pixels)


def test_sides_and_halves() -> None:
    assert level_sides(1024, 30) == [(1024, 30)]
    assert level_sides(4097, 1025) == [(4097, 1025), (2049, 513), (1025, 257), (513, 129)]
    odd = np.array([[0, 2, 255], [4, 6, 255], [10, 10, 1]], "u1")
    assert halve(odd, nearest=False).tolist() == [[3, 255], [10, 1]]
    assert halve(odd, nearest=True).tolist() == [[0, 255], [10, 1]]
    assert halve(odd > 3, nearest=False).tolist() == [[False, True], [True, False]]
    assert halve(np.full((2, 2), 2**40), nearest=False).tolist() == [[2**40]]
