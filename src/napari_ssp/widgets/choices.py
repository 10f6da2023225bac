"""What a person chooses in the Segment dock, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from napari_ssp.service.requests import SegmentRequest, check_limits

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage

_REQUEST = {item.name: item for item in fields(SegmentRequest)}


def _same(name: str) -> Any:
    """Field with the default, label, help and limits that the request has."""
    return field(default=_REQUEST[name].default, metadata=_REQUEST[name].metadata)


def _own(label: str, help: str) -> Any:
    return field(default=False, metadata={"label": label, "help": help})


@dataclass(frozen=True)
class SegmentChoices:
    """The choices of a SegmentRequest without the image, and what to do with the result.

    Attributes
    ----------
    all_planes : bool
        Segment every plane of a stack or time series, not only the one on display.
    visible_only : bool
        Segment only what the canvas shows.
    keep_flows, keep_probability : bool
        Add layers of what the network predicted, beside the labels.
    model, channel, device, cell_threshold, flow_threshold, min_size, overlap, batch_size, tta
        As in :class:`napari_ssp.SegmentRequest`.

    Raises
    ------
    ValueError
        When a number is out of its limits.
    """

    model: str = _same("model")
    channel: int | None = _same("channel")
    device: str = _same("device")
    cell_threshold: float = _same("cell_threshold")
    flow_threshold: float = _same("flow_threshold")
    min_size: int = _same("min_size")
    overlap: float = _same("overlap")
    batch_size: int = _same("batch_size")
    tta: bool = _same("tta")
    all_planes: bool = _own("Planes", "Planes of a stack or time series, each by itself")
    visible_only: bool = _own("Visible region only", "Segment only what the canvas shows")
    keep_flows: bool = _own(
        "Keep flow layer", "Add the predicted flows: the colour is the way to the cell's centre"
    )
    keep_probability: bool = _own(
        "Keep cell-probability layer", "Add how sure the network is that a pixel is in a cell"
    )

    def __post_init__(self) -> None:
        """Refuse values out of their limits."""
        check_limits(self)

    def request(
        self,
        image: MicroscopyImage,
        plane: tuple[int, int] | None = None,
        region: tuple[int, int, int, int] | None = None,
    ) -> SegmentRequest:
        """Make the request for an image; ``plane`` and ``region`` are as in the request."""
        shared = {
            item.name: getattr(self, item.name) for item in fields(self) if item.name in _REQUEST
        }
        return SegmentRequest(image, plane=plane, region=region, **shared)
