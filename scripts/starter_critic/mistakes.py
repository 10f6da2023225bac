"""Real mistakes of a segmentation model: training images that it segments in wrong ways.

``images`` and ``labels`` hold pieces of the pictures and their truth; ``mistakes`` has a folder for
each way to go wrong, with labels under the pictures' names, and the flows of labels as people have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage.io import imread, imsave
from tifffile import imread as read_labels, imwrite

import napari_ssp as ssp
from napari_ssp.engine import median_diameter
from napari_ssp.flows import flows_to_labels
from napari_ssp.io import write_image
from napari_ssp.service.network_outputs import outputs_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

#: Largest side of a piece.
_SIDE = 320


@dataclass(frozen=True)
class Look:
    """One look of the model at a picture, from which several label images follow.

    Attributes
    ----------
    diameter : float or None
        Diameter that the model is told, over the true one; None tells it nothing.
    noise, blur : float
        Standard deviation of the noise, over that of the picture, and sigma of the smoothing.
    """

    diameter: float | None = None
    noise: float = 0.0
    blur: float = 0.0


LOOKS = {
    "usual": Look(),
    "coarse": Look(diameter=2.2),
    "noisy": Look(noise=0.6),
    "blurred": Look(blur=2.5, diameter=1.3),
}
#: Way whose labels people have, with their flows: others teach what flows do not mean there.
USED = "usual"
#: Limits of cell probability and flow error, and smallest object; nothing else than the first is
#: what the model is used with.
LIMITS = {
    "": (0.5, 0.4, 16),
    "low": (0.1, 0.0, 4),
    "high": (0.9, 0.8, 16),
}


def choose(folder: Path, count: int) -> list[Path]:
    """Pictures evenly out of all, sorted by name."""
    paths = sorted((folder / "images").iterdir())
    return [paths[int(k)] for k in np.linspace(0, len(paths) - 1, min(count, len(paths)))]


def write_pieces(folder: Path, out: Path, count: int) -> list[str]:
    """Write pictures and their truth, large ones cut; their names."""
    for part in ("images", "labels"):
        (out / part).mkdir(parents=True, exist_ok=True)
    names = []
    for path in choose(folder, count):
        image, truth = imread(path), read_labels(folder / "labels" / f"{path.stem}_label.tiff")
        rng = np.random.default_rng(len(names))
        cut = tuple(_span(side, rng) for side in truth.shape)
        imsave(out / "images" / f"{path.stem}.png", image[cut], check_contrast=False)
        imwrite(out / "labels" / f"{path.stem}.tif", truth[cut], compression="zlib")
        names.append(path.stem)
    return names


def write_mistakes(out: Path, names: list[str], model: str, say: Callable[[str], None]) -> None:
    """Segment all pieces in all ways; what is there already stays."""
    for way, look in LOOKS.items():
        for number, name in enumerate(names):
            last = out / "mistakes" / f"{way}-{list(LIMITS)[-1]}" / f"{name}.tif"
            if not last.exists():
                _look(out, name, model, way, look)
            if number % 20 == 19:
                say(f"{way}: {number + 1} of {len(names)}")


def _look(out: Path, name: str, model: str, way: str, look: Look) -> None:
    image = imread(out / "images" / f"{name}.png")
    typical = median_diameter([read_labels(out / "labels" / f"{name}.tif")])
    options: dict[str, Any] = {"flow_threshold": 0.0}
    if look.diameter and typical:
        options["diameter"] = look.diameter * typical
    found = ssp.segment(worsened(image, look), model=model, fallback=False, **options)
    for limit, (cell, flow, least) in LIMITS.items():
        labels = flows_to_labels(
            found.flows,
            found.cell_probability,
            cell_threshold=cell,
            flow_threshold=flow,
            min_size=least,
        )
        target = out / "mistakes" / (f"{way}-{limit}" if limit else way)
        target.mkdir(parents=True, exist_ok=True)
        imwrite(target / f"{name}.tif", labels.astype(np.uint16), compression="zlib")
        if target.name == USED:
            write_image(target / f"{name}_flows.tif", outputs_image(found, name), overwrite=True)


def worsened(image: NDArray[Any], look: Look) -> NDArray[Any]:
    """Picture with noise and blur, of the same type."""
    values = image.astype(np.float32)
    if look.blur:
        sigma = (look.blur, look.blur, 0)[: image.ndim]
        values = ndimage.gaussian_filter(values, sigma)
    if look.noise:
        rng = np.random.default_rng(0)
        values += rng.normal(0, look.noise * max(float(values.std()), 1.0), values.shape)
    limits = np.iinfo(image.dtype)
    return np.clip(values, limits.min, limits.max).astype(image.dtype)


def _span(side: int, rng: np.random.Generator) -> slice:
    first = int(rng.integers(0, max(side - _SIDE, 0) + 1))
    return slice(first, first + _SIDE)
