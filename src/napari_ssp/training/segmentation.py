"""MEDIAR's recipe: crops, flows as targets, and F1 on validation images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from napari_ssp.engine import resample, zoomed_shape
from napari_ssp.flows import flows_to_labels, labels_to_flows
from napari_ssp.metrics import f1_score
from napari_ssp.progress import Progress
from napari_ssp.training.augmentation import AugmentationSettings, augmented_crop
from napari_ssp.training.sampling import sampling_weights

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_ssp.training.data import LabelledImage
    from napari_ssp.training.loop import Batch


@dataclass(frozen=True)
class SegmentationBatches:
    """Random batches: the same seed and step always give the same crops.

    Attributes
    ----------
    images : sequence of LabelledImage
        Training images.
    settings : AugmentationSettings
        Crop size and augmentation.
    size : int
        Crops in a batch.
    seed : int
        Start of the random numbers.
    """

    images: Sequence[LabelledImage]
    settings: AugmentationSettings = field(default_factory=AugmentationSettings)
    size: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        """Find the images' sampling weights once."""
        object.__setattr__(self, "_weights", sampling_weights(self.images))

    def __call__(self, step: int) -> Batch:
        """Batch of a step: images (N, 3, Y, X); unit flows (N, 2, Y, X) and cells (N, Y, X)."""
        rng = np.random.default_rng([self.seed, step])
        weights = getattr(self, "_weights")  # noqa: B009
        chosen = rng.choice(len(self.images), self.size, p=weights)
        crops = [augmented_crop(self.images[k], self.settings, rng) for k in chosen]
        pixels = np.stack([pixels for pixels, _ in crops])
        flows = np.stack([labels_to_flows(labels) for _, labels in crops])
        cells = np.stack([labels > 0 for _, labels in crops]).astype(np.float32)
        return (torch.from_numpy(pixels),), (torch.from_numpy(flows), torch.from_numpy(cells))


def score_segmentation(
    network: nn.Module, images: Sequence[LabelledImage], zoom: float = 1.0
) -> Generator[Progress, None, dict[str, float]]:
    """Mean F1 at IoU 0.5 and 0.75 of whole images, in one piece each.

    A quick score for the training curve; the published figures are made with sliding windows.
    """
    scores: dict[float, list[float]] = {0.5: [], 0.75: []}
    for done, image in enumerate(images, 1):
        labels = _predict_whole(network, image, zoom)
        for threshold, values in scores.items():
            values.append(f1_score(image.labels, labels, threshold))
        yield Progress("scoring validation images", done, len(images))
    return {f"f1_{t:.2f}": float(np.mean(v)) if v else float("nan") for t, v in scores.items()}


def _predict_whole(network: nn.Module, image: LabelledImage, zoom: float) -> NDArray[np.uint32]:
    height, width = zoomed_shape(image.labels.shape, zoom)
    stride = int(getattr(network, "stride", 32))
    pixels = np.broadcast_to(image.pixels, (3, *image.labels.shape)).astype(np.float32) / 255.0
    pixels = resample(pixels, (height, width))
    padded = np.pad(pixels, ((0, 0), (0, -height % stride), (0, -width % stride)))
    device = next(network.parameters()).device
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        inputs = torch.from_numpy(padded[None]).to(device)
        output = network(inputs.contiguous(memory_format=torch.channels_last))[0].float().cpu()
    found = resample(output[:, :height, :width].numpy(), image.labels.shape)
    return flows_to_labels(found[:2], 1.0 / (1.0 + np.exp(-found[2])))
