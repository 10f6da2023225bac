"""Downloads of the models of catalogues: mirrors in turn, verified, then imported."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ssp.atomic import atomic_path
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry.card import CELLPOSE
from napari_ssp.registry.catalogue import find_in_catalogue, is_installed
from napari_ssp.registry.cellpose_models import cellpose_weights
from napari_ssp.registry.digests import Digests, verify_file
from napari_ssp.registry.folders import cache_folder, make_models_folder
from napari_ssp.registry.importing.steps import import_steps
from napari_ssp.registry.importing.torch_files import read_torch_file
from napari_ssp.registry.transfer.download import download
from napari_ssp.registry.transfer.item import Download, RetryPolicy
from napari_ssp.registry.transfer.reaching import UnreachableError, describe_connection
from napari_ssp.registry.user_lists import locked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.registry.card import ModelCard, Remote


def download_steps(
    name: str, mirrors: Sequence[str] = (), retry_policy: RetryPolicy | None = None
) -> Steps[ModelCard]:
    """Download a model of a catalogue and install it; of an ensemble, its members.

    Parameters
    ----------
    name : str
        Name of the model. One that is installed already is left as it is.
    mirrors : sequence of str
        Addresses or paths of the same file that are tried first.
    retry_policy : Patience or None
        How long to go on when the connection is lost.

    Yields
    ------
    Progress
        Bytes so far and in all. Closing the generator keeps what was loaded for the next time.

    Returns
    -------
    ModelCard
        The card of the installed model.

    Raises
    ------
    BlockingIOError
        When another window or command is downloading it.
    DownloadError
        When no address gave the file; with what each said, and how to do without.
    FileNotFoundError
        When no catalogue has such a model; similar names are listed.
    ValueError
        When the file is not what the card says.
    """
    card = find_in_catalogue(name)
    if is_installed(card):
        return card
    if card.family == CELLPOSE:
        return (yield from _for_cellpose(card, mirrors, retry_policy or RetryPolicy()))
    if card.members:
        _check_members(card, mirrors)
        for member in card.members:
            yield from download_steps(member, (), retry_policy)
        return find_in_catalogue(name)
    if card.remote is None:
        raise ValueError(f"The card of '{name}' does not say where to download it.")
    make_models_folder()  # refused before the download, not after it
    with locked(f"download of {card.name}"):
        path = _downloads() / card.remote.name
        file = yield from _first_of(card, mirrors, retry_policy or RetryPolicy(), path)
        yield Progress(f"importing {file.name}")
        package_name = name if file.suffix == ".zip" else None
        installed = yield from import_steps(file, package_name, card=card)
        if file.parent == _downloads():
            file.unlink()
    return installed


def _check_members(card: ModelCard, mirrors: Sequence[str]) -> None:
    if mirrors:
        raise ValueError(
            f"'{card.name}' is made of several files, so a mirror cannot stand for it. Download "
            f"its members, each with its own: {', '.join(card.members)}."
        )
    nested = [name for name in card.members if find_in_catalogue(name).members]
    if nested:
        raise ValueError(f"'{card.name}' is an ensemble of ensembles ({nested[0]}): refused.")


def _downloads() -> Path:
    return cache_folder() / "downloads"


def _for_cellpose(
    card: ModelCard, mirrors: Sequence[str], retry_policy: RetryPolicy
) -> Steps[ModelCard]:
    """Put weights where cellpose looks for them, so that it need not fetch them unasked."""
    path = cellpose_weights(card)
    yield from _first_of(card, mirrors, retry_policy, path)
    try:
        read_torch_file(path)
    except ValueError:
        path.unlink()
        raise
    return card


def _first_of(
    card: ModelCard, mirrors: Sequence[str], retry_policy: RetryPolicy, path: Path
) -> Steps[Path]:
    """Get the file from the first address that gives it."""
    assert card.remote is not None
    remote, said, unreached = card.remote, [], False
    urls = (*mirrors, *remote.urls)
    # All together take as long as one may.
    quick = replace(retry_policy, reach=retry_policy.reach / max(len(urls), 1))
    for url in urls:
        try:
            return (yield from _get(remote, url, quick, path))
        except (ConnectionError, FileNotFoundError, PermissionError, ValueError) as error:
            unreached = unreached or isinstance(error, UnreachableError)
            said.append(f"{str(error).rstrip('.')}.")
    sentences = list(dict.fromkeys(said))
    if unreached:
        sentences.append(describe_connection())
    words = " ".join(sentences) or "No address is known."
    raise DownloadError(f"'{card.name}' could not be downloaded. {words}", card, path)


class DownloadError(ConnectionError):
    """A model whose file no address gave, and how to get it by hand.

    Attributes
    ----------
    reason : str
        What failed.
    address : str
        Where a browser finds the file; empty where that is not known.
    by_hand : str
        What to do, without the address.
    """

    def __init__(self, reason: str, card: ModelCard, path: Path) -> None:
        assert card.remote is not None
        remote = card.remote
        direct = [url for url in remote.urls if "://" in url]
        places = " or ".join(filter(None, [remote.page, *direct]))
        digest = f"Its {_digest(remote)}."
        command = f"run 'napari-ssp models import {remote.name}' here. {digest}"
        then = f"import it here. {digest}"
        if card.family == CELLPOSE:
            command = then = f"copy it to {path}."
        self.reason = reason
        self.address = remote.page or next(iter(direct), "")
        self.by_hand = (
            f"By hand: get {remote.name} in a browser, on another computer if need be, then {then}"
        )
        super().__init__(
            f"{reason} Without a connection: get {remote.name} in a browser or on another computer"
            f"{' from ' + places if places else ''}, then {command}"
        )


def _get(remote: Remote, url: str, retry_policy: RetryPolicy, path: Path) -> Steps[Path]:
    if "://" in url:
        item = Download(url, path, remote.sha256, remote.md5, remote.size)
        return (yield from download(item, retry_policy))
    source = Path(url)
    if not source.is_file():
        raise FileNotFoundError(f"There is no file '{url}'.")
    yield Progress(f"copying {source.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    known = Digests(remote.sha256, remote.md5)
    with atomic_path(path, overwrite=True) as temporary:
        shutil.copyfile(source, temporary)
        # As if it had been there: verified, and refused with the same words.
        yield from verify_file(temporary, known, f"verifying {path.name}", url)
    return path


def _digest(remote: Remote) -> str:
    return f"sha256 is {remote.sha256}" if remote.sha256 else f"md5 is {remote.md5}"
