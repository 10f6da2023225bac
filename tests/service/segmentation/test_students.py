"""Mitochondria as labels, from a student's mask."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch
from click.testing import CliRunner
from threshold_student import threshold_student, write_threshold_student

import napari_ssp as ssp
from napari_ssp.cli import main
from napari_ssp.registry import list_cards
from napari_ssp.service import Refinement, plan_segmentation

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_threshold_student(tmp_path_factory.mktemp("models") / "thresholds"))


@pytest.fixture(scope="module")
def micrograph() -> NDArray[np.uint8]:
    """Two bright mitochondria, one of which has a hole, and a speck, on dark grey."""
    rng = np.random.default_rng(0)
    image = rng.integers(20, 60, (75, 94))
    image[10:20, 10:30] = 200
    image[40:60, 50:70] = 220
    image[45:47, 55:57] = 30
    image[5:7, 80:82] = 200
    return image.astype(np.uint8)


@pytest.fixture(scope="module")
def expected() -> NDArray[np.uint32]:
    labels = np.zeros((75, 94), np.uint32)
    labels[10:20, 10:30], labels[40:60, 50:70] = 1, 2
    return labels


def test_the_students_of_these_tests_are_thresholds() -> None:
    pixels = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = threshold_student(gain=10.0, threshold=0.3).eval()(pixels)
    torch.testing.assert_close(
        logits, 10.0 * (pixels.mean(1, keepdim=True) - 0.3), atol=0.02, rtol=0
    )


def test_objects_are_the_connected_parts_of_the_mask(
    student: str, micrograph: NDArray[Any], expected: NDArray[np.uint32]
) -> None:
    found = ssp.segment(micrograph, student, min_size=10)
    np.testing.assert_array_equal(found.labels, expected)
    assert found.labels.dtype == np.uint32
    assert not found.flows.any()
    assert found.cell_probability[15, 15] > 0.99
    assert found.cell_probability[30, 5] < 0.1
    assert found.provenance["model"]["family"] == "student"
    speck = ssp.segment(micrograph, student, min_size=2)
    assert speck.labels.max() == 3
    sure = ssp.segment(micrograph, student, min_size=10, cell_threshold=0.99999)
    assert (sure.labels > 0).sum() < (expected > 0).sum()


def test_stacks_regions_views_and_averages(
    student: str, micrograph: NDArray[Any], expected: NDArray[np.uint32]
) -> None:
    stack = np.stack([micrograph, micrograph[::-1]])
    planes = ssp.segment(stack, student, axes="zyx", min_size=10)
    assert planes.labels.max() == 4
    np.testing.assert_array_equal(planes.labels[0], expected)
    still = np.stack([micrograph, micrograph])
    linked = ssp.segment(still, student, axes="zyx", min_size=10, stacks="linked")
    np.testing.assert_array_equal(linked.labels, np.stack([expected, expected]))
    part = ssp.segment(micrograph, student, region=(35, 70, 40, 90), min_size=10)
    np.testing.assert_array_equal(part.labels, expected[35:70, 40:90] // 2)
    for choices in ({"tta": True}, {"eightfold": True}):
        seen = ssp.segment(micrograph, student, min_size=10, **choices)
        np.testing.assert_array_equal(seen.labels, expected)


def test_two_students_are_averaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, micrograph: NDArray[Any],
    expected: NDArray[np.uint32],
) -> None:  # fmt: skip
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path))
    for name in ("one", "two"):
        write_threshold_student(tmp_path / "models" / name, name)
    found = ssp.segment(micrograph, "one+two", min_size=10)
    np.testing.assert_array_equal(found.labels, expected)
    assert {card.name: card.makes for card in list_cards()}["one"] == "objects"
    with pytest.raises(ValueError, match="Only models of one family can be averaged: 'one' is a s"):
        ssp.segment(micrograph, "one+mediar-starter")


def test_what_a_student_cannot_do_is_said(student: str, micrograph: NDArray[Any]) -> None:
    stack = np.stack([micrograph] * 3)
    with pytest.raises(ValueError, match="is a student that sees planes: choose stacks 'planes'"):
        ssp.segment(stack, student, axes="zyx", stacks="volume")
    with pytest.raises(ValueError, match="is a student that sees one channel, or colours"):
        ssp.segment(stack, student, axes="cyx", nuclei=1)
    with pytest.raises(ValueError, match="does not say how large objects are"):
        ssp.segment(micrograph, student, diameter=20)
    with pytest.raises(ValueError, match="come from a model without flows"):
        Refinement(ssp.segment(micrograph, student))
    blank = ssp.segment(np.full((40, 40), 7, np.uint8), student)
    assert blank.labels.max() == 0
    assert "No objects can be found in the image" in blank.warnings[-1]


def test_the_plan_counts_windows(student: str, micrograph: NDArray[Any]) -> None:
    plan = plan_segmentation(ssp.SegmentRequest(micrograph, student))
    assert (plan.window, plan.overlap, plan.num_windows) == ((32, 32), 0.25, 12)


def test_the_command_chooses_by_the_model_alone(
    student: str, micrograph: NDArray[Any], expected: NDArray[np.uint32], tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "em.tif", micrograph)
    report = tmp_path / "report.json"
    words = ["segment", tmp_path / "em.tif", "-o", tmp_path / "out", "--model", student]
    done = CliRunner().invoke(main, [*map(str, words), "--min-size", "10", "--json", str(report)])
    assert done.exit_code == 0, done.output
    written = next((tmp_path / "out").glob("*.tiff"))
    np.testing.assert_array_equal(tifffile.imread(written), expected)
    assert "2" in json.dumps(json.loads(report.read_text()))
