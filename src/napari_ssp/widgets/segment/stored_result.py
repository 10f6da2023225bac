"""Labels that were written to a file, and how the Segment dock comes to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ssp.io import read_label_image
from napari_ssp.io.ngff.lazy import find_source
from napari_ssp.io.ngff.reading import zarr_stem
from napari_ssp.io.scene import file_safe
from napari_ssp.service import plan_segmentation
from napari_ssp.service.blocks.estimate import find_obstacle
from napari_ssp.widgets.layers.placement import Part, Placed

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service import SegmentRequest
    from napari_ssp.service.blocks.requests import BlocksResult


@dataclass(frozen=True, eq=False)
class StoredResult(Placed):
    """Labels in an OME-Zarr, made ready for a layer.

    Attributes
    ----------
    levels : tuple
        Lazy arrays with the axes ``axes``, the full one first.
    result : BlocksResult
        What was written.
    axes, origin, channel, provenance
        As in :class:`napari_ssp.widgets.layers.placement.Placed`.
    """

    levels: tuple[Any, ...]
    result: BlocksResult

    @property
    def parts(self) -> tuple[Part, ...]:
        """Labels as a pyramid."""
        return (Part("labels", self.levels[0], "add_labels", levels=self.levels[1:]),)


def open_result(result: BlocksResult, channel: int) -> StoredResult:
    """Make layers' arrays of what was written; pixels stay in the file."""
    image = read_label_image(result.path)
    return StoredResult(
        axes=image.axes,
        origin=image.origin,
        channel=channel,
        provenance=result.provenance,
        levels=(image.data, *image.levels),
        result=result,
    )


def find_stored(request: SegmentRequest, image: MicroscopyImage) -> SegmentRequest | None:
    """Find the request for a large layer by its file.

    Parameters
    ----------
    request : SegmentRequest
        For the image.
    image : MicroscopyImage
        Of the layer.

    Returns
    -------
    SegmentRequest or None
        The same for the file; None where it lies in no OME-Zarr, or blocks cannot do it.
    """
    source = find_source(image.data)
    if source is None or source.axes != image.axes:
        return None
    channel = request.channel if source.channel is None else source.channel
    size = image.voxel_size
    stored = replace(request, image=source.folder, scene=None, channel=channel, voxel_size=size)
    try:
        # With another precision torch would be loaded, here.
        plan = plan_segmentation(replace(request, precision="auto"))
    except (ValueError, TypeError, OSError):  # the plan of the dock says it
        return None
    return None if find_obstacle(stored, plan) else stored


def propose_file(stored: SegmentRequest) -> Path:
    """Name for the labels, beside the image."""
    folder = Path(str(stored.image))
    inside = [part for part in folder.parents if part.suffix.lower() == ".zarr"]
    beside = inside[-1].parent if inside else folder.parent
    return beside / f"{file_safe(zarr_stem(folder))}_label.zarr"
