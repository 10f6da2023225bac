"""Tables of objects: measured, as features of a labels layer, and written to files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.measure import measure_steps
from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.measure import Table

_PLACES = ("t", "z")
_SIZES = ("area_", "volume_")


@dataclass(frozen=True)
class FileKind:
    """A way to save objects.

    Attributes
    ----------
    name : str
        In the menu.
    suffix : str
        End of the file's name.
    """

    name: str
    suffix: str


CSV = FileKind("Table", ".csv")
KINDS = (
    FileKind("ImageJ ROIs", ".zip"),
    FileKind("GeoJSON outlines for QuPath", ".geojson"),
    FileKind("OME-TIFF labels", ".ome.tif"),
    FileKind("OME-Zarr labels", ".ome.zarr"),
)


def measure_table_steps(
    labels: MicroscopyImage, images: Sequence[MicroscopyImage], planewise: bool = False
) -> Steps[Table]:
    """Measure objects, and their intensities in any number of images.

    Parameters
    ----------
    labels : MicroscopyImage
        Label image.
    images : sequence of MicroscopyImage
        Each with as many frames, planes, rows and columns; columns are named by their names.
    planewise : bool
        Measure planes of a stack one by one.

    Returns
    -------
    dict of str to numpy.ndarray
        As :func:`napari_ssp.measure.measure_objects` returns it.
    """
    import_module("pandas")  # napari needs it for features; in the GUI thread that would be felt
    if not images:
        return (yield from measure_steps(labels, planewise=planewise))
    table: Table = {}
    for image in images:
        part = yield from measure_steps(labels, _named(image), planewise=planewise)
        for name, column in part.items():
            is_known = name in table and not np.array_equal(table[name], column, equal_nan=True)
            table[f"{name}_{image.name}" if is_known else name] = column
    return table


def as_features(table: Table) -> dict[str, Any]:
    """Columns for napari: "index" is the label, and what people look for first comes first."""
    names = [name for name in table if name != "label"]
    ranked = sorted(names, key=_rank)
    return {"index": table["label"], **{name: table[name] for name in ranked}}


def from_features(features: Any) -> Table:
    """Table of a layer's features (a DataFrame), whoever measured them."""
    columns = {str(name): np.asarray(features[name]) for name in features}
    labels = columns.pop("index", np.arange(len(features)))
    return {
        "label": labels,
        **{name: values for name, values in columns.items() if name != "label"},
    }


def save_steps(
    path: Path, labels: MicroscopyImage, table: Table | None, overwrite: bool
) -> Steps[Path]:
    """Write a file of the kind that its name says.

    Parameters
    ----------
    path : pathlib.Path
        Ends with a suffix of :data:`KINDS`, or with ".csv".
    labels : MicroscopyImage
        Label image.
    table : dict or None
        What was measured, for ".csv" and ".geojson".
    overwrite : bool
        Replace what is there.
    """
    yield Progress(f"writing {path.name}")
    name = path.name.lower()
    if name.endswith(CSV.suffix):
        from napari_ssp.io.objects.tables import write_table

        return write_table(path, table or {}, overwrite)
    if name.endswith(".zip"):
        from napari_ssp.io.objects.rois import write_imagej_rois

        return write_imagej_rois(path, labels.data, axes=labels.axes, overwrite=overwrite)
    if name.endswith(".geojson"):
        from napari_ssp.io.objects.geojson import write_geojson

        return write_geojson(
            path, labels.data, axes=labels.axes, measurements=table, overwrite=overwrite
        )
    from napari_ssp.io import write_labels

    return write_labels(
        path,
        labels.data,
        axes=labels.axes,
        voxel_size=labels.voxel_size,
        overwrite=overwrite,
    )


def _named(image: MicroscopyImage) -> MicroscopyImage:
    """Image whose columns are told apart by its layer's name; colours have names of their own."""
    if image.rgb or image.channel_names:
        return image
    count = image.num_channels
    names = [image.name] if count == 1 else [f"{image.name}_{i}" for i in range(count)]
    return replace(image, channel_names=tuple(names))


def _rank(name: str) -> int:
    if name in _PLACES:
        return 0
    if name.startswith(_SIZES):
        return 1
    return 2 if name.startswith("mean_") else 3
