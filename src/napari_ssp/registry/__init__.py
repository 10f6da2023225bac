"""Models: what they are (cards), where they are (catalogue), and their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from napari_ssp.registry.card import ModelCard
    from napari_ssp.registry.catalogue import cache_folder, find_card, list_cards
    from napari_ssp.registry.weights import load_model, save_model

__all__ = ["ModelCard", "cache_folder", "find_card", "list_cards", "load_model", "save_model"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "card": ["ModelCard"],
        "catalogue": ["cache_folder", "find_card", "list_cards"],
        "weights": ["load_model", "save_model"],
    },
)
