from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image
from napari_ssp.io.mapped import Stacked, forget_pages


def _map(path: Path, mode: str) -> np.ndarray:
    np.arange(3 * 4 * 5, dtype=np.float32).tofile(path)
    return np.memmap(path, np.float32, mode, shape=(3, 4, 5))


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_forgotten_pages_are_read_again_and_edits_stay(tmp_path: Path, mode: str) -> None:
    array = _map(tmp_path / "a.raw", mode)
    expected = np.array(array)
    if mode != "r":
        array[1, 2, 3] = expected[1, 2, 3] = 77
    forget_pages(array[1:])
    np.testing.assert_array_equal(array, expected)


def test_what_is_no_map_is_left_alone() -> None:
    array = np.arange(4)
    forget_pages(array)
    forget_pages(list(array))
    np.testing.assert_array_equal(array, np.arange(4))


@pytest.mark.parametrize("ending", ["tif", "zarr"])
def test_stacked_maps_are_written_as_channels(tmp_path: Path, ending: str) -> None:
    arrays = [_map(tmp_path / f"{name}.raw", "r") for name in "ab"]
    stacked = Stacked(arrays)
    assert (stacked.shape, stacked.dtype, stacked.chunks) == (
        (2, 3, 4, 5),
        np.float32,
        (1, 1, 4, 5),
    )
    np.testing.assert_array_equal(stacked[1, 1:3, 2], arrays[1][1:3, 2])
    path = tmp_path / f"out.ome.{ending}"
    write_image(path, MicroscopyImage(stacked, "czyx", channel_names=("a", "b")))
    np.testing.assert_array_equal(np.asarray(read_image(path).data), np.stack(arrays))


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="asks Linux")
def test_a_map_that_was_written_to_a_file_is_not_resident(tmp_path: Path) -> None:
    path = tmp_path / "large.raw"
    np.zeros((256, 256, 256), np.float32).tofile(path)  # many times a huge page
    array = np.memmap(path, np.float32, "r", shape=(256, 256, 256))
    write_image(tmp_path / "out.ome.tif", MicroscopyImage(array, "zyx"))
    lines = Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines()
    start = next(k for k, line in enumerate(lines) if line.endswith(str(path)))
    resident = next(line for line in lines[start:] if line.startswith("Rss:"))
    assert int(resident.split()[1]) < array.nbytes / 1024 / 10
