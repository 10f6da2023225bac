"""Measurement of objects, and files of them."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp import measure
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.requests import Request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.measure import Table

#: End of the name of a file with a table.
TABLE_SUFFIX = ".csv"
_AT_ONCE = 2**24  # pixels


@dataclass(frozen=True, eq=False)
class MeasureRequest(Request["Table"]):
    """Measure objects, and their intensities in any number of images.

    Attributes
    ----------
    labels : MicroscopyImage
        Label image.
    images : tuple of MicroscopyImage
        Each with as many frames, planes, rows and columns; columns are named by their names.
    planewise : bool
        Measure planes of a stack one by one.
    many_objects : bool
        Measure also what looks like an image in place of labels.
    nuclei : MicroscopyImage or None
        Labels of nuclei, of the same size, where the objects are cells.
    """

    labels: MicroscopyImage
    images: tuple[MicroscopyImage, ...] = ()
    planewise: bool = False
    many_objects: bool = False
    nuclei: MicroscopyImage | None = None


@dataclass(frozen=True, eq=False)
class MeasureEditableRequest(Request["tuple[Table, str]"]):
    """Measure objects that may be edited meanwhile; the result is also what they were.

    Attributes
    ----------
    measure : MeasureRequest
        What to measure.
    """

    measure: MeasureRequest


@dataclass(frozen=True, eq=False)
class DigestRequest(Request[str]):
    """Find out whether labels are still those that were measured; the result is `digest_labels`.

    Attributes
    ----------
    labels : MicroscopyImage
        Label image.
    """

    labels: MicroscopyImage


@dataclass(frozen=True, eq=False)
class SaveObjectsRequest(Request["Path"]):
    """Write objects to a file of the kind that its name says; the result is its path.

    Attributes
    ----------
    path : pathlib.Path
        Ends with ".csv", ".zip" (ImageJ ROIs), ".geojson", ".ome.tif" or ".ome.zarr".
    labels : MicroscopyImage
        Label image.
    table : dict or None
        What was measured, for ".csv" and ".geojson".
    overwrite : bool
        Replace what is there.
    measured : str or None
        `digest_labels` of the labels that the table is of, where that is known: a table of other
        labels is not written.
    class_colors : mapping of str to str or None
        Color of each class of the table as "#rrggbb", for ".geojson".
    """

    path: Path
    labels: MicroscopyImage
    table: Table | None = None
    overwrite: bool = False
    measured: str | None = None
    class_colors: Mapping[str, str] | None = None


def measure_steps(request: MeasureRequest) -> Steps[Table]:
    """Measure objects.

    Returns
    -------
    dict of str to numpy.ndarray
        As :func:`napari_ssp.measure.measure_objects` returns it.

    Raises
    ------
    ManyObjectsError
        When it looks like an image, and was not agreed to.
    """
    labels = request.labels
    if not request.many_objects:
        measure.check_objects(labels)
    how: dict[str, Any] = {"planewise": request.planewise, "nuclei": request.nuclei}
    if not request.images:
        return (yield from measure.measure_steps(labels, **how))
    table: Table = {}
    for image in request.images:
        part = yield from measure.measure_steps(labels, _named(image), **how)
        for name, column in part.items():
            own = name
            while own in table and not np.array_equal(table[own], column, equal_nan=True):
                own += f"_{image.name}"
            table[own] = column
    return table


def measure_editable_steps(request: MeasureEditableRequest) -> Steps[tuple[Table, str]]:
    """Measure objects that may be edited meanwhile.

    Returns
    -------
    table : dict of str to numpy.ndarray
        As of `measure_steps`.
    digest : str
        `digest_labels` of the labels, the same before and after; those of a file are read once.

    Raises
    ------
    ValueError
        When the labels were changed meanwhile: some numbers are of the ones before, some are not.
    """
    labels = request.measure.labels
    yield Progress("looking at the labels")
    before = digest_labels(labels)
    table = yield from measure_steps(request.measure)
    if isinstance(labels.data, np.ndarray) and digest_labels(labels) != before:
        raise ValueError(f"'{labels.name}' was changed during its measurement. Measure again.")
    return table, before


def save_steps(request: SaveObjectsRequest) -> Steps[Path]:
    """Write a file of objects.

    Raises
    ------
    ValueError
        When the labels are no longer those that the table is of.
    """
    path, labels, table, overwrite = request.path, request.labels, request.table, request.overwrite
    yield Progress(f"writing {path.name}")
    name = path.name.lower()
    if table is not None and name.endswith((TABLE_SUFFIX, ".geojson")):
        _check_measured(request)
    if name.endswith(TABLE_SUFFIX):
        from napari_ssp.io.objects.tables import write_table

        return write_table(path, table or {}, overwrite)
    if name.endswith(".zip"):
        from napari_ssp.io.objects.rois import write_imagej_rois

        return write_imagej_rois(path, labels, overwrite=overwrite)
    if name.endswith(".geojson"):
        from napari_ssp.io.objects.geojson import write_geojson

        return write_geojson(
            path,
            labels,
            measurements=table,
            class_colors=request.class_colors,
            overwrite=overwrite,
        )
    from napari_ssp.io import as_labels, write_labels

    return write_labels(path, as_labels(labels, f"layer '{labels.name}'"), overwrite=overwrite)


def digest_steps(request: DigestRequest) -> Steps[str]:
    """Digest of labels."""
    yield Progress("looking at the labels")
    return digest_labels(request.labels)


def digest_labels(labels: MicroscopyImage) -> str:
    """Short text that differs where labels differ in a pixel; reads all of them, part by part.

    The type of the numbers and axes of length 1 do not count: a file may have others.
    """
    data, found = labels.data, 0
    rows = max(1, _AT_ONCE // max(math.prod(labels.shape[1:]), 1))
    for start in range(0, labels.shape[0], rows):
        part = np.ascontiguousarray(data[start : start + rows], dtype="<i8")
        found = zlib.crc32(part.data, found)
    shape = tuple(n for n in labels.shape if n > 1)
    return f"{shape} {found:08x}"


def digest_objects(labels: MicroscopyImage) -> str:
    """Short text that differs where measurements differ: `digest_labels`, and the voxel size."""
    size = "px" if labels.voxel_size is None else " ".join(f"{n:.6g}" for n in labels.voxel_size)
    return f"{digest_labels(labels)} {size}"


def _check_measured(request: SaveObjectsRequest) -> None:
    if request.measured is None or request.measured == digest_labels(request.labels):
        return
    raise ValueError(
        f"'{request.labels.name}' was changed after it was measured, so the table is older than "
        "the labels and its numbers are those of other objects. Measure again, then save."
    )


def _named(image: MicroscopyImage) -> MicroscopyImage:
    """Image whose columns are told apart by its layer's name; colours have names of their own."""
    if image.rgb or image.channel_names:
        return image
    count = image.num_channels
    names = [image.name] if count == 1 else [f"{image.name}_{i}" for i in range(count)]
    return replace(image, channel_names=tuple(names))
