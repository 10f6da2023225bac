"""Drawn pictures of kinds of which few labelled ones may be used: bacteria, yeast, blood, tissue.

Their labels are exact. They are learned from and never scored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import optics
import tissue
from bodies import Body, Dish, beside, grow, rod, scatter
from examples import Example

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray

    Looks = dict[str, Callable[[Generator, NDArray[np.int32], float], NDArray[np.float64]]]

#: Side of a picture in pixels, and pictures of a kind in one look.
_SIDE, _EACH = 320, 14

_LIGHT: Looks = {
    "phase": optics.phase_contrast,
    "bright_field": optics.bright_field,
    "fluorescence": optics.fluorescence,
}
_ROUND: Looks = {
    "ring": optics.bright_ring,
    "phase": optics.phase_contrast,
    "bright_field": optics.bright_field,
    "relief": optics.interference_contrast,
}
_LYING: Looks = {"phase": optics.phase_contrast, "bright_field": optics.bright_field}
_TISSUE = {
    "fluorescence": tissue.nuclei_in_focus,
    "membranes": tissue.membranes,
    "sections": tissue.sections,
}
#: Kinds of one look, or of which many differ, are drawn more often.
_MORE = {"colonies": 4, "worms": 2}


def drawn(_: Path) -> Iterator[Example]:
    """Draw all kinds; the same pictures each time."""
    kinds: tuple[tuple[str, Callable[[Generator], tuple[Dish, float]], Looks], ...] = (
        ("bacteria", _bacteria, _LIGHT),
        ("chains", _chains, _LIGHT),
        ("filaments", _filaments, _LIGHT),
        ("cocci", _cocci, _LIGHT),
        ("channels", _channel, _LIGHT),
        ("yeast", _yeast, _ROUND),
        ("discs", _discs, {"relief": optics.interference_contrast, "smear": optics.smear}),
        ("worms", _worms, {**_LYING, "well": optics.in_a_well}),
        ("colonies", _colonies, {"phase": optics.phase_colony}),
    )
    for kind, (name, make, looks) in enumerate(kinds):
        for number, look in enumerate(sorted(looks) * _EACH * _MORE.get(name, 1)):
            rng = np.random.default_rng((kind, number))
            dish, width = make(rng)
            picture = _picture(rng, looks[look](rng, dish.labels, width))
            yield _example(f"{name}_{look}_{number:03}", name, picture, dish.labels)
    for kind, look in enumerate(("fluorescence", "membranes", "sections"), len(kinds)):
        for number in range(3 * _EACH):
            rng = np.random.default_rng((kind, number))
            size = 9 * 6 ** rng.random()
            cells = tissue.packed(rng, _SIDE, size)
            signal = _TISSUE[look](rng, cells, size)
            labels = cells.cells if look == "membranes" else cells.nuclei
            if labels.any():
                yield _example(f"tissue_{look}_{number:03}", look, _picture(rng, signal), labels)


def _example(name: str, group: str, pixels: Any, labels: Any) -> Example:
    return Example(
        f"drawn_{name}",
        f"drawn {group}",
        pixels,
        labels,
        scored=False,
        licence="CC0",
        origin="scripts/starter_cells/drawn.py",
    )


def _picture(rng: Generator, signal: NDArray[np.float64]) -> NDArray[np.uint8]:
    ground = optics.backdrop(rng, len(signal)) * rng.uniform(0.2, 1.2)
    return optics.as_picture(rng, signal, ground if signal.ndim == 2 else 0.1 * ground[..., None])


def _anywhere(rng: Generator) -> NDArray[np.float64]:
    return rng.uniform(0, _SIDE, 2)


def _bacteria(rng: Generator) -> tuple[Dish, float]:
    """Rods, scattered or in colonies, loose or dense."""
    width, dish = 5 * 7 ** rng.random(), Dish(_SIDE, int(rng.integers(0, 3)))
    slim, spread = rng.uniform(1.6, 4.5), rng.uniform(0.02, 0.3)
    room = (_SIDE / width) ** 2 / slim

    def alone() -> Body:
        long = width * slim * rng.uniform(0.7, 1.4)
        return rod(rng, _anywhere(rng), long, width * rng.uniform(0.92, 1.08), rng.uniform(0, 0.4))

    scatter(dish, alone, int(rng.integers(2, 12)))
    gap = rng.uniform(0, 2)
    share = rng.choice([0.05, 0.2, 0.5, 1.0])
    grow(
        dish,
        rng,
        lambda body: beside(rng, _other(rng, body, slim), gap, spread, 0.4),
        int(share * room),
    )
    return dish, width


def _colonies(rng: Generator) -> tuple[Dish, float]:
    """Rods pressed together, side by side."""
    width, dish = rng.uniform(6, 26), Dish(_SIDE, int(rng.integers(0, 2)))
    slim, spread = rng.uniform(1.8, 6), rng.uniform(0.01, 0.15)

    def alone() -> Body:
        return rod(rng, _anywhere(rng), width * slim, width, rng.uniform(0, 0.3))

    scatter(dish, alone, int(rng.integers(1, 4)))
    most = 0.7 * (_SIDE / width) ** 2 / slim
    grow(
        dish,
        rng,
        lambda body: beside(rng, _other(rng, body, slim), rng.uniform(-0.3, 1), spread, 0.3),
        int(min(most, rng.integers(2, 90))),
    )
    return dish, width


def _other(rng: Generator, body: Body, slim: float) -> Body:
    """Of another length, so that a colony's cells stay of one kind."""
    width = 2 * float(body.radii.max())
    fresh = rod(rng, body.line.mean(axis=0), width * slim * rng.uniform(0.7, 1.4), width, 0.15)
    return fresh.moved(np.zeros(2), body.direction - fresh.direction)


def _chains(rng: Generator) -> tuple[Dish, float]:
    """Rods end to end."""
    width, dish = rng.uniform(6, 16), Dish(_SIDE, 1)
    slim = rng.uniform(1.5, 3.5)
    for _ in range(int(rng.integers(2, 9))):
        at, angle = _anywhere(rng), rng.uniform(0, 2 * np.pi)
        for _ in range(int(rng.integers(2, 14))):
            long = width * slim * rng.uniform(0.7, 1.3)
            body = rod(rng, at, long, width, 0.1)
            dish.put(body.moved(np.zeros(2), angle - body.direction))
            at = at + (long + 2) * np.array([np.sin(angle), np.cos(angle)])
            angle += rng.normal(0, 0.15)
    return dish, width


def _filaments(rng: Generator) -> tuple[Dish, float]:
    """Long bacteria, alone and in bundles."""
    width, dish = rng.uniform(6, 14), Dish(_SIDE, int(rng.integers(0, 2)))
    scatter(
        dish,
        lambda: rod(rng, _anywhere(rng), width * rng.uniform(6, 25), width, rng.uniform(0, 1.5)),
        int(rng.integers(2, 8)),
    )
    grow(dish, rng, lambda body: beside(rng, body, 1.0, 0.03, 0.3), int(rng.integers(0, 40)))
    return dish, width


def _cocci(rng: Generator) -> tuple[Dish, float]:
    """Balls, alone, in pairs and in grapes."""
    width, dish = rng.uniform(8, 24), Dish(_SIDE, int(rng.integers(0, 2)))
    scatter(dish, lambda: rod(rng, _anywhere(rng), width, width, 0), int(rng.integers(3, 20)))

    def neighbour(body: Body) -> Body:
        angle = rng.uniform(0, 2 * np.pi)
        size = width * rng.uniform(0.85, 1.12)
        by = 0.97 * (size / 2 + body.radii.max()) + 1
        return rod(rng, body.line[0] + by * np.array([np.sin(angle), np.cos(angle)]), size, size, 0)

    grow(dish, rng, neighbour, int(rng.integers(3, 80)))
    return dish, width


def _channel(rng: Generator) -> tuple[Dish, float]:
    """Rods one behind the other in straight channels."""
    width, dish = rng.uniform(8, 20), Dish(_SIDE, 1)
    apart = width * rng.uniform(1.6, 5)
    for x in np.arange(rng.uniform(0, apart), _SIDE, apart):
        y = rng.uniform(-20, 120)
        while y < _SIDE - rng.uniform(0, 60):
            long = width * rng.uniform(1.6, 4)
            body = rod(rng, np.array([y + long / 2, x]), long, width, 0.05)
            dish.put(body.moved(np.zeros(2), np.pi / 2 - body.direction))
            y += long + rng.uniform(0.5, 3)
    return dish, width


def _yeast(rng: Generator) -> tuple[Dish, float]:
    """Ovals with buds, in small colonies."""
    width, dish = rng.uniform(14, 56), Dish(_SIDE, int(rng.integers(0, 2)))

    def oval(at: NDArray[np.float64], size: float) -> Body:
        return rod(rng, at, size * rng.uniform(1.02, 1.4), size, 0)

    scatter(
        dish, lambda: oval(_anywhere(rng), width * rng.uniform(0.8, 1.2)), int(rng.integers(1, 8))
    )

    def neighbour(body: Body) -> Body:
        angle = rng.uniform(0, 2 * np.pi)
        size = width * (rng.uniform(0.35, 0.7) if rng.random() < 0.35 else rng.uniform(0.75, 1.2))
        by = (size / 2 + body.radii.max()) * rng.uniform(0.98, 1.1)
        return oval(body.line.mean(axis=0) + by * np.array([np.sin(angle), np.cos(angle)]), size)

    grow(dish, rng, neighbour, int(rng.integers(1, 3 + int(0.6 * (_SIDE / width) ** 2))))
    return dish, width


def _discs(rng: Generator) -> tuple[Dish, float]:
    """Red blood cells, which overlap."""
    width, dish = rng.uniform(24, 80), Dish(_SIDE, 0)

    def disc() -> Body:
        size = width * rng.uniform(0.85, 1.1)
        return rod(rng, _anywhere(rng), size * rng.uniform(1, 1.12), size, 0)

    scatter(dish, disc, int(rng.integers(5, 4 + int(2.5 * (_SIDE / width) ** 2))), hidden=0.25)
    return dish, width


def _worms(rng: Generator) -> tuple[Dish, float]:
    """Long bodies with thin ends, which cross."""
    width, dish = rng.uniform(8, 16), Dish(_SIDE, 0)
    scatter(
        dish,
        lambda: rod(
            rng, _anywhere(rng), width * rng.uniform(8, 16), width, rng.uniform(0, 2), taper=0.7
        ),
        int(rng.integers(3, 14)),
        hidden=0.15,
    )
    return dish, width
