"""``napari-ssp measure``: a label image in, a table of its objects out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.atomic import check_target, passes_on
from napari_ssp.cli.label_files import label_options, say_doubts, with_axes
from napari_ssp.cli.objects.object_table import write_object_table
from napari_ssp.cli.reporting import (
    as_usage_error,
    fail,
    json_option,
    run_with_bar,
    say,
    write_report,
)
from napari_ssp.io.objects.object_files import PARQUET_SUFFIX
from napari_ssp.io.objects.tables import write_table
from napari_ssp.measure import measure_steps
from napari_ssp.service.measuring import TABLE_SUFFIX

if TYPE_CHECKING:
    from napari_ssp.cli.label_files import LabelFile, LabelTask
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.measure import Table

    Row = dict[str, Any]

_existing = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("labels", type=_existing)
@click.option("--image", type=_existing, help="Image to measure intensities in.")
@click.option(
    "--nuclei",
    type=_existing,
    help="Label images of the nuclei of LABELS, which are cells then: ratios are measured, too.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table to write: cells.csv, or cells.parquet, one table of all label images.",
)
@label_options
@click.option(
    "--subfolders",
    is_flag=True,
    help="Also label images in the folders of LABELS, with their images in folders of the same "
    "names, as segment --subfolders writes them; for a .parquet.",
)
@click.option("--image-axes", metavar="TEXT", help="Axes of the image, e.g. tcyx.")
@click.option("--planewise", is_flag=True, help="Measure the planes of a stack one by one.")
@click.option("--overwrite", is_flag=True, help="Replace a table that exists.")
@json_option
def measure(
    labels: LabelFile,
    image: Path | None,
    nuclei: Path | None,
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

    A .parquet is one table of all label images, of a plate, a folder or the scenes of a file, with
    the columns plate, well, field, file and scene in front. What cannot be measured is left out.

    With --nuclei a row is a cell, and has the number of its nuclei, sizes and mean intensities of
    nuclei and cytoplasm, and their ratios, nucleus_to_cytoplasm_... A nucleus belongs to the cell
    that holds most of it. In a plate or folder with both, as compartments writes them, cells and
    nuclei are told apart by their names: measure PLATE --nuclei PLATE -o cells.parquet.
    """
    if output.suffix.lower() == PARQUET_SUFFIX:
        return _measure_all(labels, image, nuclei, output, overwrite, json_path, **choices)
    if labels.subfolders:
        raise click.UsageError("Folders are measured into one table: give -o cells.parquet.")
    with as_usage_error():
        check_target(output, overwrite=True)
        if output.suffix.lower() != TABLE_SUFFIX and not passes_on(output):
            raise ValueError(
                f"'{output}' does not end with {TABLE_SUFFIX} or {PARQUET_SUFFIX}, and no other "
                "tables are written. Give such a name."
            )
        tasks = labels.tasks(output, overwrite, image, nuclei)
        rows = [(task.source, _write(task, overwrite, **choices)) for task in tasks]
    for source, row in rows:
        say(f"{source}: {row['rows']} objects -> {row['table']}")
    named = [{"scene": source.scene, **row} for source, row in rows]
    made = rows[0][1] if len(rows) == 1 else {"scenes": named}
    write_report({"labels": str(labels.path), **made}, json_path)


def _measure_all(
    labels: LabelFile,
    image: Path | None,
    nuclei: Path | None,
    output: Path,
    overwrite: bool,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Measure all label images into one table, then tell which ones failed."""

    def measure_one(
        found: MicroscopyImage, own: MicroscopyImage | None, inner: MicroscopyImage | None
    ) -> tuple[Table, Row]:
        table, doubts = _measure(found, own, nuclei=inner, **choices)
        return table, {"rows": len(table["label"]), "warnings": doubts}

    with as_usage_error():
        check_target(output, overwrite)
        rows = write_object_table(labels, (image, nuclei), output, overwrite, measure_one)
    count = sum(row.get("rows", 0) for row in rows)
    say(f"{labels.path}: {count} objects -> {output}")
    made = {"table": str(output), "rows": count, "images": rows}
    write_report({"labels": str(labels.path), **made}, json_path)
    if failed := sum("error" in row for row in rows):
        fail([f"{failed} of {len(rows)} label images are not in the table."])


def _write(task: LabelTask, overwrite: bool, **choices: Any) -> Row:
    """Write the table of a label image, and describe it for the report."""
    table, doubts = _measure(task.labels, task.image, nuclei=task.nuclei, **choices)
    write_table(task.target, table, overwrite)
    rows = {"table": str(task.target), "rows": len(table["label"]), "columns": list(table)}
    return {**rows, "warnings": doubts}


def _measure(
    labels: MicroscopyImage,
    image: MicroscopyImage | None,
    planewise: bool,
    image_axes: str | None,
    nuclei: MicroscopyImage | None = None,
) -> tuple[Table, list[str]]:
    """Measure a label image; also gives what is doubtful about it and its image."""
    doubts = labels.warnings + say_doubts(image)  # those of the labels are said already
    if image is not None:
        image = with_axes(image, image_axes)
    table = run_with_bar(
        measure_steps(labels, image, planewise=planewise, nuclei=nuclei), labels.name
    )
    return table, list(doubts)
