"""3D objects from a 2D network that sees a stack from three sides."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import ndimage

from napari_ssp.engine import predict_tiles
from napari_ssp.engine.memory import move_values
from napari_ssp.engine.montage import Montage
from napari_ssp.engine.store import ArrayStore
from napari_ssp.engine.volume import Resampler
from napari_ssp.flows import combine_orthogonal_flows
from napari_ssp.flows.diffusion import consecutive
from napari_ssp.labels import number_from
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.segmentation.tracking import track_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_ssp.engine.tiling import Tile
    from napari_ssp.flows.field import TrackingSettings
    from napari_ssp.service.segmentation.levels import Levels
    from napari_ssp.service.segmentation.run import SegmentRun

Grid = tuple[int, int, int]

#: Sigma in voxels of the grid: planes beside one another are predicted alone, and their flows
#: differ enough to tear objects.
SMOOTHING = 1.0


def segment_volume(
    run: SegmentRun, levels: Levels, outputs: ArrayStore, labels: ArrayStore, first: tuple[int, int]
) -> Steps[int]:
    """Segment the stack of one time point into 3D objects.

    Parameters
    ----------
    run : SegmentRun
        Plan with the grid of the volume, network and settings; the flow threshold does not apply,
        because averaged vectors have no unit length.
    levels : Levels
        All planes of the stack.
    outputs : ArrayStore
        (4, planes, Y, X); receives flow_z, flow_y, flow_x and cell probability.
    labels : ArrayStore
        (planes, Y, X); receives the labels.
    first : tuple of int
        First plane of the stack in the stores, and number of the first object.

    Yields
    ------
    Progress
        Between two batches of windows.

    Returns
    -------
    int
        How many objects there are.
    """
    plane, first_id = first
    output = yield from _predicted(run, levels)
    yield Progress("tracking flows in 3D")
    run = replace(run, tracking=_in_3d(run.tracking, run.plan.zoom))
    found = track_labels(run, move_values(torch.from_numpy(output), run.results_on))
    depth = levels.store.shape[0]
    shape = (depth, *run.plan.shape)
    # An object thinner than the distance of two planes may lie between them.
    ids = consecutive(_regrid(found, shape, 0).astype(np.int64))
    place = slice(plane, plane + depth)
    labels.write((place,), number_from(ids, first_id))
    for channel, values in enumerate(output):
        part = slice(channel, channel + 1)
        outputs.write((part, place), _regrid(values, shape, 1).astype(np.float32)[None])
    return int(ids.max(initial=0))


def _in_3d(tracking: TrackingSettings, zoom: float) -> TrackingSettings:
    """Make settings for a grid of cubes: sizes become those of balls with so many pixels across."""
    smallest, hole = (_ball_size(pixels, zoom) for pixels in (tracking.min_size, tracking.holes))
    return replace(tracking, flow_threshold=None, min_size=smallest, hole_size=hole)


def _ball_size(pixels: int, zoom: float) -> int:
    """Count the voxels of a ball with so many pixels across, on a magnified grid."""
    radius = zoom * math.sqrt(pixels / math.pi)
    return round(4 / 3 * math.pi * radius**3)


def _predicted(run: SegmentRun, levels: Levels) -> Steps[NDArray[np.float32]]:
    """Flows, then probability, (4, Z, Y, X) on the grid of the volume, whose voxels are cubes."""
    grid = run.plan.volume
    assert grid is not None
    volume = ArrayStore((levels.store.shape[-1], *grid))
    for channel in range(volume.shape[0]):
        resampler = Resampler(_channel(levels, channel), levels.store.shape[:3], grid, order=1)
        for z in range(grid[0]):
            box = (slice(z, z + 1), slice(0, grid[1]), slice(0, grid[2]))
            volume.write((slice(channel, channel + 1), *box), resampler.block(box)[None])
    sides = [ArrayStore((3, *grid)) for _ in range(3)]
    done = 0
    for axis, side in enumerate(sides):
        height, width = (n for k, n in enumerate(grid) if k != axis)
        montage = Montage((height, width), (run.windows.window[0], run.windows.window[1]))
        for first in range(0, grid[axis], montage.room):
            planes = range(first, min(first + montage.room, grid[axis]))
            cuts = [_across(axis, k) for k in planes]
            done = yield from _predict_planes(run, montage, (volume, side), cuts, done)
    output = np.empty((4, *grid), np.float32)
    for z in range(grid[0]):
        slab = (slice(None), slice(z, z + 1))
        found = combine_orthogonal_flows(*(side.read(slab) for side in sides))
        output[:3, z : z + 1], output[3, z : z + 1] = found
    for component in output[:3]:
        ndimage.gaussian_filter(component, SMOOTHING, output=component)
    return output


def _across(axis: int, k: int) -> Any:
    """Place of plane ``k`` across an axis, with all its channels."""
    return (slice(None), *[slice(None)] * axis, k)


def _predict_planes(
    run: SegmentRun,
    montage: Montage,
    stores: tuple[ArrayStore, ArrayStore],
    cuts: Sequence[Any],
    done: int,
) -> Steps[int]:
    """Predict planes of the first store into the second; return the windows done so far."""
    volume, side = stores
    pixels = np.zeros((3, *montage.shape(len(cuts))), np.float32)
    places = list(montage.places(len(cuts)))
    for cut, place in zip(cuts, places, strict=True):
        pixels[(slice(None), *place)] = _as_colours(volume.read(cut))
    # Narrow planes have margins as in 2D: in smaller windows than its own a network sees worse.
    steps, last = predict_tiles(run.network, pixels, run.windows), 0
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as stop:
                for cut, place in zip(cuts, places, strict=True):
                    side.write(cut, stop.value[(slice(None), *place)])
                return done + last
            last = step.total
            yield replace(step, done=done + step.done, total=_windows(run))


def _as_colours(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey three times, or two channels and an empty third, (3, ...), as planes have it in 2D."""
    if len(pixels) == 1:
        return np.repeat(pixels, 3, axis=0)
    return np.pad(pixels, ((0, 3 - len(pixels)), *[(0, 0)] * (pixels.ndim - 1)))


def _windows(run: SegmentRun) -> int:
    """Windows of one time point."""
    return run.plan.num_windows * run.plan.image.sizes["z"] // len(run.plan.planes)


def _channel(levels: Levels, channel: int) -> Callable[[Tile], NDArray[Any]]:
    def read(tile: Tile) -> NDArray[Any]:
        planes = range(tile[0].start, tile[0].stop)
        return np.stack([levels.read(tile[1:], z)[channel] for z in planes])

    return read


def _regrid(values: NDArray[Any], shape: tuple[int, ...], order: int) -> NDArray[np.float64]:
    """Bring a volume to another grid: 0 takes the nearest voxel, 1 is linear."""

    def read(tile: Tile) -> NDArray[Any]:
        return values[tile]

    whole = tuple(slice(0, n) for n in shape)
    return Resampler(read, values.shape, shape, order).block(whole)
