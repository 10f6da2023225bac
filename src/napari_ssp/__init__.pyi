from .image import MicroscopyImage as MicroscopyImage
from .service import (
    ModelService as ModelService,
    PredictRequest as PredictRequest,
    Segmentation as Segmentation,
    SegmentRequest as SegmentRequest,
    StructurePrediction as StructurePrediction,
    TrainRequest as TrainRequest,
    predict_structures as predict_structures,
    segment as segment,
)

__version__: str
