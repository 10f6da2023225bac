"""Published ImageNet weights of encoders, on the server of timm and of smp; only on demand."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - part of a value
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from napari_ssp.progress import Progress
from napari_ssp.registry.card import EncoderWeights
from napari_ssp.registry.digests import file_sha256
from napari_ssp.registry.folders import cache_folder
from napari_ssp.registry.pretrained.sources import EncoderFile, check_pretrainable
from napari_ssp.registry.transfer.download import download
from napari_ssp.registry.transfer.item import Download, RetryPolicy
from napari_ssp.registry.transfer.reaching import explained, find_unreachable, reach_steps
from napari_ssp.registry.user_lists import locked

if TYPE_CHECKING:
    from napari_ssp.progress import Steps

R = TypeVar("R")
#: The user's word for them.
IMAGENET = "imagenet"
_FILE = "model.safetensors"
_MIT_LICENCE = "NVIDIA Source Code License for SegFormer (non-commercial)"
_PATIENCE = RetryPolicy()


@dataclass(frozen=True)
class PublishedWeights:
    """ImageNet weights of an encoder on a server.

    Attributes
    ----------
    encoder : str
        That they are of.
    url : str
        Of the file.
    page : str
        Where they are described.
    licence : str
        As their publishers state it.
    """

    encoder: str
    url: str
    page: str
    licence: str

    @property
    def path(self) -> Path:
        """Where the file is kept, so that it is downloaded once."""
        folder, name = urlsplit(self.page).path.strip("/"), urlsplit(self.url).path.split("/")[-1]
        return cache_folder() / "encoders" / folder.replace("/", "--") / name


def find_published(encoder: str) -> PublishedWeights:
    """Find out where the ImageNet weights of an encoder are; asks nobody.

    Raises
    ------
    ValueError
        When none are published, or the encoder takes none.
    """
    check_pretrainable(encoder)
    if encoder.startswith("tu-"):
        return _of_timm(encoder)
    from napari_ssp.networks.encoder_library import smp

    settings = smp.encoders.encoders[encoder]["pretrained_settings"][IMAGENET]
    place = f"{_server()}/{settings['repo_id']}"
    url = f"{place}/resolve/{settings['revision']}/{_FILE}"
    return PublishedWeights(encoder, url, place, _MIT_LICENCE)


def _of_timm(encoder: str) -> PublishedWeights:
    from napari_ssp.networks.encoder_library import timm

    settings = timm.get_pretrained_cfg(encoder.removeprefix("tu-"))
    licence = (settings and settings.license) or "not stated"
    if settings and settings.hf_hub_id:
        place = f"{_server()}/{settings.hf_hub_id}"
        file = settings.hf_hub_filename or _FILE
        return PublishedWeights(encoder, f"{place}/resolve/main/{file}", place, licence)
    if settings and settings.url:
        url = str(settings.url)
        return PublishedWeights(encoder, url, url, licence)
    raise ValueError(
        f"timm publishes no ImageNet weights of {encoder}. Choose another encoder, or give a file."
    )


def _server() -> str:
    """Address of the Hugging Face Hub, or of the mirror that its own variable names."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def offer_steps(published: PublishedWeights) -> Steps[str]:
    """Say what would be downloaded, how much, from where; asks the server for the size only.

    Raises
    ------
    ConnectionError
        When it cannot be reached.
    """
    if published.path.is_file():
        return f"ImageNet weights from {published.page}, downloaded before"
    size = yield from _explained(published, _size_steps(published))
    amount = f"{size / 1e6:.3g} MB" if size else "of unknown size"
    return f"ImageNet weights from {published.page} ({amount}, to be downloaded)"


def fetch_steps(published: PublishedWeights) -> Steps[EncoderFile]:
    """Download the weights, where they are not there yet; of several processes one does it.

    Raises
    ------
    ConnectionError
        When the server cannot be reached.
    """
    with contextlib.ExitStack() as held:
        yield from _hold(published, held)
        yield from _explained(published, download(Download(published.url, published.path)))
    weights = EncoderWeights(
        published.url, file_sha256(published.path), published.licence, published.page
    )
    return EncoderFile(published.path, weights)


def _hold(published: PublishedWeights, held: contextlib.ExitStack) -> Steps[None]:
    """Wait until no other process downloads the weights, and keep others waiting."""
    while True:
        try:
            held.enter_context(locked(f"encoder-{published.encoder}"))
            return
        except BlockingIOError:
            yield Progress("waiting for another process that downloads the encoder's weights")
            time.sleep(0.2)


def _size_steps(published: PublishedWeights) -> Steps[int]:
    """Ask for the file, and read the head of the answer only."""
    import requests

    yield from reach_steps(published.url, _PATIENCE.reach)
    patience = (_PATIENCE.connect, _PATIENCE.connect)
    plain = {"Accept-Encoding": "identity"}
    try:
        with requests.get(published.url, headers=plain, stream=True, timeout=patience) as answer:
            answer.raise_for_status()
            return int(answer.headers.get("Content-Length", 0))
    except requests.RequestException as error:
        raise find_unreachable(error) or ConnectionError(
            f"{published.url} was not given: {error}"
        ) from error


def _explained(published: PublishedWeights, steps: Steps[R]) -> Steps[R]:
    try:
        return (yield from explained(steps))
    except ConnectionError as error:
        raise ConnectionError(
            f"The ImageNet weights of {published.encoder} could not be downloaded: {error} They "
            "can also be given as a file, or come with a package (see 'Encoder weights' in "
            "docs/training.md)."
        ) from error
