"""One image of a file, and whether it holds labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage

#: What `write_labels` puts into the OME description, so that the reader knows labels again.
LABELS_DESCRIPTION = "Labels written by napari-ssp"


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
