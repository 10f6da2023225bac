"""Requests, jobs and the service that does them; free of Qt and napari."""

from __future__ import annotations

from napari_ssp.flows.editing.edit import Edit, Gesture, Tool
from napari_ssp.service.annotation.saving import LabelPair, SavePairsRequest, StackPair
from napari_ssp.service.annotation.suggestions import SuggestRequest
from napari_ssp.service.api import (
    classify,
    estimate_diameter,
    predict_structures,
    segment,
    segment_compartments,
    track,
)
from napari_ssp.service.blocks.requests import SegmentZarrRequest
from napari_ssp.service.classes.classifying import Classes, ClassifyRequest
from napari_ssp.service.classes.examples import Examples
from napari_ssp.service.comparing import CompareRequest, Comparison
from napari_ssp.service.compartments.choosing import compartments_request
from napari_ssp.service.compartments.requests import Compartments, CompartmentsRequest
from napari_ssp.service.estimating import EstimateRequest
from napari_ssp.service.inspecting import InspectRequest, NumberPartsRequest
from napari_ssp.service.jobs import CancelledError, Job, JobState
from napari_ssp.service.measuring import (
    DigestRequest,
    MeasureEditableRequest,
    MeasureRequest,
    SaveObjectsRequest,
)
from napari_ssp.service.model_requests import (
    AddCatalogueRequest,
    DownloadModelRequest,
    ExportModelRequest,
    ImportModelRequest,
    VerifyModelsRequest,
)
from napari_ssp.service.model_service import ModelService
from napari_ssp.service.planning import PlanRequest
from napari_ssp.service.provenance import devices, versions
from napari_ssp.service.repeating import as_command, as_script, restore_request
from napari_ssp.service.requests import (
    DiameterRequest,
    GatesRequest,
    PredictRequest,
    Request,
    SegmentRequest,
)
from napari_ssp.service.results import (
    Plan,
    Segmentation,
    StructurePrediction,
    TrainedModel,
    TrainingPlan,
)
from napari_ssp.service.review.plan import ReviewPlan, plan_review
from napari_ssp.service.review.requests import Review, ReviewRequest
from napari_ssp.service.segmentation.editing import (
    EditRequest,
    Edits,
    RecordedEdit,
    stack_of,
)
from napari_ssp.service.segmentation.plan import (
    SegmentPlan,
    diameter_in_pixels,
    find_members,
    plan_segmentation,
)
from napari_ssp.service.segmentation.refinement import (
    Display,
    Patch,
    Refinement,
    RefineRequest,
    Thresholds,
)
from napari_ssp.service.structures.plan import (
    PredictionPlan,
    check_structures_card,
    plan_prediction,
    task_index,
)
from napari_ssp.service.through import ThroughPlan, objects_request
from napari_ssp.service.tracking.requests import (
    SaveTracksRequest,
    TrackChoices,
    TrackRequest,
    Tracks,
)
from napari_ssp.service.training.critic.requests import TrainCriticRequest
from napari_ssp.service.training.expansion.requests import (
    TrainExpansionRequest,
    TrainStudentRequest,
    TrainTeacherRequest,
)
from napari_ssp.service.training.plan import plan_training
from napari_ssp.service.training.requests import (
    FinishTrainingRequest,
    TrainRequest,
    TrainStructuresRequest,
)
from napari_ssp.training.state import TrainingState

__all__ = [
    "AddCatalogueRequest",
    "CancelledError",
    "Classes",
    "ClassifyRequest",
    "CompareRequest",
    "Comparison",
    "Compartments",
    "CompartmentsRequest",
    "DiameterRequest",
    "DigestRequest",
    "Display",
    "DownloadModelRequest",
    "Edit",
    "EditRequest",
    "Edits",
    "EstimateRequest",
    "Examples",
    "ExportModelRequest",
    "FinishTrainingRequest",
    "GatesRequest",
    "Gesture",
    "ImportModelRequest",
    "InspectRequest",
    "Job",
    "JobState",
    "LabelPair",
    "MeasureEditableRequest",
    "MeasureRequest",
    "ModelService",
    "NumberPartsRequest",
    "Patch",
    "Plan",
    "PlanRequest",
    "PredictRequest",
    "PredictionPlan",
    "RecordedEdit",
    "RefineRequest",
    "Refinement",
    "Request",
    "Review",
    "ReviewPlan",
    "ReviewRequest",
    "SaveObjectsRequest",
    "SavePairsRequest",
    "SaveTracksRequest",
    "SegmentPlan",
    "SegmentRequest",
    "SegmentZarrRequest",
    "Segmentation",
    "StackPair",
    "StructurePrediction",
    "SuggestRequest",
    "Thresholds",
    "ThroughPlan",
    "Tool",
    "TrackChoices",
    "TrackRequest",
    "Tracks",
    "TrainCriticRequest",
    "TrainExpansionRequest",
    "TrainRequest",
    "TrainStructuresRequest",
    "TrainStudentRequest",
    "TrainTeacherRequest",
    "TrainedModel",
    "TrainingPlan",
    "TrainingState",
    "VerifyModelsRequest",
    "as_command",
    "as_script",
    "check_structures_card",
    "classify",
    "compartments_request",
    "devices",
    "diameter_in_pixels",
    "estimate_diameter",
    "find_members",
    "objects_request",
    "plan_prediction",
    "plan_review",
    "plan_segmentation",
    "plan_training",
    "predict_structures",
    "restore_request",
    "segment",
    "segment_compartments",
    "stack_of",
    "task_index",
    "track",
    "versions",
]
