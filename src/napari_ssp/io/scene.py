"""One image of a file, and whether it holds labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.io.label_images import is_whole, with_whole_numbers

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage

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
        Whether its values are object numbers: it was written by `write_labels`, or its name has one
        of `LABEL_ENDINGS`; and it holds integers, whole floats, which are integers then, or a mask
        (bool).
    """

    image: MicroscopyImage
    is_labels: bool = False

    @classmethod
    def of(cls, image: MicroscopyImage, stem: str, description: str = "") -> Scene:
        """Tell labels from intensities.

        Parameters
        ----------
        image : MicroscopyImage
            As it was read.
        stem : str
            Name of its file without the suffix.
        description : str
            OME description, or empty.
        """
        named = stem.lower().endswith(LABEL_ENDINGS) or description.startswith(LABELS_DESCRIPTION)
        if not named or image.rgb or image.num_channels > 1 or not is_whole(image):
            return cls(image)
        return cls(with_whole_numbers(image), True)


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
