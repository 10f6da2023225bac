"""Objects followed over time, in movies whose tracks are known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from movies import dividing, movie

from napari_ssp.image import MicroscopyImage
from napari_ssp.progress import run
from napari_ssp.service.measuring import digest_labels
from napari_ssp.service.tracking.requests import TrackRequest, Tracks
from napari_ssp.service.tracking.steps import track_steps

if TYPE_CHECKING:
    from napari_ssp.measure import Table

LINKINGS = ["overlap", "laptrack"]


def track(labels: MicroscopyImage, **choices: Any) -> Tracks:
    return run(track_steps(TrackRequest(labels, **choices)))


def row(table: Table, number: int) -> dict[str, Any]:
    return {name: column[number].item() for name, column in table.items()}


@pytest.mark.parametrize("linking", LINKINGS)
def test_a_move_a_division_and_a_guest(linking: str) -> None:
    found = track(dividing(), linking=linking, max_distance=4)
    labels = found.labels.data
    assert labels.dtype == np.uint32
    assert [labels[k, 6, 9] for k in range(4)] == [1, 1, 1, 1]
    assert [labels[k, 25, 25] for k in range(4)] == [2, 2, 3, 3]
    assert [labels[k, 25, 38] for k in range(4)] == [2, 2, 4, 4]
    assert labels[2, 4, 52] == 5
    assert found.num_tracks == 5
    assert found.parents == {3: 2, 4: 2}
    assert found.table["track"].tolist() == [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert found.table["t"].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 2, 3, 2]
    assert found.table["label"].tolist() == [1, 9, 4, 2, 2, 7, 5, 3, 6, 1, 8]


def test_a_row_has_size_and_place_with_units() -> None:
    assert row(track(dividing()).table, 6) == {
        "track": 3,
        "parent": 2,
        "t": 2,
        "label": 5,
        "area_um2": 100 * 0.5 * 0.25,
        "centroid_y_um": 24.5 * 0.5,
        "centroid_x_um": 24.5 * 0.25,
        "centroid_y_px": 24.5,
        "centroid_x_px": 24.5,
    }


def test_labels_keep_their_place_and_the_table_is_of_the_full_image() -> None:
    part = replace(dividing(), origin=(5, 0, 100, 200), full_axes="tyx", position=(0, 3.0, 4.0))
    found = track(part)
    assert (found.labels.origin, found.labels.position) == (part.origin, part.position)
    assert found.labels.voxel_size == part.voxel_size
    first = row(found.table, 0)
    assert (first["t"], first["centroid_y_px"], first["centroid_x_px"]) == (5, 104.5, 206.5)
    assert first["centroid_x_um"] == 206.5 * 0.25
    assert found.digest == digest_labels(found.labels)


@pytest.mark.parametrize("linking", LINKINGS)
def test_without_divisions_one_daughter_goes_on(linking: str) -> None:
    found = track(dividing(), linking=linking, max_distance=4, divisions=False)
    assert found.parents == {}
    lengths = np.bincount(found.table["track"])[1:]
    assert sorted(lengths.tolist()) == [1, 2, 4, 4]


def test_a_speck_on_a_cell_is_no_daughter() -> None:
    cells = movie([(1, 5, 25, 5, 35)], [(1, 5, 25, 5, 33), (2, 5, 9, 33, 35)])
    found = track(cells)
    assert found.parents == {}
    assert found.table["track"].tolist() == [1, 1, 2]


def test_two_small_objects_on_a_large_one_are_no_division() -> None:
    cells = movie([(1, 0, 40, 0, 60)], [(1, 5, 10, 5, 10), (2, 20, 25, 20, 25)])
    assert track(cells).parents == {}
    assert track(cells, link_overlap=0.01).parents == {2: 1, 3: 1}


GAP = movie(
    [(1, 10, 16, 10, 16), (2, 30, 36, 30, 36)],
    [(1, 30, 36, 31, 37)],
    [(1, 10, 16, 12, 18), (2, 30, 36, 32, 38)],
)


def test_a_gap_is_closed_where_it_is_allowed() -> None:
    closed = track(GAP, linking="laptrack", max_gap=1, max_distance=5)
    assert closed.table["track"].tolist() == [1, 1, 2, 2, 2]
    assert closed.table["t"].tolist() == [0, 2, 0, 1, 2]
    assert track(GAP, linking="laptrack", max_gap=0, max_distance=5).num_tracks == 3
    assert track(GAP).num_tracks == 3


def test_the_greatest_distance_is_in_micrometres_and_along_all_axes() -> None:
    volume = np.zeros((2, 6, 10, 10), np.uint8)
    volume[0, 0, 4:6, 4:6], volume[1, 3, 4:6, 4:6] = 1, 1
    stacks = MicroscopyImage(volume, "tzyx", (2.0, 0.5, 0.5))
    assert track(stacks, linking="laptrack", max_distance=6.1).num_tracks == 1
    assert track(stacks, linking="laptrack", max_distance=5.9).num_tracks == 2
    pixels = replace(stacks, voxel_size=None)
    assert track(pixels, linking="laptrack", max_distance=3.1).num_tracks == 1


def test_objects_that_do_not_overlap_are_linked_by_distance() -> None:
    cells = movie([(1, 5, 8, 5, 8), (2, 20, 23, 40, 43)], [(1, 20, 23, 46, 49), (2, 5, 8, 11, 14)])
    assert track(cells).num_tracks == 4
    found = track(cells, linking="laptrack", max_distance=8)
    assert found.labels.data[1, 6, 12] == 1
    assert found.labels.data[1, 21, 47] == 2


def test_the_same_numbers_are_the_same_objects_also_over_a_gap() -> None:
    found = track(GAP, linking="numbers")
    assert found.table["label"].tolist() == [1, 1, 1, 2, 2]
    assert found.table["track"].tolist() == [1, 1, 1, 2, 2]
    assert found.table["t"].tolist() == [0, 1, 2, 0, 2]


@pytest.mark.parametrize("linking", [*LINKINGS, "numbers"])
def test_frames_without_objects(linking: str) -> None:
    empty = track(movie([], [], []), linking=linking)
    assert empty.num_tracks == 0
    assert empty.parents == {}
    assert all(len(column) == 0 for column in empty.table.values())
    late = track(movie([], [(3, 2, 5, 2, 5)], []), linking=linking)
    assert late.table["track"].tolist() == [1]


def test_volumes_and_another_order_of_axes() -> None:
    volume = np.zeros((2, 3, 20, 20), np.int32)
    volume[0, :2, 2:8, 2:8], volume[1, :, 3:9, 2:8] = 70_000, 5
    stacks = MicroscopyImage(np.moveaxis(volume, 0, 1), "ztyx", (2.0, 1.0, 1.0))
    found = track(stacks)
    assert found.labels.axes == "tzyx"
    np.testing.assert_array_equal(found.labels.data, (volume > 0).astype(np.uint32))
    assert found.table["volume_um3"].tolist() == [144, 216]
    assert found.table["centroid_z_um"].tolist() == [1.0, 2.0]


def test_a_single_z_plane_stays_an_axis() -> None:
    cells = dividing()
    found = track(MicroscopyImage(cells.data[:, None], "tzyx", cells.voxel_size))
    assert found.labels.shape == (4, 1, 40, 60)
    assert found.num_tracks == 5


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (MicroscopyImage(np.zeros((3, 9, 9), int), "zyx"), "has no time points"),
        (MicroscopyImage(np.zeros((1, 9, 9), int), "tyx"), "has no time points"),
        (MicroscopyImage(np.zeros((3, 2, 9, 9), int), "tcyx"), "2 channels"),
        (MicroscopyImage(np.zeros((3, 9, 9), bool), "tyx"), "mask"),
    ],
)
def test_what_cannot_be_followed_is_refused(labels: MicroscopyImage, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        track(labels)


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap, laptrack, numbers"):
        TrackRequest(dividing(), linking="guess")
    with pytest.raises(ValueError, match=r"Greatest gap \(frames\) must be between 0 and 100"):
        TrackRequest(dividing(), max_gap=-1)


_MOVIES = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(2, 4), st.integers(1, 6), st.integers(1, 6)),
    elements=st.integers(0, 3),
)


@settings(max_examples=40, deadline=None)
@given(labels=_MOVIES, linking=st.sampled_from(("overlap", "numbers")), divisions=st.booleans())
def test_every_object_is_in_one_track(labels: Any, linking: str, divisions: bool) -> None:
    found = track(MicroscopyImage(labels, "tyx"), linking=linking, divisions=divisions)
    data, table = found.labels.data, found.table
    for before, after, frame in zip(labels, data, range(len(labels)), strict=True):
        pairs = set(zip(before.ravel().tolist(), after.ravel().tolist(), strict=True)) - {(0, 0)}
        rows = table["t"] == frame
        known = zip(table["label"][rows].tolist(), table["track"][rows].tolist(), strict=True)
        assert sorted(pairs) == sorted(known)
        assert len({old for old, _ in pairs}) == len({new for _, new in pairs}) == len(pairs)
    assert sorted(set(table["track"].tolist())) == list(range(1, found.num_tracks + 1))
    daughters = list(found.parents.values())
    assert all(daughters.count(mother) == 2 for mother in daughters)
    for daughter, mother in found.parents.items():
        last = table["t"][table["track"] == mother].max()
        assert table["t"][table["track"] == daughter].min() == last + 1
