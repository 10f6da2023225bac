"""Selected layers as images of a series, each with the labels that lie on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image, Labels

from napari_ssp.io.layer_attributes import METADATA_KEY, UNFINISHED_KEY
from napari_ssp.widgets.layers.alignment import lies_on
from napari_ssp.widgets.layers.images import layer_image

if TYPE_CHECKING:
    import napari

    from napari_ssp.image import MicroscopyImage


def selected_images(
    viewer: napari.Viewer,
) -> tuple[tuple[MicroscopyImage, MicroscopyImage | None], ...]:
    """Images of the selected layers, and their labels where these are selected, too.

    Raises
    ------
    ValueError
        When no image is selected.
    """
    selected = [layer for layer in viewer.layers if layer in viewer.layers.selection]
    chosen = [layer for layer in selected if UNFINISHED_KEY not in layer.metadata]
    images = [x for x in chosen if isinstance(x, Image) and METADATA_KEY not in x.metadata]
    if not images:
        raise ValueError("Select the image layers of the series in the layer list first.")
    labels: dict[Image, Labels] = {}
    for layer in chosen:
        owner = _owner(layer, images) if isinstance(layer, Labels) else None
        if owner is not None:
            labels[owner] = layer
    return tuple(
        (layer_image(image), layer_image(labels[image]) if image in labels else None)
        for image in images
    )


def _owner(labels: Labels, images: list[Image]) -> Image | None:
    """Image that labels lie on; of several the one of whose name theirs is made."""
    fitting = [image for image in images if lies_on(labels, image)]
    named = [image for image in fitting if labels.name.startswith(image.name)]
    return next(iter([*named, *fitting]), None)
