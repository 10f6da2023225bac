"""Labels that the user draws, kept in a training set as they are drawn."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.image import MicroscopyImage
from napari_ssp.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.progress import Steps
    from napari_ssp.service.annotation.training_set import TrainingSet

#: Value of pixels that nobody annotated.
NOT_ANNOTATED = -1


@dataclass(frozen=True, eq=False)
class Outline:
    """Border of a part of a plane.

    Attributes
    ----------
    corners : numpy.ndarray
        Float (N, 2): y and x in pixels.
    plane : tuple of int or None
        (t, z) of the only plane that it belongs to; None is every plane.
    """

    corners: NDArray[np.float64]
    plane: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Annotation:
    """An image and its labels, read when they are written.

    Attributes
    ----------
    name : str
        What to call the files.
    image, labels : MicroscopyImage
        Of the same region; labels below 0 are not annotated.
    channel : int or None
        Channel to learn from; None is the colours, or the first.
    area : tuple of Outline or None
        What was annotated, with all objects and nothing missing; None is everything.
    """

    name: str
    image: MicroscopyImage
    labels: MicroscopyImage
    channel: int | None = None
    area: tuple[Outline, ...] | None = None

    def mark_unknown(self, t: int, z: int) -> NDArray[np.integer]:
        """Labels of a plane, -1 outside the annotated area."""
        labels: NDArray[np.integer] = self.labels.plane(t, z)
        if self.area is None:
            return labels
        from skimage.draw import polygon2mask  # takes a while to import

        inside = np.zeros(labels.shape, bool)
        for outline in self.area:
            if outline.plane in (None, (t, z)):
                inside |= polygon2mask(labels.shape, outline.corners)  # type: ignore[no-untyped-call]
        return np.where(inside, labels.astype(np.int64), NOT_ANNOTATED)

    def plane(self, t: int, z: int) -> MicroscopyImage:
        """Plane of the image that belongs to a plane of the labels."""
        sizes = self.image.sizes
        position = (t if sizes.get("t", 1) > 1 else 0, z if sizes.get("z", 1) > 1 else 0)
        pixels, size = self.image.plane(*position, self.channel), self.image.voxel_size
        axes = "yxc" if self.image.rgb else "yx"
        return MicroscopyImage(pixels, axes, size, name=self.name, rgb=self.image.rgb)


class AnnotationWriter:
    """Keeps the planes of one annotated image in a training set, and writes only what changed.

    A plane without any object is no example until an area says that it was looked at.

    Parameters
    ----------
    folder : TrainingSet
        Where to.
    """

    def __init__(self, folder: TrainingSet) -> None:
        self.folder = folder
        self._names: dict[tuple[int, int], str] = {}
        self._written: dict[tuple[int, int], int] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the pairs that were written so far."""
        return tuple(self._names.values())

    def steps(self, annotation: Annotation) -> Steps[int]:
        """Write new planes, and the labels of those that are there and have changed.

        Yields
        ------
        Progress
            After every plane.

        Returns
        -------
        int
            How many planes were written.

        Raises
        ------
        ValueError
            When there is nothing that could be learned from.
        OSError
            When the disk is full or the folder cannot be written to.
        """
        planes = list(annotation.labels.planes())
        written = 0
        for done, plane in enumerate(planes, 1):
            written += self._write(annotation, plane, several=len(planes) > 1)
            yield Progress("saving annotations", done, len(planes))
        if not self._names:
            raise ValueError(
                f"'{annotation.labels.name}' has no objects to learn from. Draw some, or choose an "
                "annotated area to say that it has none."
            )
        return written

    def _write(self, annotation: Annotation, plane: tuple[int, int], *, several: bool) -> bool:
        labels = annotation.mark_unknown(*plane)
        found = zlib.crc32(np.ascontiguousarray(labels).data)
        is_known = plane in self._names
        if self._written.get(plane) == found or not (is_known or _teaches(annotation, labels)):
            return False
        target = MicroscopyImage(
            labels, "yx", annotation.labels.voxel_size, name=annotation.labels.name
        )
        if is_known:
            self.folder.write_target(self._names[plane], target)
        else:
            self._names[plane] = self._add(annotation, plane, target, several=several)
        self._written[plane] = found
        return True

    def _add(
        self,
        annotation: Annotation,
        plane: tuple[int, int],
        target: MicroscopyImage,
        *,
        several: bool,
    ) -> str:
        place = [f"{a}{n}" for a, n in zip("tz", plane, strict=True) if a in annotation.labels.axes]
        wanted = "_".join([annotation.name, *place]) if several else annotation.name
        return self.folder.add(self.folder.free_name(wanted), annotation.plane(*plane), target).name


def _teaches(annotation: Annotation, labels: NDArray[np.integer]) -> bool:
    if annotation.area is None:
        return bool((labels > 0).any())
    return bool((labels >= 0).any())
