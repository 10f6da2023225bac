"""Installed models: verified, removed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.registry.card import CELLPOSE
from napari_ssp.registry.catalogue import find_card, is_users, list_cards
from napari_ssp.registry.digests import hash_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_ssp.progress import Steps
    from napari_ssp.registry.card import ModelCard


@dataclass(frozen=True)
class Verdict:
    """What became of a model's weights.

    Attributes
    ----------
    name : str
        The model.
    state : str
        ``"ok"``, ``"damaged"`` (other bytes than its card says) or ``"missing"``.
    path : pathlib.Path
        The weights.
    sha256 : str
        Their digest now; empty when they are missing.
    """

    name: str
    state: str
    path: Path
    sha256: str = ""


def verify_steps(models: Sequence[str] = ()) -> Steps[list[Verdict]]:
    """Compute the digests of installed weights again.

    Parameters
    ----------
    models : sequence of str
        Names or folders; none means all that are installed.

    Yields
    ------
    Progress
        Bytes of the weights that are read.

    Returns
    -------
    list of Verdict
        One for each model; an ensemble is as good as its members.

    Raises
    ------
    FileNotFoundError
        When there is no such model.
    """
    cards = [find_card(model) for model in models] if models else list_cards()
    parts: dict[str, ModelCard] = {}
    for card in cards:
        if card.family == CELLPOSE:
            continue  # looks after its weights itself
        found = [find_card(member) for member in card.members] or [card]
        parts |= {part.name: part for part in found}
    verdicts = []
    for card in parts.values():
        verdicts.append((yield from _verify(card)))
    return verdicts


def _verify(card: ModelCard) -> Steps[Verdict]:
    if not card.weights.is_file():
        return Verdict(card.name, "missing", card.weights)
    found = yield from hash_file(card.weights, f"verifying {card.name}")
    state = "ok" if found.sha256 == card.sha256 else "damaged"
    return Verdict(card.name, state, card.weights, found.sha256)


def remove_model(name: str) -> Path:
    """Delete a model of the user's.

    Returns
    -------
    pathlib.Path
        The folder that was deleted.

    Raises
    ------
    FileNotFoundError
        When there is no such model.
    PermissionError
        When it is not the user's: shipped with the package, or of a lab's catalogue.
    """
    card = removable(name)
    assert card.folder is not None
    if card.folder.is_symlink():
        card.folder.unlink()  # what it points to is somebody else's
    else:
        shutil.rmtree(card.folder)
    return card.folder


def removable(name: str) -> ModelCard:
    """Card of a model that may be deleted; raises as `remove_model`."""
    card = next((card for card in list_cards() if card.name == name), None) or find_card(name)
    if card.members:
        raise PermissionError(
            f"'{name}' is the average of {', '.join(card.members)}; remove one of these instead."
        )
    if card.family == CELLPOSE:
        raise PermissionError(f"'{name}' is a part of cellpose; uninstall that to be without it.")
    if not is_users(card):
        raise PermissionError(
            f"'{name}' is not in the folder of your models ({card.folder}), so it was left there."
        )
    return card
