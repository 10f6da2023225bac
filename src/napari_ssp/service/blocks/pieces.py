"""A worker's part of a segmentation by blocks: one piece of one step."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.engine import resolve_device
from napari_ssp.engine.normalise import GreyRange
from napari_ssp.engine.plane import PlaneSource, predict_box, resample_box
from napari_ssp.flows.stitching import clean_block, find_bad, find_block, track_block
from napari_ssp.io.ngff.pyramid import halve
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.blocks.grid import index_of, make_grids
from napari_ssp.service.blocks.stored import StoredPlane, renumber
from napari_ssp.service.blocks.unfinished import LOOK, Unfinished
from napari_ssp.service.blocks.written import open_plane, read_labels
from napari_ssp.service.preparing import COMPILING, KERNELS
from napari_ssp.service.segmentation.levels import find_ranges, read_part
from napari_ssp.service.segmentation.plan import plan_segmentation
from napari_ssp.service.segmentation.run import choose_tracking
from napari_ssp.service.segmentation.steps import prepare_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_ssp.engine.tiling import Tile
    from napari_ssp.flows import TrackingSettings
    from napari_ssp.flows.stitching import Place
    from napari_ssp.service.blocks.grid import Grids
    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import BlockRequest
    from napari_ssp.service.segmentation.plan import SegmentPlan


def piece_steps(request: BlockRequest, models: ModelCache) -> Steps[None]:
    """Make one piece, and note it in the ledger.

    Parameters
    ----------
    request : BlockRequest
        Which.
    models : ModelCache
        Where networks come from.

    Yields
    ------
    Progress
        Between bands and between batches of windows.
    """
    name, _, level = request.step.partition("-")
    if name == LOOK:
        _look(request)
        return
    yield from _STEPS[name](_Work(request, models), int(level or 0))


def _look(request: BlockRequest) -> None:
    for path in (request.segment.image, request.folder):
        if not Path(str(path)).exists():
            raise FileNotFoundError(
                f"What computes does not see '{path}'. An image is done by blocks where workers "
                "find it, and its result, under the same names as this computer: put both on a "
                "disk that the server has as well, or compute here: processes."
            )


@dataclass(frozen=True, eq=False)
class _Work:
    """A piece that is to be made, and what it is made of."""

    request: BlockRequest
    models: ModelCache

    @cached_property
    def plan(self) -> SegmentPlan:
        return plan_segmentation(self.request.segment)

    @cached_property
    def grids(self) -> Grids:
        return make_grids(self.plan)

    @cached_property
    def unfinished(self) -> Unfinished:
        return Unfinished(self.request.folder)

    @property
    def tracking(self) -> TrackingSettings:
        return choose_tracking(self.request.segment)

    @property
    def index(self) -> tuple[int, int, int]:
        return index_of(self.request.key)

    @cached_property
    def stored(self) -> StoredPlane:
        return StoredPlane(self.unfinished, self.grids, self.index[0])

    @cached_property
    def place(self) -> Place:
        grid = self.grids.labels[0]
        return find_block(grid.shape, grid.side, *self.index[1:])

    def save(self, piece: NDArray[Any], **facts: Any) -> None:
        self.unfinished.save(self.request.step, self.request.key, piece, **facts)


def _range(work: _Work, _: int) -> Steps[None]:
    """Find the grey range of a plane."""
    ranges, is_little = yield from find_ranges(work.plan, [work.plan.planes[work.index[0]]])
    rows = [{**asdict(grey), "precision": grey.precision.str} for grey in ranges]
    work.save(np.zeros(0), ranges=rows, is_little=is_little)


def _network(work: _Work, _: int) -> Steps[None]:
    """Compute the network's outputs for a block, as it sees the plane."""
    plan, seen = work.plan, work.grids.seen
    facts = work.unfinished.facts("range", f"{work.index[0]}-0-0")
    ranges = tuple(
        GreyRange(**{**row, "precision": np.dtype(row["precision"])}) for row in facts["ranges"]
    )
    run = prepare_run(
        work.request.segment, plan, work.models, resolve_device(work.request.segment.device)
    )
    box = seen.box(*work.index[1:])
    around = _around(box, seen.shape, plan)
    # Windows overlap: what they see is read once.
    levels = read_part(plan, plan.planes[work.index[0]], ranges, around)

    def read(part: Tile) -> NDArray[np.float32]:
        return levels.read(
            tuple(
                slice(a.start - b.start, a.stop - b.start)
                for a, b in zip(part, around, strict=True)
            )
        )

    def magnify(part: Tile) -> NDArray[np.float32]:
        return resample_box(read, plan.shape, seen.shape, part)

    source = PlaneSource(magnify, seen.shape)
    work.save((yield from predict_box(run.network, source, run.windows, box)))


def _around(box: Tile, seen: tuple[int, int], plan: SegmentPlan) -> Tile:
    """Part of the region that windows see which touch a box."""
    parts = []
    for part, n, m in zip(box, seen, plan.shape, strict=True):
        scale, window = m / n, max(plan.window)
        reach = max(scale, 1.0) + 1
        start = int((part.start - window) * scale - reach)
        stop = int((part.stop + window) * scale + reach) + 1
        parts.append(slice(max(start, 0), min(stop, m)))
    return tuple(parts)


def _objects(work: _Work, _: int) -> Steps[None]:
    """Find the objects that meet in a block, before any check."""
    yield from KERNELS.steps(COMPILING)
    yield Progress("tracking flows")
    tracked = track_block(work.stored.outputs(work.place.seen), work.place, work.tracking)
    if tracked is None:
        work.save(np.zeros((0, 0), np.uint8), count=0, n_steps=0)
        return
    dtype = np.min_scalar_type(tracked.count)
    work.save(tracked.objects.astype(dtype), count=tracked.count, n_steps=int(tracked.n_steps))


def _check(work: _Work, _: int) -> Steps[None]:
    """Find which of a block's objects have flows that are not their own."""
    yield Progress("checking flows")
    born, worst = work.stored.born(), work.tracking.flow_threshold
    number = work.stored.number(*work.index[1:])
    own = range(int(born[number]), int(born[number + 1]))
    bad = np.zeros(len(own), np.bool_)
    if worst and own:
        n_steps = work.unfinished.facts("born", str(work.index[0]))["n_steps"]
        labels = work.stored.objects(work.place.seen, born)
        flows = work.stored.outputs(work.place.seen)[:2]
        bad = find_bad(labels, flows, own, n_steps, worst)
    work.save(bad)


def _clean(work: _Work, _: int) -> Steps[None]:
    """Drop bad objects of a block, and fill small holes."""
    yield Progress("filling holes")
    labels = work.stored.objects(work.place.seen, work.stored.born(), without_bad=True)
    work.save(clean_block(labels, work.place, work.tracking.holes))


def _choose(work: _Work, _: int) -> Steps[None]:
    """Find which of a block's objects are large enough."""
    yield Progress("counting pixels")
    born, number = work.stored.born(), work.stored.number(*work.index[1:])
    first, stop = int(born[number]), int(born[number + 1])
    labels = work.stored.cleaned(work.place.seen)
    mine = labels[(labels >= first) & (labels < stop)].astype(np.int64) - first
    keep = np.bincount(mine, minlength=stop - first) >= max(work.tracking.min_size, 1)
    work.save(keep, kept=int(keep.sum()))


def _labels(work: _Work, _: int) -> Steps[None]:
    """Write a block with its final numbers."""
    yield Progress("writing labels")
    stored, plane = work.stored, work.index[0]
    starts = work.unfinished.load("kept", "all")
    before = plane * work.grids.labels[0].size
    columns = work.grids.labels[0].counts[1]

    def numbers(owner: int) -> NDArray[np.int64]:
        key = stored.key(*divmod(owner, columns))
        keep = np.asarray(work.unfinished.load("choose", key))
        return np.where(keep, np.cumsum(keep) + (starts[before + owner] - 1), 0)

    final = renumber(stored.cleaned(work.place.core), stored.born(), numbers)
    _write(work, 0, work.place.core, final)


def _level(work: _Work, level: int) -> Steps[None]:
    """Write a block of a smaller level: every second pixel of the larger one."""
    yield Progress("writing labels")
    box = work.grids.labels[level].box(*work.index[1:])
    larger = work.grids.labels[level - 1].shape
    wide = tuple(
        slice(2 * part.start, min(2 * part.stop, n)) for part, n in zip(box, larger, strict=True)
    )
    pixels = read_labels(work.unfinished.labels, level - 1, work.index[0], wide)
    _write(work, level, box, halve(pixels, nearest=True))


def _write(work: _Work, level: int, box: Tile, labels: NDArray[Any]) -> None:
    array, index = open_plane(work.unfinished.labels, level, work.index[0], "r+")
    labels = labels.astype(array.dtype)
    array[(*index, *box)] = labels
    work.unfinished.note(work.request.step, work.request.key, labels)


_STEPS: dict[str, Callable[[_Work, int], Steps[None]]] = {
    "range": _range,
    "network": _network,
    "objects": _objects,
    "check": _check,
    "clean": _clean,
    "choose": _choose,
    "labels": _labels,
    "level": _level,
}
