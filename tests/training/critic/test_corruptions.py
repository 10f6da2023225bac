"""Corruptions of masks: what each does in closed form, and that chance is the seed's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from napari_ssp.training.critic.corruptions import (
    CorruptionSettings,
    affine,
    blur,
    corrupt,
    dropout,
    elastic,
    erase,
    perspective,
    thresholded,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Way = Callable[[np.ndarray, np.random.Generator], np.ndarray]

ALWAYS = CorruptionSettings(probability=1.0)
WAYS: dict[str, Way] = {
    "erase": lambda m, rng: erase(m, rng, (0.1, 0.3), (0.5, 2.0)),
    "elastic": lambda m, rng: elastic(m, rng, (2.0, 6.0), (3.0, 6.0)),
    "dropout": lambda m, rng: dropout(m, rng, (0.1, 0.3)),
    "affine": lambda m, rng: affine(m, rng, (5.0, 10.0), (0.9, 1.1)),
    "perspective": lambda m, rng: perspective(m, rng, 0.3),
    "blur": lambda m, rng: blur(m, rng, (1.0, 2.0)),
    "thresholded": lambda m, rng: thresholded(m, rng, (0.3, 0.7)),
    "corrupt": lambda m, rng: corrupt(m, rng, ALWAYS),
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def disk(shape: tuple[int, int] = (48, 40), radius: float = 12.0) -> np.ndarray:
    y, x = np.indices(shape)
    return np.hypot(y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2) <= radius


def soft() -> np.ndarray:
    return ndimage.gaussian_filter(disk().astype(np.float32), 2)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_seed_decides_and_nothing_else_is_touched(way: Way) -> None:
    mask = soft()
    before, states = mask.copy(), (np.random.get_state()[1].copy(), torch.get_rng_state())  # noqa: NPY002
    first, again, other = (way(mask, rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first != mask).any()
    assert (first.dtype, first.shape) == (np.float32, mask.shape)
    assert first.min() >= 0
    assert first.max() <= 1
    np.testing.assert_array_equal(mask, before)
    np.testing.assert_array_equal(np.random.get_state()[1], states[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[1])


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (20, 1)])
def test_an_empty_mask_stays_empty_at_any_size(way: Way, shape: tuple[int, int]) -> None:
    np.testing.assert_array_equal(way(np.zeros(shape, bool), rng()), np.zeros(shape))


def test_a_rectangle_of_the_share_is_erased() -> None:
    whole = np.ones((60, 80), bool)
    gone = erase(whole, rng(), (0.2, 0.2), (1.0, 1.0)) == 0
    side = round(np.sqrt(0.2 * whole.size))
    rows, columns = np.flatnonzero(gone.any(axis=1)), np.flatnonzero(gone.any(axis=0))
    assert (rows.size, columns.size) == (side, side)
    assert gone.sum() == side * side
    # Taller than wide by the aspect; never beyond the image.
    tall = erase(whole, rng(), (0.1, 0.1), (3.0, 3.0)) == 0
    assert tall.any(axis=1).sum() == round(np.sqrt(480 * 3))
    assert tall.any(axis=0).sum() == round(np.sqrt(480 / 3))
    large = erase(whole, rng(), (1.0, 1.0), (1.0, 1.0)) == 0
    assert large.any(axis=1).sum() == 60
    assert large.any(axis=0).sum() == round(np.sqrt(whole.size))


def test_any_place_may_be_erased() -> None:
    generator, count = rng(), np.zeros((8, 8))
    for _ in range(300):
        count += erase(np.ones((8, 8)), generator, (0.1, 0.3), (0.5, 2.0)) == 0
    assert (count > 0).all()


def test_pixels_are_dropped_by_the_share_and_no_others_change() -> None:
    dropped = dropout(np.ones((200, 200)), rng(), (0.25, 0.25)) == 0
    assert stats.binomtest(int(dropped.sum()), 40_000, 0.25).pvalue > 1e-3
    mask = soft()
    kept = dropout(mask, rng(), (0.5, 0.5))
    np.testing.assert_array_equal(kept[kept > 0], mask[kept > 0])


def test_a_quarter_turn_is_numpys() -> None:
    mask = rng(1).random((21, 21)).astype(np.float32)
    turned = affine(mask, rng(), (90.0, 90.0), (1.0, 1.0))
    np.testing.assert_allclose(turned[1:-1, 1:-1], np.rot90(mask)[1:-1, 1:-1], atol=1e-5)


def test_a_zoomed_disk_has_the_zoomed_radius_about_its_middle() -> None:
    zoomed = affine(disk((81, 91), 20), rng(), (-180.0, 180.0), (1.5, 1.5))
    # A pixelated disk of radius 20 has an area of its own; magnified, 1.5 squared times that.
    assert zoomed.sum() == pytest.approx(disk((81, 91), 20).sum() * 1.5**2, rel=0.005)
    assert ndimage.center_of_mass(zoomed) == pytest.approx((40, 45), abs=0.05)


def test_corners_move_inwards_by_the_draws_and_lines_stay_straight() -> None:
    height, width, distortion = 80, 120, 0.4
    shown = perspective(np.ones((height, width)), rng(7), distortion)
    moves = rng(7).uniform(0.0, distortion, (4, 2)) * np.array([width, height]) / 2
    x, y = np.array([[0, 0], [width, 0], [width, height], [0, height]]).T
    x, y = x + np.array([1, -1, -1, 1]) * moves[:, 0], y + np.array([1, 1, -1, -1]) * moves[:, 1]
    area = np.abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
    # Half a pixel along the border is interpolated with the background.
    assert shown.sum() == pytest.approx(area, rel=0.005)
    np.testing.assert_allclose(perspective(soft(), rng(), 0.0), soft(), atol=1e-5)


def test_pixels_move_as_far_as_said_and_their_neighbours_with_them() -> None:
    # Ramps show where each pixel of the result comes from; near the border that may be outside.
    places = np.indices((120, 120)).astype(np.float32)
    inner = np.s_[:, 6:-6, 6:-6]
    fields = []
    for seed in range(4):
        moved = [elastic(ramp / 119, rng(seed), (5.0, 5.0), (6.0, 6.0)) for ramp in places]
        fields.append((119 * np.stack(moved) - places)[inner])
    distances = np.array([np.hypot(*field) for field in fields])
    # The furthest pixel of a mask moves by 5; in one of four it may be a border's.
    assert distances.max() == pytest.approx(5, abs=1e-3)
    assert np.median(distances) > 1
    # A field smoothed by 6 pixels changes over about as many.
    assert max(np.abs(np.diff(field, axis=1)).max() for field in fields) < 5 / 3
    np.testing.assert_allclose(elastic(soft(), rng(), (0.0, 0.0), (4.0, 4.0)), soft(), atol=1e-6)


def test_a_point_is_blurred_to_eleven_pixels_of_a_gaussian() -> None:
    point = np.zeros((21, 21), bool)
    point[10, 10] = True
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    line /= line.sum()
    blurred = blur(point, rng(), (1.5, 1.5))
    np.testing.assert_allclose(blurred[5:16, 5:16], np.outer(line, line), rtol=1e-5)
    assert np.count_nonzero(blurred) == 121
    np.testing.assert_allclose(blur(np.ones((9, 9)), rng(), (2.0, 2.0)), 1, rtol=1e-6)


def test_a_soft_mask_becomes_hard_at_the_threshold_and_a_hard_one_stays() -> None:
    hard = thresholded([[0.2, 0.5, 0.6]], rng(), (0.5, 0.5))
    assert hard.tolist() == [[0, 1, 1]]
    np.testing.assert_array_equal(thresholded(disk(), rng(), (0.1, 0.9)), disk())


def test_each_way_has_its_chance() -> None:
    generator, mask = rng(), disk((12, 12), 4)
    never = corrupt(mask, generator, CorruptionSettings(probability=0.0))
    np.testing.assert_array_equal(never, mask)
    assert not np.shares_memory(corrupt(never, generator, CorruptionSettings(0.0)), never)
    untouched = sum(bool((corrupt(soft(), generator) == soft()).all()) for _ in range(300))
    assert stats.binomtest(untouched, 300, 0.87**7).pvalue > 1e-3


def test_what_is_no_mask_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 3, 4\), but a plane"):
        corrupt(np.zeros((2, 3, 4)), rng())
    with pytest.raises(ValueError, match=r"shape \(0, 4\)"):
        corrupt(np.zeros((0, 4)), rng())
    with pytest.raises(ValueError, match=r"from 0 to 7.*Of labels"):
        blur([[0, 7]], rng(), (1.0, 1.0))
    with pytest.raises(ValueError, match="from -1 to 1"):
        erase([[-1, 1]], rng(), (0.1, 0.1), (1.0, 1.0))
