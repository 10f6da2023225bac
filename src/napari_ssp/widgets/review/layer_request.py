"""Request for the review of a labels layer, with all that is known of how its labels were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.io import read_image
from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.io.objects.notes import read_provenance
from napari_ssp.service.network_outputs import find_outputs, outputs_image
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
    """Flows that a layer's labels were made from: kept by a dock, or beside their file."""
    found = find_segmentation(labels)
    if found is None:
        file = layer_file(labels)
        beside = None if file is None else find_outputs(file)
        outputs = None if beside is None else read_image(beside)
    elif len(found.flows) == len("yx"):
        outputs = outputs_image(found, f"flows of {labels.name}")
    else:
        return None
    if outputs is None or layer_image(labels).shape != outputs.shape[1:]:
        return None
    return outputs
