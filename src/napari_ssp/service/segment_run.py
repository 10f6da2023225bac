"""What all ways to segment share, and their room for results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.engine import TileSettings
    from napari_ssp.engine.store import ArrayStore
    from napari_ssp.engine.tiling import Tile
    from napari_ssp.engine.windows import Network
    from napari_ssp.flows import TrackingSettings
    from napari_ssp.service.plan import SegmentPlan


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
    """

    plan: SegmentPlan
    network: Network
    windows: TileSettings
    tracking: TrackingSettings


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

    def _within(self, tile: Tile) -> Any:
        return (*tile[: self.axis], self.index, *tile[self.axis :])
