from .image import MicroscopyImage as MicroscopyImage
from .service import (
    Compartments as Compartments,
    CompartmentsRequest as CompartmentsRequest,
    ModelService as ModelService,
    PredictRequest as PredictRequest,
    Review as Review,
    ReviewRequest as ReviewRequest,
    Segmentation as Segmentation,
    SegmentRequest as SegmentRequest,
    StructurePrediction as StructurePrediction,
    TrainRequest as TrainRequest,
    predict_structures as predict_structures,
    segment as segment,
    segment_compartments as segment_compartments,
)

# A room of the service is called "review", too.
from .service.api import review as review

__version__: str
