"""The only composition point: which steps do a kind of request, and what they may wait for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from napari_ssp.engine import prepare_torch
from napari_ssp.registry import CELLPOSE, PACKAGE, STUDENT, find_family
from napari_ssp.service.annotation.saving import SavePairsRequest
from napari_ssp.service.annotation.suggestions import SuggestRequest
from napari_ssp.service.blocks.requests import SegmentZarrRequest
from napari_ssp.service.classes.classifying import ClassifyRequest
from napari_ssp.service.classes.files import (
    FindExamplesRequest,
    KeepExamplesRequest,
    LearnExamplesRequest,
)
from napari_ssp.service.comparing import CompareRequest
from napari_ssp.service.compartments.requests import CompartmentsRequest
from napari_ssp.service.estimating import EstimateRequest
from napari_ssp.service.inspecting import InspectRequest, NumberPartsRequest
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
from napari_ssp.service.planning import PlanRequest
from napari_ssp.service.requests import (
    BlockRequest,
    DiameterRequest,
    GatesRequest,
    PredictRequest,
    Request,
    SegmentRequest,
)
from napari_ssp.service.review.decisions import FindDecisionsRequest, KeepDecisionsRequest
from napari_ssp.service.review.judging import JudgeRequest
from napari_ssp.service.review.ranking import RankFolderRequest
from napari_ssp.service.review.requests import ReviewRequest
from napari_ssp.service.segmentation.editing import EditRequest
from napari_ssp.service.segmentation.refinement import RefineRequest
from napari_ssp.service.series.collecting import CollectSeriesRequest
from napari_ssp.service.series.listing import ListSeriesRequest, LookAtImagesRequest
from napari_ssp.service.series.opening import OpenImageRequest
from napari_ssp.service.series.saving import SaveLabelsRequest
from napari_ssp.service.series.segmenting import SegmentSeriesRequest
from napari_ssp.service.series.table import MeasureSeriesRequest
from napari_ssp.service.tracking.requests import SaveTracksRequest, TrackRequest
from napari_ssp.service.training.critic.requests import TrainCriticRequest
from napari_ssp.service.training.expansion.requests import (
    TrainExpansionRequest,
    TrainStudentRequest,
    TrainTeacherRequest,
)
from napari_ssp.service.training.pace import PaceRequest
from napari_ssp.service.training.requests import (
    FinishTrainingRequest,
    TrainRequest,
    TrainStructuresRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.progress import Steps
    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.results import Plan

    #: Starts the steps of a request, whose plan may be known: given after it.
    Begin = Callable[..., Steps[Any]]

R = TypeVar("R")


class Lane(Enum):
    """Work that waits for its like only; each has a thread of its own."""

    COMPUTATION = "computation"
    BLOCKS = "blocks"
    LOOKUPS = "look-ups"
    PLANS = "plans"
    INSPECTION = "inspection"
    TABLES = "tables"
    REFINEMENT = "refinement"
    EDITS = "edits"
    SUGGESTIONS = "suggestions"
    TRAINING_SETS = "training sets"
    FILES = "files"
    DOWNLOADS = "downloads"
    DECISIONS = "decisions"
    SERIES = "series"


@dataclass(frozen=True)
class Pipeline:
    """How a kind of request is done.

    Attributes
    ----------
    steps : str
        Module of this room and function that makes the steps of a request.
    lane : Lane
        What it waits for.
    takes : tuple of str
        What the function takes besides the request: ``"models"``, the networks that are loaded;
        ``"plan"``, the plan that was made already, or None; ``"begin"``, what starts other steps;
        ``"service"``, who takes the requests that this one consists of.
    """

    steps: str
    lane: Lane = Lane.COMPUTATION
    takes: tuple[str, ...] = ()


_PIPELINES: dict[type[Request[Any]], Pipeline] = {
    SegmentRequest: Pipeline("segmentation.beginning:begin_segmentation", takes=("models", "plan")),
    CompartmentsRequest: Pipeline("compartments.steps:compartments_steps", takes=("begin", "plan")),
    BlockRequest: Pipeline("blocks.beginning:begin_block", takes=("models",)),
    SegmentZarrRequest: Pipeline("blocks.running:zarr_steps", Lane.BLOCKS, ("service",)),
    DiameterRequest: Pipeline("segmentation.diameter:diameter_steps", takes=("models",)),
    PredictRequest: Pipeline("structures.steps:predict_steps", takes=("models", "plan")),
    GatesRequest: Pipeline("structures.gates:gates_steps", Lane.LOOKUPS, ("models",)),
    ReviewRequest: Pipeline("review.steps:review_steps", takes=("models", "plan")),
    RankFolderRequest: Pipeline("review.ranking:rank_steps", takes=("begin",)),
    TrainRequest: Pipeline("training.steps:train_steps", takes=("plan",)),
    TrainStructuresRequest: Pipeline("training.steps:train_steps", takes=("plan",)),
    TrainTeacherRequest: Pipeline("training.steps:train_steps", takes=("plan",)),
    TrainStudentRequest: Pipeline("training.steps:train_steps", takes=("plan",)),
    TrainExpansionRequest: Pipeline("training.steps:train_steps", takes=("plan",)),
    TrainCriticRequest: Pipeline("training.steps:train_steps", takes=("plan",)),
    PaceRequest: Pipeline("training.measuring:pace_steps"),
    FinishTrainingRequest: Pipeline("training.finishing:finish_steps"),
    PlanRequest: Pipeline("planning:plan_steps", Lane.PLANS),
    EstimateRequest: Pipeline("estimating:estimate_steps", takes=("models", "begin")),
    MeasureRequest: Pipeline("measuring:measure_steps", Lane.TABLES),
    MeasureEditableRequest: Pipeline("measuring:measure_editable_steps", Lane.TABLES),
    DigestRequest: Pipeline("measuring:digest_steps", Lane.TABLES),
    SaveObjectsRequest: Pipeline("measuring:save_steps", Lane.TABLES),
    TrackRequest: Pipeline("tracking.steps:track_steps", Lane.TABLES),
    SaveTracksRequest: Pipeline("tracking.saving:save_steps", Lane.TABLES),
    InspectRequest: Pipeline("inspecting:inspect_steps", Lane.INSPECTION),
    NumberPartsRequest: Pipeline("inspecting:number_steps", Lane.TABLES),
    JudgeRequest: Pipeline("review.judging:judge_steps", Lane.TABLES),
    ClassifyRequest: Pipeline("classes.classifying:classify_steps", Lane.TABLES),
    CompareRequest: Pipeline("comparing:compare_steps", Lane.TABLES),
    RefineRequest: Pipeline("segmentation.refinement:refine_steps", Lane.REFINEMENT),
    EditRequest: Pipeline("segmentation.editing:edit_steps", Lane.EDITS),
    SuggestRequest: Pipeline("annotation.suggestions:suggest_steps", Lane.SUGGESTIONS),
    SavePairsRequest: Pipeline("annotation.saving:save_steps", Lane.TRAINING_SETS),
    FindDecisionsRequest: Pipeline("review.decisions:find_steps", Lane.DECISIONS),
    KeepDecisionsRequest: Pipeline("review.decisions:keep_steps", Lane.DECISIONS),
    ListSeriesRequest: Pipeline("series.listing:list_steps", Lane.SERIES),
    CollectSeriesRequest: Pipeline("series.collecting:collect_steps", Lane.SERIES),
    OpenImageRequest: Pipeline("series.opening:open_steps", Lane.SERIES),
    SaveLabelsRequest: Pipeline("series.saving:save_steps", Lane.SERIES),
    LookAtImagesRequest: Pipeline("series.listing:look_steps", Lane.DECISIONS),
    SegmentSeriesRequest: Pipeline("series.segmenting:segment_steps", takes=("begin",)),
    MeasureSeriesRequest: Pipeline("series.table:measure_steps", Lane.TABLES),
    FindExamplesRequest: Pipeline("classes.files:find_steps", Lane.DECISIONS),
    KeepExamplesRequest: Pipeline("classes.files:keep_steps", Lane.DECISIONS),
    LearnExamplesRequest: Pipeline("classes.files:learn_steps", Lane.DECISIONS),
    ImportModelRequest: Pipeline("model_requests:import_model", Lane.FILES),
    ExportModelRequest: Pipeline("model_requests:export_model", Lane.FILES),
    VerifyModelsRequest: Pipeline("model_requests:verify_models", Lane.FILES),
    DownloadModelRequest: Pipeline("model_requests:download_model", Lane.DOWNLOADS),
    AddCatalogueRequest: Pipeline("model_requests:add_lab_catalogue", Lane.DOWNLOADS),
}
_THROUGH = "through"
#: The same requests where a model of another family is asked for, or another one comes before it.
_VARIANTS = {
    (SegmentRequest, CELLPOSE): Pipeline(
        "segmentation.cellpose:segment_cellpose_steps", takes=("models", "plan")
    ),
    (SegmentRequest, PACKAGE): Pipeline(
        "packages.segmentation:segment_package_steps", takes=("models", "plan")
    ),
    (SegmentRequest, STUDENT): Pipeline(
        "segmentation.students:segment_student_steps", takes=("models", "plan")
    ),
    (SegmentRequest, _THROUGH): Pipeline("through:through_steps", takes=("begin", "plan")),
    (PredictRequest, PACKAGE): Pipeline(
        "packages.prediction:predict_package_steps", takes=("models", "plan")
    ),
}


def find_lane(request: Request[Any]) -> Lane:
    """Lane in which a request is done.

    Raises
    ------
    TypeError
        When the request is none that the service knows.
    """
    return _find_pipeline(request).lane


def prepare_steps(
    request: Request[R],
    models: ModelCache,
    plan: Plan | None = None,
    begin: Begin | None = None,
    service: Any = None,
) -> Callable[[], Steps[R]]:
    """Start of a request's work, to be called on the thread that does it.

    Parameters
    ----------
    request : Request
        What to do.
    models : ModelCache
        Networks that are loaded.
    plan : Plan or None
        What the request means, where that was found out already.
    begin : callable or None
        Starts the steps of other requests that this one consists of; None has them done here.
    service : ModelService or None
        Who was asked; without it what consists of requests to it cannot be done.

    Raises
    ------
    TypeError
        When the request is none that the service knows.
    """
    pipeline = _find_pipeline(request)

    def begin_here(other: Request[Any], known: Plan | None = None) -> Steps[Any]:
        return prepare_steps(other, models, known)()

    given = {"models": models, "plan": plan, "begin": begin or begin_here, "service": service}

    def start() -> Steps[R]:
        if pipeline.lane not in (Lane.PLANS, Lane.INSPECTION, Lane.EDITS):
            prepare_torch()  # before anything imports triton
        chosen = _VARIANTS.get((type(request), _variant(request)), pipeline)
        module, name = chosen.steps.split(":")
        make = getattr(import_module(f"napari_ssp.service.{module}"), name)
        steps: Steps[R] = make(request, **{key: given[key] for key in chosen.takes})
        return steps

    return start


def _variant(request: Request[Any]) -> str:
    if isinstance(request, SegmentRequest) and request.through is not None:
        return _THROUGH
    if isinstance(request, SegmentRequest | PredictRequest):
        return find_family(request.model) or find_family(request.model.partition("+")[0].strip())
    return ""


def _find_pipeline(request: Request[Any]) -> Pipeline:
    try:
        return _PIPELINES[type(request)]
    except KeyError:
        known = ", ".join(kind.__name__ for kind in _PIPELINES)
        raise TypeError(f"The service takes {known}; got {type(request).__name__}.") from None
