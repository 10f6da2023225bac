"""One image of a file, and whether it holds labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage

#: What `write_labels` puts into the OME description, so that the reader knows labels again.
LABELS_DESCRIPTION = "Labels written by napari-ssp"


_ZARR = ".zarr"
_CELLPOSE = "_seg.npy"


@dataclass(frozen=True)
class Scene:
    """One image of a file.

    Attributes
    ----------
    image : MicroscopyImage
        The image.
    is_labels : bool
        Whether its values are object numbers: it was written by `write_labels`, or it holds
        integers and its name ends with "_label", "_labels" or "_masks".
    """

    image: MicroscopyImage
    is_labels: bool = False


def image_stem(path: Path) -> str:
    """Give a file's name without its suffix, ".ome.tif" being one suffix.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    str
    """
    return path.stem.removesuffix(".ome")


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
    """Whether a name is that of labels in an OME-Zarr image: "image.ome.zarr/labels/cells"."""
    folder = path.parent
    return folder.name == "labels" and folder.parent.suffix.lower() == _ZARR


def scene_name(stem: str, number: int, count: int, given: str) -> str:
    """Name one image of a file.

    Parameters
    ----------
    stem : str
        Name of the file without its suffix.
    number, count : int
        Which image, from 0, of how many.
    given : str
        What the file calls it, or empty.

    Returns
    -------
    str
        The stem of a file with one image, else with the given name or the number behind it.
    """
    return stem if count == 1 else f"{stem} {given or number}"


def is_labels(image: MicroscopyImage, stem: str, description: str) -> bool:
    """Tell labels from intensities.

    Parameters
    ----------
    image : MicroscopyImage
        The image.
    stem : str
        Name of its file without the suffix.
    description : str
        OME description, or empty.

    Returns
    -------
    bool
    """
    if image.rgb or image.dtype.kind not in "iu" or image.num_channels > 1:
        return False
    named = stem.lower().endswith(("_label", "_labels", "_masks"))
    return named or description.startswith(LABELS_DESCRIPTION)
