"""Voxel sizes in µm from what files say about lengths."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_ssp.image import UNKNOWN_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_ssp.image import VoxelSize

# Names of lengths in OME-XML (its UnitsLength), OME-Zarr and ImageJ, in µm. Left out are "pixel"
# and "reference frame", which are no lengths.
_MICROMETRES = {
    "Ym": 1e30, "Zm": 1e27, "Em": 1e24, "Pm": 1e21, "Tm": 1e18, "Gm": 1e15, "Mm": 1e12,
    "km": 1e9, "hm": 1e8, "dam": 1e7, "m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "µm": 1.0,
    "nm": 1e-3, "pm": 1e-6, "fm": 1e-9, "am": 1e-12, "zm": 1e-15, "ym": 1e-18, "Å": 1e-4,
    "thou": 25.4, "li": 2116.6667, "in": 25400.0, "ft": 304800.0, "yd": 914400.0,
    "mi": 1.609344e9, "ua": 1.495978707e17, "ly": 9.4607304725808e21, "pc": 3.0856775814913673e22,
    "pt": 352.77778, "um": 1.0, "µ": 1.0,
    "micron": 1.0, "micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "centimeter": 1e4,
    "meter": 1e6, "inch": 25400.0, "inche": 25400.0, "angstrom": 1e-4, "picometer": 1e-6,
    "femtometer": 1e-9, "decimeter": 1e5, "kilometer": 1e9, "foot": 304800.0, "yard": 914400.0,
    "mile": 1.609344e9,
}  # fmt: skip
_TIFF_UNITS = {2: "in", 3: "cm"}
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")

# Units in which cameras, scanners and editors say how large to print: 1200 dots per inch or fewer.
_PRINT_UNITS = {25400.0, 1e4}
_LARGEST_PIXEL = 20.0
# The same where another program has converted it to µm.
_PRINT_RESOLUTIONS = (72, 90, 96, 100, 120, 150, 180, 200, 240, 300, 350, 360, 400, 600, 720, 1200)

# Binning and line scans make pixels of 1 × 2 to 1 × 8; a wrong unit makes them 1 × 1000.
_MOST_ELONGATED = 10.0
_ROUNDING = 1e-6
# From sections of tissue, 50 µm apart, to steps far below the resolution.
_FARTHEST_PLANES, _CLOSEST_PLANES = 500.0, 0.02
# From atoms to a whole animal.
_SMALLEST, _LARGEST = 1e-5, 1e3


class Length(NamedTuple):
    """A length as a file gives it.

    Attributes
    ----------
    value : number or text
        The number; None where the file has none.
    unit : str or None
        A unit of OME-XML, OME-Zarr or ImageJ; None or empty where the file names none.
    """

    value: Any
    unit: str | None = None


#: What a file says of "z", "y" and "x", as far as it does.
Lengths = dict[str, Length]


@dataclass(frozen=True)
class Calibration:
    """What a file's lengths mean.

    Attributes
    ----------
    voxel_size : tuple of three floats, or None
        µm along z, y and x; None when not known.
    warnings : tuple of str
        Why what the file says is not believed.
    """

    voxel_size: VoxelSize | None = None
    warnings: tuple[str, ...] = ()


def calibrate(lengths: Mapping[str, Length], planes: bool) -> Calibration:
    """Judge the lengths that a file gives, whatever its format.

    A missing unit is that of the other axes where the numbers are equal, else µm. Pixels are square
    where only y or x is known, and planes 1 µm apart, as in ImageJ, where nothing is said of z.
    Usual resolutions that only say how large to print are left out without a word.

    Parameters
    ----------
    lengths : mapping of str to Length
        Size of a voxel along "z", "y" and "x", as far as the file has them.
    planes : bool
        Whether the image has a z axis; if not, an impossible z is passed over.

    Returns
    -------
    Calibration
        Unknown, with a warning, where a length is no positive number, pixels are above 1 mm or
        below 10 pm, y and x more than 10-fold apart, or planes more than 500 or less than 0.02
        pixels; where a print resolution is given in µm, or pixels above 20 µm in inch or cm.
    """
    sizes = _sizes(lengths)
    y, x = sizes.get("y", sizes.get("x")), sizes.get("x", sizes.get("y"))
    if y is None or x is None:
        return Calibration()
    coarse, usual = _is_coarse_print(y, x, lengths), _is_usual_print(y, x)
    if coarse and (usual or min(y, x) > _LARGEST):
        return Calibration()
    if coarse or usual:
        dots = f"{25400 / x:.4g} to the inch"
        return _doubtful(f"pixels are {_text(x)} wide, {dots} as for a print")
    if not (_SMALLEST <= min(y, x) <= max(y, x) <= _LARGEST and _are_alike(y, x)):
        return _doubtful(f"pixels are {_text(y)} high and {_text(x)} wide")
    z = sizes.get("z", 1.0)
    if "z" not in sizes or _CLOSEST_PLANES <= z / math.sqrt(y * x) <= _FARTHEST_PLANES:
        return Calibration((z, y, x))
    if not planes:
        return Calibration((1.0, y, x))
    return _doubtful(f"planes are {_text(z)} apart and pixels {_text(x)} wide")


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
    length = _number(value) * (_factor(unit) or math.nan)
    return length if math.isfinite(length) and length > 0 else None


def imagej_lengths(metadata: Mapping[str, Any], resolution: tuple[float, float]) -> Lengths:
    """Lengths of an ImageJ TIFF.

    Parameters
    ----------
    metadata : mapping
        ImageJ's own fields, of which "unit", "yunit", "zunit" and "spacing" count.
    resolution : two floats
        Pixels per unit along x and y.

    Returns
    -------
    dict of str to Length
        Empty without a unit.
    """
    unit = metadata.get("unit")
    if not isinstance(unit, str):
        return {}
    x, y = resolution
    found = {
        "x": Length(_inverse(x), unit),
        "y": Length(_inverse(y), str(metadata.get("yunit") or unit)),
    }
    spacing = metadata.get("spacing")
    if isinstance(spacing, int | float):
        # ImageJ counts planes that were taken from above to below by a negative step.
        found["z"] = Length(abs(spacing), str(metadata.get("zunit") or unit))
    return found


def resolution_lengths(resolution: tuple[float, float], unit: int) -> Lengths:
    """Lengths by the resolution tags of a plain TIFF.

    Parameters
    ----------
    resolution : two floats
        Pixels per unit along x and y.
    unit : int
        TIFF's ResolutionUnit: 2 is inch, 3 is centimetre.

    Returns
    -------
    dict of str to Length
        Empty without a unit.
    """
    if unit not in _TIFF_UNITS:
        return {}
    x, y = (Length(_inverse(n), _TIFF_UNITS[unit]) for n in resolution)
    return {"y": y, "x": x}


def _sizes(lengths: Mapping[str, Length]) -> dict[str, float]:
    """µm along each axis that has a length at all: "pixel" and the like are none."""
    found = {}
    for axis, length in lengths.items():
        factor = _factor(length.unit or _unit_of_others(axis, lengths))
        if length.value not in (None, "") and factor is not None:
            found[axis] = _number(length.value) * factor
    return found


def _unit_of_others(axis: str, lengths: Mapping[str, Length]) -> str | None:
    number = _number(lengths[axis].value)
    same = (o.unit for o in lengths.values() if math.isclose(_number(o.value), number))
    return next(filter(None, same), None)


def _is_coarse_print(y: float, x: float, lengths: Mapping[str, Length]) -> bool:
    units = {_factor(lengths[a].unit) for a in "yx" if a in lengths}
    return units <= _PRINT_UNITS and _are_alike(y, x) and min(y, x) > _LARGEST_PIXEL


def _is_usual_print(y: float, x: float) -> bool:
    sizes = [25400 / dots for dots in _PRINT_RESOLUTIONS]
    return any(all(math.isclose(n, size, rel_tol=1e-3) for n in (y, x)) for size in sizes)


def _are_alike(y: float, x: float) -> bool:
    low, high = (1 - _ROUNDING) / _MOST_ELONGATED, (1 + _ROUNDING) * _MOST_ELONGATED
    return x > 0 and low <= y / x <= high


def _doubtful(what: str) -> Calibration:
    doubt = f"By the file, {what}, which cannot be: {UNKNOWN_SIZE}. Enter it if you know it."
    return Calibration(None, (doubt,))


def _text(size: float) -> str:
    return "no number of µm" if math.isnan(size) else f"{size:.6g} µm"


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _inverse(number: float) -> float:
    return 1 / number if number else math.nan


def _factor(unit: str | None) -> float | None:
    """µm of a unit; None when it is no length."""
    name = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), (unit or "").strip() or "µm")
    # The micro sign and the Greek letter look alike; an Â is left by a wrong encoding.
    name = unicodedata.normalize("NFKC", name).replace("\u03bc", "µ").removeprefix("Â")
    plain = name.lower().removesuffix("s").replace("metre", "meter")
    return _MICROMETRES.get(name) or _MICROMETRES.get(plain)
