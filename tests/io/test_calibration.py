from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import zarr

from napari_ssp.io import read_image
from napari_ssp.io.calibration import (
    Length,
    calibrate,
    imagej_lengths,
    micrometres,
    resolution_lengths,
)
from napari_ssp.io.tiff.ome import parse_ome
from napari_ssp.io.xml import parse_xml

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("0.5", None, 0.5),
        ("0.5", "µm", 0.5),
        (2, "\u03bcm", 2.0),
        (2, "\\u00B5m", 2.0),
        (250, "nm", 0.25),
        (1, "Å", 1e-4),
        (1, "\u212b", 1e-4),
        (1, "\\u00c5", 1e-4),
        (2, "\u00c2µm", 2.0),
        (2, "um", 2.0),
        (2, " micrometres ", 2.0),
        (2, "Nanometers", 2e-3),
        (1, "inches", 25400.0),
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


def size(planes: bool = True, **lengths: Any) -> tuple[float, float, float] | None:
    """Voxel size without a warning."""
    found = calibrate(
        {a: n if isinstance(n, Length) else Length(n) for a, n in lengths.items()}, planes
    )
    assert found.warnings == ()
    return found.voxel_size


def doubt(planes: bool = True, **lengths: Any) -> str:
    """The warning that makes the voxel size unknown."""
    found = calibrate(
        {a: n if isinstance(n, Length) else Length(n) for a, n in lengths.items()}, planes
    )
    assert found.voxel_size is None
    (warning,) = found.warnings
    assert "the voxel size is taken as unknown" in warning
    return warning


def test_what_a_file_leaves_out_is_filled_in() -> None:
    assert size() is None
    assert size(z=2.0) is None
    assert size(y=0.5) == (1.0, 0.5, 0.5)
    assert size(z=2.0, x=0.5) == (2.0, 0.5, 0.5)
    assert size(z=2.0, y="", x=None) is None


def test_a_missing_unit_is_the_neighbours_where_the_numbers_are_equal() -> None:
    nm = Length("65", "nm")
    assert size(x=nm, y="65.0") == pytest.approx((1.0, 0.065, 0.065))
    assert size(x="65", y=nm) == pytest.approx((1.0, 0.065, 0.065))
    assert size(x=nm, y=Length(65, "")) == pytest.approx((1.0, 0.065, 0.065))
    assert size(x=nm, y=nm, z="65") == pytest.approx((0.065, 0.065, 0.065))
    assert size(x=nm, y="0.065") == pytest.approx((1.0, 0.065, 0.065))
    assert size(x=Length(1, "pixel"), y=1) is None
    assert "65 µm high and 0.064 µm wide" in doubt(x=Length(64, "nm"), y=65)


@pytest.mark.parametrize(
    ("y", "x"), [(0.65, 0.65), (1.3, 0.65), (0.65, 0.1), (5.0, 0.5), (0.065, 0.65)]
)
def test_binned_pixels_and_line_scans_are_believed(y: float, x: float) -> None:
    assert size(y=y, x=x) == (1.0, y, x)


@pytest.mark.parametrize(
    ("y", "x", "values"),
    [
        (Length(16.5, "cm"), Length(16.5, "nm"), "165000 µm high and 0.0165 µm wide"),
        (0.5, 10.0, "0.5 µm high and 10 µm wide"),
        (0.0, 0.5, "0 µm high and 0.5 µm wide"),
        (0.5, -0.5, "0.5 µm high and -0.5 µm wide"),
        (0.5, "nan", "0.5 µm high and no number of µm wide"),
        ("1,5", 0.5, "no number of µm high and 0.5 µm wide"),
        ("inf", "inf", "inf µm high and inf µm wide"),
        (0, 0, "0 µm high and 0 µm wide"),
        (Length(6.5, "m"), Length(6.5, "m"), "6.5e+06 µm high and 6.5e+06 µm wide"),
        (1e-7, 1e-7, "1e-07 µm high and 1e-07 µm wide"),
    ],
)
def test_impossible_pixels_are_unknown_and_said(y: Any, x: Any, values: str) -> None:
    assert values in doubt(y=y, x=x)
    assert values in doubt(y=y, x=x, z=1, planes=False)


@pytest.mark.parametrize("z", [0.02, 0.3, 5.0, 50.0])
def test_any_real_distance_of_planes_is_believed(z: float) -> None:
    assert size(z=z, y=0.2, x=0.2) == (z, 0.2, 0.2)


@pytest.mark.parametrize(
    ("z", "value"),
    [
        (300, "300 µm apart and pixels 0.2 µm wide"),
        (Length(0.3, "nm"), "0.0003 µm apart"),
        (0, "0 µm apart"),
        (-0.5, "-0.5 µm apart"),
        ("nan", "no number of µm apart"),
    ],
)
def test_an_impossible_distance_counts_only_in_a_stack(z: Any, value: str) -> None:
    assert value in doubt(z=z, y=0.2, x=0.2)
    assert size(z=z, y=0.2, x=0.2, planes=False) == (1.0, 0.2, 0.2)


@pytest.mark.parametrize("dpi", [72, 96, 150, 300, 600, 1200])
def test_how_large_to_print_is_no_calibration(dpi: float) -> None:
    for unit, dots in (("inch", dpi), ("in", dpi), ("cm", dpi / 2.54)):
        assert size(**imagej_lengths({"unit": unit, "spacing": 1.0}, (dots, dots))) is None
    assert size(**resolution_lengths((dpi, dpi), 2)) is None
    assert size(**resolution_lengths((dpi / 2.54, dpi / 2.54), 3)) is None
    pixel = 25400 / dpi  # as a converter writes it into OME-XML
    assert f"{dpi} to the inch" in doubt(x=f"{pixel:.6g}", y=f"{pixel:.6g}")


def test_a_resolution_that_nobody_set_is_no_calibration() -> None:
    for unit in (2, 3):
        assert size(**resolution_lengths((1, 1), unit)) is None


def test_coarse_pixels_in_units_of_prints_are_asked_about() -> None:
    assert "50 µm wide, 508 to the inch" in doubt(y=Length(5e-3, "cm"), x=Length(5e-3, "cm"))


def test_scanners_and_large_pixels_are_calibrated() -> None:
    assert size(**resolution_lengths((25400, 25400), 2)) == (1.0, 1.0, 1.0)
    assert size(**resolution_lengths((2400, 2400), 2)) == pytest.approx(
        (1.0, 10.583, 10.583), rel=1e-4
    )
    assert size(x=100, y=100) == (1.0, 100.0, 100.0)
    assert size(x=50.0, y=50.0) == (1.0, 50.0, 50.0)


def test_imagej_without_a_unit_of_length_has_no_voxel_size() -> None:
    assert size(**imagej_lengths({}, (2.0, 2.0))) is None
    assert size(**imagej_lengths({"unit": "pixel", "spacing": 2.0}, (2.0, 2.0))) is None
    assert size(**imagej_lengths({"unit": "µm", "spacing": "?"}, (2.0, 2.0))) == (1.0, 0.5, 0.5)
    assert "no number" in doubt(**imagej_lengths({"unit": "micron"}, (0.0, 0.0)))


@pytest.mark.parametrize(
    ("unit", "pixels"),
    [
        ("micron", 2.0),
        ("\\u00B5m", 2.0),
        ("um", 2.0),
        ("nm", 2e-3),
        ("mm", 2e3),
        ("cm", 2e4),
        ("m", 2e6),
        ("Å", 2e-4),
    ],
)
def test_units_of_imagej(unit: str, pixels: float) -> None:
    lengths = imagej_lengths({"unit": unit, "spacing": -1 / pixels}, (pixels, pixels))
    assert size(**lengths) == pytest.approx((0.5, 0.5, 0.5))


def test_imagej_with_a_unit_for_each_axis() -> None:
    metadata = {"unit": "nm", "yunit": "um", "zunit": "mm", "spacing": 0.001}
    assert size(**imagej_lengths(metadata, (0.002, 2.0))) == pytest.approx((1.0, 0.5, 0.5))


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/{year}">
<Image ID="Image:0" Name="a"><Description>tissue</Description>
<Pixels PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.5" PhysicalSizeZ="2e-3"
 PhysicalSizeZUnit="mm"><Channel Name="DAPI"/><Channel/></Pixels></Image>
<Image ID="Image:1"><Pixels PhysicalSizeX="1" PhysicalSizeXUnit="pixel"><Channel/></Pixels></Image>
<Image ID="Image:2" Name="c"/></OME>"""


@pytest.mark.parametrize("year", ["2008-09", "2016-06"])
def test_ome_xml(year: str) -> None:
    first, second, third = parse_ome(parse_xml(OME.format(year=year)))
    assert (first.name, first.description) == ("a", "tissue")
    assert size(**first.lengths) == pytest.approx((2.0, 0.5, 0.25))
    assert first.channel_names == ("DAPI", "channel 1")
    assert (size(**second.lengths), second.channel_names) == (None, ())
    assert (third.name, third.lengths) == ("c", {})


def test_broken_ome_xml_says_nothing() -> None:
    assert parse_ome(parse_xml("<OME><Image></OME>")) == []
    assert parse_ome(parse_xml("")) == parse_ome(None) == []


OME_TIFF = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">
<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="8" SizeY="9" SizeZ="{planes}"
 SizeC="1" SizeT="1" {sizes}><Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData/></Pixels>
</Image></OME>"""


@pytest.mark.parametrize(
    ("sizes", "planes", "expected"),
    [
        ("X='65' XUnit='nm' Y='65'", 1, (1.0, 0.065, 0.065)),
        ("X='16.5' XUnit='nm' Y='16.5' YUnit='cm'", 1, "0.0165 µm wide"),
        ("X='0.2' Y='0.2' Z='0'", 1, (1.0, 0.2, 0.2)),
        ("X='0.2' Y='0.2' Z='0'", 2, "0 µm apart"),
        ("X='0.2' Y='0.2' Z='0.5' ZUnit='m'", 2, "500000 µm apart"),
        ("X='0.2' Y='0.2' Z='1.5'", 2, (1.5, 0.2, 0.2)),
    ],
)
def test_an_ome_tiff_says_what_is_not_believed(
    tmp_path: Path, sizes: str, planes: int, expected: Any
) -> None:
    path = tmp_path / "a.ome.tif"
    attributes = " ".join(f"PhysicalSize{part}" for part in sizes.split())
    tifffile.imwrite(
        path,
        np.zeros((planes, 9, 8), "u1"),
        description=OME_TIFF.format(planes=planes, sizes=attributes).encode(),
        metadata=None,
    )
    _check(path, expected)


@pytest.mark.parametrize(
    ("scale", "units", "expected"),
    [
        ([2.0, 0.5, 0.5], ["micrometer"] * 3, (2.0, 0.5, 0.5)),
        ([2.0, 65.0, 65.0], ["micrometer", "nanometer", None], (2.0, 0.065, 0.065)),
        ([2.0, 0.5, 500.0], ["micrometer"] * 3, "0.5 µm high and 500 µm wide"),
        ([2000.0, 0.5, 0.5], ["micrometer"] * 3, "2000 µm apart"),
        ([0.0, 0.5, 0.5], ["micrometer"] * 3, "0 µm apart"),
        ([1.0, 1 / 72, 1 / 72], ["inch"] * 3, None),
    ],
)
def test_an_ome_zarr_says_what_is_not_believed(
    tmp_path: Path, scale: list[float], units: list[str | None], expected: Any
) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=np.zeros((2, 9, 8), "u1"))
    axes = [
        {"name": a, "type": "space", **({"unit": unit} if unit else {})}
        for a, unit in zip("zyx", units, strict=True)
    ]
    transforms = [{"type": "scale", "scale": scale}]
    datasets = [{"path": "0", "coordinateTransformations": transforms}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    _check(tmp_path / "a.zarr", expected)


def _check(path: Path, expected: Any) -> None:
    image = read_image(path)
    if isinstance(expected, str):
        (warning,) = image.warnings
        assert expected in warning
        assert image.voxel_size is None
    else:
        assert image.warnings == ()
        assert image.voxel_size == (expected and pytest.approx(expected))
