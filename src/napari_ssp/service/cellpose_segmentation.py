"""Segmentation by an installed cellpose, through its public interface."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit

from napari_ssp.engine import resolve_device
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import file_sha256
from napari_ssp.service.plan import SegmentPlan, plan_segmentation
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.segment_run import assembled, check_planes_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.results import Segmentation


def segment_cellpose_steps(request: SegmentRequest) -> Steps[Segmentation]:
    """Segment the planes of an image, each by itself and in memory, with cellpose's model.

    Parameters
    ----------
    request : SegmentRequest
        Diameter, thresholds and smallest size are passed on; mirror averaging, linked planes and
        volumes are not possible. cellpose cannot be stopped within a plane.

    Yields
    ------
    Progress
        Before each plane.

    Returns
    -------
    Segmentation
        With cellpose's flows and the probability of its logits.

    Raises
    ------
    ValueError
        When the request asks for what is not possible.
    """
    began = time.monotonic()
    yield Progress("reading the image")
    plan = plan_segmentation(request)
    check_planes_only(request, "cellpose")
    device = resolve_device(request.device)
    yield Progress("loading cellpose")
    from cellpose.models import CellposeModel

    model: Any = CellposeModel(gpu=device.type != "cpu", device=device)
    labels = np.zeros((len(plan.planes), *plan.shape), np.uint32)
    outputs = np.zeros((3, *labels.shape), np.float32)
    first_id = 1
    for index, place in enumerate(plan.planes):
        yield Progress("cellpose", index, len(plan.planes))
        found, outputs[:, index] = _evaluated(model, request, _colours(plan, place))
        labels[index] = np.where(found > 0, found + np.uint32(first_id - 1), 0)
        first_id += int(found.max(initial=0))
    record = describe_run(request.provenance(), plan.card, str(device), time.monotonic() - began)
    weights = Path(str(getattr(model, "pretrained_model", "")))
    record["model"]["sha256"] = file_sha256(weights) if weights.is_file() else ""
    return assembled(plan, labels, outputs, record)


def _colours(plan: SegmentPlan, place: tuple[int, int]) -> NDArray[Any]:
    """Region of a plane, (Y, X, 3); cellpose wants three channels, those without light empty."""
    y0, y1, x0, x1 = plan.region
    pixels = np.asarray(plan.image.plane(*place, plan.channel))[y0:y1, x0:x1]
    if pixels.ndim == 3:
        return pixels
    empty = np.zeros_like(pixels)
    return np.stack([pixels, empty, empty], axis=-1)


def _evaluated(
    model: Any, request: SegmentRequest, pixels: NDArray[Any]
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    masks, flows, _ = model.eval(
        pixels,
        channel_axis=-1,
        diameter=request.diameter,
        flow_threshold=request.flow_threshold,
        # Of logits there.
        cellprob_threshold=float(np.clip(logit(request.cell_threshold), -20, 20)),
        min_size=request.min_size,
        batch_size=request.batch_size or 8,
    )
    output = np.concatenate([np.asarray(flows[1]), expit(np.asarray(flows[2]))[None]])
    return np.asarray(masks, np.uint32), output.astype(np.float32)
