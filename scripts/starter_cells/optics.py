"""How drawn cells look: phase contrast, bright field, relief, fluorescence, blood smears."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Picture = NDArray[np.float64]
    Labels = NDArray[np.int32]

_blur = ndimage.gaussian_filter


def thickness(labels: Labels, each: NDArray[np.float64] | None = None) -> Picture:
    """Thickness of bodies that are round across: 1 along the middle, or a value of each."""
    inner = np.zeros(labels.shape)
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            mask = np.pad(labels[box] == label, 1)
            depth = ndimage.distance_transform_edt(mask)[1:-1, 1:-1]
            middle = max(1.0, float(depth.max()))
            profile = np.sqrt(np.clip(1 - (1 - depth / middle) ** 2, 0, 1))
            profile[depth == 0] = 0
            inner[box] = np.maximum(
                inner[box], profile * (1.0 if each is None else each[label - 1])
            )
    return inner


def rim(labels: Labels, width: float) -> Picture:
    """1 on the outlines of the bodies, falling to both sides over a width in pixels."""
    inside = np.zeros(labels.shape)
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            mask = np.pad(labels[box] == label, 1)
            depth = ndimage.distance_transform_edt(mask)[1:-1, 1:-1]
            edge = np.where(depth > 0, np.exp(-(((depth - 1) / width) ** 2)), 0)
            inside[box] = np.maximum(inside[box], edge)
    return inside


def backdrop(rng: Generator, side: int) -> Picture:
    """Uneven light, the grain of the medium, dust; about 0, of a few hundredths."""
    found = np.zeros((side, side))
    for scale, share in ((side / 4, 0.15), (rng.uniform(4, 12), 0.03), (rng.uniform(1, 3), 0.03)):
        noise = _blur(rng.normal(size=(side, side)), scale)
        found += rng.uniform(0, share) * noise / max(1e-9, noise.std())
    for _ in range(rng.poisson(4)):
        y, x = rng.integers(0, side, 2)
        spot = np.zeros((side, side))
        spot[y, x] = 1
        spot = _blur(spot, rng.uniform(0.8, 4))
        found += rng.uniform(-0.5, 0.3) * spot / spot.max()
    return found


def phase_contrast(rng: Generator, labels: Labels, width: float) -> Picture:
    """Dark bodies with a bright halo; gaps between those that touch are bright."""
    inner = thickness(labels, rng.uniform(0.75, 1.1, labels.max()))
    sharp = _blur(inner, rng.uniform(0.5, 0.12 * width + 0.6))
    halo = _blur(inner, rng.uniform(0.35, 1.1) * width + 1)
    grain = _blur(rng.normal(size=labels.shape), rng.uniform(0.8, 2)) * rng.uniform(0, 0.35)
    return rng.uniform(0.6, 1.6) * halo - rng.uniform(1.2, 2.2) * sharp + grain * (labels > 0)


def phase_colony(rng: Generator, labels: Labels, width: float) -> Picture:
    """Dark flat bodies that lie close: gaps between them shine, those in the middle are greyer."""
    each = np.append(0, rng.uniform(0.85, 1.1, labels.max()))[labels]
    flat = each * thickness(labels) ** rng.uniform(0.2, 0.6)
    sharp = _blur(flat, rng.uniform(0.5, 0.04 * width + 0.7))
    near = _blur((labels > 0).astype(float), rng.uniform(0.5, 0.9) * width + 1)
    free = 1 - _blur((labels > 0).astype(float), 0.8)
    shine = rng.uniform(0.8, 2.5) * near * free + rng.uniform(0.2, 1) * near
    for _ in range(rng.poisson(2)):
        shine += _speck(rng, len(labels), width) * free
    return np.asarray(shine - rng.uniform(1.2, 2) * sharp)


def bright_ring(rng: Generator, labels: Labels, width: float) -> Picture:
    """Bodies with a bright rim and bright bubbles inside, as yeast in phase contrast."""
    outside = _blur((labels > 0).astype(float), rng.uniform(0.08, 0.2) * width + 0.7)
    inside = _blur(thickness(labels), 1)
    bubbles = _blur(rng.normal(size=labels.shape), rng.uniform(0.07, 0.16) * width)
    bubbles = np.clip(bubbles / bubbles.std() - rng.uniform(0.6, 1.6), 0, None) * (labels > 0)
    bright = 4 * outside * (1 - outside)
    edge = _blur(rim(labels, 1.5), 0.7)
    return (
        rng.uniform(0.5, 1.2) * bright
        - rng.uniform(0.1, 0.9) * inside
        - rng.uniform(0, 0.5) * edge
        + rng.uniform(0, 0.5) * _blur(bubbles, 0.7)
    )


def in_a_well(rng: Generator, labels: Labels, width: float) -> Picture:
    """Dark grainy bodies in the light of a well, whose wall is black."""
    side = len(labels)
    inner = thickness(labels, rng.uniform(0.7, 1.1, labels.max())) ** rng.uniform(0.3, 1)
    grain = _blur(rng.normal(size=labels.shape), 0.06 * width + 0.5)
    dark = inner * np.clip(1 + rng.uniform(0, 0.4) * grain / grain.std(), 0.2, None)
    dark = dark + rng.uniform(0, 0.6) * rim(labels, 1.5)
    y, x = np.mgrid[:side, :side] - rng.uniform(0.2, 0.8, 2)[:, None, None] * side
    light = np.exp(-(y**2 + x**2) / (2 * (rng.uniform(0.4, 2) * side) ** 2))
    wall = np.hypot(y, x) > rng.uniform(0.5, 1.6) * side
    light = light * _blur(1.0 - wall, 1.5)
    spots = sum((abs(_speck(rng, side, width)) for _ in range(rng.poisson(5))), np.zeros(1))
    seen = np.exp(-rng.uniform(0.6, 1.6) * _blur(dark, 0.7) - rng.uniform(0, 0.6) * spots)
    return np.asarray(rng.uniform(1, 2.5) * light * seen)


def bright_field(rng: Generator, labels: Labels, width: float) -> Picture:
    """Bodies that are seen by their edges, dark or bright as the focus lies above or below."""
    inner = thickness(labels, rng.uniform(0.7, 1.1, labels.max()))
    near, far = rng.uniform(0.5, 1.2), rng.uniform(0.12, 0.35) * width + 1.2
    edges = _blur(inner, near) - _blur(inner, far)
    return float(rng.choice([-1, 1])) * rng.uniform(1.5, 3) * edges - rng.uniform(0, 0.3) * inner


def interference_contrast(rng: Generator, labels: Labels, _: float) -> Picture:
    """Relief, lit from one side."""
    flat = np.minimum(1, rng.choice([1, 2, 4, 8]) * thickness(labels))
    inner = _blur(flat, rng.uniform(0.6, 1.6))
    angle = rng.uniform(0, 2 * np.pi)
    dy, dx = np.gradient(inner)
    relief = (np.sin(angle) * dy + np.cos(angle) * dx) * rng.uniform(1, 5)
    return np.asarray(relief + rng.uniform(-0.15, 0.1) * inner)


def fluorescence(rng: Generator, labels: Labels, width: float) -> Picture:
    """Bright bodies of different strength, filled or with a bright outline."""
    each = rng.lognormal(0, rng.uniform(0.1, 0.5), labels.max())
    inner = thickness(labels, each)
    if rng.random() < 0.35:
        inner = rim(labels, rng.uniform(0.8, 2)) * np.maximum(inner, 0.3)
    spread = _blur(inner, 0.3 * width + 2)
    return np.asarray(
        _blur(inner, rng.uniform(0.6, 0.15 * width + 0.8)) + rng.uniform(0, 0.4) * spread
    )


def _speck(rng: Generator, side: int, width: float) -> Picture:
    """Draw a ring or a spot of dirt, out of focus."""
    y, x = np.mgrid[:side, :side] - rng.uniform(0, side, 2)[:, None, None]
    far, radius = np.hypot(y, x), rng.uniform(0.2, 0.9) * width
    ring = np.exp(-(((far - radius) / (0.25 * radius + 0.7)) ** 2))
    return np.asarray(rng.uniform(0.3, 1) * (ring - rng.uniform(0, 1) * (far < radius)))


def smear(rng: Generator, labels: Labels, width: float) -> Picture:
    """Stained red blood cells, (Y, X, 3): pink, pale in the middle, some white cells purple."""
    depth = thickness(labels)
    disc = np.minimum(1, 2.5 * depth)
    pale = rng.uniform(0.2, 0.8) * _blur(np.clip(depth - 0.75, 0, None) * 4, 0.08 * width)
    strength = _blur(np.clip(disc - pale, 0, None), rng.uniform(0.6, 1.5))
    ground = rng.uniform(0.78, 0.95) * np.array([1.0, rng.uniform(0.93, 1), rng.uniform(0.9, 1)])
    tint = np.array([rng.uniform(0.05, 0.25), rng.uniform(0.25, 0.5), rng.uniform(0.15, 0.4)])
    picture = ground - strength[..., None] * tint
    for label in rng.choice(labels.max(), min(labels.max(), int(rng.integers(0, 3))), False) + 1:
        core = _blur((labels == label).astype(float), 1) * rng.uniform(0.4, 0.7)
        picture -= core[..., None] * np.array([0.5, 0.6, 0.15])
    return np.asarray(picture)


def as_picture(rng: Generator, signal: Picture, ground: Picture | None = None) -> NDArray[np.uint8]:
    """Camera's picture of a signal: noise, its range, and 8 bit."""
    found = signal if ground is None else signal + ground
    found = found + rng.normal(0, rng.uniform(0.005, 0.06), found.shape)
    low, high = np.percentile(found, (0.1, 99.9))
    room = rng.uniform(0, 0.15, 2)
    unit = room[0] + (1 - room.sum()) * (found - low) / max(1e-9, high - low)
    return np.round(255 * np.clip(unit, 0, 1)).astype(np.uint8)
