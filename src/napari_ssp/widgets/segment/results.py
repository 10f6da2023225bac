"""Conversion of a segmentation to the layers that show it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_ssp.widgets.layers.placement import Part, Placed
from napari_ssp.widgets.segment.flow_colours import flow_colours

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_ssp.service import Edits, Segmentation
    from napari_ssp.widgets.segment.choices import SegmentChoices

_PROBABILITY_LOOK: dict[str, Any] = {
    "contrast_limits": (0.0, 1.0),
    "colormap": "magma",
    "blending": "additive",
    "visible": False,
}


@dataclass(frozen=True, eq=False)
class Prepared(Placed):
    """A segmentation made ready for layers.

    Attributes
    ----------
    labels : numpy.ndarray
        Uint32, axes as ``axes``.
    flows : numpy.ndarray or None
        Uint8 colours, axes as ``axes`` and (3,); None when not wanted.
    probability : numpy.ndarray or None
        Float32; None when not wanted.
    num_objects : int
        How many objects there are.
    segmentation : Segmentation
        All that was found, for other thresholds.
    edits : tuple
        Edits by hand that are in the labels, as of `Segmentation`.
    axes, origin, channel, provenance
        As in :class:`napari_ssp.widgets.layers.placement.Placed`.
    """

    labels: NDArray[np.uint32]
    flows: NDArray[np.uint8] | None
    probability: NDArray[np.float32] | None
    num_objects: int
    segmentation: Segmentation
    edits: Edits = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """Flows and probability where wanted, the labels on top."""
        parts = [Part("labels", self.labels, "add_labels")]
        if self.probability is not None:
            parts.append(Part("cell probability", self.probability, look=_PROBABILITY_LOOK))
        if self.flows is not None:
            parts.append(Part("flows", self.flows, look={"rgb": True, "visible": False}))
        return tuple(reversed(parts))


def load_tables() -> None:
    """Import what napari needs for the first labels layer; in the GUI thread that would be felt."""
    with suppress(ImportError):
        import_module("pandas")


def prepare(result: Segmentation, choices: SegmentChoices) -> Prepared:
    """Make arrays for the layers that are wanted; slow for large images, so not for the GUI."""
    load_tables()
    return Prepared(
        labels=result.labels,
        flows=flow_colours(result.flows) if choices.keep_flows else None,
        probability=result.cell_probability if choices.keep_probability else None,
        axes=result.axes,
        origin=result.origin,
        channel=choices.channel or 0,
        num_objects=result.num_objects,
        segmentation=result,
        provenance=result.provenance,
    )


def refined(before: Prepared, result: Segmentation) -> Prepared:
    """Labels by other thresholds; the other layers of the run stay as they are."""
    return replace(
        before,
        labels=result.labels,
        flows=None,
        probability=None,
        num_objects=result.num_objects,
        edits=result.edits,
        provenance=result.provenance,
    )
