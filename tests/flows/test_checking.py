"""The flow check says the same whether it starts afresh or knows objects from before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from napari_ssp.flows import checking, labels_to_flows
from napari_ssp.flows.checking import FlowCheck, measure_agreement
from napari_ssp.flows.diffusion import consecutive

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _errors(labels: NDArray[Any], predicted: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean squared difference by its definition."""
    difference = ((labels_to_flows(labels) - predicted) ** 2).sum(0)
    count = int(labels.max(initial=0))
    return np.array([0.0, *(difference[labels == k].mean() for k in range(1, count + 1))])


def _shapes() -> NDArray[np.int32]:
    """Disks that touch, a thin ring around them, a rod that is too long for a rough heat."""
    y, x = np.mgrid[:300, :320]
    labels = np.zeros(y.shape, np.int32)
    for k, (cy, cx, r) in enumerate([(40, 40, 20), (40, 79, 19), (90, 60, 30), (150, 150, 7)], 1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= r**2] = k
    labels[np.abs(np.hypot(y - 200, x - 200) - 90) < 2] = 5
    labels[290:296, 5:310] = 6
    return labels


def test_errors_are_those_of_the_flows_of_the_labels() -> None:
    labels = _shapes()
    predicted = labels_to_flows(labels) + np.float32(0.1)
    found = FlowCheck(predicted[:, None]).errors(labels[None], 6)
    np.testing.assert_allclose(found, _errors(labels, predicted), atol=2e-3)


def test_true_flows_have_no_error() -> None:
    labels = _shapes()
    found = FlowCheck(labels_to_flows(labels)[:, None]).errors(labels[None], 6)
    assert found.max() < 2e-3


@settings(deadline=None, max_examples=30)
@given(
    arrays(np.int32, (9, 11), elements=st.integers(0, 3)),
    arrays(np.bool_, (9, 11), elements=st.booleans()),
)
def test_what_is_known_from_before_changes_nothing(
    before: NDArray[np.int32], drawn: NDArray[np.bool_]
) -> None:
    after = consecutive(np.where(drawn, 3 - before, before))
    before = consecutive(before)
    predicted = np.random.default_rng(0).normal(0, 1, (2, 1, 9, 11)).astype(np.float32)
    check = FlowCheck(predicted)
    for labels in (before, after, after[:, ::-1].copy(), before):
        count = int(labels.max())
        fresh = FlowCheck(predicted).errors(labels[None], count)
        np.testing.assert_array_equal(check.errors(labels[None], count), fresh)


def test_only_objects_with_other_pixels_are_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = _shapes()
    check = FlowCheck(labels_to_flows(labels)[:, None])
    check.errors(labels[None], 6)
    changed = labels.copy()
    changed[150, 150] = 0
    worked: list[int] = []
    spread_heat = checking.spread_heat_in_plane
    monkeypatch.setattr(
        checking,
        "spread_heat_in_plane",
        lambda part, *rest: (worked.extend(part), spread_heat(part, *rest)),
    )
    check.errors(changed[None], 6)
    assert worked == [3]


def test_objects_agree_with_their_own_flows_and_probability() -> None:
    labels = _shapes()
    probability = np.where(labels > 0, 0.9, 0.1).astype(np.float32)
    probability[labels == 4] = np.linspace(0, 1, np.count_nonzero(labels == 4))
    # Ids with gaps, flows of the network's length, and a part that nobody annotated.
    ids = np.array([0, 2, 30, 4, 500, 60, 7])[labels]
    ids[:5, :5] = -1
    found = measure_agreement(ids, 5 * labels_to_flows(labels), probability)
    assert found.shape == (6, 3)
    order = [1, 3, 5, 6, 2, 4]  # labels by their ids
    mean, low, error = found.T
    np.testing.assert_allclose(mean[[k != 4 for k in order]], 0.1, atol=1e-6)
    assert abs(mean[order.index(4)] - 0.5) < 1e-3
    assert abs(low[order.index(4)] - 0.9) < 0.01
    assert error.max() < 2e-3


def test_joined_objects_do_not_agree_with_the_flows_of_each() -> None:
    labels = _shapes()
    flows, probability = labels_to_flows(labels), (labels > 0).astype(np.float32)
    joined = np.where(labels == 2, 1, labels)
    found = measure_agreement(joined, flows, probability)[:, 2]
    assert found[0] > 0.2 > 10 * found[1:].max()


def test_agreement_needs_outputs_of_the_same_plane() -> None:
    labels = _shapes()
    with pytest.raises(ValueError, match=r"shape \(300, 320\), but the flows \(2, 10, 10\)"):
        measure_agreement(labels, np.zeros((2, 10, 10)), np.zeros(labels.shape))
    nothing = measure_agreement(np.zeros((9, 9), int), np.zeros((2, 9, 9)), np.zeros((9, 9)))
    assert nothing.shape == (0, 3)
