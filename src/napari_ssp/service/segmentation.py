"""Segmentation, step by step: read, normalise, windows, flows to labels."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_ssp.engine import (
    MEDIAR_VIEWS,
    TileSettings,
    View,
    floored_gaussian_window,
    normalise,
    predict_views,
    resample,
    resolve_device,
    zoomed_shape,
)
from napari_ssp.flows import flows_to_labels
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.plan import SegmentPlan, plan_segmentation
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.results import Segmentation

if TYPE_CHECKING:
    from napari_ssp.engine.predict import Network
    from napari_ssp.service.models import ModelCache
    from napari_ssp.service.requests import SegmentRequest

Planes = list[NDArray[np.float32]]


def segment_steps(request: SegmentRequest, models: ModelCache) -> Steps[Segmentation]:
    """Segment an image, plane by plane.

    Parameters
    ----------
    request : SegmentRequest
        What to segment and how.
    models : ModelCache
        Where networks come from.

    Yields
    ------
    Progress
        Between two batches of windows and between two stages.

    Returns
    -------
    Segmentation
        Labels, flows and cell probability of the asked planes and region.
    """
    began = time.monotonic()
    yield Progress("reading the image")
    plan = plan_segmentation(request)
    yield Progress(f"loading {plan.card.name}")
    device = resolve_device(request.device)
    network = models.get(plan.card, device)
    settings = TileSettings(
        window=plan.card.window,
        overlap=request.overlap,
        batch_size=request.batch_size,
        device=device,
        importance=floored_gaussian_window,
    )
    labels, outputs = yield from _segment_planes(request, plan, network, settings)
    record = describe_run(request.provenance(), plan.card, str(device), time.monotonic() - began)
    return _assemble(plan, labels, outputs, record)


def _segment_planes(
    request: SegmentRequest, plan: SegmentPlan, network: Network, settings: TileSettings
) -> Steps[tuple[list[NDArray[np.uint32]], Planes]]:
    views = MEDIAR_VIEWS if request.tta else (View(),)
    labels: list[NDArray[np.uint32]] = []
    outputs: Planes = []
    last_id = 0
    for index, (t, z) in enumerate(plan.planes):
        array = _normalised(plan, t, z)
        zoomed = resample(array, zoomed_shape(array.shape[1:], plan.card.zoom))
        output = yield from _renamed(
            predict_views(network, zoomed, settings, views), index, len(plan.planes)
        )
        output = resample(output, array.shape[1:])
        # The sigmoid comes after the averaging, as in MEDIAR.
        output[2] = 1.0 / (1.0 + np.exp(-output[2]))
        yield Progress("tracking flows", index, len(plan.planes))
        found = flows_to_labels(
            output[:2],
            output[2],
            cell_threshold=request.cell_threshold,
            flow_threshold=request.flow_threshold,
            min_size=request.min_size,
        )
        labels.append(np.where(found > 0, found + np.uint32(last_id), found))
        last_id = max(last_id, int(labels[-1].max(initial=0)))
        outputs.append(output)
    return labels, outputs


def _normalised(plan: SegmentPlan, t: int, z: int) -> NDArray[np.float32]:
    """Normalise by the whole plane, so that a region looks as it does in the full image."""
    y0, y1, x0, x1 = plan.region
    return normalise(plan.image.plane(t=t, z=z, channel=plan.channel))[:, y0:y1, x0:x1]


def _renamed(
    steps: Steps[NDArray[np.float32]], index: int, count: int
) -> Steps[NDArray[np.float32]]:
    """Count windows over all planes, and name the plane where there are several."""
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            output: NDArray[np.float32] = stop.value
            return output
        stage = "windows" if count == 1 else f"plane {index + 1} of {count}"
        try:
            yield replace(
                step, stage=stage, done=index * step.total + step.done, total=count * step.total
            )
        except GeneratorExit:
            steps.close()
            raise


def _assemble(
    plan: SegmentPlan, labels: list[NDArray[np.uint32]], outputs: Planes, record: dict[str, object]
) -> Segmentation:
    sizes = plan.image.sizes
    lead = tuple(sizes[a] for a in plan.axes[:-2])
    stacked = np.stack(outputs, axis=1)  # (3, planes, Y, X)
    shape = (*lead, *stacked.shape[2:])
    t, z = plan.planes[0]
    return Segmentation(
        labels=np.stack(labels).reshape(shape),
        flows=stacked[:2].reshape(2, *shape),
        cell_probability=stacked[2].reshape(shape),
        axes=plan.axes,
        voxel_size=plan.image.voxel_size,
        origin=(t, z, plan.region[0], plan.region[2]),
        provenance=record,
    )
