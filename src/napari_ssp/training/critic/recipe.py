"""Recipe of the dense critic: labels with known errors as batches, the loss, and the scores."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from napari_ssp.engine import compute_zoomed_shape, predict_maps, resample
from napari_ssp.engine.criticism.channels import (
    LabelledPlane,
    critic_zoom,
    stack_channels,
)
from napari_ssp.engine.criticism.pooling import image_features, object_features
from napari_ssp.engine.criticism.prediction import ask_objects
from napari_ssp.labels import number_labels
from napari_ssp.metrics import spearman
from napari_ssp.networks.critic import AGREEMENT_FEATURES, OBJECT_FEATURES
from napari_ssp.progress import Progress
from napari_ssp.training.critic.errors import error_targets, image_error, object_errors
from napari_ssp.training.critic.heads import DECAY, LARGE_DECAY, cross_predict
from napari_ssp.training.critic.instances import plant_faults
from napari_ssp.training.loop import SCORED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from napari_ssp.networks import DenseCritic
    from napari_ssp.networks.critic import FeatureHead
    from napari_ssp.progress import Steps
    from napari_ssp.training.batches import Batch
    from napari_ssp.training.data import LabelledImage

    Labels = npt.NDArray[np.int32]
    Maps = npt.NDArray[np.float32]

#: Score that decides which weights are kept: rank correlation of predicted and true 1 - IoU.
METRIC = "spearman_object"
#: What a model says of its own objects are few numbers that hold elsewhere; from the many others a
#: head would learn by heart the objects of a few images.
_AGREEMENT_DECAY = [LARGE_DECAY] * OBJECT_FEATURES + [DECAY] * AGREEMENT_FEATURES


@dataclass(frozen=True, eq=False)
class MadeLabels:
    """Labels that a model made of an image.

    Attributes
    ----------
    labels : numpy.ndarray
        Int32 (Y, X), ids 1..n.
    agreement : numpy.ndarray or None
        Float32 (N, 3), how well objects agree with the model's outputs, where these are known.
    """

    labels: Labels
    agreement: Maps | None = None


@dataclass(frozen=True, eq=False)
class CriticisedImage:
    """An image with its truth, and other labels of it that a model made.

    Attributes
    ----------
    image : LabelledImage
        Image and truth.
    mistakes : tuple of MadeLabels
        What models made of it.
    """

    image: LabelledImage
    mistakes: tuple[MadeLabels, ...] = ()


@dataclass(frozen=True)
class CriticSettings:
    """What a critic is shown.

    Attributes
    ----------
    crop : int
        Side of a crop, in pixels that the network sees.
    object_diameter : float
        Of typical objects, in these pixels.
    mistakes, faults : float
        Share of crops with labels that a model made, and with faults planted into the truth; the
        others have the truth.
    zoom : tuple of float
        Factors between which the magnification varies.
    """

    crop: int = 96
    object_diameter: float = 12.0
    mistakes: float = 0.6
    faults: float = 0.35
    zoom: tuple[float, float] = (0.7, 1.4)


@dataclass(frozen=True)
class CriticBatches:
    """Random batches: the same seed and step always give the same crops.

    Attributes
    ----------
    images : sequence of CriticisedImage
        Training images.
    settings : CriticSettings
        What crops show.
    size : int
        Crops in a batch.
    seed : int
        Start of the random numbers.
    part : tuple of int
        (k, n): every n-th crop of each batch from k on, for one of n processes.
    """

    images: Sequence[CriticisedImage]
    settings: CriticSettings = field(default_factory=CriticSettings)
    size: int = 8
    seed: int = 0
    part: tuple[int, int] = (0, 1)

    def __call__(self, step: int) -> Batch:
        """Batch of a step: channels (N, 9, Y, X); maps (N, 7, Y, X) and weights (N, Y, X)."""
        first, every = self.part
        samples = []
        for k in range(first, self.size, every):
            rng = np.random.default_rng([self.seed, step, k])
            chosen = self.images[int(rng.integers(len(self.images)))]
            samples.append(make_sample(chosen, self.settings, rng))
        channels, maps, weights = (
            torch.from_numpy(np.stack(part)) for part in zip(*samples, strict=True)
        )
        return (channels,), (maps, weights)


def make_sample(
    chosen: CriticisedImage, settings: CriticSettings, rng: np.random.Generator
) -> tuple[Maps, Maps, Maps]:
    """Channels (9, Y, X) of a crop, its maps of errors (7, Y, X) and their weights (Y, X)."""
    drawn, truth = rng.random(), chosen.image.labels
    is_planted = settings.mistakes <= drawn < settings.mistakes + settings.faults
    labels = truth
    if drawn < settings.mistakes and chosen.mistakes:
        labels = chosen.mistakes[int(rng.integers(len(chosen.mistakes)))].labels
    areas = np.unique(labels[labels > 0], return_counts=True)[1]
    zoom = critic_zoom(areas, settings.object_diameter) * rng.uniform(*settings.zoom)
    box = _box(truth.shape, settings.crop / zoom, rng)
    truth, labels = truth[box], labels[box]
    if is_planted:
        labels = plant_faults(labels, rng)
    shape = compute_zoomed_shape(truth.shape, zoom)
    maps, weights = error_targets(truth, labels)
    seen = vary(_plane(chosen, labels, box).resized(shape), rng)
    targets = resample(np.concatenate([maps, weights[None]]), shape)
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    channels, targets = (
        _turned(_fitted(part, settings.crop), turns, flip)
        for part in (stack_channels(seen), targets)
    )
    return channels, targets[:-1], targets[-1]


def vary(plane: LabelledPlane, rng: np.random.Generator) -> LabelledPlane:
    """Change a plane's brightness, contrast, sharpness and noise, each with some chance."""
    image = plane.image
    if rng.random() < 0.3:
        image = gaussian_filter(image, (0, *[rng.uniform(0.3, 1.2)] * 2))
    if rng.random() < 0.5:
        image = np.clip(image, 0, 1) ** np.float32(rng.uniform(0.6, 1.6))
    if rng.random() < 0.5:
        image = image * np.float32(rng.uniform(0.6, 1.0)) + np.float32(rng.uniform(0.0, 0.2))
    if rng.random() < 0.4:
        noise = rng.normal(0, rng.uniform(0.01, 0.06), image.shape[1:])
        image = image + noise.astype(np.float32)
    return replace(plane, image=image)


def critic_loss(logits: torch.Tensor, maps: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Cross entropy of all maps; that of the objects' error counts each object alike."""
    loss = functional.binary_cross_entropy_with_logits(logits.float(), maps, reduction="none")
    objects = (loss[:, -1] * weights).sum() / weights.sum().clamp(min=1e-3)
    return 3 * loss[:, :-1].mean() + objects


def score_critic(critic: DenseCritic, images: Iterable[CriticisedImage]) -> Steps[dict[str, float]]:
    """Rank correlation of predicted and true errors, of objects and of images.

    The heads are fitted in place: what is scored of an image was predicted by heads fitted to other
    images, and in the end they are fitted to all.

    Yields
    ------
    Progress
        After every image.
    """
    asked = [
        (image, made)
        for image in images
        for made in (MadeLabels(image.image.labels), *image.mistakes)
    ]
    device = next(critic.parameters()).device
    groups: list[list[_Seen]] = []
    for done, (image, made) in enumerate(asked, 1):
        plane, truth = _plane(image, made.labels), image.image.labels
        maps = yield from predict_maps(critic, plane, device=device)
        features, errors = object_features(plane, maps), object_errors(truth, made.labels)
        whole = image_error(truth, made.labels)
        if made.labels is truth:
            groups.append([])
        groups[-1].append(_Seen(plane, maps, features, made.agreement, errors, whole))
        yield Progress(SCORED, done, len(asked))
    return _scores(critic, groups) if groups else {}


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a critic sees of some labels, and how wrong they are."""

    plane: LabelledPlane
    maps: Maps
    features: Maps
    agreement: Maps | None
    errors: Maps
    image_error: float

    @property
    def with_agreement(self) -> Maps:
        """Features of objects, followed by how well they agree with a model's outputs."""
        assert self.agreement is not None
        return np.concatenate([self.features, self.agreement], axis=1)


def _scores(critic: DenseCritic, groups: list[list[_Seen]]) -> dict[str, float]:
    scores = {METRIC: _fit_objects(critic.object_head, groups, attrgetter("features"))}
    agreeing = [[seen for seen in group if seen.agreement is not None] for group in groups]
    if critic.agreement_head is not None and any(agreeing):
        scores["spearman_agreement"] = _fit_objects(
            critic.agreement_head,
            [group for group in agreeing if group],
            attrgetter("with_agreement"),
            _AGREEMENT_DECAY,
        )
    device = critic.image_head.mean.device
    described = []
    for group in groups:
        asked = [ask_objects(critic, seen.features, seen.agreement, device) for seen in group]
        rows = zip(group, asked, strict=True)
        described.append(np.stack([image_features(s.plane, s.maps, each) for s, each in rows]))
    whole = [np.array([seen.image_error for seen in group], np.float32) for group in groups]
    images = cross_predict(critic.image_head, described, whole)
    scores["spearman_image"] = spearman(np.concatenate(images), np.concatenate(whole))
    return scores


def _fit_objects(
    head: FeatureHead,
    groups: list[list[_Seen]],
    describe: Callable[[_Seen], Maps],
    decay: Sequence[float] = (),
) -> float:
    """Fit a head to all objects whose error is known; rank correlation, cross-predicted."""
    known = [[~np.isnan(seen.errors) for seen in group] for group in groups]
    features, errors = (
        [
            np.concatenate([take(seen)[k] for seen, k in zip(group, ks, strict=True)])
            for group, ks in zip(groups, known, strict=True)
        ]
        for take in (describe, attrgetter("errors"))
    )
    predicted = cross_predict(head, features, errors, decay)
    return spearman(np.concatenate(predicted), np.concatenate(errors))


def _plane(
    chosen: CriticisedImage, labels: Labels, box: tuple[slice, ...] = (slice(None), slice(None))
) -> LabelledPlane:
    """Plane of an image that is normalised already."""
    pixels = chosen.image.pixels[(slice(None), *box)]
    ids, numbers = number_labels(np.maximum(labels, 0))
    image = np.broadcast_to(pixels, (3, *labels.shape)).astype(np.float32) / np.float32(255)
    return LabelledPlane(image, numbers, ids, labels < 0)


def _box(shape: tuple[int, ...], side: float, rng: np.random.Generator) -> tuple[slice, ...]:
    """Random box of some side, or what there is."""
    length = max(round(side), 8)
    starts = [int(rng.integers(0, max(n - length, 0) + 1)) for n in shape]
    return tuple(slice(first, first + length) for first in starts)


def _fitted(planes: Maps, side: int) -> Maps:
    """Bring planes (C, Y, X) to a side: cut them, or put zeros around, as prediction does."""
    planes = planes[:, :side, :side]
    room = [
        (0, 0),
        *((short // 2, short - short // 2) for short in np.subtract(side, planes.shape[1:])),
    ]
    return np.pad(planes, room)


def _turned(planes: Maps, turns: int, flip: bool) -> Maps:
    planes = np.rot90(planes, turns, (1, 2))
    return np.ascontiguousarray(planes[:, ::-1] if flip else planes)
