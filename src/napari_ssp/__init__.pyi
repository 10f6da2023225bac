from .image import MicroscopyImage as MicroscopyImage
from .service import (
    Classes as Classes,
    ClassifyRequest as ClassifyRequest,
    Compartments as Compartments,
    CompartmentsRequest as CompartmentsRequest,
    Examples as Examples,
    ModelService as ModelService,
    PredictRequest as PredictRequest,
    Review as Review,
    ReviewRequest as ReviewRequest,
    Segmentation as Segmentation,
    SegmentRequest as SegmentRequest,
    StructurePrediction as StructurePrediction,
    TrackRequest as TrackRequest,
    Tracks as Tracks,
    TrainRequest as TrainRequest,
    classify as classify,
    predict_structures as predict_structures,
    segment as segment,
    segment_compartments as segment_compartments,
    track as track,
)

# A room of the service is called "review", too.
from .service.api import review as review

__version__: str
