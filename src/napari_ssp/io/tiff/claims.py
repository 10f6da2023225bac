"""Claims that the metadata of a TIFF make of its pages, compared with what there is.

tifffile acts on these claims: it makes lists as long as they say and fills what is missing with
zeros, so those of OME-XML are looked at before it does.
"""

from __future__ import annotations

import math
from itertools import permutations
from typing import TYPE_CHECKING, Any

from napari_ssp.io.errors import damage_error
from napari_ssp.io.xml import local_name, parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

_ORDERS = tuple("XY" + "".join(order) for order in permutations("ZCT"))
_LONGEST = 2**31 - 1
#: More planes, or steps of a further axis, than any file has.
_MOST_PLANES = 10**7
_NUMBERS_OF_PLANES = ("IFD", "PlaneCount", "NumPlanes", "FirstZ", "FirstC", "FirstT")


def check_claims(tif: Any, path: Path) -> Element | None:
    """Refuse XML that is dangerous, and OME sizes that cannot be.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file, of which nothing but the first page was looked at.
    path : pathlib.Path
        Its path, for messages.

    Returns
    -------
    xml.etree.ElementTree.Element or None
        Its OME-XML; None where it has none, or it is damaged.

    Raises
    ------
    OSError
        With what was found.
    """
    text = _document(tif)
    if not text.lstrip("\ufeff \r\n\t").startswith("<"):
        return None
    try:
        root = parse_xml(text)
    except ValueError as error:
        raise damage_error(path, error) from error
    if root is None or not tif.is_ome:
        return None
    for element in root.iter():
        name = local_name(element)
        if name == "Pixels":
            _check_pixels(element, path)
        elif name == "TiffData":
            _check_place(element, path)
        elif name.startswith("ModuloAlong"):
            _check_steps(element, path)
    return root


def check_planes(tif: Any, path: Path) -> None:
    """Refuse a file whose metadata count other pages than there are.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    path : pathlib.Path
        Its path, for messages.

    Raises
    ------
    OSError
        With both numbers.
    """
    for series in tif.series:
        missing = sum(page is None for page in series.pages)
        if missing and not series.is_multifile:
            total = len(series.pages)
            raise damage_error(
                path,
                f"its metadata count {total} planes, of which {missing} are not there (if the "
                "recording ended early, let them be 0: --missing zeros)",
            )
    if tif.is_ome:
        _check_left_out(tif, path)
    elif tif.is_imagej and not tif.is_micromanager:
        _check_imagej(tif, path)


def find_doubts(tif: Any, root: Element | None) -> tuple[str, ...]:
    """Say which claims were not followed, since the pages say something else.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    root : xml.etree.ElementTree.Element or None
        As `check_claims` gave it.

    Returns
    -------
    tuple of str
        One sentence each, for the user.
    """
    if tif.is_ome:
        return tuple(_ome_doubts(tif, root))
    if tif.is_imagej and not tif.is_micromanager:
        return tuple(_imagej_doubts(tif))
    return ()


def _ome_doubts(tif: Any, root: Element | None) -> Iterator[str]:
    if root is None:
        yield (
            "Its OME-XML is damaged and was left out: axes are guessed, and the voxel size and "
            "the names of channels are not known."
        )
        return
    found = [element for element in root.iter() if local_name(element) == "Pixels"]
    for pixels, series in zip(found, tif.series, strict=False):
        page = series.keyframe
        said = (_whole(pixels.get("SizeX")), _whole(pixels.get("SizeY")))
        if said != (page.imagewidth, page.imagelength):
            yield (
                f"Its OME-XML speaks of {said[0]} x {said[1]} pixels; there are "
                f"{page.imagewidth} x {page.imagelength}, and these were read."
            )
            return
    if found and not any(series.kind.lower() == "ome" for series in tif.series):
        yield "Its OME-XML does not fit its pages, so the axes are guessed."


def _imagej_doubts(tif: Any) -> Iterator[str]:
    said = tif.imagej_metadata or {}
    planes = math.prod(said.get(axis, 1) for axis in ("channels", "slices", "frames"))
    count = sum(len(series.pages) for series in tif.series)
    if planes not in (1, count) and len(tif.pages) > 1:
        yield (
            f"Its ImageJ metadata count {planes} planes by channels, slices and frames; there are "
            f"{count}, and these were read as one stack."
        )


def _document(tif: Any) -> str:
    """Give what the first page says, or was given in its place."""
    if not len(tif.pages):
        return ""
    return str((tif.ome_metadata if tif.is_ome else None) or tif.pages.first.description)


def _check_pixels(pixels: Element, path: Path) -> None:
    order = pixels.get("DimensionOrder")
    if order not in _ORDERS:
        raise damage_error(
            path, f"its OME-XML has the DimensionOrder {order!r}, which is none of {_ORDERS}"
        )
    planes = 1
    for axis in "XYZCT":
        length = _whole(pixels.get(f"Size{axis}"))
        if length is None or not 0 < length <= _LONGEST:
            raise damage_error(
                path,
                f"its OME-XML has the Size{axis} {pixels.get(f'Size{axis}')!r}, which is no length",
            )
        planes *= length if axis in "ZCT" else 1
    if planes > _MOST_PLANES:
        raise damage_error(path, f"its OME-XML counts {planes} planes")
    for channel in pixels:
        samples = channel.get("SamplesPerPixel", "1") if local_name(channel) == "Channel" else "1"
        if not _whole(samples):
            raise damage_error(path, f"its OME-XML has SamplesPerPixel {samples!r}")


def _check_place(data: Element, path: Path) -> None:
    for name in _NUMBERS_OF_PLANES:
        number = _whole(data.get(name, "0"))
        if number is None or number > _MOST_PLANES:
            raise damage_error(
                path, f"its OME-XML has {name} {data.get(name)!r}, which is no plane's number"
            )
    for file in data:
        other = path.parent / file.get("FileName", path.name)
        if other.exists() and not other.is_file():
            raise damage_error(path, f"it names '{other}' as a part of it, which is no file")


def _check_steps(along: Element, path: Path) -> None:
    """Look at an axis that Z, C or T was divided by: start, end and step."""
    if "Start" not in along.attrib:
        return
    given = [along.get("Start"), along.get("End"), along.get("Step", "1")]
    try:
        start, end, step = (float(text or "nan") for text in given)
        count = (end - start) / step
    except (ValueError, ZeroDivisionError):
        count = math.nan
    if not -1 <= count <= _MOST_PLANES:
        raise damage_error(path, f"its OME-XML divides an axis by start, end and step {given}")


def _whole(text: str | None) -> int | None:
    """Read a whole number of digits; None where it is none, or longer than any that counts."""
    plain = (text or "").strip()
    return int(plain) if plain.isdecimal() and len(plain) < 20 else None


def _check_left_out(tif: Any, path: Path) -> None:
    """Refuse pages like those of an image that no image has."""
    if any(series.is_multifile for series in tif.series):
        return
    used = {page.index for series in tif.series for page in _own_pages(series, tif)}
    left = [index for index in range(len(tif.pages)) if index not in used]
    kinds = {(series.keyframe.shape, series.keyframe.dtype) for series in tif.series}
    first = tif.pages.get(left[0], aspage=True, cache=False) if left else None
    if first is not None and (first.shape, first.dtype) in kinds:
        raise damage_error(
            path,
            f"its metadata count {len(used)} planes, but there are {len(tif.pages)} "
            f"(the first of those left out is number {left[0]}, from 0)",
        )


def _own_pages(series: Any, tif: Any) -> Iterator[Any]:
    return (page for page in series.pages if page is not None and page.parent is tif)


def _check_imagej(tif: Any, path: Path) -> None:
    """Compare the numbers of ImageJ; a large stack of its own has one page for all planes."""
    said = tif.imagej_metadata or {}
    count, pages = said.get("images", 1), len(tif.pages)
    if isinstance(count, int) and pages > 1 and count != pages:
        raise damage_error(path, f"its ImageJ metadata count {count} images, but there are {pages}")
    for axis in ("images", "channels", "slices", "frames"):
        if not isinstance(said.get(axis, 1), int) or said.get(axis, 1) < 1:
            raise damage_error(path, f"its ImageJ metadata count {said[axis]!r} {axis}")
