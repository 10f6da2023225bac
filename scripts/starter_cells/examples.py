"""Examples of cells: pictures with labels, what is kept back of them, planes of stacks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_ssp.engine.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

#: Value of a pixel that nobody annotated, as `napari-ssp train segmentation` reads it.
UNKNOWN = -1
#: Share of a picture, at its right or lower end, that is kept back where there is but one.
KEPT_BACK = 0.25
#: Side of the pieces of large pictures, about, and the fewest of a set.
SIDE, FEWEST = 512, 12
#: Parts of an object in a plane of a stack that are smaller are its tip: neither cell nor not.
_TIP = 16


@dataclass(frozen=True, eq=False)
class Example:
    """A picture and its labels.

    Attributes
    ----------
    name, group : str
        Of the file, and of the set that is scored together.
    pixels : numpy.ndarray
        (Y, X) or (Y, X, 3).
    labels : numpy.ndarray
        Integers (Y, X); 0 is background, -1 not annotated.
    split : str
        ``"train"`` or ``"val"``.
    scored : bool
        Whether a person drew the labels, of all objects or with the others as not annotated.
    licence, origin : str
        Of the picture.
    """

    name: str
    group: str
    pixels: NDArray[Any]
    labels: NDArray[Any]
    split: str = "train"
    scored: bool = True
    licence: str = ""
    origin: str = ""


def divided(example: Example) -> Iterator[Example]:
    """Keep the last quarter of the longer side back; objects that are cut count in neither part."""
    axis = int(example.labels.shape[1] >= example.labels.shape[0])
    length = example.labels.shape[axis]
    at = length - round(KEPT_BACK * length)
    before = (slice(None),) * axis
    first, last = (*before, slice(None, at)), (*before, slice(at, None))
    cut = np.intersect1d(example.labels[first], example.labels[last])
    for part, split in ((first, "train"), (last, "val")):
        labels = example.labels[part].astype(np.int32)
        labels[(labels > 0) & np.isin(labels, cut)] = UNKNOWN
        yield replace(example, pixels=example.pixels[part], labels=labels, split=split)


def amplified(examples: Iterable[Example]) -> Iterator[Example]:
    """Cut large pictures to learn from into pieces, and repeat the pieces of small sets.

    Crops are drawn from pictures by their number: without this, one field of five thousand cells
    would count as much as a plane of three nuclei.
    """
    groups: dict[str, list[Example]] = {}
    for example in examples:
        if example.split == "train":
            groups.setdefault(example.group, []).extend(pieces(example))
        else:
            yield example
    for group in groups.values():
        yield from group
        for time in range(2, -(-FEWEST // len(group)) + 1):
            yield from (replace(piece, name=f"{piece.name}_{time}") for piece in group)


def count_objects(example: Example) -> int:
    """Annotated objects of an example."""
    return len(np.unique(example.labels[example.labels > 0]))


def pieces(example: Example, side: int = SIDE) -> Iterator[Example]:
    """Cut a picture into pieces of about a side; those without objects are left out."""
    counts = [max(1, round(length / side)) for length in example.labels.shape]
    if counts == [1, 1]:
        yield example
        return
    bounds = [
        np.linspace(0, n, k + 1).astype(int)
        for n, k in zip(example.labels.shape, counts, strict=True)
    ]
    for i in range(counts[0]):
        for j in range(counts[1]):
            part = tuple(slice(b[k], b[k + 1]) for b, k in zip(bounds, (i, j), strict=True))
            if (example.labels[part] > 0).any():
                yield replace(
                    example,
                    name=f"{example.name}_r{i}c{j}",
                    pixels=example.pixels[part],
                    labels=example.labels[part],
                )


def colours(*channels: NDArray[Any]) -> NDArray[np.uint8]:
    """Put the channels of one field into one picture: cells first, then nuclei.

    Each is brought to its own range, as prediction does.
    """
    return np.round(np.moveaxis(255 * normalise(*channels), 0, -1)).astype(np.uint8)


def planes(stack: Example, anisotropy: float, every: int) -> Iterator[Example]:
    """Planes across all three axes of a stack whose planes are some pixels apart.

    Parameters
    ----------
    stack : Example
        With pixels and labels (Z, Y, X).
    anisotropy : float
        Distance of two planes, in pixels.
    every : int
        Which of the planes are taken.
    """
    zoom = (anisotropy, 1.0, 1.0)
    cubes = ndimage.zoom(
        stack.pixels.astype(np.float32), zoom, order=1, grid_mode=True, mode="nearest"
    )
    ids = ndimage.zoom(stack.labels, zoom, order=0, grid_mode=True, mode="nearest")
    sources = (
        ("z", stack.pixels, stack.labels, 0),
        ("y", cubes, ids, 1),
        ("x", cubes, ids, 2),
    )
    for name, pixels, labels, axis in sources:
        for k in range(every // 2, pixels.shape[axis], every):
            ids_of_plane = parts(labels.take(k, axis))
            if (ids_of_plane > 0).any():
                yield replace(
                    stack,
                    name=f"{stack.name}_{name}{k:03}",
                    pixels=_as_integers(pixels.take(k, axis)),
                    labels=ids_of_plane,
                )


def _as_integers(plane: NDArray[Any]) -> NDArray[np.uint16]:
    return np.round(plane).astype(np.uint16)


def parts(labels: NDArray[Any]) -> NDArray[np.int32]:
    """Give each part in which a plane meets an object a number; tips are not annotated."""
    result = np.zeros(labels.shape, np.int32)
    count = 0
    for label in np.unique(labels[labels > 0]):
        pieces, found = ndimage.label(labels == label)
        result[pieces > 0] = pieces[pieces > 0] + count
        count += found
    sizes = np.bincount(result.ravel())
    result[(sizes[result] < _TIP) & (result > 0)] = UNKNOWN
    return result


def check_names(examples: Iterable[Example]) -> None:
    """Refuse two examples of one name: the second would take the first one's place."""
    names = Counter(f"{example.split}/{example.name}" for example in examples)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"These names occur twice: {', '.join(sorted(twice))}.")
