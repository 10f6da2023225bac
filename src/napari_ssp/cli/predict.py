"""``napari-ssp predict``: transmitted-light stacks in, fluorescent structures out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from napari_ssp.io import write_image
from napari_ssp.registry import find_card
from napari_ssp.service import ModelService, PredictRequest, task_index

if TYPE_CHECKING:
    from napari_ssp.service import StructurePrediction

_ENDINGS = {"tiff": "_prediction.ome.tif", "zarr": "_prediction.ome.zarr"}


@click.command()
@click.argument(
    "stacks",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="STACK...",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the predictions; made when missing.",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME",
    help="Structure to predict; give it several times for several [default: all of the model].",
)
@request_options(
    PredictRequest,
    "model",
    "axes",
    "voxel_size",
    "channel",
    "time",
    "measured_units",
    "device",
    "precision",
    "overlap",
    "batch_size",
)
@click.option("--compute", type=click.Choice(["local"]), default="local", show_default=True)
@click.option(
    "--format", "kind", type=click.Choice(list(_ENDINGS)), default="tiff", show_default=True
)
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@json_option
def predict(
    stacks: tuple[Path, ...],
    output: Path,
    tasks: tuple[str, ...],
    compute: str,
    kind: str,
    overwrite: bool,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Predict structures from each STACK of transmitted light (a file, or a folder of files).

    Writes NAME_prediction.ome.tif (or .ome.zarr) for each, with one channel per structure.
    """
    with as_usage_error():
        card = find_card(choices["model"])
        names = tasks or card.tasks
        for name in names:
            task_index(card, name)
        paths = expand(stacks)
        requests = [PredictRequest(path, names, **choices) for path in paths]
        targets = name_outputs(paths, output, _ENDINGS[kind])
        refuse_existing(targets, overwrite)
        output.mkdir(parents=True, exist_ok=True)
    rows, errors = [], []
    with ModelService(compute) as service:
        for request, target in zip(requests, targets, strict=True):
            try:
                result = wait_for(service.submit(request), Path(str(request.image)).name)
                write_image(target, as_image(result, target.name), overwrite=overwrite)
            except USER_ERRORS as error:
                errors.append(f"{request.image}: {one_line(error)}")
                rows.append({"image": str(request.image), "error": one_line(error)})
                continue
            for warning in result.warnings:
                click.echo(f"{request.image}: {warning}", err=True)
            click.echo(f"{request.image}: {', '.join(names)} -> {target}", err=True)
            rows.append(_row(request, result, target))
    write_report({"images": rows}, json_path)
    if errors:
        fail(errors)


def as_image(result: StructurePrediction, name: str) -> MicroscopyImage:
    """One channel per structure; large predictions stay in their files."""
    import dask.array as da

    channels = [da.from_array(image) for image in result.images.values()]  # type: ignore[no-untyped-call]
    stacked = da.stack(channels)  # type: ignore[no-untyped-call]
    axes = "c" + result.axes
    return MicroscopyImage(stacked, axes, result.voxel_size, tuple(result.images), name)


def _row(request: PredictRequest, result: StructurePrediction, target: Path) -> dict[str, Any]:
    return {
        "image": str(request.image),
        "prediction": str(target),
        "tasks": list(result.images),
        "warnings": list(result.warnings),
        "provenance": result.provenance,
    }
