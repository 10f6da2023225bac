"""Parts of a large labelled image that are scored in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.training.scored_parts import divide_plane
from napari_ssp.training.segmentation.annotation import cut_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_ssp.training.data import LabelledImage
    from napari_ssp.training.scored_parts import Part


def divide_image(image: LabelledImage, zoom: float) -> list[Part]:
    """Parts with annotated objects, of an image that is large as the network sees it."""
    parts = divide_plane(image.labels.shape, zoom)
    return [part for part in parts if (image.labels[part] > 0).any()] or parts[:1]


def cut_image(image: LabelledImage, part: Part) -> LabelledImage:
    """Cut a part out; objects that reach beyond it become unknown."""
    beyond = [np.unique(line) for line in _lines_around(image.labels, part)]
    return cut_out(image, part, np.concatenate(beyond) if beyond else np.empty(0, np.int32))


def _lines_around(labels: NDArray[np.int32], part: Part) -> Iterator[NDArray[np.int32]]:
    """Lines of pixels that lie next to a part's four sides."""
    rows, columns = part
    yield from (labels[at, columns] for at in (rows.start - 1, rows.stop) if 0 <= at < len(labels))
    width = labels.shape[1]
    yield from (labels[rows, at] for at in (columns.start - 1, columns.stop) if 0 <= at < width)
