"""``napari-ssp review``: images and labels in, error maps and tables of objects out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from napari_ssp.atomic import check_target
from napari_ssp.cli.batch.image_batch import Batch, title
from napari_ssp.cli.files import find_sources, name_outputs, refuse_reports
from napari_ssp.cli.image_command import image_command
from napari_ssp.cli.label_files import number_parts_option
from napari_ssp.cli.options import request_options
from napari_ssp.cli.pairing import by_name, label_name, label_sources
from napari_ssp.cli.reporting import as_usage_error, replace_report, say, wait_for
from napari_ssp.io import is_folder, number_mask, read_label_image, write_image
from napari_ssp.io.label_names import leave_results_out
from napari_ssp.io.objects.notes import read_provenance
from napari_ssp.io.objects.tables import write_table
from napari_ssp.registry import find_card, find_critic, find_in_catalogue
from napari_ssp.service import ModelService, PlanRequest, Review, ReviewRequest
from napari_ssp.service.network_outputs import find_outputs
from napari_ssp.service.review.calibrating import check_calibration_target
from napari_ssp.service.review.choosing import name_maker
from napari_ssp.service.review.judging import JudgeRequest
from napari_ssp.service.review.requests import CRITIC_STARTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.io import ImageSource
    from napari_ssp.service import ReviewPlan
    from napari_ssp.service.review.judging import Judgement

_existing = click.Path(exists=True, path_type=Path)
_TABLE, _REPORT, _PICTURE = "_review.csv", "review.json", "reliability.png"


class _Labelled(NamedTuple):
    """An image, its labels, and their truth where there is one."""

    image: ImageSource
    labels: ImageSource
    truth: ImageSource | None


@click.command()
@image_command("error maps and tables", "IMAGE")
@click.option(
    "--labels", required=True, type=_existing, help="Label image of the IMAGE, or folder of them."
)
@click.option(
    "--flows",
    type=_existing,
    help="Flows that the labels were made from, of --save-flows, or folder of them [default: what "
    "lies beside the labels].",
)
@click.option("--truth", type=_existing, help="True label image, or folder of them.")
@click.option(
    "--calibrate",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Calibrate the critic on the truth, and write that to FILE, for --calibration.",
)
@number_parts_option
@request_options(
    ReviewRequest,
    "model",
    "made_by",
    "scene",
    "missing",
    "axes",
    "voxel_size",
    "channel",
    "device",
    "overlap",
    "calibration",
    "wrong_share",
)
def review(
    paths: tuple[Path, ...],
    batch: Batch,
    labels: Path,
    flows: Path | None,
    truth: Path | None,
    calibrate: Path | None,
    number_parts: bool,
    scene: str | None,
    **choices: Any,
) -> None:
    """Predict where labels are wrong, without a truth, for each IMAGE (a file, or a folder).

    Writes NAME_errors.ome.tif (or .ome.zarr), the probability that a pixel is wrong;
    NAME_review.csv, a table of the objects, the worst first; and review.json with the predicted
    error of each image. Images and labels are paired by name; endings such as '_label' do not
    count. Where the flows lie beside the labels (segment --save-flows), the critic compares both.

    Without --model the critic is the one that learned from results of the model that made the
    labels (train critic --reviews), where --made-by or a note beside their file names that. Else it
    is critic-starter.

    With --truth also reliability.png, and how well predicted and true errors agree. With a
    calibration the table says which objects are accepted: on average at most --wrong-share of them
    are wrong (IoU below 0.5), where your objects are like those of the calibration (exchangeable).
    """
    with as_usage_error():
        if choices["model"] is not None:
            find_card(choices["model"])
        elif choices["made_by"] is not None:
            _say_unknown(choices["made_by"])
        _check_calibrate(calibrate, truth, choices["calibration"])
        found = _pairs(find_sources(paths, scene), labels, truth)
        requests = [_request(each, flows, number_parts, choices) for each in found]
        targets = name_outputs([each.image for each in found], batch.output, _ending(batch))
        tables = [_beside(target, _TABLE) for target in targets]
        also = [batch.output / _REPORT] + ([batch.output / _PICTURE] if truth else [])
        if calibrate is not None:
            refuse_reports([calibrate], [*targets, *tables, *also])
        batch.prepare([targets, tables, also], _read_files(found, flows, choices["calibration"]))
        if calibrate is not None:
            check_target(calibrate, overwrite=True)
    writer = _Writer(batch, calibrate, dict(zip(targets, found, strict=True)))
    batch.run(requests, [[target] for target in targets], writer.work, writer.conclude)


@dataclass(eq=False)
class _Writer:
    """Does reviews one by one and writes what they give; remembers what the truth said."""

    batch: Batch
    calibrate: Path | None
    sources: dict[Path, _Labelled]
    judged: list[Judgement] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    plan: ReviewPlan | None = None

    def work(
        self, service: ModelService, request: ReviewRequest, target: Path
    ) -> tuple[str, dict[str, Any]]:
        """Review one image; returns a line for a person and a row of the report."""
        name = Path(str(request.image)).name
        plan = self.plan = wait_for(service.submit(PlanRequest(request)), name)
        if plan.reason:
            say(f"{title(request)}: reviewed by {plan.card.name}, {plan.reason}.")
        for warning in plan.warnings:
            say(f"{title(request)}: {warning}")
        result = wait_for(service.submit(request, plan), name)
        for warning in result.warnings[len(plan.warnings) :]:
            say(f"{title(request)}: {warning}")
        row = _row(result, self.sources[target], target)
        table, truth = result.table, self.sources[target].truth
        if truth is not None:
            judgement = self._judge(service, JudgeRequest(result, plan.labels, _read(truth)), name)
            table = {**table, "true_error": judgement.true_error}
            row["truth"] = {"table": str(truth.path), **judgement.scores()}
        write_image(target, result.image(target.stem), overwrite=self.batch.overwrite)
        write_table(_beside(target, _TABLE), table, self.batch.overwrite)
        return _line(result), row

    def conclude(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Write what is about all images together, and make the report."""
        report: dict[str, Any] = {"images": rows}
        if self.judged:
            from napari_ssp.service.review.picture import write_picture

            together = reduce(add, self.judged)
            report["truth"] = together.scores()
            write_picture(self.batch.output / _PICTURE, together)
            if self.calibrate is not None and self.plan is not None:
                report["calibration"] = self._calibrate(together)
        replace_report(report, self.batch.output / _REPORT)
        return report

    def _judge(self, service: ModelService, request: JudgeRequest, name: str) -> Judgement:
        judgement: Judgement = wait_for(service.submit(request), name)
        self.judged.append(judgement)
        self.names.append(name)
        return judgement

    def _calibrate(self, together: Judgement) -> dict[str, Any]:
        from napari_ssp.service.review.calibrating import calibrate_objects, write_calibration

        assert self.calibrate is not None and self.plan is not None
        found = calibrate_objects(together.objects)
        with_flows = self.plan.flows is not None
        write_calibration(self.calibrate, found, self.plan.card, self.names, with_flows)
        say(f"{found.count} objects, {len(found.wrong)} of them wrong -> {self.calibrate}")
        return {"file": str(self.calibrate), "count": found.count, "wrong": len(found.wrong)}


def _read(labels: ImageSource) -> MicroscopyImage:
    return read_label_image(labels.path, labels.scene)


def _check_calibrate(calibrate: Path | None, truth: Path | None, calibration: str | None) -> None:
    if calibrate is None:
        return
    if truth is None:
        raise ValueError("--calibrate needs the truth of the labels: give it with --truth.")
    if calibration is not None:
        raise ValueError("Give one of --calibrate, which makes a file, and --calibration.")
    check_calibration_target(calibrate)


def _say_unknown(maker: str) -> None:
    """Say that nobody knows a model: it may be one of another computer, or a slip."""
    if find_critic(maker) is not None:
        return
    try:
        find_in_catalogue(maker)
    except FileNotFoundError as error:
        say(f"{error} No critic has learned from its results, so {CRITIC_STARTER} is taken.")


def _read_files(
    found: Sequence[_Labelled], flows: Path | None, calibration: str | None
) -> list[Path]:
    sources = [source.path for each in found for source in each if source is not None]
    return sources + [Path(path) for path in (flows, calibration) if path is not None]


def _pairs(found: Sequence[ImageSource], labels: Path, truth: Path | None) -> list[_Labelled]:
    """Images with their labels and truth, by name; a single one of each needs none."""
    paths = set(leave_results_out([one.path for one in found]))
    places = [place for place in (labels, truth) if place is not None and is_folder(place)]
    # Labels may lie among their images.
    others = {(one.path.resolve(), one.scene) for place in places for one in label_sources(place)}
    images = [
        one for one in found if one.path in paths and (one.path.resolve(), one.scene) not in others
    ] or found
    own = _of(images, labels, "labels")
    true = [None] * len(images) if truth is None else _of(images, truth, "truth")
    return [_Labelled(*each) for each in zip(images, own, true, strict=True)]


def _of(images: Sequence[ImageSource], place: Path, noun: str) -> list[ImageSource]:
    found = label_sources(place)
    if len(images) == len(found) == 1 and not is_folder(place):
        return found
    known = by_name(found, label_name, place)
    missing = [image.name for image in images if image.name not in known]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(images)} images have no {noun} in {place}: "
            f"{', '.join(missing[:5])}. Give the {noun} the name of the image, e.g. "
            f"'{missing[0]}_label.tif'."
        )
    return [known[image.name] for image in images]


def _request(
    each: _Labelled, flows: Path | None, number_parts: bool, choices: dict[str, Any]
) -> ReviewRequest:
    image, labels = each.image, each.labels
    shared: dict[str, Any] = {"scene": image.scene, "flows": _flows(flows, labels.path), **choices}
    if number_parts:
        # An array has no note beside it.
        shared["made_by"] = choices["made_by"] or name_maker(read_provenance(labels.path))
        mask = read_label_image(labels.path, labels.scene)
        numbered = number_mask(mask, f"file {labels.path}")
        return ReviewRequest(image.path, numbered, **shared)
    return ReviewRequest(image.path, labels.path, labels_scene=labels.scene, **shared)


def _flows(place: Path | None, labels: Path) -> Path | None:
    """File of the flows of some labels: the one that was given, or the one of their name."""
    if place is None or is_folder(place):
        found = find_outputs(labels if place is None else place / labels.name)
        if found is None and place is not None:
            raise ValueError(
                f"{place} holds no flows of {labels.name}. Write them with 'napari-ssp segment "
                "--save-flows'."
            )
        return found
    return place


def _ending(batch: Batch) -> str:
    return "_errors.ome.tif" if batch.kind == "tiff" else "_errors.ome.zarr"


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(target.name.partition("_errors.ome.")[0] + ending)


def _row(result: Review, each: _Labelled, target: Path) -> dict[str, Any]:
    row: dict[str, Any] = {
        "labels": str(each.labels.path),
        "error_map": str(target),
        "table": str(_beside(target, _TABLE)),
        "objects": result.num_objects,
        "image_error": result.image_error,
        "provenance": result.provenance,
    }
    if result.image_errors.size > 1:
        row["plane_errors"] = result.image_errors.tolist()
    if "accepted" in result.table:
        row["accepted"] = int(result.table["accepted"].sum())
    return row | ({"warnings": list(result.warnings)} if result.warnings else {})


def _line(result: Review) -> str:
    doubtful = int((result.table["predicted_error"] > 0.5).sum())
    words = f"predicted error {result.image_error:.2f}, {doubtful} of {result.num_objects} objects"
    accepted = result.table.get("accepted")
    rest = "" if accepted is None else f", {int(accepted.sum())} accepted"
    return f"{words} look wrong{rest}"
