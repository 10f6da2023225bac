"""Typical diameter of the objects of an image, from quick looks at several magnifications."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.engine import median_diameter
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.segmentation.plan import LARGEST_ZOOM, SMALLEST_ZOOM, plan_segmentation
from napari_ssp.service.segmentation.steps import segment_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import DiameterRequest, SegmentRequest
    from napari_ssp.service.results import Segmentation
    from napari_ssp.service.segmentation.plan import SegmentPlan

#: Magnifications that are tried, relative to the model's own.
_TRIED = tuple(2.0**k for k in (-4, -3, -2, -1, 0, 1))
#: A plane is cut to so many pixels, as the network sees them: two windows of 512 along each axis.
_SEEN = 896
#: Objects this many times larger or smaller than the model's are not trusted.
_TRUSTED = 2.2
#: A diameter that changes the magnification by more than this is measured again there.
_FAR_OFF = 1.3


@dataclass(frozen=True)
class _Finding:
    """What one magnification shows: diameter in the image, size against the model's, trust."""

    diameter: float
    ratio: float
    trust: float

    @property
    def rank(self) -> tuple[bool, float]:
        return 1 / _TRUSTED < self.ratio < _TRUSTED, self.trust


def diameter_steps(request: DiameterRequest, models: ModelCache) -> Steps[float]:
    """Estimate the typical diameter of objects.

    The middle of one plane is segmented at magnifications that double. A network's flows are long
    and agree where objects have a size that it knows, and short or torn where they have not; the
    magnification with the longest flows, and objects not far from the model's size, is believed.

    Parameters
    ----------
    request : DiameterRequest
        What is to be segmented.
    models : ModelCache
        Where networks come from.

    Yields
    ------
    Progress
        Stage "estimating the diameter".

    Returns
    -------
    float
        Diameter in pixels of the image, of the disk with the objects' median area.

    Raises
    ------
    ValueError
        When no object is found, or the model's card does not say which sizes it knows.
    """
    yield Progress("reading the image")
    plan = plan_segmentation(replace(request.segment, stacks="planes", diameter=None))
    zooms = list(_zooms(plan))
    findings = []
    for done, zoom in enumerate(zooms):
        yield Progress("estimating the diameter", done, len(zooms) + 1)
        findings += yield from _look(request.segment, plan, zoom, models)
    if not findings:
        raise ValueError(
            f"No objects were found in the middle of '{plan.image.name}' at any of the "
            f"magnifications {', '.join(f'{zoom:g}' for zoom in zooms)}. Measure one object and "
            "give its diameter, or choose another model or channel."
        )
    best = max(findings, key=lambda finding: finding.rank)
    if not 1 / _FAR_OFF < best.ratio < _FAR_OFF:
        yield Progress("estimating the diameter", len(zooms), len(zooms) + 1)
        zoom = (plan.card.object_diameter or 0.0) / best.diameter
        again = yield from _look(request.segment, plan, zoom, models)
        best = max([best, *again], key=lambda finding: finding.rank)
    return best.diameter


def _zooms(plan: SegmentPlan) -> Iterator[float]:
    """Magnifications that leave something to see."""
    for factor in _TRIED:
        zoom = plan.card.zoom * factor
        if factor == 1 or (SMALLEST_ZOOM <= zoom <= LARGEST_ZOOM and min(plan.shape) * zoom >= 32):
            yield zoom


def _look(
    request: SegmentRequest, plan: SegmentPlan, zoom: float, models: ModelCache
) -> Steps[list[_Finding]]:
    """Segment the middle at one magnification; nothing is found where there are no objects."""
    known = plan.card.object_diameter
    look = replace(
        request,
        image=plan.image,
        axes=None,
        voxel_size=None,
        plane=plan.middle_plane,
        region=_middle(plan.region, round(_SEEN / zoom)),
        # The zoom follows from it; a card without a size is refused there.
        diameter=max((known or 1.0) / zoom, 1.0),
        overlap=0.25,
        tta=False,
        eightfold=False,
        stacks="planes",
        tile=None,
        min_size=0,
    )
    with closing(segment_steps(look, models)) as steps:
        while True:
            try:
                yield replace(next(steps), stage="estimating the diameter", done=0, total=0)
            except StopIteration as stop:
                return _finding(stop.value, known or 1.0)


def _finding(result: Segmentation, known: float) -> list[_Finding]:
    across = median_diameter([result.labels])
    if across is None:
        return []
    zoom = known / result.provenance["request"]["diameter"]
    flows = np.asarray(result.flows)[:, np.asarray(result.labels) > 0]
    # Few objects may be found anywhere by chance.
    trust = float(np.hypot(*flows).mean()) * result.num_objects / (result.num_objects + 1)
    return [_Finding(across, across * zoom / known, trust)]


def _middle(region: tuple[int, int, int, int], side: int) -> tuple[int, int, int, int]:
    """Part of a region around its centre."""
    y0, y1, x0, x1 = region
    top, left = (max(a, (a + b - side) // 2) for a, b in ((y0, y1), (x0, x1)))
    return (top, min(y1, top + side), left, min(x1, left + side))
