"""Planes of a MetaMorph stack: which of them are wavelengths of one place."""

from __future__ import annotations

from typing import Any

import numpy as np


def stk_axes(tif: Any, number: int) -> tuple[str, tuple[int, ...]]:
    """Axes of a series, in tifffile's letters, and their lengths.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    number : int
        Which of its series.

    Returns
    -------
    axes : str
        tifffile's own, but "C" beside the planes where these repeat several wavelengths in turn.
    shape : tuple of int
        The lengths; pixels lie in the file in this order.
    """
    series = tif.series[number]
    waves = wavelengths(tif)
    if series.kind != "stk" or len(waves) < 2:
        return series.axes, tuple(series.shape)
    planes = _planes(tif)
    repeats = len(planes) // len(waves)
    (letter, *rest), lengths = series.axes, tuple(series.shape[1:])
    if np.array_equal(planes, np.tile(waves, repeats)):
        return f"{letter}C{''.join(rest)}", (repeats, len(waves), *lengths)
    if np.array_equal(planes, np.repeat(waves, repeats)):
        return f"C{letter}{''.join(rest)}", (len(waves), repeats, *lengths)
    return series.axes, tuple(series.shape)


def wavelengths(tif: Any) -> list[float]:
    """Different wavelengths of a MetaMorph stack in nm, in the order of their first planes."""
    return list(dict.fromkeys(float(wave) for wave in _planes(tif) if wave > 0))


def _planes(tif: Any) -> list[float]:
    metadata = (tif.stk_metadata or {}) if tif.is_stk else {}
    planes = list(metadata.get("Wavelengths", ()))
    return planes if len(planes) == metadata.get("NumberPlanes") else []
