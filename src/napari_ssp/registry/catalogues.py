"""Catalogues: the published one, and those of a lab, in a folder or at an address."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from napari_ssp.registry.card import ModelCard, Remote
from napari_ssp.registry.card_checks import check_name
from napari_ssp.registry.folders import cache_folder
from napari_ssp.registry.transfer.download import download
from napari_ssp.registry.transfer.item import Download, RetryPolicy
from napari_ssp.registry.transfer.reaching import explained
from napari_ssp.registry.user_lists import change_list, read_list

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_ssp.progress import Steps

CATALOGUE_FILE = "catalogue.json"
_PUBLISHED = Path(__file__).resolve().parent / "published" / CATALOGUE_FILE
_LONGEST_CATALOGUE = 20_000_000
_PLACES = "catalogues.json"


def catalogue_places() -> list[str]:
    """Folders and addresses of the user's extra catalogues."""
    return read_list(_PLACES)


def add_catalogue(place: str, retry_policy: RetryPolicy | None = None) -> Steps[list[ModelCard]]:
    """Remember a catalogue, or fetch the one at an address again.

    Parameters
    ----------
    place : str
        Folder with folders of models, or with a ``catalogue.json``; or the address of one.
    retry_policy : Patience or None
        How long to go on when the connection is lost.

    Yields
    ------
    Progress
        Bytes of the download.

    Returns
    -------
    list of ModelCard
        What it offers.

    Raises
    ------
    ConnectionError, FileNotFoundError, PermissionError
        When it cannot be had.
    ValueError
        When it is no catalogue.
    """
    if _is_address(place):
        copy = _copy_of(place)
        copy.parent.mkdir(parents=True, exist_ok=True)
        # A folder of its own: several windows may fetch the same one.
        with TemporaryDirectory(prefix=".", dir=copy.parent, ignore_cleanup_errors=True) as folder:
            item = Download(place, Path(folder) / copy.name, longest=_LONGEST_CATALOGUE)
            yield from explained(download(item, retry_policy or RetryPolicy()))
            cards = _read(item.path, place)
            item.path.replace(copy)
    else:
        place = str(Path(place).resolve())
        cards = _cards_of_folder(Path(place))
    change_list(_PLACES, lambda known: [*(k for k in known if k != place), place])
    return cards


def remove_catalogue(place: str) -> None:
    """Forget a catalogue; its models that were installed stay.

    Raises
    ------
    FileNotFoundError
        When it is not among those that were added.
    """
    places = catalogue_places()
    known = next((p for p in (place, str(Path(place).resolve())) if p in places), None)
    if known is None:
        raise FileNotFoundError(
            f"'{place}' is no catalogue that was added. There are: {', '.join(places) or 'none'}."
        )
    _copy_of(known).unlink(missing_ok=True)
    change_list(_PLACES, lambda others: [other for other in others if other != known])


def model_folders() -> Iterator[Path]:
    """Folders of catalogues, whose models are used where they are."""
    return (Path(place) for place in catalogue_places() if not _is_address(place))


def list_offered_cards() -> Iterator[ModelCard]:
    """Cards of all catalogues; one that cannot be read is left out."""
    yield from _read(_PUBLISHED, str(_PUBLISHED))
    for place in catalogue_places():
        path = _copy_of(place) if _is_address(place) else Path(place) / CATALOGUE_FILE
        try:
            yield from _read(path, place if _is_address(place) else str(path))
        except (OSError, ValueError):
            continue


def _is_address(place: str) -> bool:
    return urlsplit(place).scheme in ("http", "https")


def _copy_of(place: str) -> Path:
    key = hashlib.sha256(place.encode()).hexdigest()[:16]
    return cache_folder() / "catalogues" / f"{key}.json"


def _cards_of_folder(folder: Path) -> list[ModelCard]:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The folder '{folder}' does not exist; give a folder or an address."
        )
    cards = [ModelCard.read(path.parent) for path in sorted(folder.glob("[!.]*/card.json"))]
    if (folder / CATALOGUE_FILE).is_file():
        cards += _read(folder / CATALOGUE_FILE, str(folder / CATALOGUE_FILE))
    if not cards:
        raise ValueError(
            f"'{folder}' is no catalogue: it holds neither folders of models nor a "
            f"{CATALOGUE_FILE}."
        )
    return cards


def _read(path: Path, base: str) -> list[ModelCard]:
    try:
        if path.stat().st_size > _LONGEST_CATALOGUE:
            raise ValueError(f"it is longer than {_LONGEST_CATALOGUE // 10**6} MB")
        entries = json.loads(path.read_text(encoding="utf-8"))["models"]
        return [_card(entry, base) for entry in entries]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"'{base}' is no catalogue of models: {error}. It must be JSON with a list 'models' of "
            "cards."
        ) from error


def _card(entry: Any, base: str) -> ModelCard:
    card = ModelCard.from_content(entry)
    check_name(card.name)
    if card.remote is None and not card.members:
        raise ValueError(f"'{card.name}' has neither a file ('remote') nor members")
    return replace(card, remote=card.remote and _placed(card.remote, base))


def _placed(remote: Remote, base: str) -> Remote:
    """Give addresses that are relative their beginning: that of the catalogue."""
    if _is_address(base):
        return replace(remote, urls=tuple(urljoin(base, url) for url in remote.urls))
    urls = (u if _is_address(u) else str(Path(base).parent / u) for u in remote.urls)
    return replace(remote, urls=tuple(urls))
