"""``napari-ssp measure``: a label image in, a table of its objects out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from napari_ssp.atomic import check_target
from napari_ssp.cli.files import refuse_existing
from napari_ssp.cli.label_files import (
    axes_option,
    confirm_objects,
    many_objects_option,
    number_parts_option,
    read_labels,
    voxel_size_option,
    with_axes,
)
from napari_ssp.cli.reporting import as_usage_error, json_option, run_with_bar, say, write_report
from napari_ssp.io import read_image
from napari_ssp.io.objects.tables import write_table
from napari_ssp.measure import measure_steps

if TYPE_CHECKING:
    from napari_ssp.image import VoxelSize

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
@axes_option
@click.option("--image-axes", metavar="TEXT", help="Axes of the image, e.g. tcyx.")
@voxel_size_option
@number_parts_option
@many_objects_option
@click.option("--planewise", is_flag=True, help="Measure the planes of a stack one by one.")
@click.option("--overwrite", is_flag=True, help="Replace a table that exists.")
@json_option
def measure(
    labels: Path,
    image: Path | None,
    output: Path,
    axes: str | None,
    image_axes: str | None,
    voxel_size: VoxelSize | None,
    number_parts: bool,
    many_objects: bool,
    planewise: bool,
    overwrite: bool,
    json_path: Path | None,
) -> None:
    """Measure the objects of a label image: size, place, shape, and intensities per channel.

    Writes a CSV with one row per object, in movies per object and frame. Units are in the names of
    the columns: um is µm, px is pixels, which stands where no voxel size is known.
    """
    with as_usage_error():
        refuse_existing([output], overwrite)
        check_target(output, overwrite=True)
        found = read_labels(labels, axes, voxel_size, number_parts)
        confirm_objects(found, many_objects)
        intensities = with_axes(read_image(image), image_axes) if image else None
        steps = measure_steps(found, intensities, planewise=planewise)
        table = run_with_bar(steps, labels.name)
        write_table(output, table, overwrite)
    rows = len(table["label"])
    say(f"{labels}: {rows} objects -> {output}")
    report = {"labels": str(labels), "table": str(output), "rows": rows, "columns": list(table)}
    write_report({**report, "warnings": list(found.warnings)}, json_path)
