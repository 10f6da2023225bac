"""Files that a command reads and writes, decided before any work."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from napari_ssp.atomic import check_folder, is_special, is_taken
from napari_ssp.io import IMAGE_SUFFIXES, image_stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def expand(paths: Iterable[Path]) -> list[Path]:
    """Files as given, and the images inside of folders.

    Raises
    ------
    ValueError
        When a folder holds no images.
    """
    found: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir() and path.suffix.lower() not in IMAGE_SUFFIXES:  # a Zarr is a folder, too
            inside = [p for p in sorted(path.iterdir()) if p.suffix.lower() in IMAGE_SUFFIXES]
            inside = [p for p in inside if not is_special(p)]
            if not inside:
                raise ValueError(
                    f"The folder {path} holds no images; known endings: "
                    f"{', '.join(sorted(IMAGE_SUFFIXES))}."
                )
        found += inside
    return found


def name_outputs(images: Sequence[Path], folder: Path, ending: str) -> list[Path]:
    """One output per image: its name without suffix, and an ending.

    Raises
    ------
    ValueError
        When two images would be written to the same name, or one over an image that is read.
    """
    targets = [folder / f"{image_stem(path)}{ending}" for path in images]
    twice = [path.name for path, count in Counter(targets).items() if count > 1]
    if twice:
        raise ValueError(
            f"Several images would be written to the same name: {', '.join(twice[:5])}. "
            "Write them into different folders."
        )
    read = {path.resolve() for path in images}
    replaced = [path.name for path in targets if path.resolve() in read]
    if replaced:
        raise ValueError(
            f"Results would be written over images that are read: {', '.join(replaced[:5])}. Give "
            "another output folder, or leave the results of an earlier run out of the images."
        )
    return targets


def make_folder(folder: Path) -> None:
    """Make an output folder before any work is done for it, or say why it is of no use.

    Raises
    ------
    OSError
        When it cannot be made or may not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"The folder '{folder}' cannot be made: {error.strerror}. Choose another folder."
        ) from error
    check_folder(folder)


def refuse_existing(targets: Iterable[Path], overwrite: bool) -> None:
    """Refuse outputs that exist, with a ValueError, unless they may be replaced."""
    wanted = list(targets)
    existing = [path for path in wanted if is_taken(path)]
    if existing and not overwrite:
        raise ValueError(
            f"{len(existing)} outputs exist already, e.g. {existing[0]}. Add --overwrite to "
            "replace them, or choose another folder."
        )
