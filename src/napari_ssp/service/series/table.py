"""One table of the objects of all images of a series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp import measure
from napari_ssp.io import as_labels, read_image, read_label_image
from napari_ssp.io.ngff.plates import object_place
from napari_ssp.io.objects.object_files import object_file
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.requests import Request
from napari_ssp.service.series.listing import FAULTS, SeriesImage

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.measure import Table


@dataclass(frozen=True)
class SeriesTable:
    """A table that was written.

    Attributes
    ----------
    path : pathlib.Path
        Where it is.
    rows : int
        Objects in it.
    images : int
        Images that they are of.
    problems : tuple of str
        What was left out, and why.
    """

    path: Path
    rows: int
    images: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class MeasureSeriesRequest(Request[SeriesTable]):
    """Measure the objects of images into one table, with the columns of ``measure`` of a folder.

    Attributes
    ----------
    images : tuple of SeriesImage
        Those that have labels count.
    path : pathlib.Path
        Ends with ".csv" or ".parquet"; a file of that name is replaced.
    """

    images: tuple[SeriesImage, ...]
    path: Path


def measure_steps(request: MeasureSeriesRequest) -> Steps[SeriesTable]:
    """Measure images one by one; one that fails stops no other.

    Raises
    ------
    ImportError, OSError, ValueError
        As `object_file`.
    """
    rows, done, problems = 0, 0, []
    labelled = [image for image in request.images if not image.is_waiting]
    with object_file(request.path, overwrite=True) as file:
        for index, image in enumerate(labelled):
            yield Progress("measuring images", index, len(labelled))
            try:
                table = yield from _measure(image)
                file.add(object_place(image.image), table)
            except FAULTS as error:
                problems.append(f"{image.name}: {error}")
            else:
                rows, done = rows + len(table["label"]), done + 1
    return SeriesTable(request.path, rows, done, tuple(problems))


def _measure(image: SeriesImage) -> Steps[Table]:
    if image.problem:
        raise ValueError(image.problem)
    source = image.labels
    labels = as_labels(read_label_image(source.path, source.scene), f"file {source.path}")
    measure.check_objects(labels)
    pixels = read_image(image.image.path, image.image.scene)
    return (yield from measure.measure_steps(labels, pixels))
