from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.service import SegmentRequest
from napari_ssp.widgets.segment.choices import SegmentChoices


def test_the_defaults_are_those_of_the_request() -> None:
    image = MicroscopyImage.from_array(np.zeros((4, 5)))
    made, plain = SegmentChoices().request(image), SegmentRequest(image)
    assert {f.name: getattr(made, f.name) for f in fields(made)} == {
        f.name: getattr(plain, f.name) for f in fields(plain)
    }


def test_choices_reach_the_request() -> None:
    choices = SegmentChoices(channel=1, overlap=0.25, tta=True, min_size=40, keep_flows=True)
    image = MicroscopyImage.from_array(np.zeros((2, 4, 5)), axes="cyx")
    request = choices.request(image, plane=(1, 2), region=(0, 3, 1, 4))
    assert request.image is image
    assert (request.channel, request.overlap, request.tta, request.min_size) == (1, 0.25, True, 40)
    assert (request.plane, request.region) == ((1, 2), (0, 3, 1, 4))


def test_limits_are_those_of_the_request() -> None:
    with pytest.raises(ValueError, match=r"Overlap must be between 0\.0 and 0\.9, got 0\.95"):
        SegmentChoices(overlap=0.95)
