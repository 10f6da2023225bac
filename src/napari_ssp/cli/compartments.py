"""``napari-ssp compartments``: images in; cells, nuclei, cytoplasm and their table out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.cli.batch.image_batch import Batch, title
from napari_ssp.cli.batch.thumbnails import draw_thumbnail
from napari_ssp.cli.compartment_names import COMPARTMENTS
from napari_ssp.cli.files import name_labels_inside
from napari_ssp.cli.image_command import batch_options, image_command
from napari_ssp.cli.options import request_options
from napari_ssp.cli.reporting import as_usage_error, say, wait_for
from napari_ssp.io import read_label_image, write_labels
from napari_ssp.io.ngff.reading import is_zarr
from napari_ssp.io.objects.tables import write_table
from napari_ssp.service import (
    Compartments,
    ModelService,
    PlanRequest,
    SegmentRequest,
    compartments_request,
    find_members,
)
from napari_ssp.service.compartments.choosing import NucleiChoices
from napari_ssp.service.source_image import open_image

if TYPE_CHECKING:
    from pathlib import Path

_TABLE = "_objects.csv"


@click.command()
@image_command("label images", "IMAGE")
@request_options(NucleiChoices, "model", "nuclei_model", "channel", "nuclei", "cells_alone")
@request_options(
    SegmentRequest,
    "fallback",
    "scene",
    "missing",
    "axes",
    "voxel_size",
    "plane",
    "region",
    "device",
    "precision",
    "normalise",
    "tta",
    "eightfold",
    "overlap",
    "batch_size",
    "stacks",
    "link_overlap",
    "tile",
    "diameter",
    "cell_threshold",
    "flow_threshold",
    "min_size",
    "hole_size",
)
@request_options(
    NucleiChoices,
    "nuclei_diameter",
    "nuclei_cell_threshold",
    "nuclei_flow_threshold",
    "nuclei_min_size",
    "nuclei_hole_size",
)
@batch_options
def compartments(paths: tuple[Path, ...], batch: Batch, scene: str | None, **choices: Any) -> None:
    """Segment the cells and the nuclei of each IMAGE, and give both the same numbers.

    Writes NAME_cells_label.tiff, NAME_nuclei_label.tiff and NAME_cytoplasm_label.tiff (or .zarr),
    and NAME_objects.csv: the cells with the number of their nuclei, and sizes and intensities of
    nuclei and cytoplasm with their ratios. Where the output is the OME-Zarr image or plate itself,
    the labels are added to it, without a table: measure --nuclei makes one of all fields.

    A nucleus belongs to the cell that holds most of it, and is clipped to it; one whose larger part
    lies outside every cell is left out. Cells without a nucleus and with several are counted.
    Options for objects are those of the cells, with --nuclei- in front those of the nuclei.
    """
    with as_usage_error():
        for name in ("model", "nuclei_model"):
            find_members(choices[name])
        endings = [*(f"_{part}_label.{batch.kind}" for part in COMPARTMENTS), _TABLE]
        sources = batch.find_sources(paths, scene, endings)
        requests = [SegmentRequest(source.path, scene=source.scene) for source in sources]
        channels = {name: choices[name] or 0 for name in ("channel", "nuclei")}
        compartments_request(sources[0].path, **choices | channels)
        if is_zarr(batch.output):
            named = [name_labels_inside(sources, batch.output, name=part) for part in COMPARTMENTS]
        else:
            named = [batch.name_outputs(sources, paths, ending) for ending in endings]
        outputs = list(zip(*named, strict=True))
        batch.prepare(outputs, [source.path for source in sources])
    files = {cells: (cells, *others) for cells, *others in outputs}

    def work(
        service: ModelService, source: SegmentRequest, target: Path
    ) -> tuple[str, dict[str, Any]]:
        request = compartments_request(source.image, scene=source.scene, **choices)
        plan = wait_for(service.submit(PlanRequest(request)), target.name)
        for warning in plan.warnings:
            say(f"{title(source)}: {warning}")
        result = wait_for(service.submit(request, plan), target.name)
        for warning in result.warnings:
            if warning not in plan.warnings:
                say(f"{title(source)}: {warning}")
        _write(result, files[target], batch.replaces)
        found = result.tally
        line = f"{found.cells} cells, {found.nuclei - found.outside} nuclei in them"
        return line, _row(result, files[target])

    def draw(source: SegmentRequest, target: Path) -> bytes:
        return draw_thumbnail(open_image(source), choices["channel"], read_label_image(target))

    batch.run(requests, outputs, work, draw=draw)


def _write(result: Compartments, paths: tuple[Path, ...], overwrite: bool) -> None:
    for path, labels in zip(paths, result.labels.values(), strict=False):
        write_labels(path, result.cells.image(labels), overwrite=overwrite)
    for table in paths[len(COMPARTMENTS) :]:
        write_table(table, result.table, overwrite)


def _row(result: Compartments, paths: tuple[Path, ...]) -> dict[str, Any]:
    return {
        **dict(zip((*COMPARTMENTS, "table"), map(str, paths), strict=False)),
        "counts": asdict(result.tally),
        "provenance": result.provenance,
        "warnings": list(result.warnings),
    }
