"""Operations of a BioImage.IO description on numbers, before and after its network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

#: Entries that each operation may have, and the kinds of their values.
_NUMBER, _NUMBERS, _AXES, _TEXT = "number", "numbers", "axes", "text"
_KNOWN: dict[str, dict[str, str]] = {
    "binarize": {"threshold": _NUMBERS, "axis": _TEXT},
    "clip": {
        "min": _NUMBER,
        "max": _NUMBER,
        "min_percentile": _NUMBER,
        "max_percentile": _NUMBER,
        "axes": _AXES,
    },
    "ensure_dtype": {"dtype": _TEXT},
    "fixed_zero_mean_unit_variance": {"mean": _NUMBERS, "std": _NUMBERS, "axis": _TEXT},
    "scale_linear": {"gain": _NUMBERS, "offset": _NUMBERS, "axis": _TEXT},
    "scale_range": {
        "min_percentile": _NUMBER,
        "max_percentile": _NUMBER,
        "eps": _NUMBER,
        "axes": _AXES,
    },
    "sigmoid": {},
    "softmax": {"axis": _TEXT},
    "zero_mean_unit_variance": {"axes": _AXES, "eps": _NUMBER},
}
_LONGEST = 1024


def check_operations(content: Any, where: str) -> list[dict[str, Any]]:
    """Operations of a description, refused where one is not known here.

    Parameters
    ----------
    content : Any
        List of the format 0.5: entries ``id`` and ``kwargs``.
    where : str
        ``"preprocessing"`` or ``"postprocessing"``, for messages.

    Returns
    -------
    list of dict
        Plain copies.

    Raises
    ------
    ValueError
        With the name of the operation or entry that is not supported.
    """
    if not isinstance(content or [], list):
        raise ValueError(f"its {where} is no list")
    return [_checked(entry, where) for entry in content or []]


def _checked(entry: Any, where: str) -> dict[str, Any]:
    name = entry.get("id") if isinstance(entry, dict) else None
    if name not in _KNOWN:
        raise ValueError(
            f"its {where} asks for '{str(name)[:80]}', which is not supported. Supported are: "
            f"{', '.join(_KNOWN)}"
        )
    given = entry.get("kwargs") or {}
    kinds = _KNOWN[str(name)]
    if not isinstance(given, dict):
        raise ValueError(f"its {where} '{name}' has no named entries")
    values = {str(key): value for key, value in given.items() if value is not None}
    for key, value in values.items():
        if key not in kinds or not _is(value, kinds[key]):
            raise ValueError(
                f"its {where} '{name}' has '{key[:80]}' = {str(value)[:80]}, which is not supported"
            )
    if values.get("dtype", "float32") != "float32":
        raise ValueError(f"its {where} asks for numbers of type '{values['dtype']}', not float32")
    return {"id": str(name), "kwargs": values}


def _is(value: Any, kind: str) -> bool:
    if kind == _TEXT:
        return isinstance(value, str) and len(value) < _LONGEST
    if kind == _AXES:
        return isinstance(value, list) and len(value) < 9 and all(_is(v, _TEXT) for v in value)
    if kind == _NUMBERS and isinstance(value, list):
        return 0 < len(value) <= _LONGEST and all(_is(v, _NUMBER) for v in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def apply_operations(
    values: NDArray[Any], axes: Sequence[str], operations: Sequence[Mapping[str, Any]]
) -> NDArray[np.float32]:
    """Do a description's operations.

    Parameters
    ----------
    values : numpy.ndarray
        One sample, without a batch axis.
    axes : sequence of str
        Names of its axes, e.g. ``("channel", "y", "x")``.
    operations : sequence of dict
        As :func:`check_operations` returns them.

    Returns
    -------
    numpy.ndarray
        Float32, of the same shape.
    """
    found = np.asarray(values, np.float32)
    for operation in operations:
        function = _FUNCTIONS[operation["id"]]
        found = np.asarray(function(found, tuple(axes), operation["kwargs"]), np.float32)
    return found


def _over(axes: Sequence[str], wanted: Sequence[str] | None) -> tuple[int, ...]:
    """Axes that are normalised together; the batch is a single sample."""
    return tuple(i for i, axis in enumerate(axes) if wanted is None or axis in wanted)


def _along(values: Any, axes: Sequence[str], axis: str | None) -> Any:
    """Numbers shaped so that they go along an axis."""
    numbers = np.asarray(values, np.float64)
    if numbers.ndim == 0:
        return numbers
    index = list(axes).index(axis or "channel")
    return numbers.reshape([-1 if i == index else 1 for i in range(len(axes))])


def _percentile(values: Any, percent: float, axes: tuple[int, ...]) -> Any:
    return np.percentile(values, percent, axis=axes, keepdims=True)


def _binarize(x: Any, axes: Any, chosen: Any) -> Any:
    return x > _along(chosen["threshold"], axes, chosen.get("axis"))


def _clip(x: Any, axes: Any, chosen: Any) -> Any:
    over, limits = _over(axes, chosen.get("axes")), []
    for name in ("min", "max"):
        percent = chosen.get(f"{name}_percentile")
        limits.append(chosen.get(name) if percent is None else _percentile(x, percent, over))
    return np.clip(x, *limits)


def _fixed(x: Any, axes: Any, chosen: Any) -> Any:
    mean, std = (_along(chosen[name], axes, chosen.get("axis")) for name in ("mean", "std"))
    return (x - mean) / std


def _scale_linear(x: Any, axes: Any, chosen: Any) -> Any:
    gain, offset = (
        _along(chosen.get(name, default), axes, chosen.get("axis"))
        for name, default in (("gain", 1.0), ("offset", 0.0))
    )
    return x * gain + offset


def _scale_range(x: Any, axes: Any, chosen: Any) -> Any:
    over = _over(axes, chosen.get("axes"))
    low = _percentile(x, chosen.get("min_percentile", 0.0), over)
    high = _percentile(x, chosen.get("max_percentile", 100.0), over)
    return (x - low) / (high - low + chosen.get("eps", 1e-6))


def _zero_mean(x: Any, axes: Any, chosen: Any) -> Any:
    over = _over(axes, chosen.get("axes"))
    mean = x.mean(axis=over, keepdims=True, dtype=np.float64)
    std = x.std(axis=over, keepdims=True, dtype=np.float64)
    return (x - mean) / (std + chosen.get("eps", 1e-6))


def _sigmoid(x: Any, axes: Any, chosen: Any) -> Any:
    # By the half angle: the plain formula overflows for large negative numbers.
    return 0.5 * (1 + np.tanh(0.5 * x))


def _softmax(x: Any, axes: Any, chosen: Any) -> Any:
    index = list(axes).index(chosen.get("axis", "channel"))
    powers = np.exp(x - x.max(axis=index, keepdims=True))
    return powers / powers.sum(axis=index, keepdims=True)


def _unchanged(x: Any, axes: Any, chosen: Any) -> Any:
    return x


_FUNCTIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "binarize": _binarize,
    "clip": _clip,
    "ensure_dtype": _unchanged,
    "fixed_zero_mean_unit_variance": _fixed,
    "scale_linear": _scale_linear,
    "scale_range": _scale_range,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "zero_mean_unit_variance": _zero_mean,
}
