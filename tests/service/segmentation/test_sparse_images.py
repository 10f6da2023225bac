"""Few cells in a large field: the grey range comes from where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import napari_ssp as ssp
from napari_ssp.engine import normalise
from napari_ssp.image import MicroscopyImage
from napari_ssp.io.samples import sample_image
from napari_ssp.service.results import COVER_LITTLE
from napari_ssp.service.segmentation import levels
from napari_ssp.service.segmentation.plan import plan_segmentation

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NUCLEI = (slice(400, 500), slice(400, 520))
CROP = (slice(390, 510), slice(390, 530))


def _nuclei() -> NDArray[Any]:
    return sample_image("fluorescent_nuclei").plane(0, 0, 0).astype(np.uint16)


def _field() -> NDArray[Any]:
    field = np.random.default_rng(0).poisson(60, (1000, 1000)).astype(np.uint16)
    field[NUCLEI] += _nuclei()[:100, :120] * 8
    return field


def _levels(pixels: Any, model: Path, **choices: Any) -> levels.Levels:
    request = ssp.SegmentRequest(pixels, model=str(model), device="cpu", **choices)
    plan = plan_segmentation(request)
    steps = levels.read_levels(plan, plan.planes)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found: levels.Levels = stop.value
            return found


def _whole(found: levels.Levels) -> NDArray[np.float32]:
    return found.read(tuple(slice(0, n) for n in found.store.shape[1:3]))


def test_the_starter_finds_in_a_field_what_it_finds_in_its_crop() -> None:
    field = _field()
    choices: dict[str, Any] = {"device": "cpu", "overlap": 0.25, "fallback": False}
    crop = ssp.segment(field[CROP], **choices)
    found = ssp.segment(field, region=(320, 576, 310, 566), **choices)  # one window
    assert found.num_objects == crop.num_objects > 3
    inside = np.zeros_like(found.labels)
    inside[70:190, 80:220] = found.labels[70:190, 80:220]
    np.testing.assert_array_equal(inside, found.labels)
    both = (inside[70:190, 80:220] > 0) & (crop.labels > 0)
    either = (inside[70:190, 80:220] > 0) | (crop.labels > 0)
    assert both.sum() > 0.9 * either.sum()
    assert [w.startswith(COVER_LITTLE) for w in found.warnings] == [True]
    assert crop.warnings == ()


@pytest.mark.parametrize("choice", ["auto", "region"])
def test_the_range_of_few_cells_is_about_that_of_their_crop(tiny_model: Path, choice: str) -> None:
    field = _field()
    found = _levels(field, tiny_model, normalise=choice)
    assert found.ranges[0].low == field.min()
    assert found.ranges[0].high == pytest.approx(np.percentile(field[CROP], 99.5), rel=0.03)
    assert found.is_little


def test_the_whole_image_is_stretched_as_before(tiny_model: Path) -> None:
    field = _field()
    found = _levels(field, tiny_model, normalise="image")
    np.testing.assert_array_equal(_whole(found), normalise(field))
    assert not found.is_little


@pytest.mark.parametrize("choice", ["auto", "region"])
@pytest.mark.parametrize("kind", ["noise", "many", "hot"])
def test_other_fields_stay_as_they_are(tiny_model: Path, kind: str, choice: str) -> None:
    pixels = np.random.default_rng(0).poisson(60, (512, 512)).astype(np.uint16)
    if kind == "many":
        pixels = _nuclei()
    elif kind == "hot":
        pixels.ravel()[::997] = 9999
    found = _levels(pixels, tiny_model, normalise=choice)
    if choice == "auto" or kind != "many":
        np.testing.assert_array_equal(_whole(found), normalise(pixels))
    assert not found.is_little


def test_a_field_read_in_bands_has_the_same_range(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = _field()[:960]
    once = _levels(field, tiny_model)
    monkeypatch.setattr(levels, "_BAND", 192 * 1000)
    banded = _levels(field, tiny_model)
    assert banded.ranges == once.ranges
    np.testing.assert_array_equal(_whole(banded), _whole(once))


def test_planes_say_how_many_of_them_show_little(tiny_model: Path) -> None:
    choices: dict[str, Any] = {"model": str(tiny_model), "device": "cpu"}
    choices["region"] = (100, 164, 100, 164)  # one window; the range is of whole planes
    few = _field()[300:600, 300:700]
    stack = MicroscopyImage(np.stack([few, _nuclei()[:300, :400]]), "zyx")
    found = ssp.segment(stack, **choices)
    assert not found.warnings
    few = _field()
    stack = MicroscopyImage(np.stack([few, np.roll(few, 99, 0), few // 9 * 0 + 60]), "zyx")
    found = ssp.segment(stack, **choices)
    assert found.warnings[-1].startswith(f"{COVER_LITTLE} 2 of 3 planes")


@pytest.mark.parametrize(
    ("choice", "words"),
    [("image", "grey values by the whole image"), ("region", "grey values by region")],
)
def test_a_plan_says_what_was_chosen(tiny_model: Path, choice: str, words: str) -> None:
    request = ssp.SegmentRequest(_nuclei(), model=str(tiny_model), normalise=choice)
    assert words in plan_segmentation(request).summary
    assert (
        "grey values"
        not in plan_segmentation(ssp.SegmentRequest(_nuclei(), model=str(tiny_model))).summary
    )
