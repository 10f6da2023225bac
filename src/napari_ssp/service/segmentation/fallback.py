"""Another model for an image that the chosen one fails on: the one that its card names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.flows import TrackingSettings
from napari_ssp.registry import find_card
from napari_ssp.service.results import FELL_BACK
from napari_ssp.service.segmentation.plan import find_members
from napari_ssp.service.segmentation.run import choose_tracking

if TYPE_CHECKING:
    from napari_ssp.registry import ModelCard
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.results import Segmentation

#: A model fails where more than this share of what it takes for cells belongs to no object. Flows
#: of objects that a network does not know are torn, and the check of flows takes these out.
MOST_LEFT_OUT = 0.15


def find_fallback(request: SegmentRequest) -> ModelCard | None:
    """Find the model that takes over where a request's own fails; None where there is none.

    Averaged models have none, nor has a request with other thresholds than the usual ones: these
    decide themselves how much is left out. Volumes leave out more, and keep their model.
    """
    if not request.fallback or request.stacks == "volume":
        return None
    card, members = find_members(request.model)
    if card.fallback is None or len(members) > 1 or choose_tracking(request) != TrackingSettings():
        return None
    try:
        other = find_card(card.fallback)
    except FileNotFoundError:
        return None
    return other if other.family == card.family else None


def left_out(result: Segmentation) -> float:
    """Share of the pixels taken for cells that no object has; 1 where there are no objects."""
    if not result.num_objects:
        return 1.0
    shape = (-1, *result.labels.shape[-2:])
    cells = without = 0
    # Plane by plane, for a large result lies in a file.
    for labels, probability in zip(
        result.labels.reshape(shape), result.cell_probability.reshape(shape), strict=True
    ):
        inside = probability > TrackingSettings.cell_threshold
        cells += int(np.count_nonzero(inside))
        without += int(np.count_nonzero(inside & (labels == 0)))
    return without / cells if cells else 0.0


def choose_better(first: Segmentation, second: Segmentation, share: float) -> Segmentation:
    """Take the result of the other model, unless it found nothing; what was done is said.

    Parameters
    ----------
    first, second : Segmentation
        Of the model that was chosen, and of the one that its card names.
    share : float
        What `left_out` says of the first.
    """
    if not second.num_objects:
        return first
    chosen, other = (result.provenance["model"]["name"] for result in (first, second))
    failed = "finds no object here"
    if first.num_objects:
        failed = f"makes no object of {share:.0%} of what it takes for cells"
    said = (
        f"{FELL_BACK}: '{chosen}' {failed}, so this is the result of '{other}'. To keep to the "
        "chosen model, switch 'Fall back' off (--no-fallback)."
    )
    record = {
        **second.provenance,
        "seconds": round(sum(one.provenance["seconds"] for one in (first, second)), 3),
        "instead_of": {"model": chosen, "left_out": round(share, 3)},
    }
    return replace(second, provenance=record, warnings=(*second.warnings, said))
