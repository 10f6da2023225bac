"""``napari-ssp export``: label images for ImageJ, QuPath and others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.cli.label_files import label_options
from napari_ssp.cli.reporting import as_usage_error, json_option, run_with_bar, say, write_report
from napari_ssp.io import write_labels
from napari_ssp.io.objects.geojson import OBJECT_TYPES, write_geojson
from napari_ssp.io.scene import is_labels_name

if TYPE_CHECKING:
    from napari_ssp.cli.label_files import LabelFile, LabelTask

_existing = click.Path(exists=True, path_type=Path)
#: Formats, and what their names end with.
_ENDINGS = {
    "imagej": (".zip",),
    "geojson": (".geojson", ".json"),
    "ome-tiff": (".tif", ".tiff"),
    "ome-zarr": (".zarr",),
}


@click.command()
@click.argument("labels", type=_existing)
@click.option(
    "--to", "kind", required=True, type=click.Choice(list(_ENDINGS)), help="Format to write."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="File to write: .zip, .geojson, .tif or .zarr; or IMAGE.zarr/labels/NAME in an OME-Zarr.",
)
@label_options
@click.option(
    "--object-type",
    type=click.Choice(OBJECT_TYPES),
    default="detection",
    show_default=True,
    help="GeoJSON: what QuPath makes of the objects.",
)
@click.option("--measurements", is_flag=True, help="GeoJSON: with the measurements of each object.")
@click.option("--image", type=_existing, help="GeoJSON: also measure intensities in this image.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@json_option
def export(
    labels: LabelFile,
    kind: str,
    output: Path,
    image: Path | None,
    overwrite: bool,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Write a label image in another program's format.

    imagej: a ZIP of ROIs for the ROI Manager of ImageJ and Fiji. geojson: outlines for QuPath.
    ome-tiff, ome-zarr: the label image itself. Outlines follow the edges of the pixels, so that the
    other program finds the same pixels inside. Of a file with several label images each is written,
    as "cells SCENE.zip".
    """
    with as_usage_error():
        _check_ending(output, kind)
        written, doubts = [], list[str]()
        for task in labels.tasks(output, overwrite, image):
            _write(task, kind, overwrite, choices)
            written.append((task.source, task.target))
            doubts += task.labels.warnings
    for source, target in written:
        say(f"{source} -> {target}")
    outputs = [str(target) for _, target in written]
    made = {"output": outputs[0]} if len(outputs) == 1 else {"outputs": outputs}
    report = {"labels": str(labels.path), "format": kind, **made, "warnings": doubts}
    write_report(report, json_path)


def _check_ending(output: Path, kind: str) -> None:
    in_zarr = kind == "ome-zarr" and is_labels_name(output)
    if not in_zarr and not output.name.lower().endswith(_ENDINGS[kind]):
        raise ValueError(
            f"'{output}' is no name for {kind}, which ends with {' or '.join(_ENDINGS[kind])}. "
            "Change the name or the format."
        )


def _write(task: LabelTask, kind: str, overwrite: bool, choices: dict[str, Any]) -> None:
    labels, output = task.labels, task.target
    if kind == "imagej":
        from napari_ssp.io.objects.rois import write_imagej_rois

        write_imagej_rois(output, labels, overwrite=overwrite)
    elif kind == "geojson":
        write_geojson(
            output,
            labels,
            object_type=choices["object_type"],
            measurements=_measured(task, choices["measurements"]),
            overwrite=overwrite,
        )
    else:
        write_labels(output, labels, overwrite=overwrite)


def _measured(task: LabelTask, wanted: bool) -> dict[str, Any] | None:
    """Measurements plane by plane, as the outlines are."""
    if not wanted and task.image is None:
        return None
    from napari_ssp.measure import measure_steps

    steps = measure_steps(task.labels, task.image, planewise=True)
    return run_with_bar(steps, task.labels.name)
