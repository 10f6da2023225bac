"""The only composition point: a request in, its steps out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.engine import prepare_torch
from napari_ssp.registry import CELLPOSE, PACKAGE, find_family
from napari_ssp.service.model_requests import ModelRequest
from napari_ssp.service.requests import (
    DiameterRequest,
    GatesRequest,
    PredictRequest,
    SegmentRequest,
)
from napari_ssp.service.training.requests import (
    FinishTrainingRequest,
    TrainRequest,
    TrainStructuresRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.progress import Steps
    from napari_ssp.service.model_cache import ModelCache


def steps_of(request: Any, models: ModelCache) -> Callable[[], Steps[Any]]:
    """Start of a request's work, to be called on the thread that does it.

    Raises
    ------
    TypeError
        When the request is none that the service knows.
    """
    if isinstance(request, SegmentRequest):
        return partial(_segment, request, models)
    if isinstance(request, DiameterRequest):
        return partial(_diameter, request, models)
    if isinstance(request, PredictRequest):
        return partial(_predict, request, models)
    if isinstance(request, GatesRequest):
        return partial(_gates, request, models)
    if isinstance(request, TrainRequest):
        return partial(_train, request)
    if isinstance(request, TrainStructuresRequest):
        return partial(_train_structures, request)
    if isinstance(request, FinishTrainingRequest):
        return partial(_finish_training, request)
    if isinstance(request, ModelRequest):
        return request
    raise TypeError(
        "The service takes SegmentRequest, PredictRequest, GatesRequest, TrainRequest and requests "
        f"about models, got {type(request).__name__}."
    )


def _segment(request: SegmentRequest, models: ModelCache) -> Steps[Any]:
    prepare_torch()  # before anything imports triton
    from napari_ssp.service.segmentation.steps import segment_steps

    family = find_family(request.model)
    if family == CELLPOSE:
        from napari_ssp.service.segmentation.cellpose import segment_cellpose_steps

        return segment_cellpose_steps(request, models)
    if family == PACKAGE:
        from napari_ssp.service.packages.segmentation import segment_package_steps

        return segment_package_steps(request, models)
    return segment_steps(request, models)


def _diameter(request: DiameterRequest, models: ModelCache) -> Steps[Any]:
    prepare_torch()
    from napari_ssp.service.segmentation.diameter import diameter_steps

    return diameter_steps(request, models)


def _predict(request: PredictRequest, models: ModelCache) -> Steps[Any]:
    prepare_torch()
    from napari_ssp.service.structures.steps import predict_steps

    if find_family(request.model) == PACKAGE:
        from napari_ssp.service.packages.prediction import predict_package_steps

        return predict_package_steps(request, models)
    return predict_steps(request, models)


def _gates(request: GatesRequest, models: ModelCache) -> Steps[Any]:
    prepare_torch()
    from napari_ssp.service.structures.gates import gates_steps

    return gates_steps(request, models)


def _train(request: TrainRequest) -> Steps[Any]:
    prepare_torch()
    from napari_ssp.service.training.segmentation.steps import train_steps

    return train_steps(request)


def _train_structures(request: TrainStructuresRequest) -> Steps[Any]:
    prepare_torch()
    from napari_ssp.service.training.structures.steps import train_structures_steps

    return train_structures_steps(request)


def _finish_training(request: FinishTrainingRequest) -> Steps[Any]:
    prepare_torch()
    from napari_ssp.service.training.finishing import finish_steps

    return finish_steps(request)
