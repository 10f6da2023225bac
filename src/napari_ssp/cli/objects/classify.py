"""``napari-ssp classify``: labels and a few examples in, the class of every object out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.atomic import check_target, is_same
from napari_ssp.cli.files import refuse_read
from napari_ssp.cli.label_files import label_options, say_doubts, with_axes
from napari_ssp.cli.objects.object_table import write_object_table
from napari_ssp.cli.reporting import (
    as_usage_error,
    fail,
    json_option,
    run_with_bar,
    say,
    write_report,
)
from napari_ssp.io.objects.object_files import PARQUET_SUFFIX
from napari_ssp.progress import run
from napari_ssp.service.classes.classifying import Classes, ClassifyRequest, classify_steps
from napari_ssp.service.classes.examples import Examples
from napari_ssp.service.classes.files import check_examples_target, read_examples, write_examples
from napari_ssp.service.measuring import SaveObjectsRequest, digest_labels, save_steps

if TYPE_CHECKING:
    from napari_ssp.cli.label_files import LabelFile
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.measure import Table

    Row = dict[str, Any]

_existing = click.Path(exists=True, path_type=Path)
_file = click.Path(dir_okay=False, path_type=Path)
_ENDINGS = (".csv", ".geojson", PARQUET_SUFFIX)


@click.command()
@click.argument("labels", type=_existing)
@click.option("--image", type=_existing, help="Image whose intensities tell the objects apart.")
@click.option(
    "--examples",
    "files",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Examples that the Classes dock has kept (.classes.json), also those of another image; or "
    "a CSV with the columns label and class (and t, z) about LABELS.  [several]",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=_file,
    help="Table to write: .csv, or .parquet, one table of all label images; or .geojson, outlines "
    "with their classes for QuPath.",
)
@label_options
@click.option("--image-axes", metavar="TEXT", help="Axes of the image, e.g. tcyx.")
@click.option("--planewise", is_flag=True, help="Classify the objects of a stack plane by plane.")
@click.option(
    "--keep-examples",
    type=_file,
    help="Write the examples with all that was measured of them, which teaches other images.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@json_option
def classify(
    labels: LabelFile,
    image: Path | None,
    files: tuple[Path, ...],
    output: Path,
    keep_examples: Path | None,
    overwrite: bool,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Give every object of a label image the class of the examples that it is most like.

    A random forest learns from what 'napari-ssp measure' measures: size, shape, intensities, but
    no place. Adds the columns class, class_probability (share of the trees) and class_given (1 for
    an example) to the table. The same examples give the same classes each time. Of a file with
    several label images each gets a table, "cells SCENE.csv"; a .parquet is one table of all.
    """
    with as_usage_error():
        _check_names(output, keep_examples, overwrite)
        refuse_read([output], filter(None, (*files, labels.path, image)))
        work = _Work([read_examples(path) for path in files], files, **choices)
    one_table = output.suffix.lower() == PARQUET_SUFFIX
    write = _write_one_table if one_table else _write_each
    made, failed = write(work, labels, image, output, overwrite)
    if keep_examples is not None and work.done:
        write_examples(keep_examples, work.learnt(), labels.path.name)
        made["examples_file"] = str(keep_examples)
    write_report({"labels": str(labels.path), **made}, json_path)
    if failed:
        fail([f"{failed} label images are not in the table."])


@dataclass(eq=False)
class _Work:
    """Classifies label images one by one by the same examples; remembers what was learnt."""

    examples: list[Examples]
    files: tuple[Path, ...]
    planewise: bool
    image_axes: str | None
    done: list[Classes] = field(default_factory=list)

    def classify(self, labels: MicroscopyImage, image: MicroscopyImage | None) -> tuple[Table, Row]:
        """Classify the objects of a label image; also gives a row of the report."""
        if self.done and any(each.digest is None for each in self.examples):
            raise ValueError(
                "A CSV of examples names objects of one label image, and there are several. Keep "
                "the examples of one with --keep-examples, and give that file for all."
            )
        doubts = labels.warnings + say_doubts(image)  # those of the labels are said already
        own = None if image is None else with_axes(image, self.image_axes)
        digest = digest_labels(labels)
        examples = reduce(Examples.joined, [each.of_labels(digest) for each in self.examples])
        request = ClassifyRequest(
            labels,
            examples,
            own,
            self.planewise,
            many_objects=True,  # asked already
        )
        found = run_with_bar(classify_steps(request), labels.name)
        for line in (*found.warnings, found.summary()):
            say(f"{labels.name}: {line}")
        self.done.append(found)
        return found.table, {
            "rows": len(found.table["label"]),
            "classes": dict(sorted(found.count().items())),
            "examples": dict(sorted(found.count_examples().items())),
            "recognised": dict(found.recognised),
            "warnings": [*doubts, *found.warnings],
        }

    def learnt(self) -> Examples:
        """All examples with what was measured of them."""
        if len(self.done) == 1:
            return replace(self.done[0].examples, digest=self.done[0].digest)
        return reduce(Examples.joined, [each.examples.of_another_image() for each in self.done])


def _check_names(output: Path, keep_examples: Path | None, overwrite: bool) -> None:
    if not output.name.lower().endswith(_ENDINGS):
        raise ValueError(f"'{output}' does not end with one of {', '.join(_ENDINGS)}.")
    check_target(output, overwrite=True)
    if keep_examples is not None:
        check_target(keep_examples, overwrite)
        check_examples_target(keep_examples)
        if is_same(output, keep_examples):
            raise ValueError(f"'{output}' cannot hold both the table and the examples.")


def _write_each(
    work: _Work, labels: LabelFile, image: Path | None, output: Path, overwrite: bool
) -> tuple[Row, int]:
    """Write a file for each label image; gives the report, and how many failed."""
    rows = []
    with as_usage_error():
        for task in labels.tasks(output, overwrite, image, also=work.files):
            table, row = work.classify(task.labels, task.image)
            colors = work.done[-1].colors
            saved = SaveObjectsRequest(
                task.target, task.labels, table, overwrite, class_colors=colors
            )
            run(save_steps(saved))
            say(f"{task.source}: {row['rows']} objects -> {task.target}")
            rows.append({"scene": task.source.scene, "table": str(task.target), **row})
    return (rows[0] if len(rows) == 1 else {"scenes": rows}), 0


def _write_one_table(
    work: _Work, labels: LabelFile, image: Path | None, output: Path, overwrite: bool
) -> tuple[Row, int]:
    """Write one table of all label images; gives the report, and how many failed."""

    def classify_one(found: MicroscopyImage, own: MicroscopyImage | None, _: Any) -> Any:
        return work.classify(found, own)

    with as_usage_error():
        check_target(output, overwrite)
        rows = write_object_table(labels, (image, None), output, overwrite, classify_one)
    count = sum(row.get("rows", 0) for row in rows)
    say(f"{labels.path}: {count} objects -> {output}")
    failed = sum("error" in row for row in rows)
    return {"table": str(output), "rows": count, "images": rows}, failed
