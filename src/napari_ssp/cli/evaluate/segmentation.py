"""``napari-ssp evaluate segmentation``: label images against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from napari_ssp.cli.label_files import number_parts_option
from napari_ssp.cli.pairing import (
    by_name,
    check_all_predicted,
    in_one_place,
    label_name,
    label_sources,
)
from napari_ssp.cli.reporting import (
    as_usage_error,
    json_option,
    output_console,
    say,
    write_report,
)
from napari_ssp.io import is_folder, read_label_image
from napari_ssp.io.label_images import check_label_header, look_at_labels, number_mask
from napari_ssp.io.objects.tables import read_rows
from napari_ssp.labels import warn_of_masks
from napari_ssp.metrics import average_precision, challenge_counts, panoptic_quality
from napari_ssp.place import drop_axes
from napari_ssp.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.io import ImageSource
    from napari_ssp.io.label_images import LabelFacts

THRESHOLDS = (0.5, 0.75, 0.9)
SCORES = (*(f"{kind}_{t:.2f}" for kind in ("f1", "ap") for t in THRESHOLDS), "pq")
_existing = click.Path(exists=True, path_type=Path)


@click.command()
@click.option("--prediction", required=True, type=_existing, help="Label image or folder of them.")
@click.option("--truth", required=True, type=_existing, help="Label image or folder of them.")
@click.option("--groups", type=_existing, help="CSV with a column 'id': means by group as well.")
@click.option("--by", "column", default="modality", show_default=True, help="Column of the groups.")
@number_parts_option
@json_option
def segmentation(
    prediction: Path,
    truth: Path,
    groups: Path | None,
    column: str,
    number_parts: bool,
    json_path: Path | None,
) -> None:
    """Score label images: F1 as the NeurIPS 2022 challenge, average precision as cellpose, PQ.

    Images are paired by name; endings such as '_label' do not count. Files with several label
    images are paired image by image. Where the truth is -1, nobody annotated: objects that lie
    mostly there, and reach no true object, count for nothing.
    """
    with as_usage_error():
        pairs = _pairs(prediction, truth)
        group_of = _read_groups(groups, column) if groups else {}
        found = [_row(*pair, number_parts) for pair in pairs]
    rows, warnings = [row for row, _ in found], _warnings([facts for _, facts in found])
    for line in warnings:
        say(line)
    report = {"images": rows, "mean": _means(rows), "warnings": warnings}
    if group_of:
        names = sorted({group_of[row["name"]] for row in rows if row["name"] in group_of})
        report["groups"] = {
            name: _means(row for row in rows if group_of.get(row["name"]) == name) for name in names
        }
    if str(json_path) != "-":
        _print(report)
    write_report(report, json_path)


def _pairs(prediction: Path, truth: Path) -> list[tuple[str, ImageSource, ImageSource]]:
    found, true = label_sources(prediction), label_sources(truth)
    if len(found) == len(true) == 1 and not is_folder(prediction) and not is_folder(truth):
        return [(label_name(true[0]), found[0], true[0])]
    if not true:
        raise ValueError(f"There are no label images in {truth}.")
    names = label_name if is_folder(prediction) or is_folder(truth) else _scene_name
    predicted, wanted = by_name(found, names, prediction), by_name(true, names, truth)
    check_all_predicted(predicted, wanted, prediction)
    return [(name, predicted[name], wanted[name]) for name in sorted(wanted)]


def _scene_name(source: ImageSource) -> str:
    return source.scene or label_name(source)


def _row(
    name: str, prediction: ImageSource, truth: ImageSource, number_parts: bool
) -> tuple[dict[str, Any], LabelFacts]:
    """Scores of a pair, and what is doubtful about its truth."""
    try:
        found = _read(prediction, "prediction", number_parts)
        true = _read(truth, "truth", number_parts)
        # Labels of a region are scored in that region.
        found, true = map(drop_axes, in_one_place(found, true))
        facts = look_at_labels(true, "truth")
        look_at_labels(found, "prediction")
        return {"name": name, **_score(np.asarray(true.data), np.asarray(found.data))}, facts
    except (TypeError, ValueError) as error:
        # Of many images, a person has to know which one is meant.
        raise type(error)(f"'{name}': {error}") from error


def _read(source: ImageSource, role: str, number_parts: bool) -> MicroscopyImage:
    """Labels, in which -1 stays: metrics know what it means."""
    image = read_label_image(source.path, source.scene)
    if number_parts:
        image = number_mask(image, role)
    check_label_header(image, role)
    return image


def _warnings(truths: list[LabelFacts]) -> list[str]:
    warnings = []
    partly = [facts.unknown for facts in truths if facts.unknown]
    if partly:
        warnings.append(
            f"{len(partly)} of {len(truths)} truth images have pixels that are -1, not annotated "
            f"({sum(partly)} in all); they count for nothing."
        )
    masks = [facts.parts for facts in truths if facts.parts > 1]
    return [*warnings, warn_of_masks(masks, len(truths))] if masks else warnings


def _score(true: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"true": _count(true), "predicted": _count(found)}
    precision = average_precision(true, found, THRESHOLDS)
    for threshold, value in zip(THRESHOLDS, precision, strict=True):
        row[f"f1_{threshold:.2f}"] = challenge_counts(true, found, threshold).f1
        row[f"ap_{threshold:.2f}"] = float(value)
    quality = panoptic_quality(true, found)
    row |= {"pq": quality.quality, "sq": quality.segmentation, "rq": quality.recognition}
    return row


def _count(labels: np.ndarray[Any, Any]) -> int:
    return int(np.count_nonzero(np.unique(labels) > 0))


def _read_groups(path: Path, column: str) -> dict[str, str]:
    rows = read_rows(path)
    if not rows or not {"id", column} <= set(rows[0][1]):
        raise ValueError(f"{path} needs the columns 'id' and '{column}'.")
    groups: dict[str, str] = {}
    for line, row in rows:
        known = groups.setdefault(row["id"], row[column])
        if known != row[column]:
            raise ValueError(
                f"Line {line} of '{path}' gives '{row['id']}' the {column} '{row[column]}', a line "
                f"before it '{known}'. Keep one of them."
            )
    return groups


def _means(rows: Iterable[dict[str, Any]]) -> dict[str, float]:
    chosen = list(rows)
    means: dict[str, float] = {"images": len(chosen)}
    for name in SCORES:
        values = [row[name] for row in chosen if not np.isnan(row[name])]
        means[name] = float(np.mean(values)) if values else float("nan")
    return means


def _print(report: dict[str, Any]) -> None:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("image", no_wrap=True, overflow="ellipsis", max_width=34)
    for header in ("true", "found", *(score.upper().replace("_0", " ") for score in SCORES)):
        table.add_column(header, justify="right", no_wrap=True, min_width=5)
    for row in report["images"]:
        counts = str(row["true"]), str(row["predicted"])
        table.add_row(printable(row["name"]), *counts, *(f"{row[score]:.3f}" for score in SCORES))
    table.add_section()
    for name, means in [*report.get("groups", {}).items(), ("all", report["mean"])]:
        figures = [f"{means[score]:.3f}" for score in SCORES]
        table.add_row(
            f"mean of {printable(name)}", f"n={means['images']}", "", *figures, style="bold"
        )
    # A pipe has no width of its own; cut figures would be no use to a script.
    output_console(110).print(table)
