"""Objects of any size, brought to the size that the model knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from scipy import ndimage

import napari_ssp as ssp
from napari_ssp.engine import median_diameter
from napari_ssp.metrics import f1_score
from napari_ssp.registry import find_card, save_model
from napari_ssp.registry.weights import build_network
from napari_ssp.service import (
    DiameterRequest,
    ModelService,
    diameter_in_pixels,
    estimate_diameter,
    plan_segmentation,
)
from napari_ssp.service.model_cache import ModelCache
from napari_ssp.service.segmentation.diameter import diameter_steps

if TYPE_CHECKING:
    from pathlib import Path

#: Fluorescent nuclei of the validation split, 45 px across.
NAME = "e5384c905e9879cb6e8ff5250fb03155bc1db035d8dde458eece9078b7de8ff1"


@pytest.fixture(scope="module")
def nuclei(shared_data: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    folder = shared_data / "dsb2018" / "val"
    image = iio.imread(folder / "images" / f"{NAME}.png")
    labels = tifffile.imread(folder / "labels" / f"{NAME}_label.tiff")
    return image[:240, :240], labels[:240, :240]


@pytest.fixture(scope="module")
def sized(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of the tiny model, whose card has a voxel size and says how large objects are."""
    card = replace(find_card(tiny_model), voxel_size=(1.0, 0.5, 0.5), object_diameter=20.0)
    folder = tmp_path_factory.mktemp("models") / "sized"
    return str(save_model(build_network(card), card, folder).weights.parent)


def enlarged(array: np.ndarray[Any, Any], times: int, order: int) -> np.ndarray[Any, Any]:
    return ndimage.zoom(array, times, order=order, grid_mode=True, mode="nearest")


def test_a_card_and_a_diameter_decide_the_magnification() -> None:
    card = find_card("mediar-starter")
    plan = plan_segmentation(ssp.SegmentRequest(np.zeros((100, 90)), diameter=4 * 42.9))
    assert card.object_diameter == 42.9
    assert plan.zoom == pytest.approx(0.25)
    assert "magnified 0.25 times" in plan.summary
    plain = plan_segmentation(ssp.SegmentRequest(np.zeros((100, 90))))
    assert plain.zoom == card.zoom
    assert "magnified" not in plain.summary


def test_magnification_has_limits() -> None:
    huge = plan_segmentation(ssp.SegmentRequest(np.zeros((100, 90)), diameter=1.0))
    assert huge.zoom == 8
    with pytest.raises(ValueError, match="Diameter must be between"):
        ssp.SegmentRequest(np.zeros((9, 9)), diameter=0.0)


def test_voxel_size_decides_where_the_card_has_one(sized: str) -> None:
    request = ssp.SegmentRequest(np.zeros((40, 40)), sized, voxel_size=(1.0, 0.25, 0.25))
    assert plan_segmentation(request).zoom == pytest.approx(0.5)
    assert plan_segmentation(replace(request, voxel_size=None)).zoom == 1.0
    assert plan_segmentation(replace(request, diameter=10.0)).zoom == pytest.approx(2.0)
    assert diameter_in_pixels(request, 5.0) == pytest.approx(20.0)
    with pytest.raises(ValueError, match="has no voxel size, so 5 µm"):
        diameter_in_pixels(replace(request, voxel_size=None), 5.0)


def test_a_card_without_a_size_takes_no_diameter(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match="'tiny' does not say how large"):
        ssp.segment(np.zeros((40, 40)), str(tiny_model), diameter=20.0)


def test_median_diameter() -> None:
    y, x = np.mgrid[:60, :60]
    disk = ((y - 30) ** 2 + (x - 30) ** 2 <= 20**2).astype(np.uint16)
    assert median_diameter([disk]) == pytest.approx(40, rel=0.02)
    assert median_diameter([disk, np.kron(np.diag([3, 4, 5]), np.ones((2, 2), int))]) == (
        pytest.approx(2 * np.sqrt(4 / np.pi))
    )
    assert median_diameter([np.zeros((5, 5), int)]) is None
    assert median_diameter([]) is None


def test_an_enlarged_image_needs_its_diameter(nuclei: tuple[Any, Any]) -> None:
    image, truth = nuclei
    options: dict[str, Any] = {"overlap": 0.25, "fallback": False}
    original = f1_score(truth, ssp.segment(image, **options).labels)
    large, large_truth = enlarged(image, 3, 1), enlarged(truth, 3, 0)
    diameter = median_diameter([large_truth])
    found = ssp.segment(large, diameter=diameter, **options)
    assert found.labels.shape == large.shape
    assert f1_score(large_truth, found.labels) >= original - 0.05 >= 0.8
    part = (slice(180, 628), slice(270, 718))  # with two whole nuclei
    assert f1_score(large_truth[part], ssp.segment(large[part], **options).labels) < 0.3


@pytest.mark.parametrize("times", [1, 3])
def test_the_diameter_is_estimated(nuclei: tuple[Any, Any], times: int) -> None:
    image, truth = (array[:120, :120] for array in nuclei)
    expected = median_diameter([enlarged(truth, times, 0)])
    assert expected is not None
    found = estimate_diameter(enlarged(image, times, 1), overlap=0.25)  # fewer windows
    assert found == pytest.approx(expected, rel=0.2)


def test_of_a_movie_of_stacks_a_plane_halfway_up_is_looked_at(nuclei: tuple[Any, Any]) -> None:
    image = nuclei[0][:120, :120]
    movie = np.full((2, 3, *image.shape), image.min(), image.dtype)
    movie[:, 1] = image  # nothing is in focus below and above
    request = ssp.SegmentRequest(movie, axes="tzyx", overlap=0.25)
    with ModelService() as service:
        found = service.submit(DiameterRequest(request)).result(timeout=120)
    assert found == pytest.approx(estimate_diameter(image, overlap=0.25), rel=1e-6)


def test_an_estimate_says_when_there_is_nothing(sized: str) -> None:
    request = DiameterRequest(ssp.SegmentRequest(np.zeros((3, 70, 70), np.uint8), sized))
    with ModelService() as service, pytest.raises(ValueError, match="No objects were found"):
        service.submit(request).result(timeout=120)


def test_an_estimate_can_be_cancelled(nuclei: tuple[Any, Any]) -> None:
    steps = diameter_steps(DiameterRequest(ssp.SegmentRequest(nuclei[0])), ModelCache())
    for _ in range(4):
        next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)
