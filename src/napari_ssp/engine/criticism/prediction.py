"""Prediction of the errors of labels by a critic: maps, and numbers of objects and of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from napari_ssp.engine.criticism.channels import labelled_plane, stack_channels, zoomed_plane
from napari_ssp.engine.criticism.pooling import WRONG, image_features, object_features
from napari_ssp.engine.predict import TileSettings, predict_tiles
from napari_ssp.engine.scaling import resample
from napari_ssp.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from napari_ssp.engine.criticism.channels import LabelledPlane
    from napari_ssp.progress import Steps

    Maps = npt.NDArray[np.float32]

#: Pixels that a window measures along y and x at most, where nothing else is asked for.
WINDOW = (512, 512)
OVERLAP = 0.25


class Critic(Protocol):
    """Network that makes maps of errors, with heads for objects and images.

    `napari_ssp.networks.DenseCritic` is one.

    Attributes
    ----------
    object_diameter : float
        Diameter of typical objects, in pixels of what the network sees.
    stride : int
        Height and width of its input are multiples of it.
    """

    object_diameter: float
    stride: int

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, 7, Y, X) of channels (N, 9, Y, X)."""

    def object_head(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (N,) of features (N, 18) of objects."""

    @property
    def agreement_head(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """As `object_head`, of features (N, 21): those, and how well objects agree with flows."""

    def image_head(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (N,) of features (N, 8) of images."""


@dataclass(frozen=True, eq=False)
class ErrorPrediction:
    """Where labels are probably wrong, without a truth.

    Attributes
    ----------
    probability : numpy.ndarray
        Float32 (Y, X) from 0 to 1: that a pixel is wrong in any way; 0 where labels are -1.
    kinds : numpy.ndarray
        Float32 (5, Y, X), the same for each kind of error, in the order of
        `napari_ssp.metrics.ErrorKind`: missed, extra, merged, split, boundary.
    objects : dict of str to numpy.ndarray
        One row per object, in the order of the labels: ``label``, and ``predicted_error``, float32,
        1 - IoU with the best true object.
    image : float
        Predicted 1 - panoptic quality of the whole image, from 0 to 1.
    """

    probability: Maps
    kinds: Maps
    objects: dict[str, npt.NDArray[Any]]
    image: float


def predict_errors(
    critic: Critic,
    image: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    agreement: Maps | None = None,
    window: tuple[int, int] = WINDOW,
    overlap: float = OVERLAP,
    device: str | torch.device = "cpu",
) -> Steps[ErrorPrediction]:
    """Predict where the labels of a plane are wrong.

    Parameters
    ----------
    critic : Critic
        In evaluation mode, on the device.
    image : array_like
        (Y, X) or (Y, X, C), numbers of any kind.
    labels : array_like of int
        (Y, X), of any origin; 0 is background, -1 is not annotated.
    agreement : numpy.ndarray or None
        Float32 (N, 3), as `napari_ssp.flows.measure_agreement` gives it of the labels; None where
        the outputs of the network that made them are not known.
    window : tuple of int
        Pixels that the network sees at once, at most; small planes have smaller windows.
    overlap : float
        Share of a window that the next one covers, too.
    device : str or torch.device
        Where the network computes.

    Yields
    ------
    Progress
        Stages "preparing", "windows" and "pooling".

    Returns
    -------
    ErrorPrediction

    Raises
    ------
    TypeError
        If the labels are no whole numbers, or the image holds no numbers.
    ValueError
        If their heights and widths differ, or a label is below -1.
    MemoryError
        If a window does not fit into the device's memory.
    """
    yield Progress("preparing")
    plane = labelled_plane(image, labels)
    maps = yield from predict_maps(critic, plane, window=window, overlap=overlap, device=device)
    yield Progress("pooling")
    errors = ask_objects(critic, object_features(plane, maps), agreement, device)
    whole = ask_head(critic.image_head, image_features(plane, maps, errors)[None], device)
    maps[:, plane.unknown] = 0
    objects: dict[str, npt.NDArray[Any]] = {"label": plane.ids, "predicted_error": errors}
    return ErrorPrediction(maps[WRONG], maps[:WRONG], objects, float(whole[0]))


def predict_maps(
    critic: Critic,
    plane: LabelledPlane,
    *,
    window: tuple[int, int] = WINDOW,
    overlap: float = OVERLAP,
    device: str | torch.device = "cpu",
) -> Steps[Maps]:
    """Compute a critic's maps of a plane, float32 (7, Y, X) from 0 to 1, as `predict_errors`."""
    seen = zoomed_plane(plane, critic.object_diameter)
    settings = TileSettings(
        _fitting(window, seen.numbers.shape, critic.stride), overlap, device=device
    )

    def probabilities(x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(critic(x))

    maps = yield from predict_tiles(probabilities, stack_channels(seen), settings)
    return np.clip(resample(maps, plane.numbers.shape), 0, 1)


def _fitting(window: tuple[int, ...], shape: tuple[int, ...], stride: int) -> tuple[int, ...]:
    """Window that is no larger than a plane needs."""
    return tuple(
        min(side // stride, -(-length // stride)) * stride or stride
        for side, length in zip(window, shape, strict=True)
    )


def ask_objects(
    critic: Critic, features: Maps, agreement: Maps | None, device: str | torch.device
) -> Maps:
    """Errors of objects, float32 (N,), by their agreement, too, where critic and labels have it."""
    if agreement is None or critic.agreement_head is None:
        return ask_head(critic.object_head, features, device)
    both = np.concatenate([features, agreement], axis=1)
    return ask_head(critic.agreement_head, both, device)


def ask_head(
    head: Callable[[torch.Tensor], torch.Tensor], features: Maps, device: str | torch.device
) -> Maps:
    """Errors that a head predicts of objects or images, float32 (N,) from 0 to 1."""
    with torch.inference_mode():
        logits = head(torch.from_numpy(features).to(device))
        return np.asarray(torch.sigmoid(logits.float()).cpu().numpy(), np.float32)
