"""Choices of the user in the Cells and nuclei dock, as one value."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.schema import checked_dataclass, choice, describe_fields, same_choice
from napari_ssp.service import compartments_request
from napari_ssp.service.compartments.choosing import NUCLEI, OWN, NucleiChoices
from napari_ssp.service.requests import SegmentRequest
from napari_ssp.widgets.forms.choice_fields import COMPUTE_HELP, request_values

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service import CompartmentsRequest

_both = partial(same_choice, SegmentRequest)
_own = partial(same_choice, NucleiChoices)


@checked_dataclass(frozen=True)
class CompartmentsChoices:
    """What is chosen for cells and nuclei, without the image and the channel of the nuclei.

    Attributes
    ----------
    all_planes, visible_only, compute
        As in the Segment dock.
    model, nuclei_model, channel, cells_alone
        As of :func:`napari_ssp.service.compartments_request`.
    diameter, cell_threshold, flow_threshold, min_size
        As in :class:`napari_ssp.SegmentRequest`, of the cells; with ``nuclei_`` of the nuclei.
    stacks, device, precision
        As in :class:`napari_ssp.SegmentRequest`, of both.

    Raises
    ------
    ValueError
        When a number is out of its limits.
    """

    model: str = _own("model")
    nuclei_model: str = _own("nuclei_model")
    channel: int | None = _own("channel")
    cells_alone: bool = _own("cells_alone")
    all_planes: bool = choice(False, "Planes", "Planes of a stack or time series to segment")
    stacks: str = choice("planes", "Objects", "What becomes of an object in several planes")
    device: str = _both("device")
    visible_only: bool = choice(False, "Visible region only", "Segment only what the canvas shows")
    diameter: float | None = _both("diameter", label="Cell diameter")
    nuclei_diameter: float | None = _own("nuclei_diameter")
    cell_threshold: float = _both("cell_threshold")
    nuclei_cell_threshold: float = _own("nuclei_cell_threshold")
    flow_threshold: float = _both("flow_threshold")
    nuclei_flow_threshold: float = _own("nuclei_flow_threshold")
    min_size: int = _both("min_size", label="Smallest cell")
    nuclei_min_size: int = _own("nuclei_min_size")
    precision: str = _both("precision")
    compute: str = choice("local", "Compute", COMPUTE_HELP)

    def request(
        self,
        image: MicroscopyImage,
        channels: tuple[int, int],
        plane: tuple[int, int] | None = None,
        region: tuple[int, int, int, int] | None = None,
        scene: str | None = None,
    ) -> CompartmentsRequest:
        """Make the request for an image.

        Parameters
        ----------
        image : MicroscopyImage
            With cells and nuclei.
        channels : tuple of int
            Channels of both in it.
        plane, region, scene
            As in the request.
        """
        chosen = request_values(self, SegmentRequest) | request_values(self, NucleiChoices)
        chosen |= {"stacks": self.stacks if self.all_planes else "planes"}
        chosen |= dict(zip(("channel", "nuclei"), channels, strict=True))
        return compartments_request(image, plane=plane, region=region, scene=scene, **chosen)


def repeated(request: CompartmentsRequest) -> dict[str, Any]:
    """Choices by which the form shows a request."""
    cells, nuclei = request.cells, request.nuclei
    known = describe_fields(CompartmentsChoices)
    of_nuclei = {NUCLEI + name: getattr(nuclei, name) for name in OWN}
    of_cells = {name: getattr(cells, name) for name in known if hasattr(cells, name)}
    whole = {"all_planes": cells.plane is None, "cells_alone": cells.nuclei is None}
    return {n: v for n, v in (of_cells | of_nuclei | whole).items() if n in known}
