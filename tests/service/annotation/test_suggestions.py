"""Unsure regions come first, and every pixel is in one."""

from __future__ import annotations

import numpy as np

from napari_ssp.progress import run
from napari_ssp.service import Segmentation
from napari_ssp.service.annotation.suggestions import SuggestRequest, suggest_steps


def _sure(*shape: int) -> Segmentation:
    flows = np.zeros((2, *shape), np.float32)
    flows[0] = 5.0
    axes = "tzyx"[-len(shape) :]
    probability = np.ones(shape, np.float32)
    return Segmentation(np.zeros(shape, np.uint32), flows, probability, axes)


def test_the_least_sure_region_comes_first() -> None:
    found = _sure(300, 400)
    found.cell_probability[80:140, 170:230] = 0.5
    found.flows[:, 230:290, 30:90] = 0.1
    first, second, *others = run(suggest_steps(SuggestRequest(found)))
    y0, y1, x0, x1 = first.box
    assert y0 <= 110 < y1
    assert x0 <= 200 < x1
    y0, y1, x0, x1 = second.box
    assert y0 <= 260 < y1
    assert x0 <= 60 < x1
    assert first.doubt > second.doubt > max(region.doubt for region in others)


def test_regions_cover_every_plane_once() -> None:
    for shape in ((150, 310), (40, 30), (3, 200, 200), (2, 3, 70, 900)):
        seen = np.zeros(shape, int)
        for region in run(suggest_steps(SuggestRequest(_sure(*shape)))):
            y0, y1, x0, x1 = region.box
            seen[(*region.plane, slice(y0, y1), slice(x0, x1))] += 1
            assert region.doubt == 0
        assert (seen == 1).all()


def test_the_plane_is_told() -> None:
    found = _sure(3, 100, 100)
    found.cell_probability[2] = 0.4
    assert run(suggest_steps(SuggestRequest(found)))[0].plane == (2,)
