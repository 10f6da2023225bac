"""Contrast of images: those without any show nothing, and nothing is learned from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_ssp.image import MicroscopyImage

#: Values that are read at once.
_BAND = 2**24


def describe_blank(blocks: Iterable[NDArray[Any]]) -> str | None:
    """Say why nothing can be seen in an image.

    Parameters
    ----------
    blocks : iterable of numpy.ndarray
        Its pixels, in any number of parts; none is asked for once two values were seen.

    Returns
    -------
    str or None
        "has no finite values ..." or "has one value only ..."; None where there is something to
        see.
    """
    only: float | None = None
    for block in blocks:
        finite = block[np.isfinite(block)] if block.dtype.kind == "f" else block
        if not finite.size:
            continue
        least, most = finite.min(), finite.max()
        if least != most or only not in (None, float(least)):
            return None
        only = float(least)
    if only is None:
        return "has no finite values: all pixels are NaN or infinite"
    return f"has one value only, {only:g}"


def read_bands(
    image: MicroscopyImage, channel: int | None, planes: Sequence[tuple[int, int]]
) -> Iterator[NDArray[Any]]:
    """Read planes (t, z) of a channel in bands, as `MicroscopyImage.plane` reads them."""
    height, width = image.sizes["y"], image.sizes["x"]
    rows = max(1, _BAND // width)
    for t, z in planes:
        for top in range(0, height, rows):
            yield image.plane(t, z, channel, (top, min(top + rows, height), 0, width))
