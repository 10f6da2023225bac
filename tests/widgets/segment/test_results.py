from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_ssp.service import Segmentation
from napari_ssp.service.results import COVER_LITTLE, MAGNIFIED
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.layers import result_layers
from napari_ssp.widgets.layers.placement import in_layer_axes, placement
from napari_ssp.widgets.layers.result_layers import ResultLayers
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.flow_colours import flow_colours
from napari_ssp.widgets.segment.results import Prepared, prepare
from napari_ssp.widgets.segment.sentences import result_line


def _prepared(axes: str, origin: tuple[int, int, int, int], channel: int | None = None) -> Prepared:
    shape = (3,) * len(axes)
    result = Segmentation(
        np.ones(shape, np.uint32),
        np.zeros((2, *shape), np.float32),
        np.zeros(shape, np.float32),
        axes=axes,
        origin=origin,
        provenance={"seconds": 1.0},
    )
    return prepare(result, SegmentChoices(channel=channel))


def _image(shape: tuple[int, ...], **arguments: Any) -> Image:
    return Image(np.zeros(shape), **arguments)


def test_a_region_starts_where_it_was_cut() -> None:
    layer = _image((50, 60), scale=(0.5, 0.25), translate=(10, 20), units=("um", "um"))
    place = placement(_prepared("yx", (0, 0, 8, 12)), layer)
    np.testing.assert_allclose(place["translate"], (10 + 4, 20 + 3))
    np.testing.assert_allclose(place["scale"], (0.5, 0.25))
    assert [str(unit) for unit in place["units"]] == ["micrometer", "micrometer"]


def test_a_plane_of_a_stack_lies_at_that_plane() -> None:
    layer = _image((5, 7, 50, 60), scale=(1, 2, 0.5, 0.5), axis_labels=tuple("tzyx"))
    prepared = _prepared("yx", (3, 4, 0, 0))
    place = placement(prepared, layer)
    np.testing.assert_allclose(place["translate"], (3, 8, 0, 0))
    assert place["axis_labels"] == ("t", "z", "y", "x")
    assert in_layer_axes(prepared.labels, "yx", layer).shape == (1, 1, 3, 3)


def test_a_leading_channel_axis_is_left_out() -> None:
    layer = _image((2, 7, 50, 60), scale=(1, 2, 0.5, 0.5), axis_labels=tuple("czyx"))
    prepared = _prepared("zyx", (0, 0, 0, 0), channel=1)
    place = placement(prepared, layer)
    np.testing.assert_allclose(place["scale"], (2, 0.5, 0.5))
    assert place["axis_labels"] == ("z", "y", "x")
    assert in_layer_axes(prepared.labels, "zyx", layer).shape == (3, 3, 3)


def test_an_inner_channel_axis_stays_at_the_segmented_channel() -> None:
    layer = _image((7, 2, 50, 60), axis_labels=tuple("zcyx"))
    prepared = _prepared("yx", (0, 5, 0, 0), channel=1)
    np.testing.assert_allclose(placement(prepared, layer)["translate"], (5, 1, 0, 0))
    assert in_layer_axes(prepared.labels, "yx", layer).shape == (1, 1, 3, 3)


def test_unusual_orders_of_axes_are_followed() -> None:
    layer = _image((60, 50, 4), axis_labels=tuple("xyz"), rgb=False)
    labels = np.arange(24, dtype=np.uint32).reshape(4, 2, 3)
    placed = in_layer_axes(labels, "zyx", layer)
    assert placed.shape == (3, 2, 4)
    assert placed[2, 1, 3] == labels[3, 1, 2]
    colours = np.zeros((2, 3, 3), np.uint8)
    assert in_layer_axes(colours, "yx", layer).shape == (3, 2, 1, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        {"rotate": 30},
        {"shear": [0.2]},
        {"affine": np.array([[0, 2, 5], [1, 0, 7], [0, 0, 1.0]])},
        {"rotate": 20, "scale": (2, 0.5), "translate": (3, 4), "affine": np.diag([2, 3, 1.0])},
    ],
)
def test_pixels_of_a_region_stay_on_their_pixels_of_the_image(arguments: dict[str, Any]) -> None:
    layer = _image((50, 60), **arguments)
    place = placement(_prepared("yx", (0, 0, 8, 12)), layer)
    labels = Image(np.zeros((3, 3)), **place)
    for pixel in ((0, 0), (2, 1), (1, 2)):
        there = np.add(pixel, (8, 12))
        np.testing.assert_allclose(labels.data_to_world(pixel), layer.data_to_world(there))


@pytest.mark.parametrize("in_place", [True, False])
def test_new_pixels_of_a_small_result_only_draw(
    in_place: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the event of new data no dock plans again while a slider moves."""
    monkeypatch.setattr(result_layers, "_COPIED", 9 if in_place else 8)
    viewer = ViewerModel()
    source = viewer.add_image(np.zeros((50, 60)))
    results = ResultLayers(viewer)
    results.show(_prepared("yx", (0, 0, 8, 12)), source)
    layer = results.layer(source, "labels")
    assert layer is not None
    heard: list[Any] = []
    layer.events.data.connect(heard.append)
    again = _prepared("yx", (0, 0, 8, 12))
    again.labels[:] = 7
    results.show(again, source)
    np.testing.assert_array_equal(layer.data, 7)
    assert layer.get_value((9, 13), world=True) == 7
    assert bool(heard) is not in_place


def test_only_what_is_wanted_is_prepared() -> None:
    result = Segmentation(
        np.ones((2, 2), np.uint32),
        np.zeros((2, 2, 2), np.float32),
        np.full((2, 2), 0.5, np.float32),
        provenance={"seconds": 2.0, "model": {"family": "mediar"}},
    )
    plain = prepare(result, SegmentChoices())
    assert plain.flows is None
    assert plain.probability is None
    full = prepare(result, SegmentChoices(keep_flows=True, keep_probability=True))
    assert full.flows is not None
    assert full.flows.shape == (2, 2, 3)
    np.testing.assert_array_equal(full.probability, 0.5)
    assert result_line(full) == (
        "Found 1 cell in 2.0 s. The flow and cell-probability layers are below the labels."
    )
    sparse = replace(result, warnings=("Of the plan.", f"{COVER_LITTLE} the image, so ..."))
    assert result_line(prepare(sparse, SegmentChoices())) == (
        "Found 1 cell in 2.0 s. Cells cover little of the image, so ..."
    )
    volume = replace(result, warnings=("Of the plan.", f"{MAGNIFIED} 2 times, for ..."))
    assert result_line(prepare(volume, SegmentChoices())) == (
        "Found 1 cell in 2.0 s. The stack was magnified 2 times, for ..."
    )


@pytest.mark.parametrize(
    ("flow", "colour"),
    [
        ((0, 5), (255, 0, 0)),
        ((0, -5), (0, 255, 255)),
        ((5 * np.sin(np.pi / 3), 5 * np.cos(np.pi / 3)), (255, 255, 0)),
        ((0, 2.5), (128, 0, 0)),
        ((0, 50), (255, 0, 0)),
        ((0, 0), (0, 0, 0)),
    ],
)
def test_flow_colours(flow: tuple[float, float], colour: tuple[int, int, int]) -> None:
    flows = np.array(flow, np.float32).reshape(2, 1, 1)
    assert flow_colours(flows)[0, 0].tolist() == list(colour)


def test_messages_are_one_line_for_a_person() -> None:
    assert error_line(ValueError("The device is absent.\nTraceback ...")) == "The device is absent."
    assert error_line(KeyError("a")) == "Unexpected error (KeyError): 'a'"
    assert error_line(MemoryError()) == "MemoryError"
