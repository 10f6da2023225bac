"""Flows of labels by torch, for the flow check of a batch of images."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from napari_ssp.flows.grid import Grid

#: Steps to a pixel's neighbours in a plane, in the order in which the reference adds them.
_PLANE = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
_VOLUME = tuple(product((-1, 0, 1), repeat=3))


class TooMuchHeatError(RuntimeError):
    """Large objects, for whose flows heat would have to spread for longer than was allowed."""


def own_flows(grid: Grid, labels: Tensor, pixels: Tensor, most: float = math.inf) -> Tensor:
    """Give unit flows (n, axes) of the labelled pixels, as ``labels_to_flows`` of each image.

    ``labels`` is flat with ids 1..k over the whole batch; ``pixels`` are its places, sorted.

    Raises
    ------
    TooMuchHeatError
        When pixels times steps would be more than ``most``.
    """
    owner = labels[pixels] - 1
    places = grid.places(pixels)
    steps = _steps(grid, owner, places, pixels)
    if (work := int(steps[pixels // grid.pixels].sum())) > most:
        raise TooMuchHeatError(f"{work} pixels times steps are more than {most}.")
    sources = _sources(owner, places)
    number = torch.full_like(labels, len(pixels))
    number[pixels] = torch.arange(len(pixels), device=labels.device)
    offsets = _PLANE if grid.axes == 2 else _VOLUME
    near = torch.stack([_neighbours(grid, labels, number, pixels, step) for step in offsets])
    heat = _diffused(near, sources, steps[pixels // grid.pixels])
    if grid.axes == 2:
        # Only here does a touching object's heat take part, as in the reference.
        return _directions(grid, torch.log(1 + heat), number, pixels, None)
    return _directions(grid, heat, number, pixels, labels)


def _steps(grid: Grid, owner: Tensor, places: Tensor, pixels: Tensor) -> Tensor:
    """Count the steps of every image: its largest object decides."""
    count = int(owner.max()) + 1
    index = owner[:, None].expand_as(places)
    low = places.new_full((count, grid.axes), 2**62).scatter_reduce(0, index, places, "amin")
    high = places.new_zeros((count, grid.axes)).scatter_reduce(0, index, places, "amax")
    size = (high - low + 1).sum(dim=1) + 2
    steps = places.new_zeros(grid.shape[0])
    return 2 * steps.scatter_reduce(0, pixels // grid.pixels, size[owner], "amax")


def _sources(owner: Tensor, places: Tensor) -> Tensor:
    """Row of each object's pixel that is nearest to the median place, the first in order."""
    count = torch.bincount(owner)
    start = count.cumsum(0) - count
    distance = torch.zeros_like(owner)
    for along in places.T:
        span = int(along.max()) + 1
        ordered = torch.sort(owner * span + along).values % span
        doubled = ordered[start + (count - 1) // 2] + ordered[start + count // 2]
        distance += (2 * along - doubled[owner]) ** 2
    nearest = torch.full_like(count, 2**62).scatter_reduce(0, owner, distance, "amin")
    row = torch.arange(len(owner), device=owner.device)
    best = distance == nearest[owner]
    return torch.full_like(count, 2**62).scatter_reduce(0, owner[best], row[best], "amin")


def _neighbours(
    grid: Grid, labels: Tensor, number: Tensor, pixels: Tensor, step: tuple[int, ...]
) -> Tensor:
    """Row of each pixel's neighbour in the same object, or the row after the last."""
    places = grid.places(pixels) + torch.tensor(step, device=pixels.device)
    inside = grid.contains(places)
    there = torch.where(inside, grid.flat(pixels // grid.pixels, places), 0)
    return torch.where(inside & (labels[there] == labels[pixels]), number[there], len(pixels))


def _diffused(near: Tensor, sources: Tensor, steps: Tensor) -> Tensor:
    """Heat (n + 1) of all pixels after their own number of steps; the last is the outside."""
    exact = torch.float32 if near.device.type == "mps" else torch.float64
    heat = torch.zeros(near.shape[1] + 1, dtype=exact, device=near.device)
    done = 0
    for stop in torch.unique(steps).tolist():
        rows = (steps >= stop).nonzero()[:, 0]
        around = near[:, rows]
        entries = sources[steps[sources] >= stop]
        for _ in range(done, stop):
            heat[entries] += 1
            heat[rows] = heat[around].sum(dim=0) / len(near)
        done = stop
    return heat


def _directions(
    grid: Grid, heat: Tensor, number: Tensor, pixels: Tensor, labels: Tensor | None
) -> Tensor:
    """Give the unit gradient (n, axes); with labels, that of each object's own pixels only."""
    columns = []
    everyone = torch.ones_like(number) if labels is None else labels
    for axis in range(grid.axes):
        ahead, behind = [0] * grid.axes, [0] * grid.axes
        ahead[axis], behind[axis] = 1, -1
        after = _neighbours(grid, everyone, number, pixels, tuple(ahead))
        before = _neighbours(grid, everyone, number, pixels, tuple(behind))
        columns.append(heat[after] - heat[before])
    gradient = torch.stack(columns, dim=1)
    largest = gradient.abs().amax(dim=1, keepdim=True)
    scaled = torch.where(largest > 0, gradient / largest, 0.0)
    length = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return torch.where(length > 0, scaled / length, 0.0)
