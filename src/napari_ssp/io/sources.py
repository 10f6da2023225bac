"""Images that files and folders hold, found in one way for docks, commands and training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_ssp.atomic import is_special
from napari_ssp.io.hidden import is_left_by_system
from napari_ssp.io.ngff.reading import is_zarr
from napari_ssp.io.reading import (
    IMAGE_SUFFIXES,
    is_image_name,
    list_images,
    list_labels,
    list_set,
    read_scenes,
)
from napari_ssp.io.scene import ImageSource, find_scenes, image_stem, list_names

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Named = Sequence[ImageSource]

# Most images that a sentence names.
_MOST_NAMED = 5
# What a file that cannot be read leads to; whoever reads it says so.
_UNREADABLE = (OSError, ValueError, TypeError, ImportError)


def find_images(
    paths: Iterable[str | os.PathLike[str]], scene: str | int | None = None
) -> tuple[list[ImageSource], list[str]]:
    """Find all images of files and folders; headers are read, pixels are not.

    Parameters
    ----------
    paths : iterable of path-like
        Image files, and folders of them. In folders, files that systems leave there are skipped,
        and folders in them. Several files of one OME-TIFF set are taken once.
    scene : str or int, optional
        Which image of each file, by name or number from 0; all when not given. Of a plate "A/1" are
        the fields of a well.

    Returns
    -------
    sources : list of ImageSource
        In the order of the paths. A file that cannot be read is among them, as reading it says why.
    notes : list of str
        What was found in files with several images, and left out for belonging to others.

    Raises
    ------
    ValueError
        If a folder holds no images, or a file has no such scene.
    """
    return _find(paths, scene, list_images)


def find_label_images(
    paths: Iterable[str | os.PathLike[str]], scene: str | int | None = None
) -> tuple[list[ImageSource], list[str]]:
    """Find all label images of files and folders, as `find_images`.

    Of a file that holds images and labels, only the labels count.
    """
    return _find(paths, scene, list_labels)


def expand(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Files as given, and the images in folders, without those that systems leave there.

    Raises
    ------
    ValueError
        If a folder holds no images.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not is_folder(path):
            found.append(path)
            continue
        inside = folder_images(path)
        if not inside:
            raise ValueError(
                f"The folder {path} holds no images; known endings: "
                f"{', '.join(sorted(IMAGE_SUFFIXES))}."
            )
        found += inside
    return found


def folder_images(folder: Path) -> list[Path]:
    """List the images of a folder by their endings, without files that systems leave there."""
    named = filter(is_image_name, sorted(folder.iterdir()))
    return [path for path in named if not (is_left_by_system(path) or is_special(path))]


def with_subfolders(paths: Iterable[Path], without: Iterable[Path]) -> list[Path]:
    """Add the folders in folders that hold images, in the order of their names.

    Parameters
    ----------
    paths : iterable of pathlib.Path
        Files and folders.
    without : iterable of pathlib.Path
        Folders that are left out, with all that is in them.
    """
    left_out = {path.resolve() for path in without}
    found: list[Path] = []
    for path in paths:
        inside = _folders_in(path, left_out) if is_folder(path) else []
        found += [folder for folder in inside if folder_images(folder)] or [path]
    return found


def _folders_in(folder: Path, without: set[Path]) -> Iterator[Path]:
    """Go through a folder and those in it; links to folders are not followed."""
    yield folder
    for path in sorted(folder.iterdir()):
        if is_folder(path) and not (path.is_symlink() or is_left_by_system(path)):
            if path.resolve() not in without:
                yield from _folders_in(path, without)


def is_folder(path: Path) -> bool:
    """Tell a folder of images from an image that is kept as a folder."""
    return path.is_dir() and not is_zarr(path)


def _find(
    paths: Iterable[str | os.PathLike[str]],
    scene: str | int | None,
    list_sources: Callable[[Path], Named],
) -> tuple[list[ImageSource], list[str]]:
    files, notes = without_members(expand(paths))
    sources: list[ImageSource] = []
    for file in files:
        try:
            found = list_sources(file)
        except _UNREADABLE:
            found = [ImageSource(file, None if scene is None else str(scene), image_stem(file))]
            sources += found
            continue
        chosen = found if scene is None else _choose(found, scene, file)
        if len(found) > 1:
            names = [str(source.scene) for source in found]
            picked = ", ".join(str(source.scene) for source in chosen[:_MOST_NAMED])
            more = ", …" if chosen[_MOST_NAMED:] else ""
            taken = "" if len(chosen) == len(found) else f"; taken: {picked}{more}"
            notes.append(f"'{file}' holds {list_names(names)}{taken}.")
        sources += chosen
    return sources, notes


def _choose(found: Named, scene: str | int, file: Path) -> list[ImageSource]:
    if len(found) == 1:
        # Each file has a first image; a single one may have a name, too, which its reader knows.
        if str(scene).strip() != "0":
            read_scenes(file, scene)
        return list(found)
    names = [source.scene or "" for source in found]
    return [found[k] for k in find_scenes(names, scene, file)]


def without_members(files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Leave out files that belong to the set of another one, and say so.

    Parameters
    ----------
    files : sequence of pathlib.Path
        Image files.

    Returns
    -------
    files : list of pathlib.Path
        One of each set, and all others.
    notes : list of str
        A sentence for each set of which files were left out.
    """
    if len(files) == 1:
        return list(files), []
    sets = [_members(file) for file in files]
    owner: dict[Path, Path] = {}
    # The largest description counts where that of a member is shorter.
    for file, members in sorted(zip(files, sets, strict=True), key=lambda pair: -len(pair[1])):
        if len(members) > 1 and file.resolve() not in owner:
            owner |= {member: file for member in members if member not in owner}
    kept = [file for file in files if owner.get(file.resolve(), file) == file]
    left: dict[Path, list[str]] = {}
    for file in files:
        if file not in kept:
            left.setdefault(owner[file.resolve()], []).append(file.name)
    notes = []
    for file, names in left.items():
        verb = "belongs" if len(names) == 1 else "belong"
        notes.append(f"{', '.join(names)} {verb} to the set of '{file}', which is taken once.")
    return kept, notes


def _members(file: Path) -> tuple[Path, ...]:
    try:
        return tuple(member.resolve() for member in list_set(file))
    except _UNREADABLE:
        return (file.resolve(),)
