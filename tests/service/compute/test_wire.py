"""Requests and results arrive as they were sent."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

import napari_ssp as ssp
from napari_ssp.image import MicroscopyImage
from napari_ssp.service import DiameterRequest, PredictRequest, SegmentRequest
from napari_ssp.service.compute.lost import leave_out_of_log
from napari_ssp.service.compute.wire import Parcel, pack, pack_error, raise_error, unpack


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if hasattr(one, "__dataclass_fields__"):
        pairs = [(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)]
        return type(one) is type(other) and all(_same(a, b) for a, b in pairs)
    return type(one) is type(other) and one == other


def _sent(value: Any) -> Any:
    """What arrives: the arrays as read-only bytes, as they come from a socket."""
    parcel = pack(value)
    arrays = [np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape) for a in parcel.arrays]
    return unpack(Parcel(json.loads(json.dumps(parcel.text)), arrays))


def test_requests_arrive_as_they_were() -> None:
    pixels = np.arange(2 * 3 * 40 * 50, dtype=np.uint16).reshape(2, 3, 40, 50)
    image = MicroscopyImage(
        pixels,
        "tcyx",
        (1.0, 0.3, 0.3),
        ("a", "b", "ü"),
        "cells",
        origin=(1, 0, 5, 7),
        position=(0.5, -3.0, 2.0),
        warnings=("the clock was wrong",),
    )
    segment = SegmentRequest(image, channel=2, nuclei=0, plane=(1, 0), region=(0, 20, 5, 30))
    predict = PredictRequest(pixels[0], ("dna", "lamin_b1"), voxel_size=(0.3, 0.1, 0.1))
    for request in (segment, predict, DiameterRequest(segment), SegmentRequest(Path("a.tif"))):
        assert _same(request, _sent(request))


def test_lazy_pixels_are_read_and_what_arrives_can_be_written_to() -> None:
    image = MicroscopyImage(da.ones((30, 40), chunks=7), "yx", levels=(np.ones((15, 20)),))
    found = _sent(image)
    assert np.array_equal(found.data, np.ones((30, 40)))
    assert found.levels == ()
    found.data[0, 0] = 5


def test_results_arrive_as_they_were() -> None:
    labels = np.arange(12, dtype=np.uint32).reshape(3, 4)
    result = ssp.Segmentation(
        labels,
        np.zeros((2, 3, 4), np.float32),
        np.full((3, 4), np.nan, np.float32),
        count=11,
        provenance={"request": {"region": [0, 3, 0, 4]}, "seconds": 0.125},
        predicted=MicroscopyImage(labels.astype(np.float32), "yx"),
        table={"label": np.arange(1, 12), "name": np.array(["a", "bc"]), "area": np.ones(2)},
    )
    found = _sent(result)
    assert np.array_equal(found.cell_probability, result.cell_probability, equal_nan=True)
    assert np.array_equal(found.table.pop("name"), result.table.pop("name"))
    assert all(_same(result.table[key], found.table[key]) for key in result.table)
    for name in ("labels", "flows", "axes", "voxel_size", "provenance", "count", "predicted"):
        assert _same(getattr(result, name), getattr(found, name)), name


def test_numbers_arrive_bit_by_bit() -> None:
    for number in (0.1, 1e-300, -0.0, float("inf"), np.float32(0.1), 17, None, True):
        assert _same(_sent(number), number)


def test_objects_do_not_travel() -> None:
    with pytest.raises(TypeError, match="A function cannot"):
        pack({"call": _same})
    with pytest.raises(TypeError, match="An array of object"):
        pack(np.array([_same]))


class _OwnError(FileNotFoundError):
    pass


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("Channel 3 was asked for."), ValueError),
        (_OwnError(2, "No such file", "a.tif"), FileNotFoundError),
        (KeyError("dna"), KeyError),
        (RuntimeError(_same), RuntimeError),
    ],
)
def test_errors_say_what_they_said(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        raise_error(pack_error(error))
    assert str(caught.value) == str(error)
    assert type(caught.value) is kind


def test_an_error_cannot_end_the_process() -> None:
    with pytest.raises(RuntimeError, match="2"):
        raise_error(Parcel(json.dumps({"error": "SystemExit", "said": ["2"]}), []))
    with pytest.raises(RuntimeError, match="2"):
        raise_error(Parcel(json.dumps({"error": "eval", "said": ["2"]}), []))


def test_a_lost_connection_prints_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    leave_out_of_log()
    logger = logging.getLogger("distributed.client")
    handler = logging.StreamHandler(sys.stdout)
    logger.addHandler(handler)
    try:
        for error in (ConnectionRefusedError("nobody is there"), ValueError("a fault of ours")):
            logger.error("lost", exc_info=error)
    finally:
        logger.removeHandler(handler)
    said = capsys.readouterr().out
    assert "nobody is there" not in said
    assert "a fault of ours" in said
