"""A flow field that keeps what it has worked out, so that thresholds can be changed at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows.checking import FlowCheck
from napari_ssp.flows.checks import check_shapes, check_values, host_array, value_range
from napari_ssp.flows.cleaning import (
    fill_small_holes,
    remove_small_labels,
    tidy_mask,
    without,
)
from napari_ssp.flows.following import (
    empty_field,
    follow_in_plane,
    follow_in_volume,
    write_flow,
    write_trust,
)
from napari_ssp.flows.grouping import group
from napari_ssp.flows.numbering import pixel_counts
from napari_ssp.flows.threads import spread

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Networks predict flows in this many times unit length.
FLOW_SCALE = 5.0
#: An object that covers more of the image than this is the background taken for a cell.
LARGEST_SHARE = 0.9
#: Pixels that one thread follows at a time.
_PORTION = 1 << 14


@dataclass(frozen=True)
class TrackingSettings:
    """How labels are made from flows.

    Attributes
    ----------
    cell_threshold : float
        Pixels with a higher probability belong to cells.
    flow_threshold : float or None
        Largest mean squared difference between an object's own flows and the predicted ones. None
        or 0 keeps every object.
    min_size : int
        Smallest object kept, in pixels.
    hole_size : int or None
        Smallest hole left open, in pixels; None takes ``min_size``.
    """

    cell_threshold: float = 0.5
    flow_threshold: float | None = 0.4
    min_size: int = 16
    hole_size: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that have no meaning."""
        if self.min_size < 0 or (self.hole_size or 0) < 0:
            raise ValueError(
                f"min_size and hole_size must be at least 0, got {self.min_size} and "
                f"{self.hole_size}."
            )

    @property
    def holes(self) -> int:
        """Smallest hole left open."""
        return self.min_size if self.hole_size is None else self.hole_size


class FlowField:
    """Flows and cell probability of one image, and labels of them by any settings.

    The first labels follow every cell pixel. After that a new flow threshold only chooses among
    the objects, whose flow errors are known; a new cell threshold, minimum size or hole size only
    follows pixels whose way it can have changed, and only checks objects that have other pixels.
    The labels are always those of a fresh start.

    Parameters
    ----------
    flows : array_like
        Float (2, Y, X): flow_y, flow_x, or (3, Z, Y, X): flow_z, flow_y, flow_x, in the network's
        scale, 5 times unit vectors.
    cell_probability : array_like
        Float (Y, X) or (Z, Y, X) in [0, 1].
    n_steps : int
        Euler steps that a pixel follows.

    Raises
    ------
    ValueError
        When the shapes do not match, values are not finite or the steps are fewer than 1.
    """

    def __init__(self, flows: ArrayLike, cell_probability: ArrayLike, n_steps: int = 200) -> None:
        flow, probability = host_array(flows), host_array(cell_probability)
        check_shapes(flow.shape, probability.shape, n_steps)
        check_values(bool(np.isfinite(flow).all()), *value_range(probability))
        self.shape: tuple[int, ...] = probability.shape
        self.n_steps = n_steps
        volume = (-1, *probability.shape[-2:]) if probability.size else (1, *self.shape[-2:])
        self._probability = probability.reshape(volume)
        self._unit = (flow / np.float32(FLOW_SCALE)).reshape(len(flow), *self._probability.shape)
        self._plane = len(flow) == 2
        self._check = FlowCheck(self._unit)
        self._ends = np.zeros(probability.size, np.int32 if probability.size < 2**31 else np.int64)
        self._trust = np.full(probability.size, -np.inf, np.float32)
        self._stages: dict[str, tuple[Any, Any]] = {}
        self._tracked = 0  # how many times, each with another mask
        self._mask = np.zeros(0, np.bool_)
        self._found = (np.zeros(0, np.int32), 0)

    def labels(self, settings: TrackingSettings | None = None) -> NDArray[np.uint32]:
        """Uint32 labels of the image's shape: 0 is background, objects are 1..n without gaps."""
        chosen = settings or TrackingSettings()
        if self._probability.size == 0:
            return np.zeros(self.shape, np.uint32)
        mask_of = (chosen.cell_threshold, chosen.min_size, chosen.holes)
        objects, count = self._kept("objects", mask_of, lambda: self._objects(chosen))
        if chosen.flow_threshold and count:
            check = self._check.errors
            errors = self._kept("errors", self._tracked, lambda: check(objects, count))
            objects = without(objects, errors > chosen.flow_threshold)
        filled = fill_small_holes(objects, chosen.holes)
        return remove_small_labels(filled, chosen.min_size).reshape(self.shape)

    def _kept(self, stage: str, key: Any, make: Any) -> Any:
        """Give a stage's result, made anew when its settings differ from the last ones."""
        if stage not in self._stages or self._stages[stage][0] != key:
            self._stages[stage] = (key, make())
        return self._stages[stage][1]

    def _objects(self, chosen: TrackingSettings) -> tuple[NDArray[np.int32], int]:
        """Objects 1..n without gaps before any is dropped for its flows."""
        mask = self._probability > np.float32(chosen.cell_threshold)
        tidy = tidy_mask(mask, chosen.min_size, chosen.holes)
        if not self._tracked or not np.array_equal(tidy, self._mask):
            self._mask, self._found = tidy, self._track(tidy, np.float32(chosen.cell_threshold))
            self._tracked += 1
        return self._found

    def _track(
        self, tidy: NDArray[np.bool_], threshold: np.float32
    ) -> tuple[NDArray[np.int32], int]:
        starts = np.flatnonzero(tidy).astype(self._ends.dtype)
        self._follow(tidy, starts, threshold)
        labels = np.zeros(tidy.shape, np.int32)
        count = group(starts, self._ends, labels)
        sizes = pixel_counts(labels, count)
        empty = (sizes == 0) | (sizes > LARGEST_SHARE * labels.size)
        empty[0] = False
        if empty.any():
            labels, count = without(labels, empty), count - int(empty.sum())
        return labels, count

    def _follow(self, mask: NDArray[np.bool_], starts: NDArray[Any], threshold: np.float32) -> None:
        """Follow the starts whose known way read a pixel that may be background now."""
        starts = starts[self._trust[starts] <= threshold]
        field = self._kept("trust", None, self._trusted_field)
        z, y, x = mask.shape
        spread(lambda part: write_flow(self._unit, mask, part, field), np.full(z * y, 10.0 * x))
        move = follow_in_plane if self._plane else follow_in_volume
        portions = np.arange(0, len(starts), _PORTION)

        def work(part: NDArray[np.int64]) -> None:
            for begin in portions[part]:
                mine = starts[begin : begin + _PORTION]
                ends, trust = np.empty_like(mine), np.empty(len(mine), np.float32)
                move(field, mine, self.n_steps, ends, trust)
                self._ends[mine] = ends
                # A way that met background is good for this threshold only.
                self._trust[mine] = np.where(trust > threshold, trust, np.float32(-np.inf))

        if len(starts):
            spread(work, np.full(len(portions), float(_PORTION * self.n_steps)))

    def _trusted_field(self) -> NDArray[np.float32]:
        field = empty_field(len(self._unit), self._probability.shape)
        rows = np.full(field.shape[0] * field.shape[1], 50.0 * field.shape[2])
        spread(lambda part: write_trust(self._unit, self._probability, part, field), rows)
        return field
