"""``napari-ssp segment``: images in, label images out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from napari_ssp.cli.batch.image_batch import Batch, title
from napari_ssp.cli.batch.thumbnails import draw_thumbnail
from napari_ssp.cli.blocks import write_by_blocks
from napari_ssp.cli.files import name_labels_inside
from napari_ssp.cli.image_command import batch_options, image_command
from napari_ssp.cli.options import request_options
from napari_ssp.cli.reporting import as_usage_error, say, wait_for
from napari_ssp.io import read_label_image, write_image, write_labels
from napari_ssp.io.ngff.reading import is_zarr
from napari_ssp.io.objects.notes import renew_provenance
from napari_ssp.io.objects.tables import write_table
from napari_ssp.place import add_axes
from napari_ssp.registry import find_card
from napari_ssp.service import (
    DiameterRequest,
    ModelService,
    PlanRequest,
    Segmentation,
    SegmentRequest,
    check_structures_card,
    diameter_in_pixels,
    find_members,
    task_index,
)
from napari_ssp.service.blocks.running import Goal
from napari_ssp.service.blocks.unfinished import unfinished_folder
from napari_ssp.service.network_outputs import ENDING, write_outputs
from napari_ssp.service.source_image import open_image

_FLOWS, _PREDICTION, _TABLE = "flows", "prediction", "table"


@click.command()
@image_command("label images", "IMAGE")
@request_options(
    SegmentRequest,
    "model",
    "fallback",
    "scene",
    "missing",
    "axes",
    "voxel_size",
    "channel",
    "nuclei",
    "plane",
    "region",
    "diameter",
    "device",
    "precision",
    "normalise",
    "tta",
    "eightfold",
    "overlap",
    "batch_size",
    "cell_threshold",
    "flow_threshold",
    "min_size",
    "hole_size",
    "stacks",
    "link_overlap",
    "tile",
    "through",
    "through_model",
)
@click.option(
    "--diameter-um", type=click.FloatRange(0, min_open=True), help="Typical diameter in µm."
)
@click.option(
    "--estimate-diameter", is_flag=True, help="Find the typical diameter of each image first."
)
@click.option("--save-flows", is_flag=True, help="Also write flows and cell probability.")
@batch_options
def segment(
    paths: tuple[Path, ...],
    batch: Batch,
    save_flows: bool,
    diameter_um: float | None,
    estimate_diameter: bool,
    scene: str | None,
    **choices: Any,
) -> None:
    """Segment cells or nuclei in each IMAGE (a file, or a folder of images).

    Writes NAME_label.tiff, or NAME_label.zarr, for each: object numbers, 0 is background. Of a file
    with several images all are done, as "NAME SCENE"; of a plate all fields, as "NAME A1 0". Where
    the output is the OME-Zarr or plate itself, labels are added to its images, as labels/cells.

    Large planes that become a Zarr are done by blocks where they lie, on all workers; what ends
    such a run leaves a folder NAME_label.zarr.unfinished, with which --resume goes on.

    With --through each IMAGE is a stack of transmitted light: the structure is predicted from it
    and segmented, and NAME_prediction.ome.tif (or .ome.zarr) and NAME_objects.csv, a table of the
    objects, are written as well.
    """
    with as_usage_error():
        find_members(choices["model"])
        if sum(map(bool, (choices["diameter"], diameter_um, estimate_diameter))) > 1:
            raise ValueError("Give one of --diameter, --diameter-um and --estimate-diameter.")
        endings = _endings(choices["through"], save_flows, batch.kind)
        sources = batch.find_sources(paths, scene, endings.values())
        requests = [SegmentRequest(s.path, scene=s.scene, **choices) for s in sources]
        _check_through(choices["through"], choices["through_model"])
        if estimate_diameter:
            DiameterRequest(requests[0])
        if is_zarr(batch.output):
            targets = name_labels_inside(sources, batch.output, ", ".join(endings))
        else:
            targets = batch.name_outputs(sources, paths, f"_label.{batch.kind}")
        outputs = [
            [target, *(_beside(target, ending) for ending in endings.values())]
            for target in targets
        ]
        batch.prepare(outputs, [source.path for source in sources])
        # What is begun here goes on when it is tried again.
        own = {target for target in targets if not unfinished_folder(target).exists()}

    def work(
        service: ModelService, request: SegmentRequest, target: Path
    ) -> tuple[str, dict[str, Any]]:
        name = Path(str(request.image)).name
        if diameter_um is not None:
            request = replace(request, diameter=diameter_in_pixels(request, diameter_um))
        elif estimate_diameter:
            found = wait_for(service.submit(DiameterRequest(request)), name)
            request = replace(request, diameter=found)
        if target.suffix != ".tiff" and not endings:
            goal = Goal(target, batch.overwrite or batch.resume, batch.resume or target in own)
            by_blocks = write_by_blocks(service, request, goal)
            if by_blocks is not None:
                return by_blocks
        plan = wait_for(service.submit(PlanRequest(request)), name)
        for warning in plan.warnings:
            say(f"{title(request)}: {warning}")
        result = wait_for(service.submit(request, plan), name)
        for warning in result.warnings[len(plan.warnings) :]:
            say(f"{title(request)}: {warning}")
        write_labels(target, result.image(result.labels), overwrite=batch.replaces)
        renew_provenance(target, result.provenance)
        files = {noun: _beside(target, ending) for noun, ending in endings.items()}
        _write(result, files, batch.replaces)
        return f"{result.num_objects} objects", _row(result, target, files)

    batch.run(requests, outputs, work, draw=_draw)


def _draw(request: SegmentRequest, target: Path) -> bytes:
    return draw_thumbnail(open_image(request), request.channel, read_label_image(target))


def _check_through(through: str | None, model: str) -> None:
    if through is not None:
        card = find_card(model)
        check_structures_card(card)
        task_index(card, through)


def _endings(through: str | None, save_flows: bool, kind: str) -> dict[str, str]:
    """List what is written beside the labels, and what its name ends with."""
    endings = {}
    if save_flows:
        endings[_FLOWS] = f"{ENDING}.{kind}"
    if through is not None:
        image = "ome.tif" if kind == "tiff" else "ome.zarr"
        endings |= {_PREDICTION: f"_prediction.{image}", _TABLE: "_objects.csv"}
    return endings


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(target.stem.removesuffix("_label") + ending)


def _row(result: Segmentation, target: Path, files: dict[str, Path]) -> dict[str, Any]:
    row = {
        "labels": str(target),
        "objects": result.num_objects,
        "provenance": result.provenance,
    }
    row |= {noun: str(path) for noun, path in files.items() if noun != _FLOWS}
    return row | ({"warnings": list(result.warnings)} if result.warnings else {})


def _write(result: Segmentation, files: dict[str, Path], overwrite: bool) -> None:
    if (path := files.get(_FLOWS)) is not None:
        write_outputs(result, path, overwrite)
    if result.predicted is not None and result.table is not None:
        write_image(files[_PREDICTION], add_axes(result.predicted), overwrite=overwrite)
        write_table(files[_TABLE], result.table, overwrite)
