"""``napari-ssp segment``: images in, label images out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from napari_ssp.cli.files import expand, name_outputs, refuse_existing
from napari_ssp.cli.options import request_options
from napari_ssp.cli.reporting import (
    USER_ERRORS,
    as_usage_error,
    fail,
    json_option,
    one_line,
    wait_for,
    write_report,
)
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import write_image, write_labels
from napari_ssp.service import (
    DiameterRequest,
    ModelService,
    Segmentation,
    SegmentRequest,
    diameter_in_pixels,
    find_members,
)


@click.command()
@click.argument(
    "images",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="IMAGE...",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the label images; made when missing.",
)
@request_options(
    SegmentRequest,
    "model",
    "axes",
    "voxel_size",
    "channel",
    "diameter",
    "device",
    "precision",
    "tta",
    "eightfold",
    "overlap",
    "batch_size",
    "cell_threshold",
    "flow_threshold",
    "min_size",
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
@click.option("--compute", type=click.Choice(["local"]), default="local", show_default=True)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["tiff", "zarr"]),
    default="tiff",
    show_default=True,
    help="OME-TIFF, or OME-Zarr for large images.",
)
@click.option("--save-flows", is_flag=True, help="Also write flows and cell probability.")
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@json_option
def segment(
    images: tuple[Path, ...],
    output: Path,
    compute: str,
    kind: str,
    save_flows: bool,
    overwrite: bool,
    json_path: Path | None,
    diameter_um: float | None,
    estimate_diameter: bool,
    **choices: Any,
) -> None:
    """Segment cells or nuclei in each IMAGE (a file, or a folder of images).

    Writes NAME_label.tiff, or NAME_label.zarr, for each: object numbers, 0 is background.
    """
    with as_usage_error():
        find_members(choices["model"])
        paths = expand(images)
        if sum(map(bool, (choices["diameter"], diameter_um, estimate_diameter))) > 1:
            raise ValueError("Give one of --diameter, --diameter-um and --estimate-diameter.")
        requests = [SegmentRequest(path, **choices) for path in paths]
        targets = name_outputs(paths, output, f"_label.{kind}")
        flows = [_flows_name(target) for target in targets] if save_flows else []
        refuse_existing([*targets, *flows], overwrite)
        output.mkdir(parents=True, exist_ok=True)
    rows, errors = [], []
    with ModelService(compute) as service:
        for request, target in zip(requests, targets, strict=True):
            try:
                name = Path(str(request.image)).name
                if diameter_um is not None:
                    request = replace(request, diameter=diameter_in_pixels(request, diameter_um))
                elif estimate_diameter:
                    found = wait_for(service.submit(DiameterRequest(request)), name)
                    request = replace(request, diameter=found)
                result = wait_for(service.submit(request), name)
                _write(result, target, save_flows, overwrite)
            except USER_ERRORS as error:
                errors.append(f"{request.image}: {one_line(error)}")
                rows.append({"image": str(request.image), "error": one_line(error)})
                continue
            click.echo(f"{request.image}: {result.num_objects} objects -> {target}", err=True)
            rows.append(_row(request, result, target))
    write_report({"images": rows}, json_path)
    if errors:
        fail(errors)


def _row(request: SegmentRequest, result: Segmentation, target: Path) -> dict[str, Any]:
    return {
        "image": str(request.image),
        "labels": str(target),
        "objects": result.num_objects,
        "provenance": result.provenance,
    }


def _flows_name(target: Path) -> Path:
    return target.with_name(target.stem.removesuffix("_label") + "_flows" + target.suffix)


def _write(result: Segmentation, target: Path, save_flows: bool, overwrite: bool) -> None:
    write_labels(
        target,
        result.labels,
        axes=result.axes,
        voxel_size=result.voxel_size,
        overwrite=overwrite,
    )
    if save_flows:
        names = ("flow_z", "flow_y", "flow_x")[-len(result.flows) :]
        image = MicroscopyImage(
            _outputs(result),
            "c" + result.axes,
            result.voxel_size,
            (*names, "cell_probability"),
            target.stem,
        )
        write_image(_flows_name(target), image, overwrite=overwrite)


def _outputs(result: Segmentation) -> Any:
    """Flows and probability as one array, read plane by plane: they may not fit into memory."""
    import dask.array  # takes a while to import

    da: Any = dask.array
    planes = tuple(1 for _ in result.axes[:-2]) + result.labels.shape[-2:]
    flows = da.from_array(result.flows, chunks=(1, *planes), name=False)
    probability = da.from_array(result.cell_probability, chunks=planes, name=False)
    return da.concatenate([flows, probability[None]])
