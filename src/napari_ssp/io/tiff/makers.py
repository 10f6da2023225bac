"""Voxel sizes and channel names that makers of microscopes write into TIFF tags of their own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from tifffile.tifffile import svs_description_metadata

from napari_ssp.io.calibration import Length, Lengths
from napari_ssp.io.tiff.scn import scn_images
from napari_ssp.io.tiff.stk import wavelengths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_XMP = 700
_SCAN_RESOLUTION = re.compile(r'ScanRes="([^"]+)"')
_PIXEL_SPACING = re.compile(r'"DICOM_PIXEL_SPACING"[^>]*>\s*"([^"]+)"\s*"([^"]+)"')
_QPTIFF_NAME = re.compile(r"<Name>([^<]+)</Name>")
_FLUOVIEW_AXES = {"X": "x", "Y": "y", "Z": "z"}


def maker_lengths(tif: Any, number: int) -> Lengths:
    """Lengths by the tags of the file's maker.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    number : int
        Which of its series.

    Returns
    -------
    dict of str to Length
        Empty where the file has none, or its maker is not known here.
    """
    for flag, read in _LENGTHS.items():
        if getattr(tif, flag):
            return read(tif, number)
    return {}


def maker_channels(tif: Any, number: int) -> list[str]:
    """Channel names by the tags of the file's maker; parameters are those of `maker_lengths`."""
    if tif.is_lsm:
        names = (tif.lsm_metadata or {}).get("ChannelColors", {}).get("ColorNames", [])
        return [str(name) for name in names]
    if tif.is_stk:
        return [f"{wave:g} nm" for wave in wavelengths(tif)]
    if tif.is_qpi:
        found = [_QPTIFF_NAME.search(page.description) for page in tif.series[number].pages]
        return [name[1].strip() if name else "" for name in found]
    if tif.is_micromanager:
        names = _summary(tif).get("ChNames")
        return [str(name) for name in names] if isinstance(names, list) else []
    return []


def maker_doubts(tif: Any) -> tuple[str, ...]:
    """Say what is not right in the image of a maker's file, as far as it is read here."""
    if tif.is_bif:
        return (
            "Tiles of a Ventana slide overlap, and are shown as they lie in the file: objects at "
            "their borders may come twice. Export the region as OME-TIFF to have them joined.",
        )
    return ()


def _lsm(tif: Any, _: int) -> Lengths:
    metadata = tif.lsm_metadata or {}
    return {axis: Length(metadata.get(f"VoxelSize{axis.upper()}"), "m") for axis in "zyx"}


def _stk(tif: Any, _: int) -> Lengths:
    metadata = tif.stk_metadata or {}
    unit = str(metadata.get("CalibrationUnits") or "")
    found = {}
    if metadata.get("SpatialCalibration"):
        found = {a: Length(metadata.get(f"{a.upper()}Calibration"), unit) for a in "yx"}
    steps = np.abs(np.asarray(metadata.get("ZDistance", ()), float))
    steps = steps[np.isfinite(steps) & (steps > 0)]
    if found and len(steps):
        found["z"] = Length(float(np.median(steps)), "µm")
    return found


def _svs(tif: Any, _: int) -> Lengths:
    metadata = svs_description_metadata(tif.pages.first.description)
    return dict.fromkeys("yx", Length(metadata.get("MPP"), "µm"))


def _scn(tif: Any, number: int) -> Lengths:
    found = scn_images(tif.pages.first.description)
    return found[number].lengths if number < len(found) else {}


def _bif(tif: Any, _: int) -> Lengths:
    text = tif.pages.first.tags.valueof(_XMP)
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    found = _SCAN_RESOLUTION.search(text)
    return dict.fromkeys("yx", Length(found[1], "µm")) if found else {}


def _philips(tif: Any, _: int) -> Lengths:
    found = _PIXEL_SPACING.search(tif.pages.first.description)
    return {"y": Length(found[1], "mm"), "x": Length(found[2], "mm")} if found else {}


def _fluoview(tif: Any, _: int) -> Lengths:
    dimensions = (tif.fluoview_metadata or {}).get("Dimensions", ())
    return {
        _FLUOVIEW_AXES[name.upper()]: Length(abs(step), unit)
        for name, _, _, step, unit in dimensions
        if name.upper() in _FLUOVIEW_AXES
    }


def _sis(tif: Any, _: int) -> Lengths:
    metadata = tif.sis_metadata or {}
    return {axis: Length(metadata.get(f"pixelsize{axis}"), "m") for axis in "yx"}


def _metaseries(tif: Any, _: int) -> Lengths:
    plane = (tif.metaseries_metadata or {}).get("PlaneInfo", {})
    unit = str(plane.get("spatial-calibration-units") or "")
    if plane.get("spatial-calibration-state") is False:
        return {}
    return {axis: Length(plane.get(f"spatial-calibration-{axis}"), unit) for axis in "yx"}


def _micromanager(tif: Any, _: int) -> Lengths:
    summary = _summary(tif)
    side = summary.get("PixelSize_um") or summary.get("PixelSizeUm")
    step = summary.get("z-step_um") or summary.get("z-step")
    if not side:  # Micro-Manager's way to say that nobody calibrated it
        return {}
    return {"z": Length(step or None, "µm"), **dict.fromkeys("yx", Length(side, "µm"))}


def _summary(tif: Any) -> Mapping[str, Any]:
    summary = (tif.micromanager_metadata or {}).get("Summary")
    return summary if isinstance(summary, dict) else {}


def _sem(tif: Any, _: int) -> Lengths:
    metadata = tif.sem_metadata or {}
    found = metadata.get("ap_image_pixel_size") or metadata.get("ap_pixel_size")
    if not isinstance(found, tuple) or len(found) != 3:
        return {}
    _, value, unit = found
    return dict.fromkeys("yx", Length(value, str(unit)))


def _fei(tif: Any, _: int) -> Lengths:
    scan = (tif.fei_metadata or {}).get("Scan", {})
    names = {"y": "PixelHeight", "x": "PixelWidth"}
    return {axis: Length(scan.get(name), "m") for axis, name in names.items()}


#: By tifffile's name for the kind of file.
_LENGTHS: dict[str, Callable[[Any, int], Lengths]] = {
    "is_lsm": _lsm,
    "is_stk": _stk,
    "is_svs": _svs,
    "is_scn": _scn,
    "is_bif": _bif,
    "is_philips": _philips,
    "is_fluoview": _fluoview,
    "is_sis": _sis,
    "is_metaseries": _metaseries,
    "is_micromanager": _micromanager,
    "is_sem": _sem,
    "is_fei": _fei,
}
