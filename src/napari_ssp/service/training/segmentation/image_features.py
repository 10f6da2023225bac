"""Features of the images of a training, by which their kinds are told apart, kept with the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import atomic_path
from napari_ssp.training.run_files import has_checkpoint
from napari_ssp.training.segmentation.modalities import encoder_features
from napari_ssp.training.segmentation.sampling import count_modalities

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.networks import MediarFormer
    from napari_ssp.progress import Steps
    from napari_ssp.service.training.requests import TrainRequest
    from napari_ssp.service.training.segmentation.images import TrainingImages

#: Features of the images in the folder of a run.
FEATURES_FILE = "features.npz"
#: Features of images that are learned from, and replayed; without any, grey levels tell the kinds.
Features = dict[str, "NDArray[np.float64]"]


def feature_steps(
    request: TrainRequest, network: MediarFormer | None, images: TrainingImages
) -> Steps[Features]:
    """See the images with the encoder that a run begins with; one that goes on knows them.

    Parameters
    ----------
    request : TrainRequest
        What is trained.
    network : MediarFormer or None
        As it is before the first step; None where its encoder is random.
    images : TrainingImages
        Images that are learned from, and replayed.

    Returns
    -------
    dict
        Float (n, channels) by ``"features"`` and ``"replay_features"``.
    """
    path = request.output / FEATURES_FILE
    if has_checkpoint(request.output):
        return _read(path)
    path.unlink(missing_ok=True)
    found: Features = {}
    stores = {"features": images.training, "replay_features": images.replay}
    for name, store in stores.items():
        if network and count_modalities(len(store), request.crops.sampling) > 1:
            found[name] = yield from encoder_features(network, store)
    if found:
        _write(path, found)
    return found


def _write(path: Path, found: Features) -> None:
    with atomic_path(path, overwrite=True) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = dict(found)
        np.savez(file, **arrays)


def _read(path: Path) -> Features:
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
