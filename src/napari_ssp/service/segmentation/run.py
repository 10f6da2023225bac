"""Shared parts of all ways to segment, and their room for results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_ssp.engine.contrast import describe_blank, read_bands
from napari_ssp.engine.store import ArrayStore
from napari_ssp.flows import TrackingSettings
from napari_ssp.labels import number_from
from napari_ssp.place import place_in
from napari_ssp.service.results import COVER_LITTLE, NOTHING_TO_SEE, Segmentation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from napari_ssp.engine import TileSettings, View
    from napari_ssp.engine.tiling import Tile
    from napari_ssp.engine.windows import Network
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.segmentation.plan import SegmentPlan


#: Room for labels (planes, Y, X), and for flows and probability (3 or 4, planes, Y, X).
Stores = tuple[ArrayStore, ArrayStore]


@dataclass(frozen=True)
class SegmentRun:
    """A segmentation that is about to begin: everything but the pixels.

    Attributes
    ----------
    plan : SegmentPlan
        What is segmented.
    network : callable
        Maps windows (N, 3, Y, X) to [flow_y, flow_x, cell logit].
    windows : TileSettings
        How planes are cut into windows, and which views of them are averaged.
    tracking : TrackingSettings
        How labels are made from flows.
    on_device : bool
        Whether outputs stay where the network computes, and flows are followed there.
    """

    plan: SegmentPlan
    network: Network
    windows: TileSettings
    tracking: TrackingSettings
    on_device: bool = False

    @property
    def results_on(self) -> str | torch.device:
        """Where outputs are put together."""
        return self.windows.device if self.on_device else "cpu"


def choose_tracking(request: SegmentRequest) -> TrackingSettings:
    """How a request's labels are made from flows."""
    return TrackingSettings(
        request.cell_threshold, request.flow_threshold, request.min_size, request.hole_size
    )


def choose_views(request: SegmentRequest) -> Sequence[View]:
    """How a request wants the image to be looked at."""
    from napari_ssp.engine import EIGHT_VIEWS, MEDIAR_VIEWS, View  # loads torch

    if request.eightfold:
        return EIGHT_VIEWS
    return MEDIAR_VIEWS if request.tta else (View(),)


def add_objects(labels: ArrayStore, place: Tile, found: NDArray[np.uint32], count: int) -> int:
    """Write the objects of some planes, numbered after those so far; how many there are now."""
    labels.write(place, number_from(found, count + 1))
    return count + int(found.max(initial=0))


def assemble_planes(
    plan: SegmentPlan,
    labels: NDArray[np.uint32],
    outputs: NDArray[np.float32],
    record: dict[str, Any],
    count: int | None = None,
) -> Segmentation:
    """Put planes together: labels (P, Y, X); flows, then probability, (2 or 3 + 1, P, Y, X).

    Where no object was found, the image is asked whether there was anything to see.
    """
    warnings = plan.warnings
    blank = _describe_blank(plan) if count == 0 else None
    if blank:
        warnings += (f"{NOTHING_TO_SEE}, which {blank}.",)
    shape = (*(plan.image.sizes[a] for a in plan.axes[:-2]), *plan.shape)
    t, z = plan.planes[0]
    lengths = dict(zip(plan.axes, shape, strict=True))
    return Segmentation(
        labels=labels.reshape(shape),
        flows=outputs[:-1].reshape(len(outputs) - 1, *shape),
        cell_probability=outputs[-1].reshape(shape),
        axes=plan.axes,
        voxel_size=plan.image.voxel_size,
        **place_in(plan.image, (t, z, plan.region[0], plan.region[2]), lengths),
        provenance=record,
        count=count,
        warnings=warnings,
    )


def warn_of_few(plan: SegmentPlan, few: int) -> Iterator[str]:
    """Say in how many planes cells are so few that regions gave the grey range."""
    total = len(plan.planes)
    if few and plan.normalise == "auto":
        where = "the image" if few == total else f"{few} of {total} planes"
        yield (
            f"{COVER_LITTLE} {where}, so grey values were stretched by region there, not by the "
            "whole image. Normalise 'image' or 'region' decides it for all images."
        )


def _describe_blank(plan: SegmentPlan) -> str | None:
    """Say why nothing can be seen in any of the channels; None where something can."""
    for channel in plan.channels:
        blank = describe_blank(read_bands(plan.image, channel, plan.planes))
        if blank is None:
            return None
    return blank


@dataclass(frozen=True)
class PlaneOf:
    """One plane of stored arrays, read and written like an array without that axis."""

    store: ArrayStore
    axis: int
    index: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the other axes."""
        return self.store.shape[: self.axis] + self.store.shape[self.axis + 1 :]

    def read(self, tile: Tile) -> NDArray[Any]:
        """Copy of a box."""
        return self.store.read(self._within(tile))

    def write(self, tile: Tile, block: NDArray[Any]) -> None:
        """Put a box at its place."""
        self.store.write(self._within(tile), block)

    def add(self, tile: Tile, block: NDArray[Any]) -> None:
        """Add a box to what is at its place."""
        self.store.add(self._within(tile), block)

    def _within(self, tile: Tile) -> Any:
        return (*tile[: self.axis], self.index, *tile[self.axis :])
