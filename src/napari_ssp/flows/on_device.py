"""Flows to labels by torch, many images at once: no Python loop over objects or images.

Everything works on flat tables of pixels with an image number, so that planes and volumes share the
code. The results are those of ``FlowField``, up to the rounding of float32 positions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from napari_ssp.flows.checks import check_shapes, check_values
from napari_ssp.flows.field import FLOW_SCALE, LARGEST_SHARE, TrackingSettings
from napari_ssp.flows.grid import Grid
from napari_ssp.flows.grouping import GROW_COUNT, REACH, SEED_COUNT
from napari_ssp.flows.heat_on_device import own_flows
from napari_ssp.flows.parts_on_device import fill_holes, flip_small

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

#: Steps between two looks for pixels that have come to rest.
_STRIDE = 8


@torch.no_grad()
def track(
    flows: Tensor,
    probability: Tensor,
    settings: TrackingSettings,
    n_steps: int = 200,
    most_heat: float = math.inf,
) -> Tensor:
    """Labels of a batch, on the device of the tensors.

    Parameters
    ----------
    flows : torch.Tensor
        Float (N, 2, Y, X) or (N, 3, Z, Y, X) in the network's scale.
    probability : torch.Tensor
        Float (N, Y, X) or (N, Z, Y, X) in [0, 1].
    settings : TrackingSettings
        Thresholds and sizes.
    n_steps : int
        Euler steps that a pixel follows.
    most_heat : float
        Pixels times steps that the flow check may take.

    Returns
    -------
    torch.Tensor
        Int64 of the probability's shape: 1..n without gaps in every image.
    """
    grid = Grid(tuple(probability.shape))
    mask = flip_small(probability.float() > settings.cell_threshold, False, settings.holes)
    mask = flip_small(mask, True, settings.min_size)
    labels = torch.zeros(mask.numel(), dtype=torch.int64, device=mask.device)
    starts = mask.reshape(-1).nonzero()[:, 0]
    if len(starts) == 0:
        return labels.reshape(grid.shape)
    unit = torch.where(mask[:, None], flows.float() / FLOW_SCALE, 0.0)
    labels[starts] = _group(grid, follow(grid, unit, starts, n_steps))
    labels = _numbered(labels, _sizes(labels) <= LARGEST_SHARE * grid.pixels)
    if settings.flow_threshold:
        errors = _errors(grid, labels, unit, most_heat)
        labels = _numbered(labels, errors <= settings.flow_threshold)
    labels = fill_holes(labels.reshape(grid.shape), settings.holes).reshape(-1)
    kept = _numbered(labels, _sizes(labels) >= max(settings.min_size, 1))
    return _by_image(grid, kept).reshape(grid.shape)


def follow(grid: Grid, unit: Tensor, starts: Tensor, n_steps: int) -> Tensor:
    """Flat numbers of the pixels where the ways from the sorted starts end.

    Pixels that are where they were two steps ago stay in that circle and leave the loop.
    """
    image, place = starts // grid.pixels, grid.places(starts).float()
    moving = torch.arange(len(starts), device=starts.device)
    done = 0
    while done < n_steps and len(moving):
        steps = min(_STRIDE, n_steps - done)
        done += steps
        now, before, earlier = _walk(grid, unit, image[moving], place[moving], steps)
        circling = (now == earlier).all(dim=1)
        # An odd number of further steps would take it to the other place of its circle.
        turned = circling[:, None] & ((n_steps - done) % 2 == 1)
        place[moving] = torch.where(turned, before, now)
        moving = moving[~circling]
    return grid.flat(image, place.long())


def _walk(
    grid: Grid, unit: Tensor, image: Tensor, place: Tensor, n_steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Places (n, axes) after all steps, one step earlier and two; ``image`` is sorted."""
    count = torch.bincount(image, minlength=grid.shape[0])
    column = torch.arange(len(image), device=image.device) - (count.cumsum(0) - count)[image]
    now = torch.zeros((grid.shape[0], int(count.max()), grid.axes), device=image.device)
    now[image, column] = place
    size = torch.tensor(grid.shape[1:], device=image.device, dtype=torch.float32)
    if grid.axes == 2:  # sampled half a pixel off, as by the reference
        scale, shift = 2 / (size - 1).clamp(min=1), torch.full_like(size, -1)
    else:
        scale, shift = 2 / size, 1 / size - 1
    ones = (1,) * (grid.axes - 1)
    before = earlier = now
    for _ in range(n_steps):
        view = (now * scale + shift).flip(-1).reshape(len(now), *ones, -1, grid.axes)
        step = functional.grid_sample(unit, view, align_corners=False)
        moved = now + step.reshape(len(now), grid.axes, -1).transpose(1, 2)
        now, before, earlier = torch.minimum(moved.clamp_(min=0), size - 1), now, before
    return now[image, column], before[image, column], earlier[image, column]


def _group(grid: Grid, ends: Tensor) -> Tensor:
    """Object of every way: seeds are the crowded local maxima, grown over crowded pixels."""
    crowd = torch.bincount(ends, minlength=grid.shape[0] * grid.pixels)
    pool = functional.max_pool2d if grid.axes == 2 else functional.max_pool3d
    peak = pool(crowd.reshape(grid.shape)[:, None].float(), 5, 1, 2).reshape(-1)
    seeds = ((crowd > SEED_COUNT) & (crowd == peak)).nonzero()[:, 0]
    seeds = seeds[torch.argsort(crowd[seeds], stable=True)]
    window = _offsets(grid.axes, REACH, ends.device)
    places = grid.places(seeds)[:, None] + window
    inside = grid.contains(places)
    around = torch.where(inside, grid.flat((seeds // grid.pixels)[:, None], places), 0)
    box = (len(seeds), 1, *(2 * REACH + 1,) * grid.axes)
    open_pixels = (inside & (crowd[around] > GROW_COUNT)).reshape(box).float()
    grown = (window == 0).all(dim=1).float().expand(len(seeds), -1).reshape(box)
    for _ in range(REACH if len(seeds) else 0):
        grown = pool(grown, 3, 1, 1) * open_pixels
    rank = torch.arange(1, len(seeds) + 1, device=ends.device)[:, None].expand_as(around)
    taken = grown.reshape(around.shape) > 0
    painted = torch.zeros_like(crowd)
    painted.scatter_reduce_(0, around[taken], rank[taken], "amax")
    return painted[ends]


def _errors(grid: Grid, labels: Tensor, unit: Tensor, most_heat: float) -> Tensor:
    """Mean squared difference between own and predicted flows, by label (0: background)."""
    pixels = labels.nonzero()[:, 0]
    if len(pixels) == 0:
        return torch.zeros(1, device=labels.device)
    own = own_flows(grid, labels, pixels, most_heat)
    predicted = unit.transpose(0, 1).reshape(grid.axes, -1)[:, pixels].T
    squared = ((own - predicted) ** 2).sum(dim=1)
    total = torch.zeros(int(labels.max()) + 1, dtype=squared.dtype, device=labels.device)
    return total.index_add_(0, labels[pixels], squared) / _sizes(labels).clamp(min=1)


def _sizes(labels: Tensor) -> Tensor:
    return torch.bincount(labels)


def _numbered(labels: Tensor, keep: Tensor) -> Tensor:
    """Keep some labels, numbered 1..n without gaps over the whole batch."""
    keep = keep & (_sizes(labels) > 0)
    keep[0] = False
    return torch.where(keep, keep.cumsum(0), 0)[labels]


def _by_image(grid: Grid, labels: Tensor) -> Tensor:
    """Let the numbers start at 1 in every image."""
    count = int(labels.max()) + 1
    image = torch.zeros(count, dtype=torch.int64, device=labels.device)
    pixels = labels.nonzero()[:, 0]
    image[labels[pixels]] = pixels // grid.pixels
    order = torch.argsort(image[1:], stable=True)
    objects = torch.bincount(image[1:], minlength=grid.shape[0])
    new = torch.zeros_like(image)
    position = torch.arange(1, count, device=labels.device)
    new[1:][order] = position - (objects.cumsum(0) - objects)[image[1:][order]]
    return new[labels]


def _offsets(axes: int, reach: int, device: torch.device) -> Tensor:
    """All steps of at most ``reach`` along every axis: (n, axes)."""
    along = torch.arange(-reach, reach + 1, device=device)
    return torch.cartesian_prod(*(along,) * axes)


def track_batch(
    flows: Sequence[ArrayLike],
    probabilities: Sequence[ArrayLike],
    settings: TrackingSettings,
    n_steps: int,
    device: str,
    most_heat: float = math.inf,
) -> list[NDArray[np.uint32]]:
    """Label arrays or tensors; those on the device already are not copied to the host."""
    if len(flows) == 0:
        return []
    pairs = [
        (_tensor(flow, device), _tensor(p, device))
        for flow, p in zip(flows, probabilities, strict=True)
    ]
    shapes = {tuple(p.shape) for _, p in pairs}
    if len(shapes) > 1:
        raise ValueError(
            f"Images that are tracked together must have one shape, got {sorted(shapes)}. "
            "Track those of each shape apart."
        )
    for flow, probability in pairs:
        check_shapes(tuple(flow.shape), tuple(probability.shape), n_steps)
    flow, probability = (torch.stack(part) for part in zip(*pairs, strict=True))
    if probability.numel() == 0:
        return [np.zeros(p.shape, np.uint32) for p in probability]
    lowest, highest = torch.aminmax(probability)
    check_values(bool(torch.isfinite(flow).all()), float(lowest), float(highest))
    found = track(flow, probability, settings, n_steps, most_heat)
    return list(found.cpu().numpy().astype(np.uint32))


def _tensor(values: ArrayLike, device: str) -> Tensor:
    if not isinstance(values, torch.Tensor):
        values = torch.from_numpy(np.ascontiguousarray(values, np.float32))
    return values.detach().to(device, torch.float32)
