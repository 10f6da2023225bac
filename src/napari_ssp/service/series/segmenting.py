"""Segmentation of a series: images that have no labels yet, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_ssp.io import write_labels
from napari_ssp.io.objects.notes import write_provenance
from napari_ssp.progress import Progress, Steps, count_through, retell
from napari_ssp.service.network_outputs import outputs_path, write_outputs
from napari_ssp.service.requests import Request, SegmentRequest
from napari_ssp.service.segmentation.editing import has_flows
from napari_ssp.service.series.listing import FAULTS, ImageState, SeriesImage, Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_ssp.service.results import Segmentation


@dataclass(frozen=True, eq=False)
class SegmentSeriesRequest(Request[tuple[ImageState, ...]]):
    """Segment images and write labels, flows and provenance; the result is the state of each.

    Attributes
    ----------
    images : tuple of SeriesImage
        Those that have labels by then are left as they are.
    settings : SegmentRequest
        How; its image is replaced.
    """

    images: tuple[SeriesImage, ...]
    settings: SegmentRequest


@dataclass(frozen=True)
class ImageNews:
    """What became of an image meanwhile; comes as the preview of a progress."""

    image: SeriesImage
    state: ImageState


def segment_steps(
    request: SegmentSeriesRequest, begin: Callable[[Request[Any]], Steps[Segmentation]]
) -> Steps[tuple[ImageState, ...]]:
    """Segment images one by one; one that fails stops no other.

    Parameters
    ----------
    request : SegmentSeriesRequest
        What to do.
    begin : callable
        Starts the steps of a request.

    Yields
    ------
    Progress
        Its preview is an `ImageNews` about the image that is worked on.
    """
    states = []
    count = len(request.images)
    for index, image in enumerate(request.images):
        asked = replace(request.settings, image=image.image.path, scene=image.image.scene)
        state = ImageState(Stage.SEGMENTED)
        try:
            if image.problem:
                raise ValueError(image.problem)
            if image.is_waiting:
                work = _with_news(begin(asked), image)
                result = yield from count_through(work, index, count, "image")
                if image.is_waiting:
                    _write(result, image.labels.path)
                    state = ImageState(Stage.SEGMENTED, _describe(result))
                else:  # somebody has drawn meanwhile
                    state = ImageState(Stage.SEGMENTED, _DRAWN)
        except FAULTS as error:
            state = ImageState(Stage.FAILED, str(error))
        states.append(state)
        yield Progress(f"image {index + 1} of {count}", index + 1, count, ImageNews(image, state))
    return tuple(states)


_DRAWN = "It got other labels while it was being segmented; these were left alone."


def _describe(result: Segmentation) -> str:
    objects = "1 object" if result.num_objects == 1 else f"{result.num_objects} objects"
    return "\n".join([objects, *result.warnings])


def _with_news(steps: Steps[Segmentation], image: SeriesImage) -> Steps[Segmentation]:
    def with_news(step: Progress) -> Progress:
        share = "" if step.fraction is None else f"{step.stage}, {step.fraction:.0%}"
        return replace(step, preview=ImageNews(image, ImageState(Stage.SEGMENTING, share)))

    return retell(steps, with_news)


def write_flows(result: Segmentation, labels: Path) -> None:
    """Write flows and probability beside labels, where the model has flows."""
    if has_flows(result):
        write_outputs(result, outputs_path(labels), overwrite=True)


def _write(result: Segmentation, labels: Path) -> None:
    """Write what lies beside the labels first: an image with labels is done."""
    write_flows(result, labels)
    write_provenance(labels, result.provenance)
    write_labels(labels, result.image(result.labels))
