"""Choice of the critic where nobody made it: the one that knows the model behind the labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ssp.io.objects.notes import read_provenance
from napari_ssp.registry import find_critic
from napari_ssp.service.review.requests import CRITIC_STARTER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_ssp.service.review.requests import ReviewRequest


def choose_critic(request: ReviewRequest) -> ReviewRequest:
    """Request that names its critic, and the model that made the labels where that is known.

    A critic that was chosen stays. Else it is the one that learned from results of the model that
    made the labels; where there is none, or nobody knows the model, it is the shipped one.
    """
    maker = request.made_by
    if maker is None and isinstance(request.labels, str | Path):
        maker = name_maker(read_provenance(Path(request.labels)))
    model = request.model
    if model is None:
        critic = None if maker is None else find_critic(maker)
        model = CRITIC_STARTER if critic is None else critic.name
    return replace(request, model=model, made_by=maker)


def name_maker(provenance: Mapping[str, Any]) -> str | None:
    """Name of the model that made labels, by their provenance; None where that does not say it."""
    model = provenance.get("model")
    name = model.get("name") if isinstance(model, dict) else None
    return str(name) if name else None
