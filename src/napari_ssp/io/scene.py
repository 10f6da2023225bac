"""One image of a file: its names, and whether it holds labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.io.label_images import is_whole, with_whole_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage

#: What becomes of an image of which a file is missing: an error, or planes of 0.
MISSING = ("refuse", "zeros")
#: What `write_labels` puts into the OME description, so that the reader knows labels again.
LABELS_DESCRIPTION = "Labels written by napari-ssp"
#: A file of labels is named after its image with one of these endings, those of cellpose, StarDist,
#: Fiji's MorphoLibJ and ourselves among them.
LABEL_ENDINGS = (
    "_label",
    "_labels",
    "_masks",
    "_cp_masks",
    "_seg",
    "_mask",
    "_instances",
    "-lbl",
)

#: The end of the name of a folder in which a result is being made.
UNFINISHED = ".unfinished"

_ZARR = ".zarr"
_CELLPOSE = "_seg.npy"
_MOST_LISTED = 24


@dataclass(frozen=True)
class Scene:
    """One image of a file.

    Attributes
    ----------
    image : MicroscopyImage
        The image.
    is_labels : bool
        Whether its values are object numbers: it was written by `write_labels`, or its name has one
        of `LABEL_ENDINGS`; and it holds integers, whole floats, which are integers then, or a mask
        (bool).
    name : str
        By which it is told from the other images of the file; empty where there is no other.
    """

    image: MicroscopyImage
    is_labels: bool = False
    name: str = ""

    @classmethod
    def of(cls, image: MicroscopyImage, stem: str, description: str = "", name: str = "") -> Scene:
        """Tell labels from intensities.

        Parameters
        ----------
        image : MicroscopyImage
            As it was read.
        stem : str
            Name of its file without the suffix.
        description : str
            OME description, or empty.
        name : str
            By which it is told from the other images of the file.
        """
        named = stem.lower().endswith(LABEL_ENDINGS) or description.startswith(LABELS_DESCRIPTION)
        if not named or image.rgb or image.num_channels > 1 or not is_whole(image):
            return cls(image, name=name)
        return cls(with_whole_numbers(image), True, name)


@dataclass(frozen=True)
class ImageSource:
    """Where one image is to be found.

    Attributes
    ----------
    path : pathlib.Path
        The file; of a set of files any one of them.
    scene : str or None
        Which of the file's images; None where there is only one.
    name : str
        What the image and the results made of it are called, different for all images of a file.
    """

    path: Path
    scene: str | None
    name: str

    def __str__(self) -> str:
        """File, and which image of it, for messages."""
        return f"{self.path}, scene {self.scene}" if self.scene else str(self.path)


def image_stem(path: Path) -> str:
    """Give a file's name without its suffix, ".ome.tif" and ".ome.zarr.zip" being one suffix.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    str
    """
    stem = path.stem.removesuffix(_ZARR) if path.suffix.lower() == ".zip" else path.stem
    return stem.removesuffix(".ome")


def is_cellpose_name(path: Path) -> bool:
    """Whether a name is that of cellpose's own file of masks: "image_seg.npy".

    Parameters
    ----------
    path : pathlib.Path
        The name; nothing need be there.

    Returns
    -------
    bool
    """
    return path.name.lower().endswith(_CELLPOSE)


def is_zarr_name(path: Path) -> bool:
    """Whether a name is that of an OME-Zarr, or of labels in one.

    Parameters
    ----------
    path : pathlib.Path
        The name; nothing need be there.

    Returns
    -------
    bool
    """
    return path.suffix.lower() == _ZARR or is_labels_name(path)


def is_labels_name(path: Path) -> bool:
    """Whether a name is that of labels in an OME-Zarr image: "image.ome.zarr/labels/cells".

    The image may lie in a plate: "plate.ome.zarr/A/1/0/labels/cells".
    """
    folder = path.parent
    inside = any(part.lower().endswith(_ZARR) for part in folder.parent.parts)
    return folder.name == "labels" and inside


def scene_names(given: Sequence[str]) -> list[str]:
    """Names by which the images of a file are told apart.

    Parameters
    ----------
    given : sequence of str
        What the file calls each of them, or empty.

    Returns
    -------
    list of str
        The given names, numbers from 0 where there is none, both where a name comes twice. They
        differ as names of files, too, for which case and some characters do not count. The name
        of a single image is empty.
    """
    if len(given) == 1:
        return [""]
    names: list[str] = []
    wanted = [name.strip() for name in given]
    keys = [file_safe(name).casefold() for name in wanted]
    used: set[str] = set()
    for number, (name, key) in enumerate(zip(wanted, keys, strict=True)):
        found = name if name and keys.count(key) == 1 else f"{name} {number}".strip()
        while file_safe(found).casefold() in used:
            found += f" {number}"
        used.add(file_safe(found).casefold())
        names.append(found)
    return names


def channel_names(given: Sequence[str | None]) -> tuple[str, ...]:
    """Names of channels, numbers where one has none; empty where no channel has a name."""
    return tuple(n or f"channel {i}" for i, n in enumerate(given)) if any(given) else ()


def image_name(stem: str, scene: str) -> str:
    """Name of one image of a file: the file's stem, and the scene's name where there are several.

    It is safe as a name of a file on every system.
    """
    return f"{stem} {file_safe(scene)}" if scene else stem


def file_safe(name: str) -> str:
    """Replace what a name of a file must not hold on some system."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]', "_", name).rstrip(". ")


def find_scenes(names: Sequence[str], wanted: str | int, path: Path) -> list[int]:
    """Find images of a file by name or number.

    Parameters
    ----------
    names : sequence of str
        Of all its images.
    wanted : str or int
        A number from 0, as a text only where no image has it for a name; or a name; or the
        beginning of names up to a "/", such as the well of fields.
    path : pathlib.Path
        The file, for the message.

    Returns
    -------
    list of int
        At least one place in ``names``.

    Raises
    ------
    ValueError
        If there is no such image; the message lists those that there are.
    """
    text = str(wanted).strip()
    named = text and not isinstance(wanted, int)
    found = [k for k, name in enumerate(names) if name == text and named]
    if not found and text.isdecimal() and int(text) < len(names):
        found = [int(text)]
    found = found or [k for k, name in enumerate(names) if name.startswith(f"{text}/") and named]
    if not found:
        raise ValueError(f"'{path}' has no scene '{text}': it holds {list_names(names)}.")
    return found


def choose_scenes(
    given: Sequence[str], wanted: str | int | None, path: Path
) -> tuple[list[str], list[int]]:
    """Name the images of a file as `scene_names`, and find those that are to be read.

    Parameters
    ----------
    given : sequence of str
        What the file calls each of them, or empty; a single one is found by it, too.
    wanted : str, int or None
        As of `find_scenes`; None are all.
    path : pathlib.Path
        The file, for the message.

    Raises
    ------
    ValueError
        As `find_scenes`.
    """
    names = scene_names(given)
    known = names if len(names) > 1 else [given[0].strip()]
    return names, list(range(len(names))) if wanted is None else find_scenes(known, wanted, path)


def list_names(names: Sequence[str]) -> str:
    """Say which images a file has: "3 images (Pos0, Pos1, Pos2)"."""
    if len(names) == 1:
        return f"one image ({names[0]})" if names[0] else "one image"
    shown = ", ".join([*names[:_MOST_LISTED], *(["…"] if len(names) > _MOST_LISTED else [])])
    return f"{len(names)} images ({shown})"
