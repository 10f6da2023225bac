"""Training images in one block: in memory, or mapped from a file where they are too many."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from napari_ssp.training.data import MEMORY_BUDGET, LabelledImage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class _Place:
    name: str
    channels: int
    shape: tuple[int, int]
    pixels_at: int
    labels_at: int


class ImageStore(Sequence[LabelledImage]):
    """Images and labels written one after the other, and read where they are needed.

    Parameters
    ----------
    path : pathlib.Path
        File for what is more than the budget; written only then, and removed with the store.
    budget : int
        Bytes that are kept in memory.
    """

    def __init__(self, path: Path, budget: int = MEMORY_BUDGET) -> None:
        self._path = path
        self._budget = budget
        self._places: list[_Place] = []
        self._kept: list[LabelledImage] = []
        self._size = 0
        self._in_file = False

    def add(self, image: LabelledImage) -> None:
        """Take another image."""
        self._size += image.pixels.nbytes + image.labels.nbytes
        self._kept.append(image)
        if self._in_file or self._size > self._budget:
            self._to_file()

    def _to_file(self) -> None:
        with self._path.open("ab" if self._in_file else "wb") as file:
            for image in self._kept:
                pixels_at = file.tell()
                file.write(np.ascontiguousarray(image.pixels).tobytes())
                file.write(bytes(-file.tell() % image.labels.itemsize))
                labels_at = file.tell()
                file.write(np.ascontiguousarray(image.labels).tobytes())
                shape = (image.labels.shape[0], image.labels.shape[1])
                place = _Place(image.name, len(image.pixels), shape, pixels_at, labels_at)
                self._places.append(place)
        self._in_file = True
        self._kept = []
        self.__dict__.pop("_mapped", None)

    @cached_property
    def _mapped(self) -> NDArray[np.uint8]:
        return np.memmap(self._path, np.uint8, mode="r")

    def __len__(self) -> int:
        return len(self._places) + len(self._kept)

    @overload
    def __getitem__(self, index: int) -> LabelledImage: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LabelledImage]: ...
    def __getitem__(self, index: Any) -> Any:
        """Image of a number; of a file only what is used of it is read."""
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        if not self._in_file:
            return self._kept[index]
        place = self._places[index]
        area = place.shape[0] * place.shape[1]
        pixels = self._mapped[place.pixels_at : place.pixels_at + place.channels * area]
        labels = self._mapped[place.labels_at : place.labels_at + 4 * area].view(np.int32)
        return LabelledImage(
            place.name, pixels.reshape(place.channels, *place.shape), labels.reshape(place.shape)
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without the map: another process opens the file itself."""
        return {key: value for key, value in self.__dict__.items() if key != "_mapped"}

    def close(self) -> None:
        """Forget all images and remove the file."""
        self.__dict__.pop("_mapped", None)
        self._kept, self._places = [], []
        if self._in_file:
            with suppress(OSError):  # Windows keeps a file that somebody still looks at
                self._path.unlink(missing_ok=True)


def store_images(
    images: Iterable[LabelledImage], path: Path, budget: int = MEMORY_BUDGET
) -> ImageStore:
    """Store of images that come one by one."""
    store = ImageStore(path, budget)
    for image in images:
        store.add(image)
    return store
