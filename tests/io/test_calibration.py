from __future__ import annotations

from typing import Any

import pytest

from napari_ssp.io.calibration import imagej_voxel_size, micrometres, voxel_size
from napari_ssp.io.tiff.ome import parse_ome


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("0.5", None, 0.5),
        ("0.5", "µm", 0.5),
        (2, "\u03bcm", 2.0),
        (2, "\\u00B5m", 2.0),
        (250, "nm", 0.25),
        (1, "Å", 1e-4),
        (1, "mm", 1e3),
        (1, "Mm", 1e12),
        (1, "m", 1e6),
        (1, "in", 25400.0),
        (1, "Microns", 1.0),
        (1, "pixel", None),
        (1, "reference frame", None),
        (1, "furlong", None),
        (0, "µm", None),
        (-1, "µm", None),
        ("nan", "µm", None),
        ("inf", "µm", None),
        ("many", "µm", None),
        (None, "µm", None),
    ],
)
def test_lengths_become_micrometres(value: Any, unit: str | None, expected: float | None) -> None:
    found = micrometres(value, unit)
    assert found == (None if expected is None else pytest.approx(expected))


def test_what_a_file_leaves_out_is_filled_in() -> None:
    assert voxel_size(None, None, None) is None
    assert voxel_size(2.0, None, None) is None
    assert voxel_size(None, 0.5, None) == (1.0, 0.5, 0.5)
    assert voxel_size(2.0, None, 0.5) == (2.0, 0.5, 0.5)


def test_imagej_without_a_unit_of_length_has_no_voxel_size() -> None:
    assert imagej_voxel_size({}, (2.0, 2.0)) is None
    assert imagej_voxel_size({"unit": "pixel", "spacing": 2.0}, (2.0, 2.0)) is None
    assert imagej_voxel_size({"unit": "micron"}, (0.0, 0.0)) is None
    assert imagej_voxel_size({"unit": "µm", "spacing": "?"}, (2.0, 2.0)) == (1.0, 0.5, 0.5)
    assert imagej_voxel_size({"unit": "cm", "spacing": -1e-4}, (1e4, 1e4)) == (1.0, 1.0, 1.0)


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/{year}">
<Image ID="Image:0" Name="a"><Description>tissue</Description>
<Pixels PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.5" PhysicalSizeZ="2e-3"
 PhysicalSizeZUnit="mm"><Channel Name="DAPI"/><Channel/></Pixels></Image>
<Image ID="Image:1"><Pixels PhysicalSizeX="1" PhysicalSizeXUnit="pixel"><Channel/></Pixels></Image>
<Image ID="Image:2" Name="c"/></OME>"""


@pytest.mark.parametrize("year", ["2008-09", "2016-06"])
def test_ome_xml(year: str) -> None:
    first, second, third = parse_ome(OME.format(year=year))
    assert (first.name, first.description) == ("a", "tissue")
    assert first.voxel_size == pytest.approx((2.0, 0.5, 0.25))
    assert first.channel_names == ("DAPI", "channel 1")
    assert (second.voxel_size, second.channel_names) == (None, ())
    assert (third.name, third.voxel_size) == ("c", None)


def test_broken_ome_xml_says_nothing() -> None:
    assert parse_ome("<OME><Image></OME>") == []
    assert parse_ome("") == parse_ome(None) == []
