"""Models: what they are (cards), where they are (catalogue), and their weights."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ssp.registry.card import ModelCard
    from napari_ssp.registry.catalogue import cache_folder, find_card, list_cards
    from napari_ssp.registry.weights import load_model, save_model

__all__ = ["ModelCard", "cache_folder", "find_card", "list_cards", "load_model", "save_model"]

_HOME = {
    "ModelCard": "napari_ssp.registry.card",
    "cache_folder": "napari_ssp.registry.catalogue",
    "find_card": "napari_ssp.registry.catalogue",
    "list_cards": "napari_ssp.registry.catalogue",
    "load_model": "napari_ssp.registry.weights",
    "save_model": "napari_ssp.registry.weights",
}


def __getattr__(name: str) -> Any:
    """Import on first use: cards are read without torch, weights with it."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
