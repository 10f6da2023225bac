"""Files of tracks, read back: the folder of the Cell Tracking Challenge, GEFF and CSV."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from movies import dividing, movie
from tifffile import imread

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_label_image, write_image
from napari_ssp.io.objects.tables import read_rows
from napari_ssp.progress import run
from napari_ssp.service.tracking.requests import SaveTracksRequest, TrackRequest, Tracks
from napari_ssp.service.tracking.saving import save_steps
from napari_ssp.service.tracking.steps import track_steps

if TYPE_CHECKING:
    from pathlib import Path


def track(labels: MicroscopyImage, **choices: Any) -> Tracks:
    return run(track_steps(TrackRequest(labels, **choices)))


def save(path: Path, tracks: Tracks, overwrite: bool = False) -> Path:
    return run(save_steps(SaveTracksRequest(path, tracks, overwrite)))


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return track(dividing())


def test_a_folder_of_the_challenge(tracks: Tracks, tmp_path: Path) -> None:
    folder = save(tmp_path / "01_RES", tracks)
    masks = [f"mask{k:03}.tif" for k in range(4)]
    assert sorted(path.name for path in folder.iterdir()) == [*masks, "res_track.txt"]
    lines = (folder / "res_track.txt").read_bytes()
    assert lines == b"1 0 3 0\n2 0 1 0\n3 2 3 2\n4 2 3 2\n5 2 2 0\n"
    read = [imread(folder / name) for name in masks]
    assert {mask.dtype for mask in read} == {np.dtype(np.uint16)}
    np.testing.assert_array_equal(read, tracks.labels.data)


def test_frames_of_a_folder_begin_with_0_also_in_a_part_of_a_movie(tmp_path: Path) -> None:
    part = replace(dividing(), origin=(5, 0, 0, 0), full_axes="tyx")
    folder = save(tmp_path / "01_RES", track(part))
    assert (folder / "res_track.txt").read_text().splitlines()[2] == "3 2 3 2"
    assert (folder / "mask000.tif").exists()


def test_what_comes_after_a_gap_is_a_track_of_its_own_in_a_folder(tmp_path: Path) -> None:
    gap = movie([(1, 2, 5, 2, 5), (2, 9, 12, 9, 12)], [(2, 9, 12, 9, 12)], [(1, 2, 5, 2, 5)])
    folder = save(tmp_path / "02_RES", track(gap, linking="numbers"))
    assert (folder / "res_track.txt").read_text() == "1 0 0 0\n2 0 1 0\n3 2 2 1\n"
    assert imread(folder / "mask002.tif")[3, 3] == 3


def test_volumes_and_a_folder_without_objects(tmp_path: Path) -> None:
    volume = np.zeros((2, 3, 8, 9), np.uint8)
    stacks = save(tmp_path / "03_RES", track(MicroscopyImage(volume + 4, "tzyx")))
    np.testing.assert_array_equal(imread(stacks / "mask001.tif"), np.ones((3, 8, 9)))
    empty = save(tmp_path / "04_RES", track(MicroscopyImage(volume, "tzyx")))
    assert (empty / "res_track.txt").read_bytes() == b""
    assert imread(empty / "mask001.tif").shape == (3, 8, 9)


def test_more_tracks_than_a_mask_holds_are_refused(tmp_path: Path) -> None:
    many = np.arange(1, 2 * 33_000 + 1, dtype=np.uint32).reshape(2, 150, 220)
    found = track(MicroscopyImage(many, "tyx"), linking="numbers")
    with pytest.raises(ValueError, match=r"66000 tracks, but masks .* 65535 at most"):
        save(tmp_path / "05_RES", found)
    assert list(tmp_path.iterdir()) == []


def test_only_a_folder_of_tracks_is_replaced(tracks: Tracks, tmp_path: Path) -> None:
    folder = save(tmp_path / "01_RES", tracks)
    with pytest.raises(FileExistsError, match="exists already"):
        save(folder, tracks)
    (folder / "mask009.tif").write_bytes(b"of a longer movie")
    save(folder, tracks, overwrite=True)
    assert not (folder / "mask009.tif").exists()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="no folder of tracks and nothing else"):
        save(folder, tracks, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_graph_is_read_back(tracks: Tracks, tmp_path: Path) -> None:
    geff = pytest.importorskip("geff")
    path = save(tmp_path / "tracks.geff", tracks)
    geff.validate_structure(path)
    graph, metadata = geff.read(path)
    assert metadata.directed
    assert [(axis.name, axis.type, axis.unit) for axis in metadata.axes] == [
        ("t", "time", None),
        ("y", "space", "micrometer"),
        ("x", "space", "micrometer"),
    ]
    assert metadata.track_node_props == {"tracklet": "track"}
    edges = {(0, 1), (1, 2), (2, 3), (4, 5), (6, 7), (8, 9), (5, 6), (5, 8)}
    assert set(graph.edges) == edges
    assert graph.nodes[6] == {
        "t": 2,
        "y": 24.5 * 0.5,
        "x": 24.5 * 0.25,
        "track": 3,
        "parent": 2,
        "label": 5,
        "area_um2": 12.5,
    }
    with pytest.raises(FileExistsError, match="exists already"):
        save(path, tracks)
    save(path, track(movie([], []), linking="numbers"), overwrite=True)
    assert len(geff.read(path)[0]) == 0


def test_a_table_is_read_back(tracks: Tracks, tmp_path: Path) -> None:
    rows = [row for _, row in read_rows(save(tmp_path / "tracks.csv", tracks))]
    assert len(rows) == 11
    assert rows[6] == {
        **{"track": "3", "parent": "2", "t": "2", "label": "5", "area_um2": "12.5"},
        **{"centroid_y_um": "12.25", "centroid_x_um": "6.125"},
        **{"centroid_y_px": "24.5", "centroid_x_px": "24.5"},
    }


def test_labels_with_the_numbers_of_tracks(tracks: Tracks, tmp_path: Path) -> None:
    read = read_label_image(save(tmp_path / "tracked.ome.tif", tracks))
    assert (read.axes, read.voxel_size) == ("tyx", (1.0, 0.5, 0.25))
    np.testing.assert_array_equal(np.asarray(read.data), tracks.labels.data)


def test_labels_beside_their_movie_in_an_ome_zarr(tracks: Tracks, tmp_path: Path) -> None:
    movie_path = write_image(tmp_path / "movie.ome.zarr", dividing())
    save(movie_path / "labels" / "tracked", tracks)
    read = read_label_image(movie_path)
    np.testing.assert_array_equal(np.asarray(read.data), tracks.labels.data)


def test_labels_that_were_edited_since_are_not_written(tmp_path: Path) -> None:
    tracks = track(dividing())
    tracks.labels.data[0, 0, 0] = 77
    for name in ("01_RES", "tracks.csv", "tracked.ome.tif"):
        with pytest.raises(ValueError, match="changed after they were tracked"):
            save(tmp_path / name, tracks)


def test_another_ending_is_refused(tracks: Tracks, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends with '.xlsx'.*\.geff"):
        save(tmp_path / "tracks.xlsx", tracks)
