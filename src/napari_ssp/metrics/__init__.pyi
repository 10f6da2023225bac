from .agreement import (
    Category as Category,
    ObjectComparison as ObjectComparison,
    PanopticQuality as PanopticQuality,
    compare_objects as compare_objects,
    panoptic_quality as panoptic_quality,
)
from .calibration import (
    ReliabilityTable as ReliabilityTable,
    reliability_table as reliability_table,
)
from .conformal import (
    ConformalCalibration as ConformalCalibration,
    calibrate as calibrate,
)
from .error_maps import (
    ErrorKind as ErrorKind,
    error_maps as error_maps,
    object_errors as object_errors,
)
from .objects import (
    MatchCounts as MatchCounts,
    average_precision as average_precision,
    challenge_counts as challenge_counts,
    f1_score as f1_score,
    match_counts as match_counts,
)
from .ranking import (
    pearson as pearson,
    pr_auc as pr_auc,
    roc_auc as roc_auc,
    spearman as spearman,
)
from .structures import (
    STRUCTURE_METRICS as STRUCTURE_METRICS,
    structure_metrics as structure_metrics,
)
