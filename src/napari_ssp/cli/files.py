"""Files that a command reads and writes, decided before any work."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ssp.atomic import check_folder, is_taken
from napari_ssp.cli.reporting import say
from napari_ssp.io import find_images, find_label_images
from napari_ssp.io.ngff.reading import image_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_ssp.io import ImageSource


def find_sources(paths: Iterable[Path], scene: str | None = None) -> list[ImageSource]:
    """Images of files and folders; what was found in files with several is said.

    Raises
    ------
    ValueError
        When a folder holds no images, or a file has no such scene.
    """
    sources, notes = find_images(paths, scene)
    for note in notes:
        say(note)
    return sources


def find_label_sources(paths: Iterable[Path], scene: str | None = None) -> list[ImageSource]:
    """Label images of files and folders, as `find_sources`."""
    sources, notes = find_label_images(paths, scene)
    for note in notes:
        say(note)
    return sources


def name_outputs(
    images: Sequence[ImageSource], folder: Path, ending: str, roots: Sequence[Path] = ()
) -> list[Path]:
    """One output per image: its name, and an ending.

    Parameters
    ----------
    images : sequence of ImageSource
        The images.
    folder : pathlib.Path
        Where outputs go; those of an image in a folder of a root, into a folder of that name.
    ending : str
        Of the names.
    roots : sequence of pathlib.Path
        Folders of folders with images.

    Raises
    ------
    ValueError
        When two images would be written to the same name.
    """
    targets = place_outputs(images, folder, ending, roots)
    twice = [str(path.relative_to(folder)) for path, count in Counter(targets).items() if count > 1]
    if twice:
        raise ValueError(
            f"Several images would be written to the same name: {', '.join(twice[:5])}. "
            "Write them into different folders."
        )
    return targets


def place_outputs(
    images: Sequence[ImageSource], folder: Path, ending: str, roots: Sequence[Path] = ()
) -> list[Path]:
    """One output per image, as `name_outputs`, which may be that of another image, too."""
    return [folder / below(roots, image.path) / f"{image.name}{ending}" for image in images]


def below(roots: Sequence[Path], path: Path) -> Path:
    """Folder of a path as seen from the root that it lies in; none outside of them."""
    return next((path.parent.relative_to(r) for r in roots if path.is_relative_to(r)), Path())


def name_labels_inside(
    images: Sequence[ImageSource], output: Path, also: str = "", name: str = "cells"
) -> list[Path]:
    """Places for labels in the OME-Zarr images themselves: "plate.ome.zarr/A/1/0/labels/cells".

    Parameters
    ----------
    images : sequence of ImageSource
        The images.
    output : pathlib.Path
        The OME-Zarr.
    also : str
        What else is to be saved.
    name : str
        Of the labels.

    Raises
    ------
    ValueError
        When the output is another Zarr than the images are read from, or takes no labels; or when
        there is ``also`` something to be saved, which has no place there.
    """
    from napari_ssp.io.ngff.writing import check_labels_place  # loads zarr

    if any(image.path.resolve() != output.resolve() for image in images):
        raise ValueError(
            f"The output {output} is an OME-Zarr. Labels are added to it only when it is the one "
            "image, or plate, to segment; give a folder."
        )
    if also:
        raise ValueError(
            f"A Zarr of images has no place for {also}. Give a folder, or leave that out."
        )
    folders = image_folders(output)
    targets = [folders[image.scene] / "labels" / name for image in images]
    for target in targets:
        check_labels_place(target)
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


def refuse_read(targets: Iterable[Path], read: Iterable[Path]) -> None:
    """Refuse outputs that would replace what is read, or the folder that it lies in.

    Raises
    ------
    ValueError
        With their names.
    """
    known = set()
    for path in dict.fromkeys(chain.from_iterable((p, *p.absolute().parents) for p in read)):
        known |= _identify(path)
    replaced = [str(path) for path in targets if is_taken(path) and known & _identify(path)]
    if replaced:
        raise ValueError(
            f"Results would be written over what is read: {', '.join(replaced[:5])}. Give another "
            "name or folder, or leave the results of an earlier run out of what is read."
        )


def refuse_reports(reports: Iterable[Path], targets: Iterable[Path]) -> None:
    """Refuse reports under the names of outputs, with a ValueError."""
    known = {path.resolve() for path in targets}
    for path in reports:
        if path.resolve() in known:
            raise ValueError(f"'{path}' is one of the results. Give the report another name.")


def _identify(path: Path) -> set[Any]:
    """Give what names of one file or folder have in common; nothing where nothing is there."""
    try:
        facts = path.stat()
    except OSError:
        return set()
    # Some drives on a network number no files.
    return {(facts.st_dev, facts.st_ino) if facts.st_ino else path.resolve()}
