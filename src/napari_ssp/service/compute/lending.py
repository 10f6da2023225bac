"""Models on their way to a worker: which ones a request needs, by the sha256 of their weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.registry import CELLPOSE, ModelCard, find_card
from napari_ssp.service.requests import BlockRequest, DiameterRequest, SegmentRequest
from napari_ssp.service.review.choosing import choose_critic
from napari_ssp.service.review.plan import open_labels
from napari_ssp.service.review.requests import ReviewRequest
from napari_ssp.service.source_image import open_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_ssp.image import MicroscopyImage

#: How a request calls a model that was given as a folder: by the digest of its weights.
SHELF = "shelf:"
#: Choices of a request that name files and models of this computer.
_OF_HERE = ("image", "model", "through_model", "labels", "labels_scene", "flows", "made_by")
#: Bytes of an image that are sent at most.
MOST_SENT = 4 * 2**30


@dataclass(frozen=True)
class Book:
    """A model that is lent.

    Attributes
    ----------
    card : str
        Content of its card's file.
    sha256 : str
        Digest of its weights; of an ensemble, of its members'.
    is_named : bool
        Whether the request calls it by its name.
    """

    card: str
    sha256: str
    is_named: bool


@dataclass(frozen=True, eq=False)
class Loan:
    """A request made fit to be done on another computer.

    Attributes
    ----------
    request : Request
        It holds its pixels, and calls models as the worker does.
    books : tuple of Book
        The models that it needs.
    weights : dict of str to pathlib.Path
        Files of their weights by sha256.
    """

    request: Any
    books: tuple[Book, ...]
    weights: dict[str, Path]

    @classmethod
    def of(cls, request: Any, books: Mapping[Book, Path | None]) -> Loan:
        """Loan of a request with models, each with the file of its weights where it has one."""
        weights = {book.sha256: path for book, path in books.items() if path is not None}
        return cls(request, tuple(books), weights)


def lend(request: Any) -> Loan:
    """Make a request independent of this computer's files.

    Raises
    ------
    ValueError
        When its image is too large to be sent.
    OSError, ValueError, TypeError
        When the image or a model cannot be used.
    """
    is_outer = isinstance(request, DiameterRequest | BlockRequest)
    inner = request.segment if is_outer else request
    books: dict[Book, Path | None] = {}
    if isinstance(inner, ReviewRequest):
        inner = choose_critic(inner)
    names = {"model": call_model(inner.model, books)}
    if isinstance(inner, SegmentRequest) and inner.through is not None:
        names["through_model"] = call_model(inner.through_model, books)
    if isinstance(inner, ReviewRequest):
        inner = open_labels(inner)
    image = inner.image
    if not isinstance(request, BlockRequest):  # whose worker reads what it needs by itself
        image = open_image(inner) if isinstance(image, str | Path) else image
        _check_size(image)
    inner = replace(inner, image=image, **names)
    return Loan.of(replace(request, segment=inner) if is_outer else inner, books)


def restore_names(result: Any, request: Any) -> Any:
    """Let a result's provenance name image and models as the request does."""
    provenance = getattr(result, "provenance", None)
    if not provenance:
        return result
    asked, own = request.provenance(), dict(provenance["request"])
    if asked["model"] is None:  # a critic that was chosen before it travelled
        asked["model"] = own["model"]
    own |= {key: asked[key] for key in _OF_HERE if key in own}
    record = {**provenance, "request": own}
    if record["model"]["name"] == provenance["request"]["model"]:  # several, called by their names
        record["model"] = {**record["model"], "name": asked["model"]}
    if "through" in record:
        first = {**record["through"]["request"], "model": asked["through_model"]}
        record["through"] = {**record["through"], "request": first}
    return replace(result, provenance=record)


def call_model(model: str, books: dict[Book, Path | None]) -> str:
    """Find the name of a model, or of several, on the worker; what they are is noted."""
    parts = [model] if Path(model).is_dir() else [name.strip() for name in model.split("+")]
    return "+".join(_call_one(part, books) for part in parts)


def _call_one(name: str, books: dict[Book, Path | None]) -> str:
    card = find_card(name)
    is_named = card.name == name
    if card.family == CELLPOSE:
        return name  # it looks after its weights itself
    for one in (card, *(find_card(member) for member in card.members)):
        _note(one, is_named or one is not card, books)
    return name if is_named else SHELF + card.sha256


def _note(card: ModelCard, is_named: bool, books: dict[Book, Path | None]) -> None:
    book = Book(card.text(), card.sha256, is_named)
    books[book] = None if card.members else card.weights


def is_sent(image: MicroscopyImage) -> bool:
    """Whether an image is small enough to be sent to another computer."""
    return count_bytes(image) <= MOST_SENT


def count_bytes(image: Any) -> int:
    """Bytes of the pixels of an image."""
    return int(np.dtype(image.dtype).itemsize * np.prod(image.shape, dtype=np.int64))


def _check_size(image: Any) -> None:
    size = count_bytes(image)
    if size > MOST_SENT:
        raise ValueError(
            f"The image has {size / 2**30:.1f} GiB, and at most {MOST_SENT / 2**30:.0f} GiB are "
            "sent to another computer. Give one scene, time point or region as an image of its "
            "own, or compute here: local."
        )
