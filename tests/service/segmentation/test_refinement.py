"""Thresholds changed after a run give what a run with them gives."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import napari_ssp as ssp
from napari_ssp.io.samples import sample_image
from napari_ssp.progress import run
from napari_ssp.service import Display, Patch, Refinement, Segmentation, Thresholds
from napari_ssp.service.segmentation import refinement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.progress import Progress

pytestmark = pytest.mark.usefixtures("windows_seen_once")

CHANGES: list[dict[str, Any]] = [
    {"cell_threshold": 0.3},
    {"cell_threshold": 0.8},
    {"flow_threshold": 0.05},
    {"flow_threshold": 0.0},
    {"min_size": 120},
    {"cell_threshold": 0.6, "flow_threshold": 0.2, "min_size": 60},
    {"cell_threshold": 0.7, "min_size": 30, "hole_size": 3},
]


@pytest.fixture(scope="module")
def nuclei() -> NDArray[np.uint8]:
    return np.ascontiguousarray(sample_image("fluorescent_nuclei").plane()[:160, :200])


@pytest.fixture(scope="module")
def whole(nuclei: NDArray[np.uint8]) -> Segmentation:
    return ssp.segment(nuclei)


def _settled(found: Refinement, chosen: Thresholds, display: Display | None = None) -> Segmentation:
    return run(found.steps(chosen, display))


def _patches(found: Refinement, chosen: Thresholds, display: Display) -> list[Patch]:
    shown: list[Progress] = list(found.steps(chosen, display))
    return [step.preview for step in shown if step.preview is not None]


def test_any_thresholds_give_the_labels_of_a_fresh_run(
    nuclei: NDArray[np.uint8], whole: Segmentation
) -> None:
    found = Refinement(whole)
    counts = set()
    for change in CHANGES:
        fresh = ssp.segment(nuclei, **change)
        sizes = {"hole_size": change.get("min_size", 16)}
        refined = _settled(found, Thresholds(**{**sizes, **change}))
        np.testing.assert_array_equal(refined.labels, fresh.labels)
        assert refined.num_objects == fresh.num_objects
        counts.add(fresh.num_objects)
    assert len(counts) > 2, "the thresholds made no difference"


def test_holes_are_filled_as_asked_for(nuclei: NDArray[np.uint8], whole: Segmentation) -> None:
    high = float(np.quantile(whole.cell_probability[whole.labels > 0], 0.6))
    options = {"cell_threshold": high, "flow_threshold": 0.0, "min_size": 4}
    open_holes = ssp.segment(nuclei, **options, hole_size=0)
    filled = ssp.segment(nuclei, **options, hole_size=400)
    assert Refinement(open_holes).thresholds.hole_size == 0
    assert Refinement(filled).thresholds.hole_size == 400
    assert (filled.labels > 0).sum() > (open_holes.labels > 0).sum()


def test_the_thresholds_of_the_run_give_its_labels_and_its_record(whole: Segmentation) -> None:
    found = Refinement(whole)
    assert found.thresholds == Thresholds(0.5, 0.4, 16, 16)
    again = _settled(found, found.thresholds)
    np.testing.assert_array_equal(again.labels, whole.labels)
    assert again.provenance == whole.provenance


def test_thresholds_as_used_are_in_the_record(whole: Segmentation) -> None:
    before = json.dumps(whole.provenance)
    refined = _settled(Refinement(whole), Thresholds(0.7, 0.3, 20, 5))
    record = refined.provenance
    assert [record["request"][k] for k in ("cell_threshold", "flow_threshold", "min_size")] == [
        0.7,
        0.3,
        20,
    ]
    assert record["refined"]["hole_size"] == 5
    assert record["refined"]["run_with"]["cell_threshold"] == 0.5
    assert record["model"] == whole.provenance["model"]
    json.dumps(record)
    assert json.dumps(whole.provenance) == before


def test_holes_are_filled_apart_from_the_minimum_size(whole: Segmentation) -> None:
    probability = whole.cell_probability.copy()
    y, x = np.argwhere(whole.labels > 0)[len(np.argwhere(whole.labels > 0)) // 2]
    probability[y - 1 : y + 2, x - 1 : x + 2] = 0
    pierced = Refinement(replace(whole, cell_probability=probability))
    assert _settled(pierced, Thresholds(hole_size=0)).labels[y, x] == 0
    assert _settled(pierced, Thresholds(hole_size=16)).labels[y, x] > 0


def test_a_stack_is_refined_plane_by_plane_with_numbers_of_its_own(
    nuclei: NDArray[np.uint8],
) -> None:
    stack = np.stack([nuclei, np.zeros_like(nuclei), nuclei[::-1]])
    first = ssp.segment(stack, axes="tyx")
    fresh = ssp.segment(stack, axes="tyx", cell_threshold=0.7)
    found = Refinement(first)
    refined = _settled(found, Thresholds(0.7))
    np.testing.assert_array_equal(refined.labels, fresh.labels)
    (patch,) = _patches(found, Thresholds(0.7), Display(2, (0, 10, 0, 10)))
    shown = np.zeros_like(fresh.labels)
    shown[patch.place] = patch.labels
    np.testing.assert_array_equal(
        shown > 0, (fresh.labels > 0) & (np.arange(3) == 2)[:, None, None]
    )


def test_what_is_visible_comes_first_in_a_large_plane(
    nuclei: NDArray[np.uint8], whole: Segmentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refinement, "LIVE_PIXELS", 1000)
    chosen = Thresholds(0.7)
    found = Refinement(whole)
    expected = _settled(found, chosen).labels
    (patch,) = _patches(found, chosen, Display(0, (20, 100, 40, 120)))
    assert patch.labels.shape == (80, 80)
    np.testing.assert_array_equal(patch.labels > 0, expected[patch.place] > 0)
    assert patch.labels.any()
    assert not _patches(found, chosen, Display(0, (0, 160, 0, 200))), "no quicker than all"


def test_blocks_give_the_labels_of_a_fresh_run_in_blocks(nuclei: NDArray[np.uint8]) -> None:
    first = ssp.segment(nuclei, tile=96)
    fresh = ssp.segment(nuclei, tile=96, cell_threshold=0.7)
    np.testing.assert_array_equal(_settled(Refinement(first), Thresholds(0.7)).labels, fresh.labels)


def test_little_room_changes_nothing(whole: Segmentation, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = _settled(Refinement(whole), Thresholds(0.7)).labels
    monkeypatch.setattr(refinement, "KEPT_PIXELS", 0)
    found = Refinement(whole)
    np.testing.assert_array_equal(_settled(found, Thresholds(0.7)).labels, expected)
    assert not found._fields


def test_what_is_not_made_plane_by_plane_is_refused(whole: Segmentation) -> None:
    volume = replace(whole, flows=np.zeros((3, 2, 4, 4), np.float32))
    with pytest.raises(ValueError, match="3D objects"):
        Refinement(volume)
    linked = replace(whole, provenance={"request": {"stacks": "linked"}})
    with pytest.raises(ValueError, match="linked"):
        Refinement(linked)


def test_thresholds_out_of_their_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="Fill holes must be between 0 and 1000000, got -1"):
        Thresholds(hole_size=-1)
