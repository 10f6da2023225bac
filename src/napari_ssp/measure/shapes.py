"""Sizes, places and shapes of objects, with units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari_ssp.image import VoxelSize

    Columns = dict[str, npt.NDArray[Any]]

_PROPERTIES = ("area", "centroid", "bbox", "equivalent_diameter_area")
_PLANE_PROPERTIES = ("axis_major_length", "axis_minor_length", "eccentricity", "solidity")
# Sides of a pixel that differ by less are the same, up to the digits of a file.
_SQUARE = 1e-3


def shapes(
    numbers: npt.NDArray[np.int32],
    voxel_size: VoxelSize | None,
    origin: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Columns:
    """Measure the shapes of all objects.

    Parameters
    ----------
    numbers : numpy.ndarray
        int32, (Y, X) or (Z, Y, X), objects numbered from 1 without gaps.
    voxel_size : three floats or None
        µm along z, y and x.
    origin : tuple of four int
        (t, z, y, x) of the first pixel in the full image.

    Returns
    -------
    dict of str to numpy.ndarray
        Columns as `measure_objects` names them.
    """
    from skimage.measure import regionprops_table

    axes, first = "zyx"[-numbers.ndim :], origin[-numbers.ndim :]
    spacing = np.ones(numbers.ndim) if voxel_size is None else np.array(voxel_size[-numbers.ndim :])
    unit = "px" if voxel_size is None else "um"
    properties = _PROPERTIES + (_PLANE_PROPERTIES if numbers.ndim == 2 else ())
    found = regionprops_table(  # type: ignore[no-untyped-call]
        numbers, properties=properties, spacing=tuple(spacing)
    )
    size = f"area_{unit}2" if numbers.ndim == 2 else f"volume_{unit}3"
    columns: Columns = {size: found["area"].astype(np.float64)}
    if unit == "um":
        for i, axis in enumerate(axes):
            columns[f"centroid_{axis}_um"] = found[f"centroid-{i}"] + first[i] * spacing[i]
    for i, axis in enumerate(axes):
        columns[f"centroid_{axis}_px"] = found[f"centroid-{i}"] / spacing[i] + first[i]
    for i, axis in enumerate(axes):
        columns[f"bbox_{axis}_start_px"] = found[f"bbox-{i}"] + first[i]
        columns[f"bbox_{axis}_stop_px"] = found[f"bbox-{i + numbers.ndim}"] + first[i]
    columns[f"equivalent_diameter_{unit}"] = found["equivalent_diameter_area"]
    if numbers.ndim == 2:
        columns[f"axis_major_{unit}"] = found["axis_major_length"]
        columns[f"axis_minor_{unit}"] = found["axis_minor_length"]
        columns[f"perimeter_{unit}"] = _perimeter(numbers, spacing)
        columns |= {name: found[name] for name in ("eccentricity", "solidity")}
    return columns


def _perimeter(
    numbers: npt.NDArray[np.int32], spacing: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Perimeters, which scikit-image estimates for square pixels only.

    Its other estimate is 9 % too low for a disk of 3 pixels' radius and 5 % too high for one of 50.
    """
    from skimage.measure import regionprops_table

    square = abs(spacing[0] / spacing[1] - 1) < _SQUARE
    found: npt.NDArray[np.float64] = regionprops_table(  # type: ignore[no-untyped-call]
        numbers, properties=("perimeter_crofton",)
    )["perimeter_crofton"].astype(np.float64)
    return found * (spacing.mean() if square else np.nan)
