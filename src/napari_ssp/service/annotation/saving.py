"""Saving of pairs to training sets, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.service.annotation.stacks import stack_steps
from napari_ssp.service.requests import Request

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage, VoxelSize
    from napari_ssp.progress import Steps
    from napari_ssp.service.annotation.annotations import Annotation, AnnotationWriter
    from napari_ssp.service.annotation.training_set import TrainingSet


@dataclass(frozen=True, eq=False)
class LabelPair:
    """An annotated image for a training set.

    Attributes
    ----------
    writer : AnnotationWriter
        Knows what of the image is in its training set already.
    annotation : Annotation
        The image and its labels.
    """

    writer: AnnotationWriter
    annotation: Annotation

    def steps(self) -> Steps[object]:
        """Write the pair, or what of it has changed."""
        return self.writer.steps(self.annotation)


@dataclass(frozen=True, eq=False)
class StackPair:
    """A stack with measured fluorescence for a training set.

    Attributes
    ----------
    folder : TrainingSet
        Where to; of the kind "structures".
    signal, target : MicroscopyImage
        As in `stack_steps`.
    voxel_size : tuple of float or None
        (z, y, x) in µm to resample to.
    """

    folder: TrainingSet
    signal: MicroscopyImage
    target: MicroscopyImage
    voxel_size: VoxelSize | None = None

    def steps(self) -> Steps[object]:
        """Write the pair."""
        return stack_steps(self.folder, self.signal, self.target, self.voxel_size)


@dataclass(frozen=True, eq=False)
class SavePairsRequest(Request[None]):
    """Save pairs to their training sets.

    Attributes
    ----------
    pairs : tuple of LabelPair or StackPair
        Written in this order.
    """

    pairs: tuple[LabelPair | StackPair, ...]


def save_steps(request: SavePairsRequest) -> Steps[None]:
    """Write all pairs."""
    for pair in request.pairs:
        yield from pair.steps()
