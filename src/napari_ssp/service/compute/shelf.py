"""Models that a worker was lent: weights are kept by sha256, and each request sees only its own."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_ssp.atomic import atomic_path, write_text
from napari_ssp.registry import ModelCard, cache_folder, find_card
from napari_ssp.registry.card import CARD_FILE
from napari_ssp.registry.folders import MOVED_BY
from napari_ssp.service.compute.lending import SHELF, Book

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

#: Read at once: while a request is done, the folder of models is the request's own.
_STORE = cache_folder() / "received"


def find_missing(books: Sequence[Book]) -> list[str]:
    """Digests of the weights that are not here yet."""
    return [b.sha256 for b in books if not _read(b).members and _find_weights(b) is None]


def keep_weights(sha256: str, content: NDArray[np.uint8]) -> None:
    """Keep weights.

    Raises
    ------
    ValueError
        When they are others than their digest says.
    """
    if hashlib.sha256(content.data).hexdigest() != sha256:
        raise ValueError(f"The weights {sha256[:12]}… were damaged on their way.")
    path = _stored(sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_bytes(content.data)


@contextmanager
def lent(books: Sequence[Book]) -> Iterator[Path]:
    """Let the models of a request be this process's own, and the only ones beside those shipped."""
    key = hashlib.sha256(repr(sorted(map(repr, books))).encode()).hexdigest()
    shelf, before = _STORE / f"shelf-{key[:32]}", os.environ.get(MOVED_BY)
    for book in books:
        _put(book, shelf)
    os.environ[MOVED_BY] = str(shelf)
    try:
        yield shelf
    finally:
        os.environ.pop(MOVED_BY)
        if before is not None:
            os.environ[MOVED_BY] = before


def resolve(model: str, shelf: Path) -> str:
    """Name or folder of what a request calls its model."""
    parts = (
        str(shelf / "apart" / part.removeprefix(SHELF)) if part.startswith(SHELF) else part
        for part in model.split("+")
    )
    return "+".join(parts)


def _put(book: Book, shelf: Path) -> None:
    card = _read(book)
    folder = shelf / ("models" if book.is_named else "apart") / book.sha256
    if (folder / CARD_FILE).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    source = _find_weights(book)
    if source is not None and not (folder / card.weights_file).exists():
        try:
            os.link(source, folder / card.weights_file)
        except OSError:  # of another disk
            with atomic_path(folder / card.weights_file) as temporary:
                temporary.write_bytes(source.read_bytes())
    write_text(folder / CARD_FILE, book.card)  # last: with it the model is there


def _find_weights(book: Book) -> Path | None:
    """File with the weights: received before, or of the same model that is installed here."""
    if _stored(book.sha256).is_file():
        return _stored(book.sha256)
    try:
        own = find_card(_read(book).name)
    except (OSError, ValueError):
        return None
    is_same = own.sha256 == book.sha256 and not own.members and own.weights.is_file()
    return own.weights if is_same else None


def _stored(sha256: str) -> Path:
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError(f"'{sha256}' is no digest of weights.")
    return _STORE / sha256


def _read(book: Book) -> ModelCard:
    return ModelCard.from_content(json.loads(book.card))
