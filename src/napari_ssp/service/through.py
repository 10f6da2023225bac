"""Segmentation through a structure: predicted from transmitted light, segmented, measured."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.lazy import as_dask
from napari_ssp.io.mapped import Stacked
from napari_ssp.measure import measure_steps
from napari_ssp.place import cut, place_in
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.preparing import KERNELS
from napari_ssp.service.requests import PredictRequest, SegmentRequest
from napari_ssp.service.segmentation.plan import SegmentPlan, plan_segmentation
from napari_ssp.service.source_image import open_image
from napari_ssp.service.structures.plan import PredictionPlan, plan_prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_ssp.service.requests import Request
    from napari_ssp.service.results import Segmentation, StructurePrediction


@dataclass(frozen=True, eq=False)
class ThroughPlan:
    """A segmentation through a structure with every choice made.

    Attributes
    ----------
    prediction : PredictionPlan
        Of the structure, at the first time point.
    times : tuple of int
        Time points that are predicted.
    segmentation : SegmentPlan
        Of what is predicted; its image has the predicted shape and place, but no pixels.
    """

    prediction: PredictionPlan
    times: tuple[int, ...]
    segmentation: SegmentPlan

    @property
    def summary(self) -> str:
        """One line for the user."""
        times = f"{len(self.times)} time points, " if len(self.times) > 1 else ""
        return f"{self.prediction.summary}, {times}then objects in it: {self.segmentation.summary}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before trusting the result."""
        return tuple(dict.fromkeys((*self.prediction.warnings, *self.segmentation.warnings)))

    @property
    def room(self) -> tuple[int, ...]:
        """Bytes of the arrays that are worked in."""
        network, result = self.prediction.room
        return network, result * len(self.times), *self.segmentation.room


def plan_through(request: SegmentRequest) -> ThroughPlan:
    """Make every choice of both steps, and refuse what cannot be done.

    Raises
    ------
    FileNotFoundError
        When the stack's file or a model is missing.
    ValueError
        When the image is no stack, the model does not know the structure, or as
        `plan_segmentation`.
    """
    stack = open_image(request)
    times = _times(stack, request)
    prediction = plan_prediction(_prediction(request, stack, times[0]))
    empty = np.broadcast_to(np.float32(0), prediction.shape)
    if "z" not in stack.axes:
        empty = empty[0]
    image = _predicted(request, prediction, times, [empty] * len(times))
    return ThroughPlan(prediction, times, plan_segmentation(_segmentation(request, image)))


def objects_request(request: PredictRequest) -> SegmentRequest:
    """Request for the objects of the first structure of a prediction, each one through all planes.

    Raises
    ------
    ValueError
        When only some planes, or no structure at all, are to be predicted.
    """
    if not request.tasks:
        raise ValueError("Choose a structure first.")
    image = open_image(request)
    depth = image.sizes.get("z", 1)
    if request.z_range not in (None, (0, depth)):
        raise ValueError("Objects are found in all planes of a stack: choose all planes.")
    if "t" in image.axes:
        image = cut(image, {"t": request.time}, {"t": 1})
    return SegmentRequest(
        image,
        scene=request.scene,
        channel=request.channel,
        region=request.region,
        device=request.device,
        precision=request.precision,
        stacks="linked" if depth > 1 else "planes",
        through=request.tasks[0],
        through_model=request.model,
    )


def through_steps(
    request: SegmentRequest,
    begin: Callable[[Request[Any]], Steps[Any]],
    plan: ThroughPlan | None = None,
) -> Steps[Segmentation]:
    """Predict a structure from a stack, segment it, and measure its objects.

    Parameters
    ----------
    request : SegmentRequest
        What to segment, through which structure, and how.
    begin : callable
        Starts the steps of a request.
    plan : ThroughPlan or None
        What the request means, where that was found out already.

    Yields
    ------
    Progress
        As prediction, segmentation and measurement, one after the other.

    Returns
    -------
    Segmentation
        With the prediction and the table of the objects; its provenance names both models.
    """
    began = time.monotonic()
    KERNELS.begin()  # they are compiled while the structure is predicted
    yield Progress("reading the stack")
    plan = plan or plan_through(request)
    stack, found = plan.prediction.image, []
    for moment in plan.times:
        prediction: StructurePrediction = yield from begin(_prediction(request, stack, moment))
        found.append(prediction)
    images = [one.images[str(request.through)] for one in found]
    image = _predicted(request, plan.prediction, plan.times, images)
    result: Segmentation = yield from begin(_segmentation(request, image))
    # Planes that are not linked have objects of their own.
    planewise = request.stacks == "planes" and "z" in result.axes
    table = yield from measure_steps(result.image(result.labels), image, planewise=planewise)
    record = {
        **result.provenance,
        "request": {**request.provenance(), "overlap": result.provenance["request"]["overlap"]},
        "seconds": round(time.monotonic() - began, 3),
        "through": found[0].provenance,
    }
    warnings = tuple(dict.fromkeys((*plan.warnings, *result.warnings)))
    return replace(result, predicted=image, table=table, provenance=record, warnings=warnings)


def _times(stack: MicroscopyImage, request: SegmentRequest) -> tuple[int, ...]:
    if request.plane is not None:
        return (request.plane[0],)
    return tuple(range(stack.sizes.get("t", 1)))


def _prediction(request: SegmentRequest, stack: MicroscopyImage, moment: int) -> PredictRequest:
    return PredictRequest(
        stack,
        (str(request.through),),
        request.through_model,
        channel=request.channel,
        region=request.region,
        time=moment,
        device=request.device,
        precision=request.precision,
    )


def _segmentation(request: SegmentRequest, image: MicroscopyImage) -> SegmentRequest:
    """Make the request for what was predicted, which is of the region alone."""
    theirs: dict[str, Any] = dict.fromkeys(
        ("scene", "axes", "voxel_size", "channel", "region", "through")
    )
    plane = None if request.plane is None else (0, request.plane[1])
    return replace(request, image=image, missing="refuse", plane=plane, fallback=False, **theirs)


def _predicted(
    request: SegmentRequest,
    plan: PredictionPlan,
    times: tuple[int, ...],
    images: Sequence[NDArray[Any]],
) -> MicroscopyImage:
    """Image of what is predicted, (Z, Y, X) or a plane at each time point, at its place."""
    starts = (times[0], *(first for first, _ in plan.box))
    lengths = dict(zip("tzyx", (len(times), *plan.shape), strict=True))
    place = {**plan.place, "full_axes": place_in(plan.image, starts, lengths)["full_axes"]}
    is_movie = len(times) > 1
    return MicroscopyImage(
        as_dask(Stacked(images)) if is_movie else images[0],
        "t" * is_movie + ("zyx" if "z" in plan.image.axes else "yx"),
        plan.voxel_size,
        (str(request.through),),
        name=str(request.through),
        **place,
    )
