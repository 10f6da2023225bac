"""The models there are: shipped, the user's own, and those that can be downloaded."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from napari_ssp.registry.card import CARD_FILE, CELLPOSE, ERRORS, ModelCard
from napari_ssp.registry.catalogues import list_offered_cards, model_folders
from napari_ssp.registry.cellpose_models import cellpose_cards, cellpose_weights
from napari_ssp.registry.folders import DEFAULT_MODEL, STARTER_FOLDER, models_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def list_cards() -> list[ModelCard]:
    """Cards of all models that can be used now, the shipped ones first, those of errors last.

    Broken folders are left out. An ensemble is there when all its members are.
    """
    of_cellpose = (card for card in cellpose_cards() if cellpose_weights(card).is_file())
    cards = _first_of_each([*_installed(), *of_cellpose])
    by_name = {card.name: card for card in cards}
    ensembles = (card for card in list_offered_cards() if card.members and card.name not in by_name)
    complete = [_complete(card, by_name) for card in _first_of_each(ensembles)]
    usable = cards + [card for card in complete if card.sha256]
    return sorted(usable, key=lambda card: (card.makes == ERRORS, card.name != DEFAULT_MODEL))


def list_catalogue() -> list[ModelCard]:
    """Cards of all models, those that can be used now first; the others can be downloaded."""
    return _first_of_each([*list_cards(), *list_offered_cards(), *cellpose_cards()])


def is_installed(card: ModelCard) -> bool:
    """Whether a model can be used without a download."""
    if card.family == CELLPOSE:
        return cellpose_weights(card).is_file()
    return card.folder is not None or bool(card.members and card.sha256)


def find_card(model: str | Path) -> ModelCard:
    """Card of a model given by name or by its folder.

    Raises
    ------
    FileNotFoundError
        When there is no such model, with similar names; or when it is to be downloaded first.
    ValueError
        When the card is not valid.
    """
    for card in list_cards():
        if card.name == str(model):
            return card
    path = Path(model)
    if path.is_dir():
        return ModelCard.read(path)
    if path.is_file():
        raise ValueError(
            f"{path} is a file; a model is a folder with a card.json. Import it with 'napari-ssp "
            f"models import {path}', or give a name of: {_names(list_cards())}."
        )
    card = find_in_catalogue(str(model))
    raise FileNotFoundError(
        f"The model '{card.name}' is not installed. Download it{_what_comes(card)} with "
        f"'napari-ssp models download {card.name}' or in the Models dock; installed are: "
        f"{_names(list_cards())}."
    )


def find_in_catalogue(name: str) -> ModelCard:
    """Card of a model by name, whether it is installed or not.

    Raises
    ------
    FileNotFoundError
        When there is no such model; similar names are listed.
    """
    cards = list_catalogue()
    for card in cards:
        if card.name == name:
            return card
    near = difflib.get_close_matches(name, [card.name for card in cards], cutoff=0.4)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {_names(cards)}."
    raise FileNotFoundError(f"There is no model '{name}'. {hint}")


def find_family(model: str | Path) -> str:
    """Family of a model; empty where it is not there, or several are named."""
    try:
        return find_card(model).family
    except (OSError, ValueError):
        return ""


def is_users(card: ModelCard) -> bool:
    """Whether a model lies in a folder of the user's, so that it may be changed."""
    return card.folder is not None and card.folder.parent in models_folders()


def is_shipped(name: str) -> bool:
    """Whether a name belongs to a model of the package."""
    return (STARTER_FOLDER / name).is_dir()


def _what_comes(card: ModelCard) -> str:
    """How much is to be downloaded, and from where, as far as that is known."""
    from napari_ssp.registry.describing import size_words

    if card.remote is None or not card.remote.urls:
        return ""
    size = size_words(card).partition(",")[0]
    place = urlsplit(card.remote.page or card.remote.urls[0]).hostname or ""
    parts = [size, f"from {place}" if place else ""]
    return f" ({' '.join(part for part in parts if part)})" if any(parts) else ""


def _names(cards: Iterable[ModelCard]) -> str:
    return ", ".join(card.name for card in cards) or "none"


def _installed() -> Iterator[ModelCard]:
    for parent in (STARTER_FOLDER, *models_folders(), *model_folders()):
        for path in sorted(parent.glob(f"[!.]*/{CARD_FILE}")):
            try:
                yield ModelCard.read(path.parent)
            except (ValueError, OSError):
                continue  # a broken folder must not hide the others


def _first_of_each(cards: Iterable[ModelCard]) -> list[ModelCard]:
    found: dict[str, ModelCard] = {}
    for card in cards:
        found.setdefault(card.name, card)
    return list(found.values())


def _complete(card: ModelCard, installed: dict[str, ModelCard]) -> ModelCard:
    """Ensemble with the digest of its members' digests, or with none when a member is missing."""
    if not all(name in installed for name in card.members):
        return replace(card, sha256="")
    digests = "".join(installed[name].sha256 for name in card.members)
    return replace(card, sha256=hashlib.sha256(digests.encode()).hexdigest())
