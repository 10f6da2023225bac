"""Pairs of layers to learn from: an image with labels, or a stack with its fluorescence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_ssp.service.annotation.annotations import Annotation
from napari_ssp.service.training.structures.stack_headers import as_stack
from napari_ssp.widgets.layers.alignment import image_under
from napari_ssp.widgets.layers.images import layer_image, stack_image
from napari_ssp.widgets.train.area import outline_annotated_area

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image, Labels, Layer, Shapes

    from napari_ssp.image import MicroscopyImage


@dataclass(frozen=True, eq=False)
class LayerPair:
    """What a network is to see, and what it is to learn of it.

    Attributes
    ----------
    image : napari.layers.Image
        What the network sees.
    target : napari.layers.Labels or napari.layers.Image
        Labels of cells, or measured fluorescence.
    channel, target_channel : int or None
        Channels; None where there is nothing to choose.
    area : napari.layers.Shapes or None
        Drawn around what was annotated; None is everything.
    structure : str
        Name of what fluoresces; empty for cells.
    """

    image: Image
    target: Labels | Image
    channel: int | None = None
    target_channel: int | None = None
    area: Shapes | None = None
    structure: str = ""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers of the pair."""
        both: tuple[Layer, ...] = (self.image, self.target)
        return both if self.area is None else (*both, self.area)

    @property
    def title(self) -> str:
        """One line for a list."""
        title = f"{self.image.name} → {self.target.name}"
        if self.structure:
            title += f" ({self.structure})"
        return title if self.area is None else f"{title}, in {self.area.name}"

    def is_same(self, other: LayerPair) -> bool:
        """Whether another pair teaches the same: the same layers."""
        return self.image is other.image and self.target is other.target


def pair_annotation(pair: LayerPair) -> Annotation:
    """Image and labels of a pair; pixels are not read.

    Raises
    ------
    ValueError
        When the layers do not lie pixel on pixel, or the area has no shapes.
    """
    labels: Labels = pair.target
    area = None if pair.area is None else outline_annotated_area(pair.area, labels)
    image = image_under(pair.image, labels)
    return Annotation(pair.image.name, image, layer_image(labels), pair.channel, area)


def pair_stacks(pair: LayerPair) -> tuple[MicroscopyImage, MicroscopyImage]:
    """Stack of transmitted light and measured fluorescence, of one channel each.

    A plane is a stack of one.

    Raises
    ------
    ValueError
        When they are not grey, or do not lie pixel on pixel.
    """
    signal, target = stack_image(pair.image), layer_image(pair.target)
    if "z" in target.axes:
        signal = image_under(pair.image, pair.target)
    for image in (signal, target):
        if image.rgb or image.sizes.get("t", 1) > 1:
            what = "colours" if image.rgb else "several time points"
            raise ValueError(
                f"'{image.name}' has {what}; structures are learned from grey images. Split the "
                "layer and choose one of its parts."
            )
    return _plain(as_stack(signal), pair.channel), _plain(target, pair.target_channel)


def find_image(labels: Labels, images: Sequence[Image]) -> Image | None:
    """Image that lies under labels: the one that they are named after, else the uppermost."""
    fitting = [image for image in images if _lies_under(image, labels)]
    named = [image for image in fitting if labels.name.startswith(image.name)]
    if named:
        return max(named, key=lambda image: len(image.name))
    return fitting[-1] if fitting else None


def _lies_under(image: Image, labels: Labels) -> bool:
    try:
        image_under(image, labels)
    except (ValueError, TypeError):
        return False
    return True


def _plain(image: MicroscopyImage, channel: int | None) -> MicroscopyImage:
    """Image without channels and time, of which it has one each."""
    for letter, index in (("c", channel or 0), ("t", 0)):
        if letter in image.axes:
            i = image.axes.index(letter)
            data = image.data[(*(slice(None),) * i, index)]
            axes = image.axes.replace(letter, "")
            image = replace(image, data=data, axes=axes, channel_names=(), levels=())
    return image
