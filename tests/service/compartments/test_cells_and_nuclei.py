"""Cells and nuclei in one job: two models, one numbering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from threshold_student import write_threshold_student

import napari_ssp as ssp
from napari_ssp.measure import measure_objects
from napari_ssp.progress import run
from napari_ssp.service import PlanRequest, compartments_request
from napari_ssp.service.compartments.assigning import assign_steps
from napari_ssp.service.compartments.choosing import choose_channels
from napari_ssp.service.model_service import SHARED_MODELS
from napari_ssp.service.pipelines import prepare_steps
from napari_ssp.service.planning import plan_steps

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (32, 56)
#: (y0, y1, x0, x1): a cell with one nucleus, with two, without; a nucleus outside.
CELLS = ((2, 18, 2, 16), (2, 18, 20, 36), (2, 18, 42, 54))
NUCLEI = ((5, 11, 5, 11), (3, 9, 22, 28), (11, 17, 28, 35), (22, 30, 8, 16))
VOXEL = (1.0, 0.5, 0.5)


def painted(boxes: Any, value: int = 200) -> Any:
    plane = np.zeros(SHAPE, np.uint8)
    for y0, y1, x0, x1 in boxes:
        plane[y0:y1, x0:x1] = value
    return plane


FIELD = np.stack([painted(NUCLEI), painted(CELLS)])
IMAGE = ssp.MicroscopyImage(FIELD, "cyx", VOXEL, ("Hoechst", "membrane"), name="field")


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_threshold_student(tmp_path_factory.mktemp("models") / "thresholds"))


@pytest.fixture(scope="module")
def found(student: str) -> ssp.Compartments:
    return ssp.segment_compartments(IMAGE, student, student, device="cpu")


def at(labels: Any, box: tuple[int, int, int, int]) -> int:
    return int(labels[(box[0] + box[1]) // 2, (box[2] + box[3]) // 2])


def test_nuclei_and_cytoplasm_have_the_numbers_of_their_cells(found: ssp.Compartments) -> None:
    cells, nuclei, cytoplasm = found.labels.values()
    first, second, third = (int(cells[y0, x0]) for y0, _, x0, _ in CELLS)
    assert 0 not in {first, second, third}
    assert len({first, second, third}) == 3
    assert [at(nuclei, box) for box in NUCLEI] == [first, second, second, 0]
    np.testing.assert_array_equal(cells, nuclei + cytoplasm)
    assert not ((nuclei > 0) & (cytoplasm > 0)).any()
    assert set(np.unique(cytoplasm)) == {0, first, second, third}


def test_what_is_odd_is_counted_and_said(found: ssp.Compartments) -> None:
    tally = found.tally
    assert (tally.cells, tally.without_nucleus, tally.with_several) == (3, 1, 1)
    assert (tally.nuclei, tally.outside) == (4, 1)
    assert found.warnings[-3:] == (
        "1 of 3 cells without a nucleus.",
        "1 of 3 cells with several nuclei.",
        "1 of 4 nuclei left out: the larger part lies outside every cell.",
    )
    assert found.nuclei.num_objects == 3


def test_it_is_what_both_runs_give_and_measure_says(found: ssp.Compartments, student: str) -> None:
    cells = ssp.segment(IMAGE, student, channel=1, device="cpu")
    nuclei = ssp.segment(IMAGE, student, channel=0, device="cpu")
    np.testing.assert_array_equal(found.cells.labels, cells.labels)
    table = measure_objects(cells.image(cells.labels), IMAGE, nuclei=cells.image(nuclei.labels))
    assert list(found.table) == list(table)
    for name, values in table.items():
        np.testing.assert_array_equal(found.table[name], values)
    assert sorted(found.table["num_nuclei"]) == [0, 1, 2]
    assert "nucleus_to_cytoplasm_mean_Hoechst" in found.table


def test_the_provenance_is_of_both_runs(found: ssp.Compartments) -> None:
    record = found.provenance
    assert record["request"]["channel"] == 1
    assert record["nuclei"]["request"]["channel"] == 0
    assert record["nuclei"]["model"]["name"] == "thresholds"
    assert record["compartments"] == {
        "cells": 3,
        "without_nucleus": 1,
        "with_several": 1,
        "nuclei": 4,
        "outside": 1,
        "mostly_nucleus": 0,
    }


def test_cells_that_are_but_nuclei_are_warned_of(student: str) -> None:
    image = np.stack([FIELD[0], FIELD[0]])
    found = ssp.segment_compartments(image, student, student, axes="cyx", device="cpu")
    assert found.tally.mostly_nucleus == found.tally.cells == 4
    assert "their model may have followed the nuclei" in found.warnings[-1]
    assert not found.cytoplasm.any()


def test_a_model_of_two_channels_sees_both(finding_model: Path, student: str) -> None:
    options: dict[str, Any] = {"flow_threshold": 0, "min_size": 4, "device": "cpu"}
    found = ssp.segment_compartments(IMAGE, str(finding_model), student, **options)
    both = ssp.segment(IMAGE, str(finding_model), channel=1, nuclei=0, **options)
    np.testing.assert_array_equal(found.cells.labels, both.labels)
    alone = compartments_request(IMAGE, str(finding_model), student, cells_alone=True, **options)
    assert (alone.cells.channel, alone.cells.nuclei, alone.nuclei.channel) == (1, None, 0)


def test_stacks_and_movies_are_assigned_plane_by_plane_and_frame_by_frame(student: str) -> None:
    # In the second frame cells and nuclei have changed places: nothing overlaps.
    frames = np.stack([FIELD, FIELD[:, ::-1, ::-1]])
    for axes in ("zcyx", "tcyx"):
        image = ssp.MicroscopyImage(frames, axes, VOXEL, ("Hoechst", "membrane"))
        found = ssp.segment_compartments(image, student, student, device="cpu")
        cells, nuclei, cytoplasm = found.labels.values()
        np.testing.assert_array_equal(cells, nuclei + cytoplasm)
        for frame in (0, 1):
            turned = slice(None, None, -1 if frame else 1)
            inside = nuclei[frame][turned, turned] > 0
            np.testing.assert_array_equal(inside, painted(NUCLEI[:3]) > 0)
        assert found.table[axes[0]].tolist() == [0, 0, 0, 1, 1, 1]
        assert (found.tally.cells, found.tally.nuclei, found.tally.outside) == (6, 8, 2)


def test_linked_planes_are_assigned_as_a_whole(student: str) -> None:
    image = ssp.MicroscopyImage(np.stack([FIELD, FIELD]), "zcyx", VOXEL, ("Hoechst", "membrane"))
    found = ssp.segment_compartments(image, student, student, stacks="linked", device="cpu")
    np.testing.assert_array_equal(found.nuclei.labels[0], found.nuclei.labels[1])
    np.testing.assert_array_equal(found.nuclei.labels > 0, [painted(NUCLEI[:3]) > 0] * 2)
    assert (found.tally.cells, found.tally.nuclei, found.tally.outside) == (3, 4, 1)
    sizes = [2 * sum((b - a) * (d - c) for a, b, c, d in part) / 4 for part in PARTS]
    assert sorted(found.table["nucleus_volume_um3"]) == sorted(sizes)


#: The nuclei of each cell.
PARTS = (NUCLEI[:1], NUCLEI[1:3], ())


def test_a_nucleus_on_the_edge_of_two_boxes_is_counted_as_a_whole() -> None:
    cells, nuclei = np.zeros((2, 2, 1100, 3), np.uint32)
    cells[:, 1000:1024], cells[:, 1024:1060] = 1, 2
    nuclei[0, 1010:1050], nuclei[1, 1010:1030] = 5, 5  # in the second frame more lies in cell 1
    found = run(assign_steps(cells, nuclei, 2))
    assert (found.found, found.outside) == (2, 0)
    expected = np.zeros_like(cells)
    expected[0, 1024:1050], expected[1, 1010:1024] = 2, 1
    np.testing.assert_array_equal(found.nuclei, expected)
    np.testing.assert_array_equal(found.cytoplasm, np.where(expected, 0, cells))
    stack = run(assign_steps(cells, nuclei, 1))  # as one object it lies in cell 2
    expected[1] = 0
    expected[1, 1024:1030] = 2
    np.testing.assert_array_equal(stack.nuclei, expected)


def test_a_region_keeps_its_place(student: str) -> None:
    found = ssp.segment_compartments(IMAGE, student, student, region=(0, 32, 18, 56), device="cpu")
    assert found.cells.origin == found.nuclei.origin == (0, 0, 0, 18)
    assert sorted(found.table["num_nuclei"]) == [0, 2]
    assert found.table["centroid_x_px"].min() > 18


def test_one_job_with_one_progress_and_one_plan(
    student: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = compartments_request(IMAGE, student, student, device="cpu")
    plan: Any = run(plan_steps(PlanRequest(request)))
    monkeypatch.setattr("napari_ssp.service.segmentation.plan.open_image", None)  # planned once
    stages = [step.stage for step in prepare_steps(request, SHARED_MODELS, plan)()]
    assert plan.summary.startswith("Cells by thresholds: 2D channel 2")
    assert {stage.split(":")[0] for stage in stages} >= {"cells", "nuclei", "measuring objects"}
    assert stages.index("assigning nuclei to cells") > max(
        k for k, stage in enumerate(stages) if stage.startswith("nuclei: ")
    )


def test_channels_are_chosen_by_their_names() -> None:
    def chosen(*names: str, **given: int) -> tuple[int, int]:
        pixels = np.zeros((len(names), 4, 4), np.uint8)
        named = names if any(names) else ()
        return choose_channels(ssp.MicroscopyImage(pixels, "cyx", None, named), **given)

    assert chosen("", "") == (0, 1)
    assert chosen("DAPI", "GFP") == (1, 0)
    assert chosen("DAPI", "GFP", "WGA-Alexa") == (2, 0)
    assert chosen("GFP", "mCherry", "Hoechst 33342") == (0, 2)
    assert chosen("a", "b", "c", cells=1) == (1, 0)
    assert chosen("a", "b", "c", nuclei=0) == (1, 0)
    assert chosen("Nucleus", "Cytoplasm", "Membrane", cells=2) == (2, 0)
    with pytest.raises(ValueError, match="'image' has a single channel"):
        chosen("DAPI")


def test_what_does_not_lie_on_each_other_is_refused(student: str) -> None:
    def request(**changes: Any) -> ssp.SegmentRequest:
        return ssp.SegmentRequest(IMAGE, student, **changes)

    with pytest.raises(ValueError, match="'region' is None for the cells and"):
        ssp.CompartmentsRequest(request(channel=1), request(channel=0, region=(0, 9, 0, 9)))
    first, other = (ssp.SegmentRequest(pixels, student) for pixels in (FIELD, FIELD.copy()))
    with pytest.raises(ValueError, match="but two were given"):
        ssp.CompartmentsRequest(first, other)
    listed = compartments_request(FIELD.tolist(), student, student, channel=1, nuclei=0)
    np.testing.assert_array_equal(listed.image, FIELD)
    with pytest.raises(ValueError, match="predict the structure first"):
        ssp.CompartmentsRequest(request(), request(through="dna"))
    with pytest.raises(TypeError, match=r"Nuclei have no stacks of their own, only model, dia"):
        compartments_request(IMAGE, student, student, nuclei_stacks="linked")
