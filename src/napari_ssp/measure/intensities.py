"""Intensities of objects, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage

_COLOURS = ("red", "green", "blue")
_STATISTICS = ("mean", "std", "min", "max")


def channel_labels(image: MicroscopyImage) -> dict[str, tuple[int, int | None]]:
    """Name the channels of an image for the columns of a table.

    Parameters
    ----------
    image : MicroscopyImage
        The image.

    Returns
    -------
    dict of str to (int, int or None)
        Channel, and colour sample in it; the names are unique.
    """
    if image.rgb:
        return {name: (0, sample) for sample, name in enumerate(_COLOURS)}
    names = image.channel_names or tuple(f"channel_{i}" for i in range(image.num_channels))
    if not image.channel_names and image.num_channels == 1:
        names = ("intensity",)
    labels: dict[str, tuple[int, int | None]] = {}
    for index, name in enumerate(names):
        found = name
        if names.count(name) > 1 or not name.strip():
            found = f"{name}_{index}"
            while found in names:
                found += f"_{index}"
        labels[found] = (index, None)
    return labels


def intensities(
    numbers: npt.NDArray[np.int32], values: npt.NDArray[Any], name: str
) -> dict[str, npt.NDArray[np.float64]]:
    """Measure the intensities of all objects in one channel.

    Parameters
    ----------
    numbers : numpy.ndarray
        int32, objects numbered from 1 without gaps.
    values : numpy.ndarray
        Intensities, of the same shape.
    name : str
        What to call the channel.

    Returns
    -------
    dict of str to numpy.ndarray
        Columns "mean_NAME" and so on, as `measure_objects` names them.
    """
    from skimage.measure import regionprops_table

    # Sums of float32 lose digits; integers are summed in 64 bits anyway.
    exact = values if values.dtype.kind in "iu" else values.astype(np.float64)
    properties = tuple(f"intensity_{statistic}" for statistic in _STATISTICS)
    found = regionprops_table(  # type: ignore[no-untyped-call]
        numbers, exact, properties=properties
    )
    columns = {f"{s}_{name}": found[f"intensity_{s}"].astype(np.float64) for s in _STATISTICS}
    sums = np.bincount(numbers.ravel(), exact.ravel(), minlength=numbers.max(initial=0) + 1)
    return columns | {f"sum_{name}": sums[1:]}
