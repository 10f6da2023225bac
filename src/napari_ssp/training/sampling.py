"""Which image a training crop comes from: rare modalities are drawn more often than their share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.vq import kmeans2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.training.data import LabelledImage


def sampling_weights(images: Sequence[LabelledImage], clusters: int = 8) -> NDArray[np.float64]:
    """Probability of each image, amplified for rare modalities.

    Modalities are discovered by k-means on grey-level statistics and the typical object's size. A
    modality counts by the root of its number of images, which share it evenly.

    Returns
    -------
    numpy.ndarray
        Float (n,), sums to 1.
    """
    features = np.stack([_features(image) for image in images])
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    count = max(1, min(clusters, len(images) // 4))
    _, owner = kmeans2(scaled, count, iter=50, minit="++", seed=0, missing="warn")
    weights = 1.0 / np.sqrt(np.bincount(owner, minlength=count)[owner])
    return np.asarray(weights / weights.sum(), np.float64)


def _features(image: LabelledImage) -> NDArray[np.float64]:
    values = image.pixels.astype(np.float32) / 255.0
    colour = float(values.std(axis=0).mean())
    sizes = np.bincount(image.labels.ravel())[1:]
    diameter = float(np.sqrt(np.median(sizes))) if len(sizes) else 1.0
    return np.array([values.mean(), values.std(), 3.0 * colour, np.log(diameter)])
