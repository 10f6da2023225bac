"""Conversion of a prediction of structures to the layers that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.widgets.layers.contrast import Contrast, sample_contrast
from napari_ssp.widgets.layers.placement import Part, Placed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_ssp.service import StructurePrediction


#: What the layer of an uncertainty is called: it is no more than that.
SPREAD = "spread of views"


@dataclass(frozen=True, eq=False)
class PreparedStructures(Placed):
    """A prediction made ready for layers.

    Attributes
    ----------
    images : dict of str to numpy.ndarray
        Float32 by structure, axes as ``axes``; maybe memory maps.
    contrasts : dict of str to Contrast
        How bright each is shown.
    colours : dict of str to str
        Colormap of each.
    spread, spread_contrasts : dict
        The same of the spread of mirrored views, where it was computed.
    axes, origin, channel, provenance
        As in :class:`napari_ssp.widgets.layers.placement.Placed`.
    """

    images: dict[str, NDArray[np.float32]]
    contrasts: dict[str, Contrast]
    colours: Mapping[str, str]
    spread: dict[str, NDArray[np.float32]]
    spread_contrasts: dict[str, Contrast]

    @property
    def parts(self) -> tuple[Part, ...]:
        """One image per structure; below them the spread of views of each."""
        spread = (
            structure_part(f"{name} {SPREAD}", image, "inferno", self.spread_contrasts[name])
            for name, image in self.spread.items()
        )
        images = (
            structure_part(name, image, self.colours[name], self.contrasts[name])
            for name, image in self.images.items()
        )
        return (*spread, *images)


def structure_part(name: str, image: NDArray[np.float32], colour: str, contrast: Contrast) -> Part:
    """Layer of a predicted structure, which shines through those above it."""
    look = {
        "colormap": colour,
        "blending": "additive",
        "rgb": False,  # a stack may be 3 pixels wide
        "multiscale": False,
    }
    return Part(name, image, look=look, contrast=contrast)


def prepare_structures(
    result: StructurePrediction, channel: int, colours: Mapping[str, str]
) -> PreparedStructures:
    """Look at the values and choose how to show them; reads a sample, so not for the GUI.

    Parameters
    ----------
    result : StructurePrediction
        What was predicted.
    channel : int
        Channel that it was predicted from.
    colours : mapping of str to str
        Colormap of each structure.
    """
    return PreparedStructures(
        images=result.images,
        contrasts={name: sample_contrast(image) for name, image in result.images.items()},
        colours=colours,
        spread=result.spread,
        spread_contrasts={n: sample_contrast(image) for n, image in result.spread.items()},
        axes=result.axes,
        origin=result.origin,
        channel=channel,
        provenance=result.provenance,
    )
