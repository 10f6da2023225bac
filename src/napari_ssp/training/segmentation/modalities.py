"""Modalities of training images: clusters of what a pretrained encoder sees in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch.nn import functional

from napari_ssp.engine.scaling import resample
from napari_ssp.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.networks import MediarFormer
    from napari_ssp.progress import Steps
    from napari_ssp.training.data import LabelledImage

#: Longest side, in pixels, at which an image is looked at: enough to tell what kind it is.
_SIDE = 256


def encoder_features(
    network: MediarFormer, images: Sequence[LabelledImage]
) -> Steps[NDArray[np.float64]]:
    """Deepest features of a network's encoder, mean over each image.

    Parameters
    ----------
    network : MediarFormer
        Pretrained; of random features nothing can be told. Its mode is left as it was.
    images : sequence of LabelledImage
        Any number.

    Yields
    ------
    Progress
        After every image.

    Returns
    -------
    numpy.ndarray
        Float (n, channels).
    """
    found = []
    for done, image in enumerate(images, 1):
        found.append(_features(network, image))
        yield Progress("finding kinds of images", done, len(images))
    return np.stack(found) if found else np.zeros((0, 1))


def _features(network: MediarFormer, image: LabelledImage) -> NDArray[np.float64]:
    factor = min(1.0, _SIDE / max(image.labels.shape))
    shape = tuple(max(1, round(n * factor)) for n in image.labels.shape)
    pixels = np.broadcast_to(image.pixels, (3, *image.labels.shape)).astype(np.float32) / 255.0
    seen = torch.from_numpy(resample(pixels, shape))[None]
    height, width = (-n % network.stride for n in shape)
    seen = functional.pad(seen, (0, width, 0, height)).to(next(network.parameters()).device)
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        deepest = network.encoder(seen)[-1]
    network.train(was_training)
    return np.asarray(deepest.mean(dim=(0, 2, 3)).double().cpu())


def discover_modalities(features: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Give each image the number of its modality, by k-means on features of equal spread.

    Parameters
    ----------
    features : numpy.ndarray
        Float (n, channels).
    count : int
        Modalities at most.
    """
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    different = len(np.unique(scaled, axis=0))  # k-means asks for as many at least
    _, owner = kmeans2(scaled, min(count, different), iter=50, minit="++", seed=0, missing="warn")
    return np.asarray(owner)
