"""Sampling of training crops: rare modalities are drawn more often than their share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.training.segmentation.modalities import discover_modalities

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_ssp.training.data import LabelledImage

#: How much a modality of n images counts in all, and into how many modalities images are divided.
RULES: dict[str, tuple[int, Callable[[NDArray[np.int64]], NDArray[np.float64]]]] = {
    "even": (1, lambda sizes: sizes.astype(np.float64)),
    "amplified": (8, lambda sizes: np.sqrt(sizes)),
    # As published: 40 modalities, and small ones are repeated until they have 50 images.
    "mediar": (40, lambda sizes: np.maximum(sizes, 50).astype(np.float64)),
}


def count_modalities(images: int, rule: str) -> int:
    """Modalities that a number of images is divided into: at least four images each."""
    return max(1, min(RULES[rule][0], images // 4))


def compute_sampling_weights(
    images: Sequence[LabelledImage],
    rule: str = "amplified",
    features: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Probability of each image.

    Modalities are discovered by k-means; an image has its modality's probability divided by that
    modality's number of images.

    Parameters
    ----------
    images : sequence of LabelledImage
        At least one.
    rule : str
        One of `RULES`: ``"even"``, every image as often; ``"amplified"``, a modality counts by the
        root of its number of images; ``"mediar"``, as published.
    features : numpy.ndarray or None
        Float (n, channels), what a pretrained encoder sees; None takes grey-level statistics and
        the typical object's size.

    Returns
    -------
    numpy.ndarray
        Float (n,), sums to 1.
    """
    count = count_modalities(len(images), rule)
    owner = np.zeros(len(images), np.int64)
    if count > 1:
        seen = np.stack([_statistics(image) for image in images]) if features is None else features
        owner = discover_modalities(seen, count)
    sizes = np.bincount(owner, minlength=count)
    weights = (RULES[rule][1](sizes) / np.maximum(sizes, 1))[owner]
    return np.asarray(weights / weights.sum(), np.float64)


def _statistics(image: LabelledImage) -> NDArray[np.float64]:
    values = image.pixels.astype(np.float32) / 255.0
    colour = float(values.std(axis=0).mean())
    sizes = np.bincount(np.maximum(image.labels, 0).ravel())[1:]
    diameter = float(np.sqrt(np.median(sizes))) if len(sizes) else 1.0
    return np.array([values.mean(), values.std(), 3.0 * colour, np.log(diameter)])
