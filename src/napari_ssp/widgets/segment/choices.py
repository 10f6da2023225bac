"""Choices of the user in the Segment dock, as one value."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari_ssp.schema import checked_dataclass, choice, same_choice
from napari_ssp.service.requests import SegmentRequest
from napari_ssp.widgets.forms.choice_fields import COMPUTE_HELP, request_values

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage

_same = partial(same_choice, SegmentRequest)


@checked_dataclass(frozen=True)
class SegmentChoices:
    """The choices of a SegmentRequest without the image, and what to do with the result.

    Attributes
    ----------
    all_planes : bool
        Segment every plane of a stack or time series, not only the one on display.
    visible_only : bool
        Segment only what the canvas shows.
    average_with : str or None
        Another model, whose results are averaged with those of the first.
    compute : str
        Where the network runs, as `napari_ssp.ModelService` takes it.
    error_map : bool
        Have the critic that knows the model review the labels, and add its map of errors.
    keep_flows, keep_probability : bool
        Add layers of what the network predicted, beside the labels.
    stacks
        As in :class:`napari_ssp.SegmentRequest`, where all planes are segmented.
    model, fallback, channel, nuclei, diameter, device, precision, cell_threshold, flow_threshold
        As in :class:`napari_ssp.SegmentRequest`.
    min_size, hole_size, normalise, overlap, batch_size, tile, tta, eightfold
        As in :class:`napari_ssp.SegmentRequest`.

    Raises
    ------
    ValueError
        When a number is out of its limits.
    """

    model: str = _same("model")
    fallback: bool = _same("fallback")
    average_with: str | None = choice(
        None, "Average with", "Another model that magnifies alike: better, twice as slow"
    )
    channel: int | None = _same("channel")
    nuclei: int | None = _same("nuclei")
    diameter: float | None = choice(
        None, "Object size", "Typical diameter of the objects: the image is magnified to fit"
    )
    device: str = _same("device")
    precision: str = _same("precision")
    compute: str = choice("local", "Compute", COMPUTE_HELP)
    normalise: str = _same("normalise")
    cell_threshold: float = _same("cell_threshold")
    flow_threshold: float = _same("flow_threshold")
    min_size: int = _same("min_size")
    hole_size: int | None = _same("hole_size")
    overlap: float | None = _same("overlap")
    batch_size: int = _same("batch_size")
    tile: int | None = choice(
        None,
        "Blocks",
        "Side of the blocks that a large plane of an OME-Zarr is done in",
        min=64,
        max=65_536,
    )
    tta: bool = _same("tta")
    eightfold: bool = _same("eightfold")
    stacks: str = choice("planes", "Objects", "What becomes of an object in several planes")
    all_planes: bool = choice(False, "Planes", "Planes of a stack or time series to segment")
    visible_only: bool = choice(False, "Visible region only", "Segment only what the canvas shows")
    error_map: bool = choice(
        False,
        "Error map",
        "Have the critic that knows this model show where the labels are probably wrong",
    )
    keep_flows: bool = choice(
        False,
        "Keep flow layer",
        "Add the predicted flows: the colour is the way to the cell's centre",
    )
    keep_probability: bool = choice(
        False,
        "Keep cell-probability layer",
        "Add how sure the network is that a pixel is in a cell",
    )

    def request(
        self,
        image: MicroscopyImage | Path,
        plane: tuple[int, int] | None = None,
        region: tuple[int, int, int, int] | None = None,
        scene: str | None = None,
    ) -> SegmentRequest:
        """Make the request for an image; what else is given is as in the request."""
        shared = request_values(self, SegmentRequest)
        if self.average_with and self.average_with != self.model:
            shared["model"] = f"{self.model}+{self.average_with}"
        shared["stacks"] = self.stacks if self.all_planes else "planes"
        return SegmentRequest(image, scene=scene, plane=plane, region=region, **shared)
