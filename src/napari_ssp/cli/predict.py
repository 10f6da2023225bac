"""``napari-ssp predict``: transmitted-light stacks in, fluorescent structures out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.cli.batch.image_batch import Batch, title
from napari_ssp.cli.batch.thumbnails import draw_thumbnail
from napari_ssp.cli.image_command import batch_options, image_command
from napari_ssp.cli.options import request_options
from napari_ssp.cli.reporting import as_usage_error, say, wait_for
from napari_ssp.io import read_image, write_image
from napari_ssp.io.lazy import as_dask
from napari_ssp.io.mapped import Stacked
from napari_ssp.registry import find_card
from napari_ssp.service import (
    ModelService,
    PredictRequest,
    check_structures_card,
    task_index,
)

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service import StructurePrediction

_ENDINGS = {"tiff": "_prediction.ome.tif", "zarr": "_prediction.ome.zarr"}


@click.command()
@image_command("predictions", "STACK")
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
    "scene",
    "missing",
    "axes",
    "voxel_size",
    "channel",
    "time",
    "z_range",
    "region",
    "measured_units",
    "spread",
    "device",
    "precision",
    "overlap",
    "batch_size",
)
@batch_options
def predict(
    paths: tuple[Path, ...],
    batch: Batch,
    tasks: tuple[str, ...],
    scene: str | None,
    **choices: Any,
) -> None:
    """Predict structures from each STACK of transmitted light (a file, or a folder of files).

    Writes NAME_prediction.ome.tif (or .ome.zarr) for each, with one channel per structure. Of a
    file with several stacks all are done, as "NAME SCENE"; of a plate all fields, as "NAME A1 0".
    """
    with as_usage_error():
        card = find_card(choices["model"])
        check_structures_card(card)
        names = tasks or card.tasks
        for name in names:
            task_index(card, name)
        sources = batch.find_sources(paths, scene, _ENDINGS.values())
        requests = [PredictRequest(s.path, names, scene=s.scene, **choices) for s in sources]
        targets = batch.name_outputs(sources, paths, _ENDINGS[batch.kind])
        outputs = [[target] for target in targets]
        batch.prepare(outputs, [source.path for source in sources])

    def work(
        service: ModelService, request: PredictRequest, target: Path
    ) -> tuple[str, dict[str, Any]]:
        result = wait_for(service.submit(request), Path(str(request.image)).name)
        write_image(target, as_image(result, target.name), overwrite=batch.replaces)
        for warning in result.warnings:
            say(f"{title(request)}: {warning}")
        return ", ".join(names), _row(result, target)

    batch.run(requests, outputs, work, draw=lambda _, target: draw_thumbnail(read_image(target)))


def as_image(result: StructurePrediction, name: str) -> MicroscopyImage:
    """One channel per structure, then per spread of views; large ones stay in their files."""
    spread = {f"{task} spread of views": image for task, image in result.spread.items()}
    channels = result.images | spread
    return result.image(as_dask(Stacked(list(channels.values()))), name, tuple(channels))


def _row(result: StructurePrediction, target: Path) -> dict[str, Any]:
    return {
        "prediction": str(target),
        "tasks": list(result.images),
        "warnings": list(result.warnings),
        "provenance": result.provenance,
    }
