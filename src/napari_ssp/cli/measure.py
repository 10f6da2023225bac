"""``napari-ssp measure``: a label image in, a table of its objects out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.atomic import check_target
from napari_ssp.cli.label_files import label_options, with_axes
from napari_ssp.cli.reporting import as_usage_error, json_option, run_with_bar, say, write_report
from napari_ssp.io.objects.tables import write_table
from napari_ssp.measure import measure_steps
from napari_ssp.service.inspecting import warn_of_blank

if TYPE_CHECKING:
    from napari_ssp.cli.label_files import LabelFile, LabelTask

_existing = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("labels", type=_existing)
@click.option("--image", type=_existing, help="Image to measure intensities in.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table to write, e.g. cells.csv.",
)
@label_options
@click.option("--image-axes", metavar="TEXT", help="Axes of the image, e.g. tcyx.")
@click.option("--planewise", is_flag=True, help="Measure the planes of a stack one by one.")
@click.option("--overwrite", is_flag=True, help="Replace a table that exists.")
@json_option
def measure(
    labels: LabelFile,
    image: Path | None,
    output: Path,
    overwrite: bool,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Measure the objects of a label image: size, place, shape, and intensities per channel.

    Writes a CSV with one row per object, in movies per object and frame. Units are in the names of
    the columns: um is µm, px is pixels, which stands where no voxel size is known. Of a file with
    several label images each gets a table, "cells SCENE.csv"; of an image file with several, the
    one of the labels' name or place is measured.
    """
    with as_usage_error():
        check_target(output, overwrite=True)
        tasks = labels.tasks(output, overwrite, image)
        rows = [(task.source, _measure(task, overwrite, **choices)) for task in tasks]
    for source, row in rows:
        say(f"{source}: {row['rows']} objects -> {row['table']}")
    named = [{"scene": source.scene, **row} for source, row in rows]
    made = rows[0][1] if len(rows) == 1 else {"scenes": named}
    write_report({"labels": str(labels.path), **made}, json_path)


def _measure(
    task: LabelTask, overwrite: bool, planewise: bool, image_axes: str | None
) -> dict[str, Any]:
    """Write the table of a label image, and describe it for the report."""
    labels, image = task.labels, task.image
    doubts = labels.warnings  # said already
    if image is not None:
        found = (*image.warnings, *warn_of_blank([image]))
        for warning in found:
            say(warning)
        doubts += found
        image = with_axes(image, image_axes)
    table = run_with_bar(measure_steps(labels, image, planewise=planewise), labels.name)
    write_table(task.target, table, overwrite)
    rows = {"table": str(task.target), "rows": len(table["label"]), "columns": list(table)}
    return {**rows, "warnings": list(doubts)}
