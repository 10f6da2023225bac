"""Another model for images that the chosen one fails on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from strange_pictures import draw_dark_rods, draw_membranes

import napari_ssp as ssp
from napari_ssp.registry import find_card
from napari_ssp.service import as_command, restore_request
from napari_ssp.service.segmentation.fallback import find_fallback, left_out

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: The model that is chosen by default, and the one that its card names.
STARTER, OTHER = "mediar-starter", "generalist-starter"


@pytest.fixture(scope="module")
def rods() -> NDArray[np.float32]:
    return draw_dark_rods()


@pytest.fixture(scope="module")
def helped(rods: NDArray[np.float32]) -> ssp.Segmentation:
    return ssp.segment(rods, device="cpu")


def test_the_model_that_the_card_names_takes_over(
    rods: NDArray[np.float32], helped: ssp.Segmentation
) -> None:
    alone = ssp.segment(rods, OTHER, device="cpu")
    assert alone.num_objects == 12
    np.testing.assert_array_equal(helped.labels, alone.labels)
    np.testing.assert_array_equal(helped.flows, alone.flows)
    assert helped.provenance["model"]["name"] == OTHER
    assert helped.provenance["instead_of"]["model"] == STARTER
    assert helped.provenance["instead_of"]["left_out"] > 0.15
    (said,) = helped.warnings
    assert said.startswith("Another model was taken") and f"the result of '{OTHER}'" in said


def test_a_model_that_leaves_most_out_is_replaced_though_it_finds_some() -> None:
    pixels = draw_membranes()
    first = ssp.segment(pixels, fallback=False, device="cpu")
    assert first.num_objects > 0 and left_out(first) > 0.15
    found = ssp.segment(pixels, device="cpu")
    np.testing.assert_array_equal(found.labels, ssp.segment(pixels, OTHER, device="cpu").labels)
    share = found.provenance["instead_of"]["left_out"]
    assert share == round(left_out(first), 3)
    assert f"makes no object of {share:.0%} of what" in found.warnings[-1]


def test_the_chosen_model_can_be_kept(rods: NDArray[np.float32]) -> None:
    kept = ssp.segment(rods, fallback=False, device="cpu")
    assert kept.provenance["model"]["name"] == STARTER
    assert kept.num_objects == 0 and "instead_of" not in kept.provenance


def test_a_result_of_it_is_made_again(rods: NDArray[np.float32], helped: ssp.Segmentation) -> None:
    request = restore_request(helped.provenance, rods)
    assert (request.model, request.fallback) == (OTHER, False)  # type: ignore[union-attr]
    again = ssp.segment(rods, OTHER, fallback=False, device="cpu")
    np.testing.assert_array_equal(again.labels, helped.labels)
    assert f"--model {OTHER}" in as_command(helped.provenance, "rods.tif")


def test_a_result_of_before_is_made_again_by_its_own_model(rods: NDArray[np.float32]) -> None:
    record = ssp.segment(rods, fallback=False, device="cpu").provenance
    del record["request"]["fallback"]
    assert restore_request(record, rods).fallback is False  # type: ignore[union-attr]
    assert "--no-fallback" in as_command(record, "rods.tif")


def test_an_image_without_anything_keeps_the_chosen_model() -> None:
    noise = np.random.default_rng(0).normal(100, 5, (160, 160)).astype(np.float32)
    found = ssp.segment(noise, device="cpu")
    assert found.num_objects == 0
    assert found.provenance["model"]["name"] == STARTER
    assert "instead_of" not in found.provenance


@pytest.mark.parametrize(
    "chosen",
    [
        {"fallback": False},
        {"min_size": 200},
        {"flow_threshold": 0.8},
        {"cell_threshold": 0.3},
        {"stacks": "volume"},
        {"model": OTHER},
        {"model": f"{OTHER}+{OTHER}"},
    ],
)
def test_other_choices_keep_the_model(chosen: dict[str, object]) -> None:
    request = ssp.SegmentRequest(np.zeros((4, 32, 32)), axes="zyx")
    assert find_fallback(request) == find_card(OTHER)
    assert find_fallback(replace(request, **chosen)) is None


def test_a_model_that_is_not_there_takes_nothing_over(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(find_card(STARTER).weights.parent, folder)
    request = ssp.SegmentRequest(np.zeros((32, 32)), str(folder))
    assert find_fallback(request) == find_card(OTHER)
    card = find_card(str(folder))
    for name in ("gone", "repmode-starter"):
        replace(card, fallback=name).write(folder)
        assert find_fallback(request) is None


def test_what_is_left_out_is_counted_over_all_planes() -> None:
    labels = np.zeros((2, 4, 5), np.uint32)
    probability = np.zeros((2, 4, 5), np.float32)
    labels[0, :2], probability[0, :3] = 1, 0.9  # 10 of 15 pixels have an object
    probability[1, 0] = 0.9  # 5 more have none
    flows = np.zeros((2, *labels.shape), np.float32)
    assert left_out(ssp.Segmentation(labels, flows, probability, "zyx")) == 0.5
    assert left_out(ssp.Segmentation(labels * 0, flows, probability, "zyx")) == 1
    assert left_out(ssp.Segmentation(labels, flows, probability * 0, "zyx")) == 0
