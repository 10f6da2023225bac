"""The models there are: shipped with the package, or the user's own."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from napari_ssp.registry.card import CARD_FILE, ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTER_FOLDER = Path(__file__).resolve().parent / "starter"


def cache_folder() -> Path:
    """Folder of the user's models; ``NAPARI_SSP_CACHE`` moves it."""
    chosen = os.environ.get("NAPARI_SSP_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("napari-ssp", appauthor=False)


def list_cards() -> list[ModelCard]:
    """Cards of all models, the shipped ones first; broken folders are left out."""
    return list(_cards())


def find_card(model: str | Path) -> ModelCard:
    """Card of a model given by name or by its folder.

    Raises
    ------
    FileNotFoundError
        When there is no such model; similar names are listed.
    ValueError
        When the card is not valid.
    """
    cards = list_cards()
    for card in cards:
        if card.name == str(model):
            return card
    path = Path(model)
    if path.is_dir():
        return ModelCard.read(path)
    if path.is_file():
        raise ValueError(
            f"{path} is a file; a model is a folder with a card.json. Give the folder, or a name "
            f"of: {', '.join(card.name for card in cards) or 'none installed'}."
        )
    names = [card.name for card in cards]
    near = difflib.get_close_matches(str(model), names, cutoff=0.4)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(names)}."
    raise FileNotFoundError(f"There is no model '{model}'. {hint}")


def _cards() -> Iterator[ModelCard]:
    for parent in (STARTER_FOLDER, cache_folder() / "models"):
        for path in sorted(parent.glob(f"*/{CARD_FILE}")):
            try:
                yield ModelCard.read(path.parent)
            except ValueError:
                continue  # a broken folder must not hide the others
