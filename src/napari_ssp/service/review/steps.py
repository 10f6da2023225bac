"""Review, plane by plane: a critic's error map, and a table of objects, the worst first."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.engine import resolve_device
from napari_ssp.engine.criticism.prediction import predict_errors
from napari_ssp.engine.store import ArrayStore
from napari_ssp.io.label_images import look_steps
from napari_ssp.labels import warn_of_masks
from napari_ssp.place import PLACES
from napari_ssp.progress import Progress, Steps, count_through
from napari_ssp.service.network_outputs import measure_plane_agreement
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.review.calibrating import mark_accepted
from napari_ssp.service.review.object_table import Columns, join_planes, tabulate
from napari_ssp.service.review.plan import ReviewPlan, plan_review
from napari_ssp.service.review.requests import Review, ReviewRequest

if TYPE_CHECKING:
    import torch

    from napari_ssp.engine.criticism.prediction import ErrorPrediction
    from napari_ssp.service.model_cache import ModelCache


_NO_OBJECT = (
    "There is no object in the labels. Critics learn from labels with objects: where all of them "
    "are missed, the predicted errors are too low."
)


@dataclass(frozen=True, eq=False)
class _Run:
    plan: ReviewPlan
    critic: Any
    device: torch.device
    overlap: float


def review_steps(
    request: ReviewRequest, models: ModelCache, plan: ReviewPlan | None = None
) -> Steps[Review]:
    """Predict where labels are wrong.

    Parameters
    ----------
    request : ReviewRequest
        Image, labels and critic.
    models : ModelCache
        Where the critic comes from.
    plan : ReviewPlan or None
        What the request means, where that was found out already.

    Yields
    ------
    Progress
        Between two windows and between two stages.

    Returns
    -------
    Review
    """
    began = time.monotonic()
    yield Progress("reading the labels")
    plan = plan or plan_review(request)
    warnings = yield from _doubts(plan)
    yield Progress(f"loading {plan.card.name}")
    device = resolve_device(request.device)
    work = _Run(plan, models.get(plan.card, device), device, request.overlap)
    error_map = ArrayStore((len(plan.planes), *plan.shape[-2:]))
    errors, tables = np.zeros(len(plan.planes)), []
    for index, plane in enumerate(plan.planes):
        steps = _review_plane(work, plane)
        found, columns = yield from count_through(steps, index, len(plan.planes))
        error_map.write((slice(index, index + 1),), found.probability[None])
        errors[index] = found.image
        tables.append(columns)
    table = join_planes(tables)
    if not len(table["label"]):
        warnings += (_NO_OBJECT,)
    if plan.calibration is not None:
        mark_accepted(table, plan.calibration, request.wrong_share)
    seconds = time.monotonic() - began
    return Review(
        error_map=error_map.array().reshape(plan.shape),
        table=table,
        image_errors=errors,
        axes=plan.axes,
        voxel_size=plan.labels.voxel_size or plan.image.voxel_size,
        origin=plan.labels.origin,
        position=plan.labels.position,
        full_axes=plan.labels.full_axes,
        wrong_share=None if plan.calibration is None else request.wrong_share,
        warnings=(*plan.warnings, *warnings),
        provenance=describe_run(_record(request, plan), plan.card, str(device), seconds),
    )


def _record(request: ReviewRequest, plan: ReviewPlan) -> dict[str, Any]:
    """Request as it was understood: with the critic that was taken."""
    return {**request.provenance(), "model": request.model or plan.card.name}


def _review_plane(work: _Run, plane: tuple[int, int]) -> Steps[tuple[ErrorPrediction, Columns]]:
    plan = work.plan
    labels = plan.labels.plane(*plane)
    t, z = (i if plan.image.sizes.get(a, 1) > 1 else 0 for a, i in zip("tz", plane, strict=True))
    image = plan.image.plane(t, z, plan.channel)
    agreement = None
    if plan.flows is not None:
        yield Progress("comparing with the flows")
        agreement = measure_plane_agreement(labels, plan.flows, *plane)
    found = yield from predict_errors(
        work.critic,
        image,
        labels,
        agreement=agreement,
        window=(plan.card.window[-2], plan.card.window[-1]),
        overlap=work.overlap,
        device=work.device,
    )
    yield Progress("measuring objects")
    origin = plan.labels.origin
    places = zip("tz", plane, origin[:2], strict=True)
    named = {a: i + first for a, i, first in places if a in plan.labels.axes}
    return found, tabulate(found, labels, origin[PLACES.index("y") :], named)


def _doubts(plan: ReviewPlan) -> Steps[tuple[str, ...]]:
    """Look at the labels for what their header cannot tell."""
    name = f"label image '{plan.labels.name}'"
    facts = yield from look_steps(plan.labels, name)
    warnings = []
    if facts.unknown:
        warnings.append(
            f"The {name}: {facts.unknown} pixels are -1, not annotated; nothing is said of them."
        )
    if facts.parts > 1:
        warnings.append(warn_of_masks([facts.parts], 1))
    return tuple(warnings)
