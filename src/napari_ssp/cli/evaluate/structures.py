"""``napari-ssp evaluate structures``: predicted fluorescence against the measured one."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table

from napari_ssp.cli.channels import Channel, list_channels, match_channels
from napari_ssp.cli.files import find_sources
from napari_ssp.cli.pairing import check_all_predicted, in_one_place, split_name
from napari_ssp.cli.reporting import (
    as_usage_error,
    json_option,
    output_console,
    say,
    write_report,
)
from napari_ssp.io import is_folder, read_image
from napari_ssp.io.label_names import without_endings
from napari_ssp.metrics import STRUCTURE_METRICS, structure_metrics
from napari_ssp.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_ssp.io import ImageSource

ENDINGS = ("_prediction", "_predicted", "_structures", "_signal", "_target", "_truth")
_NAMED = re.compile(r"(.+)_(?:prediction|predicted|target|truth)_(.+)")
_existing = click.Path(exists=True, path_type=Path)


@dataclass(frozen=True, eq=False)
class _Comparison:
    """One structure of one image, checked but not read."""

    name: str
    task: str
    prediction: Channel
    truth: Channel


@click.command()
@click.option("--prediction", required=True, type=_existing, help="Image or folder of images.")
@click.option("--truth", required=True, type=_existing, help="Measured image or folder of them.")
@click.option(
    "--normalise/--no-normalise",
    default=True,
    show_default=True,
    help="Bring each truth to mean 0 and standard deviation 1, the units that 'predict' writes; "
    "the prediction stays as it is. Use --no-normalise for a prediction in measured units.",
)
@click.option(
    "--project",
    type=click.Choice(["max", "mean"]),
    help="Project the prediction along z where the truth is one plane, made in this way.",
)
@json_option
def structures(
    prediction: Path, truth: Path, normalise: bool, project: str | None, json_path: Path | None
) -> None:
    """Score predicted structures: MSE, MAE, R2, PCC, SSIM and NRMSE.

    Images are paired by name; endings such as '_prediction', '_signal' and '_target' do not count,
    and in 'cells_target_dna.tif' the last word names the structure. Channels are structures:
    matched by name, else by order. The mean is over all images of all structures, as in the paper.
    """
    with as_usage_error():
        comparisons = _comparisons(prediction, truth, project)
        rows = [_score(c, normalise, project) for c in _with_bar(comparisons)]
    tasks = sorted({row["task"] for row in rows})
    report = {
        "images": rows,
        "tasks": {task: _means(row for row in rows if row["task"] == task) for task in tasks},
        "mean": _means(rows),
        "normalised": normalise,
        "projection": project,
    }
    if str(json_path) != "-":
        _print(report)
    write_report(report, json_path)


def _with_bar(comparisons: list[_Comparison]) -> Iterable[_Comparison]:
    console = Console(stderr=True)
    quiet = not console.is_terminal
    return track(comparisons, "scoring", console=console, transient=True, disable=quiet)


def _comparisons(prediction: Path, truth: Path, project: str | None) -> list[_Comparison]:
    """Find, open and check all pairs before the first is scored."""
    found, true = _channels(prediction), _channels(truth)
    if not is_folder(prediction) and not is_folder(truth):
        if len(found) != len(true):
            raise ValueError(
                f"{prediction} holds {len(found)} images and {truth} {len(true)}, so it is open "
                "which belong together. Give files with the same scenes."
            )
        found = dict(zip(true, found.values(), strict=True))
    check_all_predicted(found, true, prediction)
    comparisons: list[_Comparison] = []
    not_measured: set[str] = set()
    for name, channels in sorted(true.items()):
        matched = match_channels(name, found[name], channels)
        comparisons += [_Comparison(name, *match) for match in matched]
        not_measured |= {c.name for c in found[name]} - {task for task, _, _ in matched}
    comparisons = [_in_one_place(comparison) for comparison in comparisons]
    for comparison in comparisons:
        _check_shapes(comparison, project)
    if not_measured - {""}:
        names = ", ".join(sorted(not_measured - {""}))
        say(f"Not scored, for the truth has no channel of that name: {names}.")
    return comparisons


def _channels(place: Path) -> dict[str, list[Channel]]:
    """Channels of all files by the name of the image; several files may be one image."""
    files: defaultdict[str, list[tuple[ImageSource, str]]] = defaultdict(list)
    for source in find_sources([place]):
        stem, scene = split_name(source)
        named = _NAMED.fullmatch(stem)
        stem, task = named.groups() if named else (stem, "")
        name = without_endings(without_endings(stem, ENDINGS) + scene, ENDINGS)
        files[name].append((source, task))
    return {
        name: [c for source, task in _measured(found) for c in _opened(source, task)]
        for name, found in files.items()
    }


def _measured(files: list[tuple[ImageSource, str]]) -> list[tuple[ImageSource, str]]:
    """Leave the transmitted light out where it lies beside what was measured."""
    rest = [item for item in files if not split_name(item[0])[0].endswith("_signal")]
    return rest or files


def _opened(source: ImageSource, task: str) -> list[Channel]:
    return list_channels(read_image(source.path, source.scene), source.name, task)


def _in_one_place(comparison: _Comparison) -> _Comparison:
    """Score the prediction, or the truth, of a region in that region of the other."""
    found, true = comparison.prediction, comparison.truth
    try:
        images = in_one_place(found.image, true.image)
    except ValueError as error:
        raise ValueError(f"'{comparison.name}', {comparison.task}: {error}") from error
    return replace(
        comparison,
        prediction=replace(found, image=images[0]),
        truth=replace(true, image=images[1]),
    )


def _check_shapes(comparison: _Comparison, project: str | None) -> None:
    found, true = comparison.prediction.shape, comparison.truth.shape
    if found == true or (project and found[-2:] == true):
        return
    remedy = "Give two images of the same region, on the same grid."
    if found[-2:] == true:
        remedy = (
            "If the truth is a projection of the stack along z, say which: --project max or "
            "--project mean."
        )
    raise ValueError(
        f"'{comparison.name}', {comparison.task}: the prediction has shape {found} and the truth "
        f"{true}. {remedy}"
    )


def _score(comparison: _Comparison, normalise: bool, project: str | None) -> dict[str, Any]:
    found, true = comparison.prediction.read(), comparison.truth.read()
    if found.ndim > true.ndim:
        found = found.max(axis=0) if project == "max" else found.mean(axis=0, dtype=np.float64)
    try:
        scores = structure_metrics(_z_scored(true) if normalise else true, found)
    except ValueError as error:
        raise ValueError(f"'{comparison.name}', {comparison.task}: {error}") from error
    if normalise:
        _warn_of_units(comparison, found)
    figures = {key: None if math.isnan(value) else value for key, value in scores.items()}
    return {"name": comparison.name, "task": comparison.task, **figures}


def _z_scored(values: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(invalid="ignore"):
        mean, deviation = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    if not np.isfinite(deviation):
        return values  # refused, with their count, by the metrics
    scored = np.empty(values.shape, np.float32)
    for target, plane in zip(np.atleast_3d(scored), np.atleast_3d(values), strict=True):
        target[...] = (plane - mean) / (deviation or 1.0)
    return scored


def _warn_of_units(comparison: _Comparison, found: NDArray[Any]) -> None:
    """Measured units beside a normalised truth make errors that mean nothing."""
    mean, deviation = float(found.mean(dtype=np.float64)), float(found.std(dtype=np.float64))
    if abs(mean) > 5 or deviation > 5:
        say(
            f"Warning: '{comparison.name}', {comparison.task}: the prediction has mean {mean:.4g} "
            f"and standard deviation {deviation:.4g}, far from the truth's 0 and 1. If it is in "
            "measured units, use --no-normalise.",
        )


def _means(rows: Iterable[dict[str, Any]]) -> dict[str, float | None]:
    """Mean over images; a score that is undefined for an image is left out of its mean."""
    chosen = list(rows)
    means: dict[str, float | None] = {"images": len(chosen)}
    for name in STRUCTURE_METRICS:
        values = [row[name] for row in chosen if row[name] is not None]
        means[name] = float(np.mean(values)) if values else None
    return means


def _print(report: dict[str, Any]) -> None:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for header in ("image", "structure"):
        table.add_column(header, no_wrap=True, overflow="ellipsis", max_width=34)
    for name in STRUCTURE_METRICS:
        table.add_column(name.upper(), justify="right", no_wrap=True, min_width=7)
    for row in report["images"]:
        table.add_row(printable(row["name"]), printable(row["task"]), *_figures(row))
    table.add_section()
    for task, means in report["tasks"].items():
        table.add_row(f"mean of {means['images']}", printable(task), *_figures(means), style="bold")
    if len(report["tasks"]) > 1:
        means = report["mean"]
        table.add_row(f"mean of {means['images']}", "all", *_figures(means), style="bold")
    # A pipe has no width of its own; cut figures would be no use to a script.
    output_console(130).print(table)


def _figures(row: dict[str, Any]) -> list[str]:
    return ["-" if row[name] is None else f"{row[name]:.4g}" for name in STRUCTURE_METRICS]
