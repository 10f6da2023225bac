"""Importer of models from files: recognised, proved, stored as safetensors, never executed."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ssp.atomic import is_special, replaced_folder
from napari_ssp.progress import Progress, Steps, run
from napari_ssp.registry.archive_members import members
from napari_ssp.registry.bioimage.files import is_bioimage
from napari_ssp.registry.card import CARD_FILE, PACKAGE, WEIGHTS_FILE, ModelCard
from napari_ssp.registry.card_checks import check_name
from napari_ssp.registry.catalogue import is_shipped, is_users, list_cards, list_catalogue
from napari_ssp.registry.digests import Digests, hash_file
from napari_ssp.registry.folders import make_models_folder, models_folder
from napari_ssp.registry.importing.new_card import complete_card, new_card
from napari_ssp.registry.importing.recognition import recognise
from napari_ssp.registry.importing.safetensors_files import is_safetensors, read_safetensors
from napari_ssp.registry.importing.torch_files import is_torch_file, read_torch_file
from napari_ssp.registry.model_archive import is_package, unpack_package
from napari_ssp.registry.trust import trust
from napari_ssp.scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

#: What ZIP archives begin with.
_ZIP = b"PK\x03\x04"


def import_checkpoint(
    path: str | Path, name: str | None = None, overwrite: bool = False, trusted: bool = False
) -> ModelCard:
    """Import a model into the user's folder.

    Parameters
    ----------
    path : str or pathlib.Path
        MEDIAR's ``.pth``, RepMode's ``.p``, bare weights as ``.safetensors``, a model's folder, a
        ``.zip`` of ``napari-ssp models export``, or a BioImage.IO package.
    name : str or None
        Name of the model; None takes the card's, or the file's. A published file is known by its
        digest and gets its published name.
    overwrite : bool
        Replace a model of the user's that has this name.
    trusted : bool
        Agree to run the program of a BioImage.IO package that has its network as TorchScript.

    Returns
    -------
    ModelCard
        The card of the installed model.

    Raises
    ------
    FileExistsError
        When there is a model of that name.
    FileNotFoundError
        When there is no such file.
    ImportError
        When the network is in ONNX and onnxruntime is not installed.
    PermissionError
        When it is a program that was not agreed to.
    ValueError
        When it is of no known kind, damaged, of another network, or asks to run code.
    """
    return run(import_steps(path, name, overwrite, trusted=trusted))


def import_steps(
    path: str | Path,
    name: str | None = None,
    overwrite: bool = False,
    card: ModelCard | None = None,
    trusted: bool = False,
) -> Steps[ModelCard]:
    """Do what `import_checkpoint` does, step by step.

    Parameters
    ----------
    path, name, overwrite, trusted
        See `import_checkpoint`.
    card : ModelCard or None
        What a catalogue says of the file.

    Yields
    ------
    Progress
        Bytes that were read, tensors that were looked at.

    Returns
    -------
    ModelCard
        The card of the installed model.
    """
    path = Path(path)
    if is_special(path):
        raise ValueError(
            f"'{path}' is no file but a device, FIFO or socket, from which no model is read. Save "
            "what it gives to a file first."
        )
    if path.exists() and is_bioimage(path) and not (path / CARD_FILE).is_file():
        return (yield from _import_bioimage(path, name, overwrite, trusted))
    if path.is_dir():
        return (yield from _import_folder(path, path, ModelCard.read(path), name, overwrite))
    if not path.is_file():
        raise FileNotFoundError(f"There is no file or folder '{path}'.")
    if is_package(path):
        return (yield from _import_package(path, name, overwrite))
    return (yield from _import_weights(path, name, overwrite, card))


def _import_package(path: Path, name: str | None, overwrite: bool) -> Steps[ModelCard]:
    with _scratch_folder() as folder:
        card = yield from unpack_package(path, folder)
        return (yield from _import_folder(folder, path, card, name, overwrite))


def _scratch_folder() -> AbstractContextManager[Path]:
    """Give a folder to unpack to, on the disk of the models, that is removed at the end."""
    return scratch_folder(make_models_folder())


def _import_bioimage(
    path: Path, name: str | None, overwrite: bool, trusted: bool
) -> Steps[ModelCard]:
    from napari_ssp.registry.bioimage.importing import description_name, unpack_bioimage

    chosen = check_name(name or plain_name(description_name(path)))
    check_free(chosen, overwrite)
    with _scratch_folder() as folder:
        found = yield from unpack_bioimage(path, chosen, folder, trusted)
        if found.card is None:
            card = yield from _import_weights(found.weights, chosen, overwrite, None)
            card = replace(card, **found.about)
            assert card.folder is not None
            card.write(card.folder)
            return card
        write = partial(shutil.copyfile, found.weights)
        installed = yield from _install(found.card, write, overwrite)
        if found.card.network["format"] == "torchscript":
            trust(installed.sha256)  # not before: an import that was refused leaves no trust
        return installed


def _import_folder(
    folder: Path, path: Path, card: ModelCard, name: str | None, overwrite: bool
) -> Steps[ModelCard]:
    """Import a model of ours: its weights byte by byte, so that its digest stays."""
    from napari_ssp.registry.importing.proof import prove_weights

    card = replace(card, name=check_name(name or plain_name(card.name)), folder=folder)
    check_free(card.name, overwrite)
    if card.family == PACKAGE:
        raise ValueError(
            f"{path} was made of a BioImage.IO package. Import that package itself: its own test "
            "shows that it is complete."
        )
    if not card.weights.is_file():
        raise FileNotFoundError(f"{path} holds no {WEIGHTS_FILE}, so there is nothing to import.")
    found = yield from hash_file(card.weights, f"verifying {card.name}")
    if found.sha256 != card.sha256:
        raise ValueError(
            f"The weights in {path} are damaged or were replaced: their sha256 is "
            f"{found.sha256[:12]}…, the card says {card.sha256[:12]}…. Copy the model again."
        )
    learned = yield from prove_weights(card, read_safetensors(card.weights))
    card = replace(card, parameters=learned, origin=card.origin or f"imported from {path.name}")
    return (yield from _install(card, partial(shutil.copyfile, card.weights), overwrite))


def _import_weights(
    path: Path, name: str | None, overwrite: bool, card: ModelCard | None
) -> Steps[ModelCard]:
    """Import weights that have no card of their own."""
    from napari_ssp.registry.importing.proof import prove_weights

    if name is not None:
        check_free(check_name(name), overwrite)
    yield Progress(f"reading {path.name}")
    found = recognise(_content(path), path)
    digests = yield from hash_file(path, f"verifying {path.name}")
    known = card or _published(digests)
    if known is None:
        made = new_card(found, check_name(name or plain_name(path.stem)), path)
        made = replace(made, origin=f"imported from {path.name}, sha256 {digests.sha256}")
    else:
        made = complete_card(replace(known, name=name or known.name), found, path)
        made = replace(made, origin=f"{known.origin or path.name}, sha256 {digests.sha256}")
    check_free(made.name, overwrite)
    learned = yield from prove_weights(made, found.state)
    made = replace(made, parameters=learned)
    return (yield from _install(made, partial(_save, found.state), overwrite))


def _content(path: Path) -> Any:
    if is_torch_file(path):
        return read_torch_file(path)
    if is_safetensors(path):
        return read_safetensors(path)
    with path.open("rb") as file:
        start = file.read(12)
    if start.startswith(_ZIP) and not members(path):
        raise ValueError(
            f"{path.name} is damaged: it begins as a ZIP archive, but its end is missing. "
            "Download or copy it again."
        )
    raise ValueError(
        f"{path.name} is no model that is known here: it begins with {start!r}. Known are MEDIAR's "
        ".pth, RepMode's .p, .safetensors, the .zip of 'napari-ssp models export', and BioImage.IO "
        "packages."
    )


def _published(digests: Digests) -> ModelCard | None:
    """Card of a catalogue whose file has these digests."""
    for card in list_catalogue():
        wanted = card.remote and (card.remote.sha256.lower(), card.remote.md5.lower())
        if wanted and wanted in (
            (digests.sha256, digests.md5),
            (digests.sha256, ""),
            ("", digests.md5),
        ):
            return replace(card, folder=None)
    return None


def plain_name(text: str) -> str:
    """Name of a model, from that of a file."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64]


def check_free(name: str, overwrite: bool) -> None:
    """Refuse a name that is taken.

    Raises
    ------
    FileExistsError
        When a model has it, unless it is the user's own and may be replaced.
    """
    if is_shipped(name):
        raise FileExistsError(f"'{name}' is a model of the package. Give another name.")
    is_there = (models_folder() / name).exists()
    named = [card for card in list_cards() if card.name == name]
    if (is_there or named) and not (overwrite and (is_there or any(map(is_users, named)))):
        raise FileExistsError(
            f"There is a model '{name}' already; it was left as it is. Give another name, or allow "
            "overwriting."
        )


def _save(state: dict[str, Any], path: Path) -> None:
    """Store weights with the numbers they have: halving them would change results."""
    from napari_ssp.registry.weights import write_tensors

    contiguous = {key: value.detach().contiguous() for key, value in state.items()}
    write_tensors(contiguous, path)


def _install(card: ModelCard, write: Callable[[Path], Any], overwrite: bool) -> Steps[ModelCard]:
    """Write the folder of a model, as a whole or not at all."""
    final = make_models_folder() / card.name
    with replaced_folder(final) as temporary:
        yield Progress(f"writing {card.name}")
        write(temporary / card.weights_file)
        digests = yield from hash_file(temporary / card.weights_file, f"verifying {card.name}")
        written = replace(card, sha256=digests.sha256, folder=final)
        written.write(temporary)
        check_free(card.name, overwrite)
    return written
