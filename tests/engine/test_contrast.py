"""Images without contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.engine.contrast import describe_blank, read_bands
from napari_ssp.image import MicroscopyImage

if TYPE_CHECKING:
    from collections.abc import Iterator

NAN, INF = np.nan, np.inf
NOTHING = "has no finite values: all pixels are NaN or infinite"


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([[NAN, NAN]], NOTHING),
        ([[INF, -INF], [NAN]], NOTHING),
        ([[7.0, NAN], [7.0, INF]], "has one value only, 7"),
        ([[0, 0], [0]], "has one value only, 0"),
        ([[True, True]], "has one value only, 1"),
        ([[7.0, 7.0], [NAN], [8.0]], None),
        ([[NAN, 1.0, 2.0]], None),
        ([[False, True]], None),
    ],
)
def test_what_cannot_be_seen(blocks: list[list[float]], expected: str | None) -> None:
    assert describe_blank(np.array([block]) for block in blocks) == expected


def test_nothing_is_read_after_two_values() -> None:
    def blocks() -> Iterator[np.ndarray]:
        yield np.array([[1, 2]])
        raise AssertionError("read on")

    assert describe_blank(blocks()) is None


def test_bands_are_the_planes_of_a_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_ssp.engine.contrast._BAND", 12)
    pixels = np.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4)
    image = MicroscopyImage(pixels, "czyx")
    found = list(read_bands(image, 1, [(0, 0), (0, 2)]))
    assert [band.shape for band in found] == [(3, 4), (2, 4)] * 2
    np.testing.assert_array_equal(
        np.concatenate(found), np.concatenate([pixels[1, 0], pixels[1, 2]])
    )
