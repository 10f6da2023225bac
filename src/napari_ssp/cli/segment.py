"""``napari-ssp segment``: images in, label images out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from napari_ssp.cli.files import find_sources, name_labels_inside, name_outputs
from napari_ssp.cli.image_command import Batch, image_command, title
from napari_ssp.cli.options import request_options
from napari_ssp.cli.reporting import as_usage_error, say, wait_for
from napari_ssp.io import write_image, write_labels
from napari_ssp.io.ngff.reading import is_zarr
from napari_ssp.service import (
    DiameterRequest,
    ModelService,
    PlanRequest,
    Segmentation,
    SegmentRequest,
    diameter_in_pixels,
    find_members,
)


@click.command()
@image_command("label images", "IMAGE")
@request_options(
    SegmentRequest,
    "model",
    "scene",
    "missing",
    "axes",
    "voxel_size",
    "channel",
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
)
@click.option(
    "--diameter-um", type=click.FloatRange(0, min_open=True), help="Typical diameter in µm."
)
@click.option(
    "--estimate-diameter", is_flag=True, help="Find the typical diameter of each image first."
)
@click.option("--save-flows", is_flag=True, help="Also write flows and cell probability.")
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
    """
    with as_usage_error():
        find_members(choices["model"])
        if sum(map(bool, (choices["diameter"], diameter_um, estimate_diameter))) > 1:
            raise ValueError("Give one of --diameter, --diameter-um and --estimate-diameter.")
        sources = find_sources(paths, scene)
        requests = [SegmentRequest(s.path, scene=s.scene, **choices) for s in sources]
        if is_zarr(batch.output):
            targets = name_labels_inside(sources, batch.output, save_flows)
        else:
            targets = name_outputs(sources, batch.output, f"_label.{batch.kind}")
        flows = [_flows_name(target) for target in targets] if save_flows else []
        batch.prepare([*targets, *flows])

    def work(
        service: ModelService, request: SegmentRequest, target: Path
    ) -> tuple[str, dict[str, Any]]:
        name = Path(str(request.image)).name
        if diameter_um is not None:
            request = replace(request, diameter=diameter_in_pixels(request, diameter_um))
        elif estimate_diameter:
            found = wait_for(service.submit(DiameterRequest(request)), name)
            request = replace(request, diameter=found)
        plan = service.submit(PlanRequest(request)).result()
        for warning in plan.warnings:
            say(f"{title(request)}: {warning}")
        result = wait_for(service.submit(request, plan), name)
        for warning in result.warnings[len(plan.warnings) :]:
            say(f"{title(request)}: {warning}")
        _write(result, target, save_flows, batch.overwrite)
        return f"{result.num_objects} objects", _row(result, target)

    batch.run(requests, targets, work)


def _row(result: Segmentation, target: Path) -> dict[str, Any]:
    row = {
        "labels": str(target),
        "objects": result.num_objects,
        "provenance": result.provenance,
    }
    return row | ({"warnings": list(result.warnings)} if result.warnings else {})


def _flows_name(target: Path) -> Path:
    return target.with_name(target.stem.removesuffix("_label") + "_flows" + target.suffix)


def _write(result: Segmentation, target: Path, save_flows: bool, overwrite: bool) -> None:
    write_labels(target, result.image(result.labels), overwrite=overwrite)
    if save_flows:
        names = ("flow_z", "flow_y", "flow_x")[-len(result.flows) :]
        image = result.image(_outputs(result), target.stem, (*names, "cell_probability"))
        write_image(_flows_name(target), image, overwrite=overwrite)


def _outputs(result: Segmentation) -> Any:
    """Flows and probability as one array, read plane by plane: they may not fit into memory."""
    import dask.array  # takes a while to import

    da: Any = dask.array
    planes = tuple(1 for _ in result.axes[:-2]) + result.labels.shape[-2:]
    flows = da.from_array(result.flows, chunks=(1, *planes), name=False)
    probability = da.from_array(result.cell_probability, chunks=planes, name=False)
    return da.concatenate([flows, probability[None]])
