"""Voxel sizes in µm from what files say about lengths."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ssp.image import VoxelSize

# Names of lengths in OME-XML (its UnitsLength), OME-Zarr and ImageJ, in µm. Left out are "pixel"
# and "reference frame", which are no lengths.
_MICROMETRES = {
    "Ym": 1e30, "Zm": 1e27, "Em": 1e24, "Pm": 1e21, "Tm": 1e18, "Gm": 1e15, "Mm": 1e12,
    "km": 1e9, "hm": 1e8, "dam": 1e7, "m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "µm": 1.0,
    "nm": 1e-3, "pm": 1e-6, "fm": 1e-9, "am": 1e-12, "zm": 1e-15, "ym": 1e-18, "Å": 1e-4,
    "thou": 25.4, "li": 2116.6667, "in": 25400.0, "ft": 304800.0, "yd": 914400.0,
    "mi": 1.609344e9, "ua": 1.495978707e17, "ly": 9.4607304725808e21, "pc": 3.0856775814913673e22,
    "pt": 352.77778,
    "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometers": 1.0, "micrometre": 1.0,
    "um": 1.0, "nanometer": 1e-3, "nanometers": 1e-3, "millimeter": 1e3, "millimeters": 1e3,
    "centimeter": 1e4, "meter": 1e6, "metre": 1e6, "inch": 25400.0, "inches": 25400.0,
    "angstrom": 1e-4, "picometer": 1e-6, "femtometer": 1e-9, "decimeter": 1e5, "kilometer": 1e9,
    "foot": 304800.0, "yard": 914400.0, "mile": 1.609344e9,
}  # fmt: skip

_INCH, _CENTIMETRE = 2, 3
# 1200 dots per inch or fewer is how large to print, which cameras and editors write by default.
_LARGEST_PIXEL = 20.0


def micrometres(value: Any, unit: str | None) -> float | None:
    """Convert a length to µm.

    Parameters
    ----------
    value : number or text
        The length.
    unit : str or None
        A unit of OME-XML, OME-Zarr or ImageJ; None is µm, OME's default.

    Returns
    -------
    float or None
        µm, or None when the value is no positive number or the unit is no length.
    """
    # ImageJ writes the µ as an escape; the Greek letter and the micro sign look alike.
    name = (unit or "µm").strip().replace("\\u00B5", "µ").replace("\u03bc", "µ")
    factor = _MICROMETRES.get(name) or _MICROMETRES.get(name.lower())
    try:
        length = float(value) * factor if factor else math.nan
    except (TypeError, ValueError):
        return None
    return length if math.isfinite(length) and length > 0 else None


def voxel_size(z: float | None, y: float | None, x: float | None) -> VoxelSize | None:
    """Fill in what a file left out: square pixels, and 1 µm between planes as ImageJ.

    Parameters
    ----------
    z, y, x : float or None
        µm, or None when not known.

    Returns
    -------
    tuple of three floats, or None
        None when neither y nor x is known.
    """
    if y is None and x is None:
        return None
    return z or 1.0, y or x or 1.0, x or y or 1.0


def imagej_voxel_size(
    metadata: dict[str, Any], resolution: tuple[float, float]
) -> VoxelSize | None:
    """Voxel size of an ImageJ TIFF.

    Parameters
    ----------
    metadata : dict
        ImageJ's own fields, of which "unit" and "spacing" count.
    resolution : two floats
        Pixels per unit along x and y.

    Returns
    -------
    tuple of three floats, or None
        µm along z, y and x; None without a unit of length.
    """
    unit = metadata.get("unit")
    if not isinstance(unit, str):
        return None
    x, y = (micrometres(1 / n, unit) if n > 0 else None for n in resolution)
    spacing = metadata.get("spacing")
    z = micrometres(abs(spacing), unit) if isinstance(spacing, (int, float)) else None
    return voxel_size(z, y, x)


def resolution_voxel_size(resolution: tuple[float, float], unit: int) -> VoxelSize | None:
    """Voxel size by the resolution tags of a plain TIFF.

    Parameters
    ----------
    resolution : two floats
        Pixels per unit along x and y.
    unit : int
        TIFF's ResolutionUnit: 2 is inch, 3 is centimetre.

    Returns
    -------
    tuple of three floats, or None
        µm along z (1), y and x; None without a unit, and for the coarse resolutions (pixels above
        20 µm) that only say how large to print.
    """
    names = {_INCH: "in", _CENTIMETRE: "cm"}
    if unit not in names or min(resolution) <= 0:
        return None
    x, y = (micrometres(1 / n, names[unit]) for n in resolution)
    if x is None or y is None or max(x, y) > _LARGEST_PIXEL:
        return None
    return voxel_size(None, y, x)
