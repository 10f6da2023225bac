"""Nuclei in their cells: who belongs to whom, what is left of the cells, and their ratios."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from napari_ssp.image import MicroscopyImage
from napari_ssp.labels import PairCounts
from napari_ssp.measure import measure_objects
from napari_ssp.measure.compartments import clip_nuclei, find_owners, without_nuclei

SHAPE = (20, 40)


def plane(*boxes: tuple[int, int, int, int, int]) -> Any:
    """Labels with a box (id, y0, y1, x0, x1) each."""
    labels = np.zeros(SHAPE, np.uint32)
    for number, y0, y1, x0, x1 in boxes:
        labels[y0:y1, x0:x1] = number
    return labels


#: A cell with one nucleus, one with two, one without, and a nucleus outside.
CELLS = plane((3, 2, 12, 0, 10), (7, 2, 12, 12, 22), (9, 2, 12, 24, 34))
NUCLEI = plane(
    (1, 4, 8, 8, 13),  # two columns in cell 3, one in cell 7, two outside
    (2, 3, 6, 14, 17),
    (5, 8, 11, 14, 17),
    (6, 11, 18, 26, 29),  # one row in cell 9, six outside
)


def owners(cells: Any, nuclei: Any) -> Any:
    pairs = PairCounts()
    for half in (slice(0, 5), slice(5, None)):  # piece by piece
        pairs.add(nuclei[half], cells[half])
    return find_owners(pairs)


def test_a_nucleus_belongs_to_the_cell_that_holds_most_of_it() -> None:
    found = owners(CELLS, NUCLEI)
    assert found.tolist() == [0, 3, 7, 0, 0, 7, 0]
    nuclei = clip_nuclei(CELLS, NUCLEI, found)
    expected = plane((3, 4, 8, 8, 10), (7, 3, 6, 14, 17), (7, 8, 11, 14, 17))
    np.testing.assert_array_equal(nuclei, expected)
    cytoplasm = without_nuclei(CELLS, nuclei)
    np.testing.assert_array_equal(cytoplasm, np.where(expected, 0, CELLS))
    assert cytoplasm[5, 12] == 7  # what another cell's nucleus covers of a cell stays its cytoplasm


def test_of_two_halves_the_lower_id_counts_and_half_outside_is_not_most() -> None:
    cells = plane((4, 0, 4, 0, 2), (8, 0, 4, 2, 4), (5, 10, 14, 0, 2))
    found = owners(cells, plane((1, 0, 4, 0, 4), (2, 10, 14, 0, 4)))
    assert found.tolist() == [0, 4, 5]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    arrays(np.uint32, (2, 4, 5), elements=st.integers(0, 4)),
    arrays(np.uint32, (2, 4, 5), elements=st.integers(0, 5)),
)
def test_nuclei_and_cytoplasm_are_disjoint_and_together_the_cells(cells: Any, nuclei: Any) -> None:
    clipped = clip_nuclei(cells, nuclei, owners(cells, nuclei))
    cytoplasm = without_nuclei(cells, clipped)
    assert not ((clipped > 0) & (cytoplasm > 0)).any()
    np.testing.assert_array_equal(clipped + cytoplasm, cells)
    assert not clipped[nuclei == 0].any()
    again = clip_nuclei(cells, clipped, owners(cells, clipped))
    np.testing.assert_array_equal(again, clipped)  # nuclei that are assigned stay where they are
    for number in set(np.unique(nuclei)) - {0}:
        held = np.bincount(cells[nuclei == number])
        kept = np.unique(clipped[nuclei == number])
        if 2 * held[0] > held.sum():
            assert not kept.any()
        else:
            assert kept.max() == 1 + held[1:].argmax()


def test_the_ratios_are_those_of_areas_and_means() -> None:
    grey = np.full(SHAPE, 10, np.uint16)
    grey[CELLS > 0] = 20
    grey[4:8, 8:10], grey[3:6, 14:17], grey[8:11, 14:17] = 60, 50, 70
    image = MicroscopyImage(grey, "yx", (1, 0.5, 0.5), ("DNA",))
    table = measure_objects(as_image(CELLS), image, nuclei=as_image(NUCLEI))
    assert table["label"].tolist() == [3, 7, 9]
    assert table["num_nuclei"].tolist() == [1, 2, 0]
    assert table["nucleus_area_um2"].tolist() == [8 / 4, 18 / 4, 0]
    assert table["cytoplasm_area_um2"].tolist() == [92 / 4, 82 / 4, 100 / 4]
    same(table["nucleus_to_cytoplasm_area"], [8 / 92, 18 / 82, np.nan])
    same(table["nucleus_mean_DNA"], [60, 60, np.nan])
    same(table["cytoplasm_mean_DNA"], [20, 20, 20])
    same(table["nucleus_to_cytoplasm_mean_DNA"], [3, 3, np.nan])
    plain = measure_objects(as_image(CELLS), image)
    for name, values in plain.items():  # all else is as without nuclei
        np.testing.assert_array_equal(table[name], values)


def test_nuclei_that_were_assigned_are_counted_by_their_parts() -> None:
    nuclei = clip_nuclei(CELLS, NUCLEI, owners(CELLS, NUCLEI))
    table = measure_objects(as_image(CELLS), nuclei=as_image(nuclei))
    assert table["num_nuclei"].tolist() == [1, 2, 0]
    assert table["nucleus_area_px2"].tolist() == [8, 18, 0]


def test_a_cell_that_is_all_nucleus_has_no_ratio() -> None:
    table = measure_objects(as_image(CELLS), as_image(CELLS), nuclei=as_image(CELLS))
    assert table["cytoplasm_area_px2"].tolist() == [0, 0, 0]
    for name in ("cytoplasm_mean_intensity", "nucleus_to_cytoplasm_area"):
        assert np.isnan(table[name]).all()


def test_a_stack_goes_by_volumes_a_movie_by_frames() -> None:
    cells = np.stack([CELLS, CELLS])
    # In the second plane nucleus 1 lies in cell 7, and larger: as a volume it is of that cell.
    nuclei = np.stack([NUCLEI, plane((1, 4, 8, 14, 20))])
    stack = measure_objects(as_image(cells, "zyx"), nuclei=as_image(nuclei, "zyx"))
    assert stack["num_nuclei"].tolist() == [0, 3, 0]
    assert stack["nucleus_volume_px3"].tolist() == [0, 18 + 4 + 24, 0]
    movie = measure_objects(as_image(cells, "tyx"), nuclei=as_image(nuclei, "tyx"))
    assert movie["t"].tolist() == [0, 0, 0, 1, 1, 1]
    assert movie["num_nuclei"].tolist() == [1, 2, 0, 0, 1, 0]
    assert movie["nucleus_area_px2"].tolist() == [8, 18, 0, 0, 24, 0]


def test_cells_are_measured_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = measure_objects(as_image(CELLS), as_image(CELLS), nuclei=as_image(NUCLEI))
    monkeypatch.setattr("napari_ssp.measure.objects._OBJECTS_AT_ONCE", 2)
    parts = measure_objects(as_image(CELLS), as_image(CELLS), nuclei=as_image(NUCLEI))
    for name, values in whole.items():
        np.testing.assert_array_equal(parts[name], values)


def test_nuclei_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(20, 40\)"):
        measure_objects(as_image(CELLS), nuclei=as_image(NUCLEI[:10]))


def as_image(labels: Any, axes: str = "yx") -> MicroscopyImage:
    return MicroscopyImage(labels, axes)


def same(found: Any, expected: list[float]) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-12)
