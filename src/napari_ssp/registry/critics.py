"""Critics of models: which one learned to judge the results of which model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.registry.card import CRITIC
from napari_ssp.registry.catalogue import is_shipped, list_cards

if TYPE_CHECKING:
    from napari_ssp.registry.card import ModelCard


def find_critic(model: str) -> ModelCard | None:
    """Find the installed critic that learned from the results of a model.

    Of several, those of the user come before the shipped one, and of these the first by name.

    Parameters
    ----------
    model : str
        Name of a model. Where no critic knows it and its card names the model that it was trained
        further from, that one's critic is found. Of several that are averaged, joined by "+", the
        critic must know each.

    Returns
    -------
    ModelCard or None
        None where no installed critic knows the model.
    """
    cards = list_cards()
    bases = {card.name: card.base for card in cards}
    critics = [card for card in cards if card.family == CRITIC]
    critics.sort(key=lambda card: (is_shipped(card.name), card.name))
    names, seen = {name.strip() for name in model.split("+")}, set[str]()
    while names - seen:
        for critic in critics:
            if names <= set(critic.reviews):
                return critic
        seen |= names
        base = bases.get(*names) if len(names) == 1 else None
        names = {base} if base else set()
    return None
