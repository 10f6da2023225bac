"""Models in one file: an archive of the card and the weights."""

from __future__ import annotations

import errno
import json
import shutil
import zipfile
import zlib
from typing import TYPE_CHECKING

from napari_ssp.atomic import atomic_path, check_target
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry.archive_members import members
from napari_ssp.registry.card import (
    CARD_FILE,
    CELLPOSE,
    LONGEST_CARD,
    PACKAGE,
    WEIGHTS_FILE,
    ModelCard,
)
from napari_ssp.registry.catalogue import find_card
from napari_ssp.registry.describing import card_lines
from napari_ssp.registry.digests import hash_file

if TYPE_CHECKING:
    from pathlib import Path

_README = "README.md"
_CHUNK = 2**22
#: As which damage to an archive shows.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, TypeError, KeyError, RuntimeError, OSError)


def export_steps(model: str | Path, path: Path, overwrite: bool = False) -> Steps[Path]:
    """Write an installed model into one file that `import_checkpoint` takes.

    Parameters
    ----------
    model : str or pathlib.Path
        Name, or folder.
    path : pathlib.Path
        File to write, with the ending ``.zip``.
    overwrite : bool
        Replace a file of that name.

    Yields
    ------
    Progress
        Bytes that were verified and written.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FileExistsError
        When there is such a file.
    FileNotFoundError
        When there is no such model, or no such folder.
    ValueError
        When the weights are damaged, or the ending is another one.
    """
    card = find_card(model)
    check_export(card, path, overwrite)
    found = yield from hash_file(card.weights, f"verifying {card.name}")
    if found.sha256 != card.sha256:
        raise ValueError(f"The weights of '{card.name}' are damaged; nothing was written.")
    with atomic_path(path, overwrite) as temporary:
        yield from _write(card, temporary)
    return path


def check_export(card: ModelCard, path: Path, overwrite: bool, suffix: str = ".zip") -> None:
    """Refuse an export that cannot be written; errors as of `export_steps`."""
    if card.members:
        raise ValueError(
            f"'{card.name}' is an ensemble without weights of its own. Export its members: "
            f"{', '.join(card.members)}."
        )
    if card.family == PACKAGE:
        raise ValueError(
            f"'{card.name}' is a BioImage.IO package already. Pass on the file it came from "
            f"({card.origin})."
        )
    if card.family == CELLPOSE:
        raise ValueError(f"'{card.name}' is a part of cellpose, which keeps its weights itself.")
    if path.suffix.lower() != suffix:
        raise ValueError(f"This is written to a {suffix} file, got '{path.name}'.")
    check_target(path, overwrite)


def _write(card: ModelCard, path: Path) -> Steps[None]:
    size = card.weights.stat().st_size
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(CARD_FILE, card.text())
        lines = "\n".join(f"- **{label}**: {text}" for label, text in card_lines(card))
        archive.writestr(_README, f"# {card.name}\n\n{lines}\n")
        with archive.open(WEIGHTS_FILE, "w", force_zip64=True) as target:
            with card.weights.open("rb") as source:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                    yield Progress(f"writing {path.name}", source.tell(), size)


def is_package(path: Path) -> bool:
    """Whether a file is an archive with a card at its top."""
    return any(item.filename == CARD_FILE for item in members(path))


def unpack_package(path: Path, folder: Path) -> Steps[ModelCard]:
    """Unpack the card and the weights of an archive, and nothing else.

    Raises
    ------
    ValueError
        When it holds other files, leads out of the folder, is packed, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            card = ModelCard.from_content(json.loads(archive.read(CARD_FILE)))
            size = archive.getinfo(WEIGHTS_FILE).file_size
            with archive.open(WEIGHTS_FILE) as source, (folder / WEIGHTS_FILE).open("wb") as target:
                yield Progress(f"unpacking {path.name}", 0, size)
                shutil.copyfileobj(source, target, _CHUNK)
    except _DAMAGED as error:
        # A place before the beginning of the file; a full disk has another number.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise ValueError(f"{path.name} is damaged: {error}. Copy it again.") from error
    return card


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    names = archive.namelist()
    for name in names:
        if name not in (CARD_FILE, WEIGHTS_FILE, _README):
            raise ValueError(
                f"{path.name} holds '{name[:100]}'; a model's archive holds {CARD_FILE} and "
                f"{WEIGHTS_FILE} only. It was refused and nothing was unpacked."
            )
    if len(set(names)) < len(names) or WEIGHTS_FILE not in names:
        raise ValueError(f"{path.name} must hold {CARD_FILE} and {WEIGHTS_FILE}, each once.")
    if archive.getinfo(CARD_FILE).file_size > LONGEST_CARD:
        raise ValueError(f"The card in {path.name} is longer than 1 MB, so it was refused.")
    weights = archive.getinfo(WEIGHTS_FILE)
    if weights.compress_type != zipfile.ZIP_STORED or weights.file_size > path.stat().st_size:
        raise ValueError(
            f"The weights in {path.name} would become {weights.file_size} bytes when they are "
            "unpacked; models are not packed, so it was refused."
        )
