"""Prediction of structures, step by step: read, normalise, resample, patches, back to the grid."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_ssp.engine import TileSettings, compute_dtype, predict_stream, resolve_device
from napari_ssp.engine.store import ArrayStore
from napari_ssp.engine.volume import Resampler, RunningStatistics, VolumeSource
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.results import StructurePrediction
from napari_ssp.service.segmentation.run import PlaneOf
from napari_ssp.service.structures.plan import NUM_VIEWS, PredictionPlan, plan_prediction

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_ssp.engine.tiling import Tile
    from napari_ssp.engine.volume import Read
    from napari_ssp.engine.windows import Network
    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import PredictRequest

# Axes y and x of a window that a view is mirrored along.
_MIRRORED = ((-2,), (-1,), (-2, -1))
# Values of a plane that are read at once.
_BAND = 2**22


def predict_steps(
    request: PredictRequest, models: ModelCache, plan: PredictionPlan | None = None
) -> Steps[StructurePrediction]:
    """Predict structures from a stack.

    Parameters
    ----------
    request : PredictRequest
        What to predict and how.
    models : ModelCache
        Where networks come from.
    plan : PredictionPlan or None
        What the request means, where that was found out already.

    Yields
    ------
    Progress
        Between planes that are read, between batches of patches and between stages.

    Returns
    -------
    StructurePrediction
        One image per task, on the stack's own grid.
    """
    began = time.monotonic()
    yield Progress("reading the stack")
    plan = plan or plan_prediction(request)
    source = yield from _source(plan)
    yield Progress(f"loading {plan.card.name}")
    device = resolve_device(request.device)
    dtype = compute_dtype(request.precision, device)
    depth = plan.window[0]
    networks = [models.merged(plan.card, task, device, dtype, depth) for task in plan.tasks]
    settings = TileSettings(plan.window, request.overlap, request.batch_size, device)
    found = ArrayStore((len(plan.tasks) * (1 + plan.spread), *plan.network_shape))
    write = _writer(found, source.inside)
    compute = _side_by_side(networks, dtype)
    compute = _with_spread(compute) if plan.spread else compute
    steps = predict_stream(compute, source, settings, write)
    with closing(steps):
        for step in steps:
            yield replace(step, stage="patches")
    made = yield from _on_own_grid(found, plan, request)
    tasks = len(plan.tasks)
    record = describe_run(request.provenance(), plan.card, str(device), time.monotonic() - began)
    has_planes = "z" in plan.image.axes
    if not has_planes:
        made = made[:, 0]
    return StructurePrediction(
        images=dict(zip(request.tasks, made[:tasks], strict=True)),
        spread=dict(zip(request.tasks if plan.spread else (), made[tasks:], strict=True)),
        axes="zyx" if has_planes else "yx",
        voxel_size=plan.voxel_size,
        **plan.place,
        warnings=plan.warnings,
        provenance=record,
    )


def _source(plan: PredictionPlan) -> Steps[VolumeSource]:
    """Stack on the network's grid, with the statistics of all its voxels.

    They are taken from the whole stack even where a part is predicted, so that a part looks as it
    does in the whole.
    """
    image, (first, last), (y0, y1), (x0, x1) = plan.image, *plan.box
    raw = ArrayStore(plan.shape, image.dtype)
    seen, (depth, height, width) = RunningStatistics(), (image.sizes.get(a, 1) for a in "zyx")
    step = max(1, _BAND // width)
    for z, top in product(range(depth), range(0, height, step)):
        bottom = min(top + step, height)
        rows = image.plane(plan.time, z, plan.channel, (top, bottom, 0, width))
        seen.add(rows)
        inside = max(top, y0), min(bottom, y1)
        if first <= z < last and inside[0] < inside[1]:
            place = slice(z - first, z - first + 1), slice(inside[0] - y0, inside[1] - y0)
            raw.write(place, rows[None, inside[0] - top : inside[1] - top, x0:x1])
        yield Progress("reading the stack", z + (bottom == height), depth)
    resampler = Resampler(raw.read, plan.shape, plan.network_shape)
    if plan.network_shape != plan.shape:
        resampled = ArrayStore(plan.network_shape)
        yield from _fill(resampled.write, resampler, "resampling")
        resampler = Resampler(resampled.read, plan.network_shape, plan.network_shape)
    return VolumeSource(resampler, seen.result(), plan.window, plan.card.margin)


def _side_by_side(networks: list[torch.nn.Module], dtype: torch.dtype) -> Network:
    """All structures of a window in one call, so that windows are read and moved once."""

    def compute(windows: torch.Tensor) -> torch.Tensor:
        windows = windows.to(dtype, memory_format=torch.channels_last_3d)
        return torch.cat([network(windows).float() for network in networks], 1)

    return compute


def _with_spread(compute: Network) -> Network:
    """Structures of a window, then for each the standard deviation over its mirrored views."""

    def both(windows: torch.Tensor) -> torch.Tensor:
        own = compute(windows)
        total, squares = own.double(), own.double() ** 2
        for axes in _MIRRORED:
            view = torch.flip(compute(torch.flip(windows, axes)), axes).double()
            total, squares = total + view, squares + view**2
        variance = squares / NUM_VIEWS - (total / NUM_VIEWS) ** 2
        return torch.cat([own, variance.clamp_(min=0).sqrt_().to(own.dtype)], 1)

    return both


def _writer(store: ArrayStore, inside: Tile) -> Any:
    """Store blocks without the margins that were added around the stack."""

    def write(tile: Tile, block: torch.Tensor, is_more: bool) -> None:
        target, part = [slice(None)], [slice(None)]
        for place, kept in zip(tile, inside, strict=True):
            start, stop = max(place.start, kept.start), min(place.stop, kept.stop)
            if stop <= start:
                return
            target.append(slice(start - kept.start, stop - kept.start))
            part.append(slice(start - place.start, stop - place.start))
        put = store.add if is_more else store.write
        put(tuple(target), block[tuple(part)].cpu().numpy())

    return write


def _on_own_grid(
    found: ArrayStore, plan: PredictionPlan, request: PredictRequest
) -> Steps[NDArray[np.float32]]:
    """Each task on the stack's grid, in the units that were asked for; then its spread."""
    known = plan.card.target_statistics if request.measured_units else {}
    units = [known.get(name, (0.0, 1.0)) for name in request.tasks]
    is_plain = not any(name in known for name in request.tasks)
    if plan.spread:  # which has no mean
        units += [(0.0, deviation) for _, deviation in units]
    if plan.network_shape == plan.shape and is_plain:
        return found.array()
    store = ArrayStore((len(units), *plan.shape))
    for index, unit in enumerate(units):
        read = _scaled(found, index, *unit)
        # Linear: a spline would swing below the darkest and above the brightest prediction.
        resampler = Resampler(read, plan.network_shape, plan.shape, order=1)
        name = request.tasks[index % len(request.tasks)]
        yield from _fill(PlaneOf(store, 0, index).write, resampler, f"writing {name}")
    return store.array()


def _scaled(store: ArrayStore, index: int, mean: float, deviation: float) -> Read:
    def read(tile: Tile) -> NDArray[Any]:
        values = store.read((slice(index, index + 1), *tile))[0]
        return np.asarray(values * deviation + mean)

    return read


def _fill(
    write: Callable[[Tile, NDArray[Any]], None], resampler: Resampler, stage: str
) -> Steps[None]:
    blocks = resampler.blocks()
    for done, tile in enumerate(blocks, 1):
        write(tile, resampler.block(tile).astype(np.float32))
        yield Progress(stage, done, len(blocks))
