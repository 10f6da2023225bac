from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from napari_ssp.flows import labels_to_flows
from napari_ssp.flows.diffusion import consecutive

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = st.integers(1, 12)
KINDS = ["touching_disks", "rods", "huge", "tiny", "border", "empty", "concave", "dense300"]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_the_reference(reference: Path, kind: str) -> None:
    from flow_inputs import make_labels

    step = {"dense300": 5, "huge": 3}.get(kind, 1)
    key = f"{kind}_flow_mediar" + (f"_every{step}" if step > 1 else "")
    golden = np.load(reference / "flows_shared.npz")[key]
    flows = labels_to_flows(make_labels(kind, 0))
    np.testing.assert_allclose(flows[:, ::step, ::step], golden, atol=1e-4)


def test_flows_of_a_disk_point_to_its_middle() -> None:
    y, x = np.mgrid[:41, :41]
    disk = ((y - 20) ** 2 + (x - 20) ** 2 <= 15**2).astype(np.int32)
    flows = labels_to_flows(disk)
    distance = np.hypot(20 - y, 20 - x)
    far = (disk > 0) & (distance > 2)
    cosine = (flows[0] * (20 - y) + flows[1] * (20 - x))[far] / distance[far]
    assert cosine.min() > 0.97


@settings(deadline=None, max_examples=40)
@given(arrays(np.int32, st.tuples(SIDE, SIDE), elements=st.integers(0, 4)))
def test_flows_are_unit_vectors_inside_and_zero_outside(labels: NDArray[np.int32]) -> None:
    flows = labels_to_flows(labels)
    length = np.hypot(flows[0], flows[1])
    assert flows.dtype == np.float32
    assert np.all(length[labels == 0] == 0)
    assert np.all((length < 1e-6) | (np.abs(length - 1) < 1e-3))


def test_a_mirrored_image_has_mirrored_flows() -> None:
    labels = np.zeros((40, 50), np.int32)
    labels[5:17, 8:31] = 1
    labels[17:36, 8:20] = 2
    flows, mirrored = labels_to_flows(labels), labels_to_flows(labels[:, ::-1])[:, :, ::-1]
    # The start pixel of an even width lies on the other side, so that middles differ.
    away = np.ones_like(labels, bool)
    away[:, 12:28] = False
    assert np.abs(flows[0] - mirrored[0])[away].mean() < 0.05
    assert np.abs(flows[1] + mirrored[1])[away].mean() < 0.05


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int64, np.uint64])
def test_every_integer_type_gives_the_same(dtype: type) -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[4:12, 5:15] = 1
    np.testing.assert_array_equal(labels_to_flows(labels.astype(dtype)), labels_to_flows(labels))


def test_gaps_in_ids_do_not_matter() -> None:
    labels = np.zeros((20, 30), np.uint32)
    labels[4:12, 5:12], labels[4:12, 14:22] = 1, 2
    sparse = np.where(labels == 2, 4_000_000_000, labels).astype(np.uint32)
    np.testing.assert_array_equal(labels_to_flows(sparse), labels_to_flows(labels))
    assert consecutive(sparse).max() == 2


def test_labels_without_background_keep_their_first_object() -> None:
    assert set(np.unique(consecutive(np.array([[7, 7], [9, 9]])))) == {1, 2}


def test_empty_images_have_no_flows() -> None:
    assert labels_to_flows(np.zeros((0, 5), int)).shape == (2, 0, 5)
    assert not labels_to_flows(np.zeros((3, 5), int)).any()


@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        (np.zeros((2, 2, 3, 4), int), ValueError, "a plane"),
        (np.full((3, 4), 0.5), TypeError, "float64"),
        (np.full((3, 4), -1), ValueError, "negative"),
    ],
)
def test_bad_labels_are_refused(
    labels: NDArray[np.int64], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        labels_to_flows(labels)
