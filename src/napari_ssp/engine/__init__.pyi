from .blending import (
    floored_gaussian_window as floored_gaussian_window,
    gaussian_window as gaussian_window,
)
from .criticism.channels import critic_channels as critic_channels
from .criticism.prediction import (
    ErrorPrediction as ErrorPrediction,
    predict_errors as predict_errors,
    predict_maps as predict_maps,
)
from .device import (
    DeviceInfo as DeviceInfo,
    available_devices as available_devices,
    compute_dtype as compute_dtype,
    compute_training_dtype as compute_training_dtype,
    has_bfloat16 as has_bfloat16,
    prepare_torch as prepare_torch,
    release_memory as release_memory,
    resolve_device as resolve_device,
)
from .normalise import normalise as normalise
from .predict import (
    TileSettings as TileSettings,
    predict_stream as predict_stream,
    predict_tensor as predict_tensor,
    predict_tiles as predict_tiles,
)
from .scaling import (
    median_diameter as median_diameter,
    resample as resample,
    resample_tensor as resample_tensor,
)
from .threads import limit_threads as limit_threads
from .tiling import (
    compute_zoomed_shape as compute_zoomed_shape,
    count_tiles as count_tiles,
    tile_starts as tile_starts,
)
from .tta import (
    EIGHT_VIEWS as EIGHT_VIEWS,
    MEDIAR_VIEWS as MEDIAR_VIEWS,
    View as View,
    average_networks as average_networks,
)
