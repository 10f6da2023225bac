"""Labels of a finished segmentation by other thresholds, without the network."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp import flows  # its parts are imported when they are used: they compile
from napari_ssp.labels import number_from
from napari_ssp.progress import Progress, Steps
from napari_ssp.schema import checked_dataclass, same_choice
from napari_ssp.service.preparing import COMPILING, KERNELS
from napari_ssp.service.requests import Request, SegmentRequest
from napari_ssp.service.results import Segmentation
from napari_ssp.service.segmentation.editing import (
    RecordedEdit,
    edit_again,
    has_flows,
    record_edits,
)
from napari_ssp.service.segmentation.plan import choose_tile
from napari_ssp.service.segmentation.refined_numbers import keep_numbers
from napari_ssp.service.segmentation.run import PlaneOf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.engine.store import ArrayStore
    from napari_ssp.flows import FlowField, TrackingSettings

#: Pixels of a plane that is brought up to date in one piece, which takes about a quarter second.
LIVE_PIXELS = 2**21
#: Pixels of which intermediate results are kept, about 50 bytes each.
KEPT_PIXELS = 2**24
#: Pixels around the visible part that are looked at: cells at its edge are seen whole.
_MARGIN = 64
#: A visible part larger than this share of its plane is no quicker than the plane.
_MOST = 0.75


_same = partial(same_choice, SegmentRequest, kw_only=False)


@checked_dataclass(frozen=True)
class Thresholds:
    """What can be changed after the network has run.

    Attributes
    ----------
    cell_threshold, flow_threshold, min_size
        As in :class:`napari_ssp.SegmentRequest`.
    hole_size : int
        Holes of fewer pixels are filled.

    Raises
    ------
    ValueError
        When a number is out of its limits.
    """

    cell_threshold: float = _same("cell_threshold")
    flow_threshold: float = _same("flow_threshold")
    min_size: int = _same("min_size")
    hole_size: int = _same("hole_size", default=16)


@dataclass(frozen=True)
class Display:
    """What the user is looking at, in pixels of the result.

    Attributes
    ----------
    plane : int
        Plane on display, counted over all planes of the result.
    region : tuple of int
        (y0, y1, x0, x1).
    """

    plane: int
    region: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Patch:
    """New labels of a part of a result, to be shown before the rest is ready.

    Attributes
    ----------
    place : tuple
        Index into the result's labels.
    labels : numpy.ndarray
        Uint32 (Y, X); their numbers are those of the part alone.
    """

    place: tuple[Any, ...]
    labels: NDArray[np.uint32]


class Refinement:
    """Labels of one segmentation by any thresholds, as a run with them would give them.

    Intermediate results are kept, so that a change redoes only what depends on it.

    Parameters
    ----------
    segmentation : Segmentation
        Result of a run; its flows and probability are read, never changed.

    Raises
    ------
    ValueError
        When its labels are not made plane by plane: 3D objects, and linked planes.
    """

    def __init__(self, segmentation: Segmentation) -> None:
        request = segmentation.provenance.get("request", {})
        _check(segmentation, request.get("stacks", "planes"))
        self.segmentation = segmentation
        self.thresholds = _thresholds_of(request)
        *lead, height, width = segmentation.labels.shape
        self._lead, self._shape = tuple(lead), (height, width)
        self._planes = math.prod(lead)
        self._tile = choose_tile(self._shape, request.get("tile"))
        self._fields: dict[int, FlowField] = {}
        self._near: tuple[Any, FlowField] | None = None

    @property
    def is_quick(self) -> bool:
        """Whether everything is brought up to date in one piece."""
        return self._planes * math.prod(self._shape) <= LIVE_PIXELS

    def steps(
        self,
        chosen: Thresholds,
        display: Display | None = None,
        before: NDArray[np.uint32] | None = None,
        edits: tuple[RecordedEdit, ...] = (),
    ) -> Steps[Segmentation]:
        """Bring the labels up to date, what is on display first where all takes longer.

        Parameters
        ----------
        chosen : Thresholds
            What to apply.
        display : Display, optional
            What the user is looking at.
        before : numpy.ndarray, optional
            Labels on display, of the result's shape: objects keep their numbers, and so their
            colours. Without it, and of results of many pixels, the numbers are those of a run.
        edits : tuple of RecordedEdit
            Made by hand; they are made again, in their order.

        Yields
        ------
        Progress
            The first one of a large result has a `Patch` as its preview; before it, that kernels
            are compiled, where that goes on.

        Returns
        -------
        Segmentation
            New labels, with the thresholds and edits in its provenance, not measured; all else is
            the run's.
        """
        from napari_ssp.engine.store import ArrayStore

        if KERNELS.is_under_way:  # the run before was a computer's first one
            yield from KERNELS.steps(COMPILING)
        settings = flows.TrackingSettings(**asdict(chosen))
        before = before if self._planes * math.prod(self._shape) <= KEPT_PIXELS else None
        patch = self._patch(settings, display)
        if patch is not None:
            if before is not None:
                patch = Patch(patch.place, keep_numbers(patch.labels, before[patch.place]))
            yield Progress("updating the rest", 0, self._planes, patch)
        labels, count = ArrayStore((self._planes, *self._shape), np.uint32), 0
        for plane in range(self._planes):
            if plane:
                yield Progress("updating the rest", plane, self._planes)
            count += yield from self._refine_plane(plane, settings, labels, count + 1)
        found = labels.array(editable=True).reshape(self.segmentation.labels.shape)
        found = found if before is None else keep_numbers(found, before)
        made = edit_again(found, self.segmentation, edits)
        return replace(
            self.segmentation,
            labels=found,
            count=count + sum(edit.gain for _, edit in made if edit is not None),
            table=None,
            edits=made,
            provenance=self._record(chosen) | record_edits(made),
        )

    def _refine_plane(
        self, plane: int, settings: TrackingSettings, labels: ArrayStore, first_id: int
    ) -> Steps[int]:
        place = PlaneOf(labels, 0, plane)
        if self._tile is not None:
            return (
                yield from flows.stitch_labels(
                    lambda box: self._outputs(plane, box),
                    place,
                    self._shape,
                    settings,
                    self._tile,
                    first_id,
                )
            )
        found = self._field(plane).labels(settings)
        place.write((slice(None), slice(None)), number_from(found, first_id))
        return int(found.max(initial=0))

    def _patch(self, settings: TrackingSettings, display: Display | None) -> Patch | None:
        """Labels of what is on display, where that is quicker than everything."""
        if display is None:
            return None
        pixels = math.prod(self._shape)
        y0, y1, x0, x1 = display.region
        lead = self._position(display.plane)
        if pixels <= LIVE_PIXELS or (y1 - y0) * (x1 - x0) > _MOST * pixels:
            if self._planes == 1 or self._tile is not None:
                return None
            return Patch((*lead, ...), self._field(display.plane).labels(settings))
        rows, top = _around(y0, y1, self._shape[0])
        columns, left = _around(x0, x1, self._shape[1])
        found = self._field_near(display.plane, (rows, columns)).labels(settings)
        inner = found[top : top + y1 - y0, left : left + x1 - x0]
        return Patch((*lead, slice(y0, y1), slice(x0, x1)), inner)

    def _field(self, plane: int) -> FlowField:
        """Flow field of a plane, kept while there is room."""
        if plane in self._fields:
            return self._fields[plane]
        found = self._make_field(plane, (slice(None), slice(None)))
        if (len(self._fields) + 1) * math.prod(self._shape) <= KEPT_PIXELS:
            self._fields[plane] = found
        return found

    def _field_near(self, plane: int, box: tuple[slice, slice]) -> FlowField:
        """Flow field of a part, kept until another part is looked at."""
        key = (plane, *box)
        if self._near is None or self._near[0] != key:
            self._near = (key, self._make_field(plane, box))
        return self._near[1]

    def _make_field(self, plane: int, box: tuple[slice, slice]) -> FlowField:
        outputs = self._outputs(plane, box)
        return flows.FlowField(outputs[:2], outputs[2])

    def _outputs(self, plane: int, box: tuple[slice, slice]) -> NDArray[np.float32]:
        place: Any = (*self._position(plane), *box)
        flow = self.segmentation.flows[(slice(None), *place)]
        return np.concatenate([flow, self.segmentation.cell_probability[place][None]])

    def _position(self, plane: int) -> tuple[int, ...]:
        return tuple(int(n) for n in np.unravel_index(plane, self._lead))

    def _record(self, chosen: Thresholds) -> dict[str, Any]:
        before = self.segmentation.provenance
        if chosen == self.thresholds:
            return before
        known = SegmentRequest.__dataclass_fields__
        applied = {name: value for name, value in asdict(chosen).items() if name in known}
        return {
            **before,
            "request": {**before.get("request", {}), **applied},
            "refined": {
                **asdict(chosen),
                "run_with": asdict(self.thresholds),
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        }


@dataclass(frozen=True, eq=False)
class RefineRequest(Request[Segmentation]):
    """Bring the labels of a segmentation to other thresholds.

    Attributes
    ----------
    refinement : Refinement
        Of the segmentation; it keeps intermediate results from request to request.
    thresholds, display, before, edits
        As in `Refinement.steps`.
    """

    refinement: Refinement
    thresholds: Thresholds
    display: Display | None = None
    before: NDArray[np.uint32] | None = None
    edits: tuple[RecordedEdit, ...] = ()


def refine_steps(request: RefineRequest) -> Steps[Segmentation]:
    """Start to bring the labels up to date."""
    return request.refinement.steps(
        request.thresholds, request.display, request.before, request.edits
    )


def _check(segmentation: Segmentation, stacks: str) -> None:
    if not has_flows(segmentation):
        raise ValueError(
            "These objects come from a model without flows. To try other thresholds, change them "
            "above and run again."
        )
    if len(segmentation.flows) == 3:
        raise ValueError(
            "These are 3D objects, tracked on a grid of their own that is not kept. To try other "
            "thresholds, change them above and run again."
        )
    if stacks == "linked":
        raise ValueError(
            "These objects are linked from plane to plane, which is not done while a slider moves. "
            "To try other thresholds, change them above and run again."
        )


def _thresholds_of(request: dict[str, Any]) -> Thresholds:
    """Thresholds that a run was made with."""
    known = {item.name: request.get(item.name) for item in fields(Thresholds)}
    found = Thresholds(**{name: value for name, value in known.items() if value is not None})
    return found if known["hole_size"] is not None else replace(found, hole_size=found.min_size)


def _around(start: int, stop: int, length: int) -> tuple[slice, int]:
    """Part of an axis with a margin, and where the part without it begins there."""
    first = max(start - _MARGIN, 0)
    return slice(first, min(stop + _MARGIN, length)), start - first
