"""Conversion of cells, nuclei and cytoplasm to layers, and the sentence about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_ssp.widgets.layers.placement import Part, Placed
from napari_ssp.widgets.measure.object_table import measured

if TYPE_CHECKING:
    from napari_ssp.service import Compartments

# Cells are outlines, so that their nuclei and cytoplasm are seen, all in one colour.
_LOOKS = {
    "cells": {"contour": 2, "opacity": 1.0},
    "nuclei": {"opacity": 0.7},
    "cytoplasm": {"opacity": 0.3},
}


@dataclass(frozen=True, eq=False)
class PreparedCompartments(Placed):
    """Cells, nuclei and cytoplasm made ready for layers.

    Attributes
    ----------
    result : Compartments
        All that was found.
    features : dict
        Columns of the table of the cells, for napari.
    digest : str
        Of the labels that the table is of.
    axes, origin, channel, provenance
        As in :class:`napari_ssp.widgets.layers.placement.Placed`.
    """

    result: Compartments
    features: dict[str, Any]
    digest: str

    @property
    def parts(self) -> tuple[Part, ...]:
        """Cytoplasm, nuclei, and the outlines of the cells on top."""
        labels = self.result.labels
        return tuple(
            Part(name, labels[name], "add_labels", look=_LOOKS[name]) for name in reversed(labels)
        )


def prepare(result: Compartments, channel: int, layers: tuple[str, ...]) -> PreparedCompartments:
    """Make features of the table; reads labels, so not for the GUI.

    Parameters
    ----------
    result : Compartments
        What was found.
    channel : int
        Channel of the cells.
    layers : tuple of str
        Names of the layers with cells and nuclei, where these are two, for who runs it again.
    """
    cells = result.cells
    features, digest = measured(result.table, cells.image(cells.labels))
    return PreparedCompartments(
        axes=cells.axes,
        origin=cells.origin,
        channel=channel,
        provenance=result.provenance | ({"layers": list(layers)} if layers else {}),
        result=result,
        features=features,
        digest=digest,
    )


def result_line(result: Compartments) -> str:
    """Say what was found, how long it took, and what a person should look at."""
    tally, seconds = result.tally, result.provenance["seconds"]
    inside = tally.nuclei - tally.outside
    found = (
        f"Found {tally.cells} cell{'s' if tally.cells != 1 else ''} with {inside} "
        f"nucle{'i' if inside != 1 else 'us'} in {seconds:.1f} s."
    )
    table = "Measure objects shows their table." if tally.cells else ""
    return " ".join(filter(None, (found, *tally.warnings(), table)))
