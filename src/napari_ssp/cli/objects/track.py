"""``napari-ssp track``: a label movie in, tracks of its objects out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.cli.label_files import label_options
from napari_ssp.cli.options import request_options
from napari_ssp.cli.reporting import as_usage_error, json_option, run_with_bar, say, write_report
from napari_ssp.service import SaveTracksRequest, TrackRequest
from napari_ssp.service.tracking.linking import check_linking
from napari_ssp.service.tracking.saving import check_tracks_target, save_steps
from napari_ssp.service.tracking.steps import track_steps

if TYPE_CHECKING:
    from napari_ssp.cli.label_files import LabelFile, LabelTask


@click.command()
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="What to write: tracks.csv, tracks.geff, tracked.ome.tif or .ome.zarr (labels); a name "
    "without an ending is a folder as in the Cell Tracking Challenge.",
)
@request_options(TrackRequest, "linking", "link_overlap", "max_distance", "max_gap", "divisions")
@label_options
@click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
@json_option
def track(
    labels: LabelFile, output: Path, overwrite: bool, json_path: Path | None, **choices: Any
) -> None:
    """Follow the objects of a label movie: tracks from frame to frame, with divisions.

    An object is linked with the one that it overlaps most in the next frame, whatever their numbers
    are; with --linking laptrack by distance, also over gaps. A division ends a track and begins
    two. Of a file with several label images each gets an output, "tracks SCENE.csv".
    """
    with as_usage_error():
        check_tracks_target(output, overwrite)
        check_linking(choices["linking"])
        rows = [
            _track(task, overwrite, **choices) for task in labels.tasks(output, overwrite, None)
        ]
    named = {"tracks": rows[0]} if len(rows) == 1 else {"scenes": rows}
    write_report({"labels": str(labels.path), **named}, json_path)


def _track(task: LabelTask, overwrite: bool, **choices: Any) -> dict[str, Any]:
    """Track a label image and write its file; gives a row of the report."""
    request = TrackRequest(task.labels, **choices)
    tracks = run_with_bar(track_steps(request), task.labels.name)
    save = SaveTracksRequest(task.target, tracks, overwrite)
    path = run_with_bar(save_steps(save), task.labels.name)
    divisions = len(set(tracks.parents.values()))
    say(f"{task.source}: {tracks.num_tracks} tracks, {divisions} divisions -> {path}")
    return {
        "scene": task.source.scene,
        "file": str(path),
        "tracks": tracks.num_tracks,
        "divisions": divisions,
        "objects": len(tracks.table["track"]),
        "warnings": list(task.labels.warnings),
    }
