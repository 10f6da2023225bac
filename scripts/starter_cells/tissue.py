"""Drawn tissue: nuclei that lie close, and the cells around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from optics import rim, thickness
from scipy import ndimage
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Picture = NDArray[np.float64]
    Labels = NDArray[np.int32]

_blur = ndimage.gaussian_filter


@dataclass(frozen=True, eq=False)
class Tissue:
    """Labels of cells and of the nuclei in them, int32 (Y, X); a cell and its nucleus share one."""

    cells: Labels
    nuclei: Labels


def packed(rng: Generator, side: int, size: float) -> Tissue:
    """Draw cells that share their outlines, with room between them here and there.

    Parameters
    ----------
    rng : numpy.random.Generator
        Of all that differs.
    side : int
        Of the picture, in pixels.
    size : float
        Mean distance of two nuclei that lie side by side, in pixels.
    """
    centres = _apart(rng, side, size)
    empty = _waves(rng, side, 2.5 * size) > rng.choice([0.3, 1.0, 2.0])
    y, x = np.clip(np.round(centres).astype(int), 0, side - 1).T
    centres = centres[~empty[y, x]]
    if not len(centres):
        centres = np.array([[side / 2, side / 2]])
    pixels = np.moveaxis(np.mgrid[:side, :side].astype(float), 0, -1)
    bent = pixels + 0.15 * size * np.stack([_waves(rng, side, 0.4 * size) for _ in "yx"], axis=-1)
    far, nearest = cKDTree(centres).query(bent)
    cells = np.where(far < rng.uniform(0.6, 1.1) * size, nearest + 1, 0).astype(np.int32)

    share, slim = rng.uniform(0.6, 0.95), rng.uniform(0, 0.6, len(centres))
    angle = (
        rng.uniform(0, np.pi, len(centres))
        if rng.random() < 0.6
        else rng.normal(0, 0.4, len(centres))
    )
    radius = size / 2 * share * rng.lognormal(0, 0.15, len(centres))
    off = bent - centres[nearest]
    sin, cos = np.sin(angle)[nearest], np.cos(angle)[nearest]
    along, across = off[..., 0] * sin + off[..., 1] * cos, off[..., 0] * cos - off[..., 1] * sin
    inside = np.hypot(along / (1 + slim[nearest]), across * (1 + slim[nearest]) ** 0.5)
    nuclei = np.where((inside < radius[nearest]) & (cells > 0), cells, 0).astype(np.int32)
    return Tissue(cells, _whole(nuclei))


def nuclei_in_focus(rng: Generator, tissue: Tissue, size: float) -> Picture:
    """Stained nuclei of different strength, with others out of focus above and below."""
    side = len(tissue.nuclei)
    sharp = _blur(_chromatin(rng, tissue.nuclei, size), rng.uniform(0.6, 0.09 * size + 0.6))
    haze = np.zeros((side, side))
    if rng.random() < 0.7:
        other = packed(rng, side, size * rng.uniform(0.9, 1.3))
        haze = _blur(_chromatin(rng, other.nuclei, size), rng.uniform(0.2, 0.6) * size)
    return np.asarray(sharp + rng.uniform(0, 0.8) * haze + rng.uniform(0, 0.3) * _blur(sharp, size))


def membranes(rng: Generator, tissue: Tissue, size: float) -> Picture:
    """Outlines of cells, (Y, X, 3): alone in grey, or as one colour with nuclei as another."""
    side = len(tissue.cells)
    strength = np.clip(1 + 0.5 * _waves(rng, side, 1.5 * size), 0.15, None)
    each = rng.lognormal(0, rng.uniform(0.1, 0.5), tissue.cells.max() + 1)[tissue.cells]
    outline = _blur(rim(tissue.cells, rng.uniform(0.8, 0.06 * size + 0.8)) * strength * each, 0.8)
    inner = rng.uniform(0, 0.5) * _blur((tissue.cells > 0) * each, 1)
    stain = (outline + inner) / max(1e-9, np.percentile(outline + inner, 99.5))
    if rng.random() < 0.25:
        return np.repeat(stain[..., None], 3, axis=2)
    found = np.zeros((side, side, 3))
    core = nuclei_in_focus(rng, tissue, size)
    first, second = rng.permutation(3)[:2]
    found[..., first] = stain * rng.uniform(0.3, 1)
    found[..., second] = core / max(1e-9, np.percentile(core, 99.5)) * rng.uniform(0.6, 1)
    return found


def sections(rng: Generator, tissue: Tissue, size: float) -> Picture:
    """Purple nuclei in pink tissue, (Y, X, 3), as in haematoxylin and eosin."""
    side = len(tissue.nuclei)
    fibres = _blur(rng.normal(size=(side, side)), rng.permutation([0.06 * size + 0.5, 0.4 * size]))
    fibres /= fibres.std()
    pink = np.clip(rng.uniform(0.1, 0.6) + rng.uniform(0, 0.2) * fibres, 0, None)
    pink = pink * np.clip(1 + 0.5 * _waves(rng, side, 3 * size), 0.1, None)
    pink = pink * (1 - rng.uniform(0, 0.7) * (_blur(rim(tissue.cells, 1.5), 1)))
    blue = _chromatin(rng, tissue.nuclei, size) * rng.uniform(0.6, 1.2)
    blue = blue + rng.uniform(0, 0.5) * _blur(rim(tissue.nuclei, 1.5), 0.7)
    if rng.random() < 0.5:
        other = packed(rng, side, size * 1.2)
        blue = blue + rng.uniform(0, 0.35) * _blur(_chromatin(rng, other.nuclei, size), 0.25 * size)
    blue = _blur(blue, rng.uniform(0.6, 0.05 * size + 0.7))
    eosin = np.array([rng.uniform(0.02, 0.15), rng.uniform(0.45, 0.8), rng.uniform(0.2, 0.45)])
    haematoxylin = np.array([rng.uniform(0.5, 1), rng.uniform(0.8, 1.2), rng.uniform(0.2, 0.55)])
    return np.asarray(
        rng.uniform(0.85, 1) * np.exp(-pink[..., None] * eosin - blue[..., None] * haematoxylin)
    )


def _apart(rng: Generator, side: int, size: float) -> Picture:
    """Points about a size from each other: a shaken grid, every other row shifted."""
    steps = np.arange(-size, side + size, size)
    grid = np.stack(np.meshgrid(steps, steps * 1.0, indexing="ij"), axis=-1)
    grid[::2, :, 1] += size / 2
    points = grid.reshape(-1, 2)
    return np.asarray(points + rng.normal(0, 0.17 * size, points.shape))


def _waves(rng: Generator, side: int, scale: float) -> Picture:
    found = _blur(rng.normal(size=(side, side)), scale, mode="wrap")
    return np.asarray(found / max(1e-9, found.std()))


def _chromatin(rng: Generator, nuclei: Labels, size: float) -> Picture:
    """Strength of each nucleus, with grains, darker or brighter to its rim."""
    each = np.append(0, rng.lognormal(0, rng.uniform(0.1, 0.5), nuclei.max()))[nuclei]
    grain = 1 + rng.uniform(0, 0.35) * _waves(
        rng, len(nuclei), rng.uniform(0.04, 0.12) * size + 0.4
    )
    return np.asarray(each * np.clip(grain, 0, None) * thickness(nuclei) ** rng.uniform(0, 0.7))


def _whole(labels: Labels) -> Labels:
    """Keep the largest piece of each label; small ones go."""
    found = np.zeros_like(labels)
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None:
            continue
        pieces, count = ndimage.label(labels[box] == label)
        sizes = np.bincount(pieces.ravel())[1:]
        if count and sizes.max() >= 12:
            found[box][pieces == 1 + np.argmax(sizes)] = label
    return found
