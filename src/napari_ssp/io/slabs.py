"""Slabs of planes of an image, so that it may be larger than memory."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssp.io.mapped import forget_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_ssp.image import MicroscopyImage

_SLAB_BYTES = 2**26


def slab_depth(image: MicroscopyImage) -> int:
    """Give the number of planes to read at once.

    Parameters
    ----------
    image : MicroscopyImage
        The image.

    Returns
    -------
    int
        As many planes as the source keeps in one chunk, since a chunk is read as a whole anyway,
        but no more than 64 MiB of them, and at least 1.
    """
    chunks = getattr(image.data, "chunks", None)
    if not chunks or "z" not in image.axes:
        return 1
    chunk = chunks[image.axes.index("z")]
    deepest = int(max(chunk) if isinstance(chunk, tuple) else chunk)
    samples = image.sizes["c"] if image.rgb else 1
    plane = image.sizes["y"] * image.sizes["x"] * samples * image.dtype.itemsize
    return max(1, min(deepest, image.sizes["z"], _SLAB_BYTES // plane))


def slabs(image: MicroscopyImage, depth: int) -> Iterator[tuple[dict[str, int], npt.NDArray[Any]]]:
    """Read the image slab by slab: time outermost, then channels, then z.

    Parameters
    ----------
    image : MicroscopyImage
        The image.
    depth : int
        Planes per slab; the last one of a stack may have fewer.

    Yields
    ------
    place : dict
        Position along "t" and "c", where the image has them, and of the first plane along "z".
        Colours have no position: a slab holds all of them.
    slab : numpy.ndarray
        (samples, Z, Y, X); one sample, or 3 or 4 for colours.
    """
    sizes = image.sizes
    outer = [a for a in "tc" if a in image.axes and not (a == "c" and image.rgb)]
    left = [a for a in image.axes if a not in outer]
    order = [left.index(a) for a in "czyx" if a in left]
    starts = range(0, sizes.get("z", 1), depth)
    for *position, first in product(*(range(sizes[a]) for a in outer), starts):
        place = dict(zip(outer, position, strict=True))
        wanted: dict[str, Any] = {**place, "z": slice(first, first + depth)}
        block = np.asarray(image.data[tuple(wanted.get(a, slice(None)) for a in image.axes)])
        block = block.transpose(order)
        block = block if "z" in left else block[..., None, :, :]
        yield {**place, "z": first}, block if image.rgb else block[None]
        forget_pages(image.data)
