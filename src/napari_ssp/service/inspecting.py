"""Inspection of layers before work: what their pixels give reason to doubt; masks numbered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_ssp.engine.contrast import describe_blank, read_bands
from napari_ssp.io import number_mask
from napari_ssp.io.label_images import check_label_header, look_steps
from napari_ssp.labels import warn_of_masks
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.requests import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_ssp.image import MicroscopyImage


@dataclass(frozen=True, eq=False)
class InspectRequest(Request[tuple[str, ...]]):
    """Look at pixels for what a plan cannot know; the result is sentences.

    Attributes
    ----------
    labels : tuple of MicroscopyImage
        Label images: whether they are masks, or not annotated everywhere.
    images : tuple of MicroscopyImage
        Images that belong to them: whether there is anything to see.
    """

    labels: tuple[MicroscopyImage, ...]
    images: tuple[MicroscopyImage, ...] = ()


@dataclass(frozen=True, eq=False)
class NumberPartsRequest(Request["NDArray[Any]"]):
    """Number the separate parts of a mask; the result has its axes.

    Attributes
    ----------
    labels : MicroscopyImage
        As `napari_ssp.io.number_mask` takes it.
    """

    labels: MicroscopyImage


def inspect_steps(request: InspectRequest) -> Steps[tuple[str, ...]]:
    """Look at labels, read until objects differ, and at images, read until two values differ."""
    sentences, parts = [], []
    for labels in request.labels:
        name = f"layer '{labels.name}'"
        try:
            check_label_header(labels, name)
            facts = yield from look_steps(labels, name)
        except (TypeError, ValueError) as error:
            sentences.append(str(error))
            continue
        parts += [facts.parts] if facts.parts > 1 else []
        if facts.unknown:
            what = f"{facts.unknown} pixels are -1, not annotated"
            sentences.append(f"The {name}: {what}; they are left out.")
    if parts:
        sentences.append(warn_of_masks(parts, len(request.labels)))
    return (*sentences, *warn_of_blank(request.images))


def warn_of_blank(images: Sequence[MicroscopyImage]) -> Iterator[str]:
    """Say which images show nothing in any of their channels."""
    for image in images:
        planes = list(image.planes())
        channels = range(image.num_channels)
        blank = describe_blank(band for c in channels for band in read_bands(image, c, planes))
        if blank:
            yield f"The image '{image.name}' {blank}."


def number_steps(request: NumberPartsRequest) -> Steps[NDArray[Any]]:
    """Give each part of a mask a number."""
    yield Progress("numbering the parts")
    labels = request.labels
    found = number_mask(labels, f"layer '{labels.name}'")
    numbers: NDArray[Any] = found.data.transpose([found.axes.index(a) for a in labels.axes])
    return numbers
