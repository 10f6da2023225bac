from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from napari_ssp.flows import FlowField, TrackingSettings, flows_to_labels, labels_to_flows

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _output(
    shape: tuple[int, ...] = (72, 80), noise: float = 1.0, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Network-like output of touching squares and specks, with many middling probabilities."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    for identity, y in enumerate(range(2, shape[-2] - 16, 17), 1):
        for x in range(2, shape[-1] - 16, 16):
            labels[..., y : y + 16, x : x + 15] = 100 * identity + x
    flows = 5 * labels_to_flows(labels)
    flows += rng.normal(0, noise, flows.shape).astype(np.float32)
    logit = np.where(labels > 0, 1.5, -1.5) + rng.normal(0, 1, shape)
    return flows, (1 / (1 + np.exp(-logit))).astype(np.float32)


CHOICES = st.builds(
    TrackingSettings,
    cell_threshold=st.sampled_from([-1.0, 0.2, 0.4, 0.5, 0.6, 0.8, 0.999]),
    flow_threshold=st.sampled_from([None, 0.1, 0.4, 1.0]),
    min_size=st.sampled_from([0, 5, 16, 60]),
    hole_size=st.sampled_from([None, 0, 10, 40]),
)


@settings(deadline=None, max_examples=25)
@given(st.lists(CHOICES, min_size=2, max_size=5), st.sampled_from([0.3, 2.0]))
def test_any_way_through_the_settings_ends_as_a_fresh_start(
    way: list[TrackingSettings], noise: float
) -> None:
    flows, probability = _output(noise=noise)
    field = FlowField(flows, probability)
    for chosen in way:
        fresh = FlowField(flows, probability).labels(chosen)
        np.testing.assert_array_equal(field.labels(chosen), fresh)


def test_a_volume_remembers_too() -> None:
    flows, probability = _output((8, 36, 36), noise=0.5)
    field = FlowField(flows, probability)
    for threshold in (0.5, 0.3, 0.7, 0.5):
        chosen = TrackingSettings(cell_threshold=threshold)
        fresh = FlowField(flows, probability).labels(chosen)
        np.testing.assert_array_equal(field.labels(chosen), fresh)
        assert fresh.any()


def test_a_new_flow_threshold_follows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    flows, probability = _output(noise=2.0)
    field = FlowField(flows, probability)
    field.labels()
    expected = FlowField(flows, probability).labels(TrackingSettings(flow_threshold=0.1))

    def refuse(*_: Any) -> None:
        raise AssertionError("worked out again")

    monkeypatch.setattr(field, "_objects", refuse)
    monkeypatch.setattr(field._check, "errors", refuse)
    np.testing.assert_array_equal(field.labels(TrackingSettings(flow_threshold=0.1)), expected)


def test_a_mask_that_stays_follows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    flows, probability = _output(noise=0.5)
    probability = np.where(probability > 0.5, np.float32(0.9), np.float32(0.1))
    field = FlowField(flows, probability)
    whole = field.labels(TrackingSettings(min_size=0, hole_size=0))

    def refuse(*_: Any) -> None:
        raise AssertionError("worked out again")

    monkeypatch.setattr(field, "_follow", refuse)
    chosen = TrackingSettings(cell_threshold=0.7, min_size=0, hole_size=0)
    np.testing.assert_array_equal(field.labels(chosen), whole)
    assert whole.any()


def test_the_function_is_the_field_with_its_default_settings() -> None:
    flows, probability = _output()
    np.testing.assert_array_equal(
        flows_to_labels(flows, probability), FlowField(flows, probability).labels()
    )


def test_hole_size_is_apart_from_object_size() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[5:30, 5:30] = 1
    flows = 5 * labels_to_flows(labels)
    probability = (labels > 0).astype(float)
    probability[10:13, 10:13] = 0
    field = FlowField(flows, probability)
    assert field.labels(TrackingSettings(hole_size=9))[11, 11] == 0
    assert field.labels(TrackingSettings(hole_size=10))[11, 11] == 1
    assert field.labels(TrackingSettings(min_size=700, hole_size=10)).max() == 0


def test_sizes_below_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="hole_size"):
        TrackingSettings(hole_size=-1)
