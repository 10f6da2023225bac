"""MEDIAR's recipe: crops, flows as targets, and F1 on validation images."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.special import expit
from torch import nn

from napari_ssp.engine import TileSettings, compute_zoomed_shape, predict_tiles, resample
from napari_ssp.engine.tiling import grow_window
from napari_ssp.flows import flows_to_labels
from napari_ssp.metrics import f1_score
from napari_ssp.metrics.overlap import without_unknown
from napari_ssp.progress import Progress
from napari_ssp.training.loop import SCORED
from napari_ssp.training.losses import segmentation_loss
from napari_ssp.training.segmentation.annotation import targets
from napari_ssp.training.segmentation.augmentation import AugmentationSettings, augment_crop
from napari_ssp.training.segmentation.sampling import compute_sampling_weights
from napari_ssp.training.step import choose_precision
from napari_ssp.training.weight_interpolation import LOSS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.progress import Steps
    from napari_ssp.registry import ModelCard
    from napari_ssp.training.batches import Batch
    from napari_ssp.training.data import LabelledImage
    from napari_ssp.training.scored_images import ScoredImages
    from napari_ssp.training.state import Preview

#: Score that decides which weights are kept.
METRIC = "f1_0.50"
#: IoU of the F1 scores.
THRESHOLDS = (0.5, 0.75)
#: Windows of validation images overlap by this at most: more costs time, and changes little.
_OVERLAP = 0.25


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
        Crops in a batch, replayed ones among them.
    seed : int
        Start of the random numbers.
    sampling : str
        See :func:`~napari_ssp.training.segmentation.sampling.compute_sampling_weights`.
    replay : sequence of LabelledImage
        Images that the base model knows, mixed in so that it does not forget them.
    replay_share : float
        Share of each batch that comes from them; at least one crop, if there are any.
    features, replay_features : numpy.ndarray or None
        What a pretrained encoder sees in the images, float (n, channels), to find their modalities.
    part : tuple of int
        (k, n): every n-th crop of each batch from k on, for one of n processes.
    """

    images: Sequence[LabelledImage]
    settings: AugmentationSettings = field(default_factory=AugmentationSettings)
    size: int = 8
    seed: int = 0
    sampling: str = "amplified"
    replay: Sequence[LabelledImage] = ()
    replay_share: float = 0.25
    features: NDArray[np.float64] | None = None
    replay_features: NDArray[np.float64] | None = None
    part: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        """Find the images' sampling weights once, before batches go to other processes."""
        _ = self._weights, self.replay and self._replay_weights

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        return compute_sampling_weights(self.images, self.sampling, self.features)

    @cached_property
    def _replay_weights(self) -> NDArray[np.float64]:
        return compute_sampling_weights(self.replay, self.sampling, self.replay_features)

    @property
    def replayed(self) -> int:
        """Crops of a batch that are replayed."""
        if not self.replay or self.replay_share == 0:
            return 0
        return min(self.size - 1, max(1, round(self.replay_share * self.size)))

    def chosen(self, step: int) -> list[LabelledImage]:
        """Images that the crops of a step come from, replayed ones last."""
        rng = np.random.default_rng([self.seed, step])
        fresh = rng.choice(len(self.images), self.size - self.replayed, p=self._weights)
        images = [self.images[k] for k in fresh]
        if self.replayed:
            known = rng.choice(len(self.replay), self.replayed, p=self._replay_weights)
            images += [self.replay[k] for k in known]
        return images

    def __call__(self, step: int) -> Batch:
        """Batch of a step.

        Images (N, 3, Y, X); unit flows (N, 2, Y, X), cells (N, Y, X) and where both count
        (N, 2, Y, X).
        """
        first, every = self.part
        chosen = list(enumerate(self.chosen(step)))[first::every]
        crops = [
            augment_crop(image, self.settings, np.random.default_rng([self.seed, step, k]))
            for k, image in chosen
        ]
        pixels = torch.from_numpy(np.stack([pixels for pixels, _ in crops]))
        parts = zip(*(targets(labels) for _, labels in crops), strict=True)
        flows, cells, counted = (torch.from_numpy(np.stack(part)) for part in parts)
        return (pixels,), (flows, cells, counted)


def score_segmentation(
    network: nn.Module,
    images: Sequence[LabelledImage] | ScoredImages[LabelledImage],
    card: ModelCard,
    precision: str = "auto",
) -> Steps[dict[str, float]]:
    """Mean F1 at IoU 0.5 and 0.75 of whole images; unknown pixels count for nothing.

    Images are seen as prediction with this card sees them; what overlaps by more than a quarter in
    prediction overlaps by a quarter.

    Yields
    ------
    Progress
        After every image; the first one's preview is the image with truth and prediction.
    """
    f1s: list[dict[str, float]] = []
    for done, image in enumerate(images, 1):
        output = yield from _predict_output(network, image, card, precision)
        labels = _find_objects(output)
        f1s.append(_f1_scores(image, labels))
        shown = make_preview(image, labels) if done == 1 else None
        yield Progress(SCORED, done, len(images), shown)
    return _means(f1s)


def score_known(
    network: nn.Module,
    images: Sequence[LabelledImage] | ScoredImages[LabelledImage],
    card: ModelCard,
    precision: str = "auto",
) -> Steps[dict[str, float]]:
    """Do what :func:`score_segmentation` does for images that a base knows, with their mean loss.

    Yields
    ------
    Progress
        After every image.
    """
    scores: list[dict[str, float]] = []
    for done, image in enumerate(images, 1):
        output = yield from _predict_output(network, image, card, precision)
        loss = segmentation_loss(*map(_batch_of_one, (output, *targets(image.labels))))
        scores.append(_f1_scores(image, _find_objects(output)) | {LOSS: float(loss)})
        yield Progress(SCORED, done, len(images))
    return _means(scores)


def _batch_of_one(array: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))[None]


def _f1_scores(image: LabelledImage, labels: NDArray[np.uint32]) -> dict[str, float]:
    truth, found = np.maximum(image.labels, 0), without_unknown(labels, image.labels < 0)
    return {f"f1_{t:.2f}": f1_score(truth, found, t) for t in THRESHOLDS}


def _means(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    names = scores[0] if scores else ()
    return {name: float(np.mean([one[name] for one in scores])) for name in names}


def count_objects(image: LabelledImage) -> int:
    """Annotated objects of a training image."""
    return int(np.count_nonzero(np.unique(image.labels) > 0))


def predict_labels(
    network: nn.Module, image: LabelledImage, card: ModelCard, precision: str = "auto"
) -> Steps[NDArray[np.uint32]]:
    """Objects of a training image, as `napari_ssp.segment` would find them."""
    return _find_objects((yield from _predict_output(network, image, card, precision)))


def _predict_output(
    network: nn.Module, image: LabelledImage, card: ModelCard, precision: str
) -> Steps[NDArray[np.float32]]:
    """Flows and cell logit of a training image, float32 (3, Y, X).

    Windows are those of the card, for the black around a small image changes what is found: in
    windows that end with it `generalist-starter` has F1 0.61 instead of 0.73 on stained tissue.
    """
    shape = compute_zoomed_shape(image.labels.shape, card.zoom)
    overlap = min(card.overlap, _OVERLAP)
    window = grow_window(shape, card.window, card.largest_window or card.window, overlap)
    pixels = np.broadcast_to(image.pixels, (3, *image.labels.shape)).astype(np.float32) / 255.0
    device = next(network.parameters()).device

    def compute(windows: torch.Tensor) -> torch.Tensor:
        with choose_precision(device, precision=precision):
            output: torch.Tensor = network(windows.contiguous(memory_format=torch.channels_last))
        return output

    settings = TileSettings(window, overlap, batch_size=1, device=device)
    output = yield from predict_tiles(compute, resample(pixels, shape), settings)
    return resample(output, image.labels.shape)


def _find_objects(output: NDArray[np.float32]) -> NDArray[np.uint32]:
    return flows_to_labels(output[:2], expit(output[2]))


def make_preview(image: LabelledImage, labels: NDArray[np.uint32]) -> Preview:
    """Name, image, truth and prediction, to look at."""
    pixels = image.pixels
    shown = pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
    return image.name, np.array(shown), np.array(image.labels), labels
