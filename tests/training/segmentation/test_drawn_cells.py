"""Drawn pictures of cells, ``scripts/starter_cells``: exact labels, the same pictures each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage


def test_a_rod_has_its_length_and_width(scripts: Any) -> None:
    bodies = scripts("bodies")
    rod = bodies.rod(np.random.default_rng(0), np.array([50.0, 50.0]), 60, 12, 0)
    _, mask = bodies.mask_of(rod)
    assert mask.sum() == pytest.approx(48 * 12 + np.pi * 36, rel=0.03)
    turned = rod.moved(np.array([3.0, -4.0]), 0.5)
    assert np.sin(turned.direction - rod.direction - 0.5) == pytest.approx(0, abs=1e-9)
    moved = turned.line.mean(axis=0) - rod.line.mean(axis=0)
    np.testing.assert_allclose(moved, [3, -4], atol=0.6)


def test_bodies_lie_beside_each_other_and_never_upon(scripts: Any) -> None:
    bodies, rng = scripts("bodies"), np.random.default_rng(1)
    dish = bodies.Dish(120, gap=1)
    first = bodies.rod(rng, np.array([60.0, 60.0]), 30, 10, 0)
    assert dish.put(first)
    assert not dish.put(first)
    outside = first.moved(np.array([500.0, 0.0]))
    assert not dish.put(outside)
    bodies.grow(dish, rng, lambda body: bodies.beside(rng, body, 1.0, 0.1, 0.2), 20)
    assert len(dish.bodies) > 5
    assert set(np.unique(dish.labels)) == set(range(len(dish.bodies) + 1))
    for label in range(1, len(dish.bodies) + 1):
        mask = dish.labels == label
        assert ndimage.label(mask)[1] == 1
        around = dish.labels[ndimage.binary_dilation(mask)]
        assert set(np.unique(around)) <= {0, label}  # the gap


def test_pictures_show_their_labels_and_are_the_same_each_time(
    scripts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = scripts("drawn")
    monkeypatch.setattr(drawn, "_EACH", 1)
    monkeypatch.setattr(drawn, "_SIDE", 160)
    pictures = list(drawn.drawn(Path()))
    assert len({picture.group for picture in pictures}) == 12
    assert len({picture.name for picture in pictures}) == len(pictures)
    for picture, again in zip(pictures, drawn.drawn(Path()), strict=True):
        np.testing.assert_array_equal(picture.pixels, again.pixels)
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.shape[:2] == picture.labels.shape == (160, 160)
        assert (picture.labels > 0).any()
        assert not picture.scored
        inside, around = picture.labels > 0, ndimage.binary_dilation(picture.labels, iterations=6)
        if "_tissue_" in picture.name:  # fills the picture, or lies in a haze like itself
            continue
        difference = picture.pixels[inside].mean() - picture.pixels[around & ~inside].mean()
        spread = picture.pixels[picture.labels == 0].std()
        assert abs(difference) > 0.3 * spread or "_relief_" in picture.name


@pytest.mark.parametrize("seed", range(4))
def test_each_cell_of_tissue_has_its_nucleus_inside(scripts: Any, seed: int) -> None:
    tissue, size = scripts("tissue"), 24.0
    found = tissue.packed(np.random.default_rng(seed), 160, size)
    inside = found.nuclei > 0
    assert inside.any()
    np.testing.assert_array_equal(found.nuclei[inside], found.cells[inside])
    for label in np.unique(found.nuclei[inside]):
        assert ndimage.label(found.nuclei == label)[1] == 1
    stain = tissue.sections(np.random.default_rng(seed), found, size)
    assert stain.shape == (160, 160, 3)
    assert stain[inside].mean() < 0.9 * stain[found.cells == 0].mean()
    outline = tissue.membranes(np.random.default_rng(seed), found, size).sum(axis=-1)
    assert outline[found.cells > 0].mean() > 2 * outline[found.cells == 0].mean()
