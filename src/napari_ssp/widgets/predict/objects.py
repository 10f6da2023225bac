"""Objects of a predicted structure: the button for them, and their layers with a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QPushButton

from napari_ssp.registry.folders import DEFAULT_MODEL
from napari_ssp.widgets.layers.contrast import Contrast, sample_contrast
from napari_ssp.widgets.layers.placement import Part, Placed
from napari_ssp.widgets.measure.object_table import measured
from napari_ssp.widgets.predict.results import structure_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.service import Segmentation

_HELP = (
    "Predict '{task}', segment it with '{model}', and measure its objects: labels with a table, "
    "which the Measure dock shows and saves"
)


class ObjectsButton(QPushButton):
    """Offers to go from the stack to objects of a structure in one step.

    Setters in: ``offer``, ``refuse``.
    """

    def __init__(self) -> None:
        super().__init__("Find objects")
        self.refuse("Choose a structure first")

    def offer(self, tasks: Sequence[str]) -> None:
        """Name the structure whose objects are found, the first of those that are chosen."""
        if not tasks:
            self.refuse("Choose a structure first")
            return
        self.setText(f"Find objects in '{tasks[0]}'")
        self.setToolTip(_HELP.format(task=tasks[0], model=DEFAULT_MODEL))
        self.setEnabled(True)

    def refuse(self, reason: str) -> None:
        """Say why nothing can be found now."""
        self.setToolTip(reason)
        self.setEnabled(False)


@dataclass(frozen=True, eq=False)
class PreparedObjects(Placed):
    """Objects of a predicted structure made ready for layers.

    Attributes
    ----------
    name : str
        The structure.
    predicted : numpy.ndarray
        Float32, axes as ``axes``.
    contrast : Contrast
        How bright it is shown.
    colour : str
        Its colormap.
    labels : numpy.ndarray
        Uint32, axes as ``axes``.
    num_objects : int
        How many objects there are.
    features : dict
        Columns of the table, for napari.
    digest : str
        Of the labels that the table is of.
    axes, origin, channel, provenance
        As in :class:`napari_ssp.widgets.layers.placement.Placed`.
    """

    name: str
    predicted: NDArray[np.float32]
    contrast: Contrast
    colour: str
    labels: NDArray[np.uint32]
    num_objects: int
    features: dict[str, Any]
    digest: str

    @property
    def labels_name(self) -> str:
        """Name of the labels among the parts."""
        return f"{self.name} objects"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The structure, and its objects on top."""
        image = structure_part(self.name, self.predicted, self.colour, self.contrast)
        return image, Part(self.labels_name, self.labels, "add_labels")


def prepare_objects(result: Segmentation, channel: int, colour: str) -> PreparedObjects:
    """Choose how to show the objects of a structure; reads pixels, so not for the GUI.

    Parameters
    ----------
    result : Segmentation
        Through a structure, of all its planes.
    channel : int
        Channel that it was predicted from.
    colour : str
        Colormap of the structure.
    """
    assert result.predicted is not None
    assert result.table is not None
    features, digest = measured(result.table, result.image(result.labels))
    pixels = np.asarray(result.predicted.data)
    return PreparedObjects(
        name=result.predicted.name,
        predicted=pixels,
        contrast=sample_contrast(pixels),
        colour=colour,
        labels=result.labels,
        num_objects=result.num_objects,
        features=features,
        digest=digest,
        axes=result.axes,
        origin=result.origin,
        channel=channel,
        provenance=result.provenance,
    )


def objects_line(prepared: PreparedObjects) -> str:
    """Say what was found, how long it took, and where its table is."""
    noun = "object" if prepared.num_objects == 1 else "objects"
    seconds = prepared.provenance["seconds"]
    return (
        f"Found {prepared.num_objects} {noun} in the predicted {prepared.name} in {seconds:.1f} s. "
        "Open the Measure dock for their table."
    )
