"""A series made of images that lie in memory, or anywhere: saved to one folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.atomic import check_target
from napari_ssp.io import write_image
from napari_ssp.io.scene import file_safe
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.annotation.training_set import write_annotated
from napari_ssp.service.requests import Request
from napari_ssp.service.series.listing import ListSeriesRequest, Series, list_steps

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage


@dataclass(frozen=True, eq=False)
class CollectSeriesRequest(Request[Series]):
    """Save images to a folder; the result is the series of all that lies there.

    Attributes
    ----------
    images : tuple of (MicroscopyImage, MicroscopyImage or None)
        Each with its labels, named as the files are to be called.
    folder : pathlib.Path
        Where to.
    """

    images: tuple[tuple[MicroscopyImage, MicroscopyImage | None], ...]
    folder: Path


def collect_steps(request: CollectSeriesRequest) -> Steps[Series]:
    """Save images and labels; nothing is written where a name is taken.

    Raises
    ------
    FileExistsError
        When a file of such a name is there already.
    OSError
        As `napari_ssp.io.write_image`.
    """
    stems = [file_safe(image.name) for image, _ in request.images]
    places = [request.folder / f"{stem}.ome.tif" for stem in stems]
    for place in places:
        check_target(place, overwrite=False)
    for done, ((image, labels), place) in enumerate(zip(request.images, places, strict=True)):
        yield Progress("saving the layers", done, len(places))
        if labels is not None:
            write_annotated(place.with_name(f"{stems[done]}_label.tiff"), labels)
        write_image(place, image)
    return (yield from list_steps(ListSeriesRequest(request.folder)))
