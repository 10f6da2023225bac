"""Requests, jobs and the service that does them; free of Qt and napari."""

from __future__ import annotations

from napari_ssp.service.api import segment
from napari_ssp.service.jobs import CancelledError, Job, JobState
from napari_ssp.service.model_service import ModelService
from napari_ssp.service.plan import SegmentPlan, plan_segmentation
from napari_ssp.service.provenance import devices, versions
from napari_ssp.service.requests import SegmentRequest, TrainRequest
from napari_ssp.service.results import Segmentation, TrainedModel

__all__ = [
    "CancelledError",
    "Job",
    "JobState",
    "ModelService",
    "SegmentPlan",
    "SegmentRequest",
    "Segmentation",
    "TrainRequest",
    "TrainedModel",
    "devices",
    "plan_segmentation",
    "segment",
    "versions",
]
