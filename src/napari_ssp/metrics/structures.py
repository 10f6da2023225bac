"""Scores of a predicted structure against the measured one, voxel by voxel."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

Values = npt.NDArray[np.float64]

#: What `structure_metrics` measures, in this order.
STRUCTURE_METRICS = ("mse", "mae", "r2", "pcc", "ssim", "nrmse")

_ROLES = ("truth", "prediction")

# Both keep the memory flat, whatever the volume: about 50 MB and 200 MB.
_SLAB_VOXELS = 2**20
_SSIM_BLOCK = 128
_SSIM_WINDOW = 7
_SMALLEST_WINDOW = 3


def structure_metrics(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> dict[str, float]:
    """Measure how near a prediction is to the truth, voxel by voxel.

    Parameters
    ----------
    truth, prediction : array, same shape, any number of axes
        Bool, integers or floats. Lazy arrays are read in slabs along their first axis, and memory
        stays flat: a few hundred MB for a volume of any size.

    Returns
    -------
    dict of str to float
        ``mse`` and ``mae``: mean squared and mean absolute error, in the units of the values.
        ``r2``: coefficient of determination over all voxels, 1 - MSE / variance of the truth (that
        of scikit-learn). ``pcc``: Pearson correlation. ``ssim``: structural similarity (Wang et
        al., 2004) as scikit-image computes it, with a cubic uniform window of 7 voxels and the
        truth's maximum minus its minimum as the data range. ``nrmse``: root of the MSE over the
        truth's maximum minus its minimum.

        What is undefined is nan, without a warning: ``r2``, ``ssim`` and ``nrmse`` for a truth of
        one single value, ``pcc`` if either is of one single value. scikit-learn would say 0 or 1.

    Raises
    ------
    TypeError
        If an array holds neither numbers nor bool, or complex numbers.
    ValueError
        If the shapes differ, there are no voxels, or values are NaN or infinite.

    Notes
    -----
    For thin stacks the window of ``ssim`` shrinks to the largest odd length that fits every axis,
    down to 3. Along axes of 1 or 2 voxels it does not extend: the planes are scored one by one and
    averaged. It is nan when no axis has 3 voxels.
    """
    pair = _checked(truth, "truth"), _checked(prediction, "prediction")
    _check_shapes(*pair)
    true, found = (_range(array, role) for array, role in zip(pair, _ROLES, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):
        sums = _sums(*pair, true.mean, found.mean)
        mse, variance = (float(x / pair[0].size) for x in (sums.squared, sums.truth_squared))
        defined = 0 < true.width < np.inf
        return {
            "mse": mse,
            "mae": float(sums.absolute / pair[0].size),
            "r2": 1.0 - mse / variance if defined and variance > 0 else float("nan"),
            "pcc": _correlation(sums) if defined and found.width > 0 else float("nan"),
            "ssim": _similarity(*pair, true.width) if defined else float("nan"),
            "nrmse": float(np.sqrt(mse) / true.width) if defined else float("nan"),
        }


@dataclass(frozen=True)
class _Range:
    mean: float
    width: float


@dataclass(frozen=True)
class _Sums:
    squared: Any
    absolute: Any
    truth_squared: Any
    prediction_squared: Any
    product: Any


def _range(array: Any, role: str) -> _Range:
    """Mean and width of the values; refuses those that are not finite."""
    total, low, high, wrong = 0.0, np.inf, -np.inf, 0
    for box in _slabs(array.shape):
        values = _read(array, box)
        finite = np.isfinite(values)
        wrong += values.size - int(np.count_nonzero(finite))
        if not wrong:
            total += float(values.sum())
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    if wrong:
        raise ValueError(
            f"{wrong} of {array.size} values of the {role} are NaN or infinite, and no score is "
            "defined for them. Crop to the part that holds data, or replace these values first."
        )
    return _Range(total / array.size, high - low)


def _sums(truth: Any, prediction: Any, true_mean: float, found_mean: float) -> _Sums:
    parts = []
    for box in _slabs(truth.shape):
        true, found = _read(truth, box), _read(prediction, box)
        error = found - true
        true -= true_mean
        found -= found_mean
        dots = [np.vdot(a, b) for a, b in ((error, error), (true, true), (found, found))]
        parts.append([dots[0], np.abs(error).sum(), *dots[1:], np.vdot(true, found)])
    return _Sums(*np.sum(parts, axis=0))


def _correlation(sums: _Sums) -> float:
    # The root of each, for their product may be too large or too small for a float.
    scale = np.sqrt(sums.truth_squared) * np.sqrt(sums.prediction_squared)
    return float(np.clip(sums.product / scale, -1.0, 1.0)) if scale > 0 else float("nan")


def _similarity(truth: Any, prediction: Any, data_range: float) -> float:
    """Mean structural similarity, block by block with the margin that the window needs."""
    long = [axis for axis, n in enumerate(truth.shape) if n >= _SMALLEST_WINDOW]
    if not long:
        return float("nan")
    shortest = min(truth.shape[axis] for axis in long)
    window = min(_SSIM_WINDOW, shortest - 1 + shortest % 2)
    keep = tuple(slice(None) if n >= _SMALLEST_WINDOW else 0 for n in truth.shape)
    total, count = 0.0, 0
    for box in _blocks(truth.shape, window):
        # In units of the data range, for its square may be too large for a float.
        true, found = (_read(array, box)[keep] / data_range for array in (truth, prediction))
        values = _similarity_map(true, found, window)
        total, count = total + float(values.sum()), count + values.size
    return total / count


def _similarity_map(truth: Values, prediction: Values, window: int) -> Values:
    """Similarity of the voxels whose whole window lies inside the block."""
    from skimage.metrics import structural_similarity

    _, values = structural_similarity(  # type: ignore[no-untyped-call]
        truth, prediction, win_size=window, data_range=1.0, full=True
    )
    margin = window // 2
    inner: Values = values[tuple(slice(margin, n - margin) for n in values.shape)]
    return inner


def _blocks(shape: tuple[int, ...], window: int) -> Iterator[tuple[slice, ...]]:
    """Boxes whose inner parts, without the window's margin, cover the volume's inner part once."""
    spans = []
    for length in shape:
        margin = 0 if length < _SMALLEST_WINDOW else window - 1
        step = 1 if length < _SMALLEST_WINDOW else _SSIM_BLOCK
        spans.append(
            [
                slice(start, min(start + step + margin, length))
                for start in range(0, length - margin, step)
            ]
        )
    yield from product(*spans)


def _slabs(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Boxes that cover an array once, each as large as the memory allows."""
    inner = int(np.prod(shape[1:]))
    if len(shape) > 1 and inner > _SLAB_VOXELS:
        for start in range(shape[0]):
            yield from ((slice(start, start + 1), *rest) for rest in _slabs(shape[1:]))
        return
    step = max(1, _SLAB_VOXELS // max(1, inner))
    for start in range(0, shape[0], step):
        yield (slice(start, start + step),)


def _read(array: Any, box: tuple[slice, ...]) -> Values:
    return np.array(array[box], dtype=np.float64)


def _checked(array: Any, role: str) -> Any:
    lazy = all(hasattr(array, name) for name in ("shape", "dtype", "ndim", "size", "__getitem__"))
    checked = array if lazy and array.ndim else np.atleast_1d(np.asarray(array))
    if np.dtype(checked.dtype).kind not in "buif":
        raise TypeError(
            f"The {role} has dtype {checked.dtype}, but bool, integers or floats are needed. "
            "Convert it first; of complex numbers take the magnitude (numpy.abs)."
        )
    return checked


def _check_shapes(truth: Any, prediction: Any) -> None:
    if tuple(truth.shape) != tuple(prediction.shape):
        raise ValueError(
            f"The truth has shape {tuple(truth.shape)} and the prediction "
            f"{tuple(prediction.shape)}. Give two images of the same region and voxel size."
        )
    if truth.size == 0:
        raise ValueError(f"The images have no voxels (shape {tuple(truth.shape)}).")
