"""Request for the review of a labels layer, with all that is known of how its labels were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.io.objects.notes import read_provenance
from napari_ssp.service.network_outputs import outputs_image
from napari_ssp.service.review.choosing import name_maker
from napari_ssp.widgets.layers.images import layer_file, layer_image
from napari_ssp.widgets.layers.shown_segmentations import find_segmentation

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service import ReviewRequest
    from napari_ssp.widgets.review.choices import ReviewChoices


def layer_request(choices: ReviewChoices, image: MicroscopyImage, labels: Labels) -> ReviewRequest:
    """Request for a layer of labels.

    Parameters
    ----------
    choices : ReviewChoices
        How they are reviewed.
    image : MicroscopyImage
        What they are of, as `image_under` gives it.
    labels : napari.layers.Labels
        What is reviewed.
    """
    return choices.request(image, layer_image(labels), _outputs(labels), _maker(labels))


def _maker(labels: Labels) -> str | None:
    """Model that made the labels of a layer, by the layer or a note beside its file."""
    known = name_maker(labels.metadata.get(METADATA_KEY) or {})
    file = layer_file(labels) if known is None else None
    return known if file is None else name_maker(read_provenance(file))


def _outputs(labels: Labels) -> MicroscopyImage | None:
    """Flows that a layer's labels were made from, as long as a dock keeps them."""
    found = find_segmentation(labels)
    if found is None or len(found.flows) != len("yx"):
        return None
    outputs = outputs_image(found, f"flows of {labels.name}")
    return outputs if layer_image(labels).shape == outputs.shape[1:] else None
