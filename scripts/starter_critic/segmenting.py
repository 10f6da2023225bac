"""Labels of kept back pictures to criticise, of several origins, and simple scores beside a critic.

Origins: the starter model; Otsu's threshold, whose separate parts are numbered; and the truth with
planted faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.io import imread
from tifffile import imread as read_labels

import napari_ssp as ssp
from napari_ssp.flows import measure_agreement
from napari_ssp.labels import number_labels, number_parts
from napari_ssp.training.critic.errors import object_errors
from napari_ssp.training.critic.instances import plant_faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

#: Fewest pixels of a part that Otsu's threshold leaves.
_SMALLEST = 16


@dataclass(frozen=True)
class Criticised:
    """A picture with labels of some origin and what is known of them.

    Attributes
    ----------
    name : str
    origin : str
        ``"starter"``, ``"otsu"`` or ``"planted"``.
    image, truth, labels : numpy.ndarray
    baselines : dict of str to numpy.ndarray
        Score of each object, in the order of the labels; more is worse.
    agreement : numpy.ndarray or None
        How well objects agree with the outputs of the network that made them.
    """

    name: str
    origin: str
    image: NDArray[Any]
    truth: NDArray[Any]
    labels: NDArray[Any]
    baselines: dict[str, NDArray[np.float64]]
    agreement: NDArray[np.float32] | None = None


def criticised(folder: Path, cache: Path, model: str, tta: bool = True) -> Iterator[Criticised]:
    """All pictures of a folder with the labels of all origins; slow ones are kept in files."""
    cache.mkdir(parents=True, exist_ok=True)
    paths = sorted((folder / "images").iterdir(), key=lambda path: path.stat().st_size)
    for number, path in enumerate(paths):
        image = imread(path)
        truth = read_labels(folder / "labels" / f"{path.stem}_label.tiff").astype(np.int32)
        known = _segmented(image, cache / f"{path.stem}.npz", model, tta)
        labels, agreement = known.pop("labels").astype(np.int32), known.pop("agreement")
        simple = {"cell probability": agreement[:, 0], "flow error": agreement[:, 2]}
        scores = {**simple, **known, **_sizes(labels)}
        yield Criticised(path.stem, "starter", image, truth, labels, scores, agreement)
        labels = otsu_labels(image)
        yield Criticised(path.stem, "otsu", image, truth, labels, _sizes(labels))
        labels = plant_faults(truth, np.random.default_rng(number))
        yield Criticised(path.stem, "planted", image, truth, labels, _sizes(labels))


def _segmented(image: NDArray[Any], path: Path, model: str, tta: bool) -> dict[str, Any]:
    """Labels of a model, how they agree with its outputs, and with those of mirrored views."""
    if path.exists():
        with np.load(path) as file:
            return dict(file)
    found = ssp.segment(image, model=model, fallback=False)
    agreement = measure_agreement(found.labels, found.flows, found.cell_probability)
    known = {"labels": found.labels, "agreement": agreement}
    if tta:
        mirrored = ssp.segment(image, model=model, tta=True, fallback=False).labels
        known["TTA disagreement"] = object_errors(mirrored, found.labels).astype(np.float64)
    np.savez_compressed(path, **known)
    return known


def otsu_labels(image: NDArray[Any]) -> NDArray[np.int32]:
    """Separate parts of what Otsu's threshold parts from the commoner side, smoothed a little."""
    grey = image.astype(np.float32)
    grey = ndimage.gaussian_filter(grey.mean(axis=-1) if grey.ndim == 3 else grey, 1)
    bright = grey > threshold_otsu(grey)
    labels = number_parts(bright if bright.mean() < 0.5 else ~bright)
    areas = np.bincount(labels.ravel())
    return np.where(areas[labels] < _SMALLEST, 0, labels).astype(np.int32)


def _sizes(labels: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Distance of each object's size from the usual one, in robust standard deviations."""
    ids, numbers = number_labels(labels)
    logs = np.log(np.bincount(numbers.ravel(), minlength=ids.size + 1)[1:])
    if not logs.size:
        return {"size z-score": np.zeros(0)}
    off = np.abs(logs - np.median(logs))
    return {"size z-score": off / max(1.4826 * float(np.median(off)), 0.05)}
