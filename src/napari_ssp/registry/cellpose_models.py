"""The models of an installed cellpose, which runs them itself; ours is to find and fetch them."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ssp.registry.card import CELLPOSE, ModelCard, Remote
from napari_ssp.registry.digests import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Older ones have other arguments.
_FIRST = (4, 0)
#: Since when the default has other weights than at first.
_SECOND_WEIGHTS = (4, 2)
#: Where cellpose's authors keep the weights.
_SITE = "https://huggingface.co/mouseland/cellpose-sam"
#: Names that cellpose gives to weights of its authors; with what it needs to run them.
_SHIPPED = {"cpsam_v2": "", "cpsam": "", "cpdino": "dinov3", "cpdino-vitb": "dinov3"}
#: Where cellpose notes the names of models that its user trained or added.
_USERS = "gui_models.txt"
_LONGEST_LIST = 2**20


def cellpose_cards() -> list[ModelCard]:
    """Cards of the models of cellpose 4 or later; none where it is not installed.

    The default model comes first, whether its weights are here or not; then all whose weights are:
    the others of its authors, and those that its user trained or added.
    """
    release = _release()
    if release < _FIRST:
        return []
    default = "cpsam" if release < _SECOND_WEIGHTS else "cpsam_v2"
    cards = [_default(default)]
    for name in dict.fromkeys([*_shipped(), *_added()]):
        if name != default and (cellpose_folder() / name).is_file():
            cards.append(_other(name))
    return cards


def cellpose_folder() -> Path:
    """Folder in which cellpose keeps weights; its own ``CELLPOSE_LOCAL_MODELS_PATH`` moves it."""
    chosen = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH")
    return Path(chosen) if chosen else Path.home() / ".cellpose" / "models"


def cellpose_weights(card: ModelCard) -> Path:
    """File of the weights of a card of `cellpose_cards`."""
    return cellpose_folder() / str(card.network["weights"])


def with_cellpose_digest(card: ModelCard) -> ModelCard:
    """Card with the digest of its weights as they are now; other cards as they are.

    It is not in the list of models, because the files are long.
    """
    if card.family != CELLPOSE:
        return card
    path = cellpose_weights(card)
    facts = path.stat()
    return replace(card, sha256=_digest(path, facts.st_size, facts.st_mtime_ns))


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, changed: int) -> str:
    return file_sha256(path)


def _release() -> tuple[int, int]:
    """First two numbers of the installed version; (0, 0) where there is none."""
    if find_spec("cellpose") is None:
        return (0, 0)
    try:
        numbers = re.match(r"(\d+)\.(\d+)", version("cellpose"))
    except PackageNotFoundError:
        return (0, 0)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def _shipped() -> Iterator[str]:
    return (name for name, need in _SHIPPED.items() if not need or find_spec(need) is not None)


def _added() -> list[str]:
    try:
        with (cellpose_folder() / _USERS).open(encoding="utf-8", errors="replace") as file:
            lines = file.read(_LONGEST_LIST).splitlines()
    except OSError:
        return []
    # As cellpose: names of files in its folder.
    return [line.strip() for line in lines if line.strip() and "\0" not in line]


def _default(weights: str) -> ModelCard:
    return ModelCard(
        name="cellpose",
        family=CELLPOSE,
        network={"weights": weights},
        sha256="",
        description="Cells and nuclei of all kinds: the default model of the installed cellpose "
        f"{version('cellpose')}, run by cellpose. Large: slow without a graphics card.",
        licence="cellpose's: trained on data under CC-BY-NC",
        citation="Pachitariu, Rariden, Stringer: Cellpose-SAM, bioRxiv (2025)",
        origin=f"cellpose {version('cellpose')}",
        parameters=304_628_930,
        # cellpose states no digest. Nothing is fetched before somebody asks for it.
        remote=Remote(weights, (f"{_SITE}/resolve/main/{weights}",), page=_SITE),
    )


def _other(weights: str) -> ModelCard:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(weights).name).strip(".-")[:50] or "model"
    of_authors = weights in _SHIPPED
    return ModelCard(
        name=f"cellpose-{plain}",
        family=CELLPOSE,
        network={"weights": weights},
        sha256="",
        description=f"The model '{weights}' of the installed cellpose, run by cellpose.",
        licence="cellpose's: trained on data under CC-BY-NC" if of_authors else "",
        origin=f"cellpose {version('cellpose')}" if of_authors else "added to cellpose by its user",
    )
