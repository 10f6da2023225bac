from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_ssp.flows import combine_orthogonal_flows, flows_to_labels, labels_to_flows
from napari_ssp.metrics import average_precision

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def _balls(*centres: tuple[int, int, int], radius: float = 8) -> NDArray[np.int32]:
    place = np.indices((32, 48, 56))
    labels = np.zeros(place.shape[1:], np.int32)
    for identity, centre in enumerate(centres, 1):
        distance = sum((place[a] - centre[a]) ** 2 for a in range(3))
        labels[(distance <= radius**2) & (labels == 0)] = identity
    return labels


TOUCHING = ((12, 14, 14), (12, 14, 30), (12, 30, 22), (22, 30, 38), (22, 14, 44))


def test_flows_of_a_ball_point_to_its_middle() -> None:
    labels = _balls((16, 24, 28), radius=12)
    flows = labels_to_flows(labels)
    away = np.stack([m - g for m, g in zip((16, 24, 28), np.indices(labels.shape), strict=True)])
    distance = np.sqrt((away**2).sum(axis=0))
    far = (labels > 0) & (distance > 2)
    assert flows.dtype == np.float32
    assert ((flows * away).sum(axis=0)[far] / distance[far]).min() > 0.95
    assert not flows[:, labels == 0].any()


@pytest.mark.parametrize("flow_threshold", [0.4, None])
def test_touching_balls_come_back(flow_threshold: float | None) -> None:
    labels = _balls(*TOUCHING)
    found = flows_to_labels(
        5 * labels_to_flows(labels), (labels > 0).astype(float), flow_threshold=flow_threshold
    )
    np.testing.assert_array_equal(average_precision(labels, found, (0.5, 0.9)), [1, 1])


def test_touching_balls_come_back_through_noise() -> None:
    labels = _balls(*TOUCHING)
    noise = np.random.default_rng(0).normal(0, 1, (3, *labels.shape))
    found = flows_to_labels(5 * labels_to_flows(labels) + noise, (labels > 0).astype(float))
    np.testing.assert_array_equal(average_precision(labels, found, (0.5, 0.9)), [1, 1])


@pytest.mark.parametrize(("name", "least"), [("stardist_nuclei_3d", 0.95), ("plant_ovule_3d", 0.9)])
def test_real_volumes_come_back(shared_data: Path, name: str, least: float) -> None:
    labels = tifffile.imread(shared_data / f"cells/volumes/labels/{name}_label.tiff")
    found = flows_to_labels(5 * labels_to_flows(labels), (labels > 0).astype(float))
    assert average_precision(labels, found, (0.5,))[0] >= least


def test_axes_are_z_y_x() -> None:
    labels = _balls((16, 24, 28), radius=10)
    flows = labels_to_flows(labels)[[2, 0, 1]].transpose(0, 3, 1, 2)
    turned = labels_to_flows(labels.transpose(2, 0, 1).copy())
    turned[:, 28, 16, 24] = flows[:, 28, 16, 24]  # the middle has no direction but rounding's
    np.testing.assert_allclose(turned, flows, atol=1e-5)


def test_a_touching_ball_does_not_bend_the_flow() -> None:
    alone, pair = _balls((16, 24, 20)), _balls((16, 24, 20), (16, 24, 36))
    mine = alone == 1
    np.testing.assert_allclose(
        labels_to_flows(alone)[:, mine], labels_to_flows(pair)[:, mine], atol=1e-5
    )


def test_long_thin_objects_have_a_flow_everywhere() -> None:
    labels = np.zeros((3, 3, 150), np.uint8)
    labels[1, 1, 2:148] = 1
    flows = labels_to_flows(labels)
    np.testing.assert_array_equal(flows[2, 1, 1, 2:70], 1)
    np.testing.assert_array_equal(flows[2, 1, 1, 80:148], -1)


def test_a_volume_of_one_plane() -> None:
    labels = _balls((16, 24, 28))[16:17]
    flows = labels_to_flows(labels)
    assert flows.shape == (3, 1, 48, 56)
    assert not flows[0].any()
    found = flows_to_labels(5 * flows, (labels > 0).astype(float))
    np.testing.assert_array_equal(found, labels)


def test_holes_and_specks_of_a_volume() -> None:
    labels = _balls((16, 24, 28))
    probability = (labels > 0).astype(float)
    probability[16, 24, 24:28] = 0
    probability[2, 2, 2:9] = 1
    found = flows_to_labels(5 * labels_to_flows(labels), probability, min_size=8)
    np.testing.assert_array_equal(found, labels)


def test_three_orientations_give_the_ball_back() -> None:
    labels = _balls(*TOUCHING)
    logit = np.where(labels > 0, 4.0, -4.0)
    seen = {}
    for axis, name in ((0, "yx"), (1, "zx"), (2, "zy")):
        planes = [labels_to_flows(plane) for plane in np.moveaxis(labels, axis, 0)]
        seen[name] = np.stack([*np.moveaxis(np.stack(planes), 0, axis + 1) * 5, logit])
    flows, probability = combine_orthogonal_flows(**seen)
    np.testing.assert_allclose(probability, 1 - 1 / (1 + np.exp(logit)) ** 3, rtol=1e-5)
    np.testing.assert_allclose(flows[0], (seen["zx"][0] + seen["zy"][0]) / 2)
    np.testing.assert_allclose(flows[1], (seen["yx"][0] + seen["zy"][1]) / 2)
    np.testing.assert_allclose(flows[2], (seen["yx"][1] + seen["zx"][1]) / 2)
    found = flows_to_labels(flows, probability, flow_threshold=None)
    np.testing.assert_array_equal(average_precision(labels, found, (0.5, 0.75)), [1, 1])


def test_one_orientation_that_sees_a_cell_is_enough() -> None:
    odds = np.array([[9.0, 9.0, 1 / 9], [1 / 9, 1.0, 1 / 9], [1 / 9, 1 / 4, 1 / 9]], np.float32)
    sides = np.zeros((3, 3, 1, 1, 3), np.float32)  # of each side a row of three voxels
    sides[:, 2, 0, 0] = np.log(odds)
    expected = 1 - np.array([0.1 * 0.9 * 0.9, 0.1 * 0.5 * 0.8, 0.9 * 0.9 * 0.9])
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        _, probability = combine_orthogonal_flows(*sides[order])
        assert probability.dtype == np.float32
        np.testing.assert_allclose(probability[0, 0], expected, rtol=1e-6)


def test_orientations_on_different_grids_are_refused() -> None:
    right, wrong = np.zeros((3, 4, 5, 6)), np.zeros((3, 4, 6, 5))
    with pytest.raises(ValueError, match=r"\(3, 4, 6, 5\)"):
        combine_orthogonal_flows(right, right, wrong)
