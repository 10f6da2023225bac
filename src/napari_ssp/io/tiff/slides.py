"""Pictures beside the images of a TIFF: thumbnails, and a slide's label and overview."""

from __future__ import annotations

from typing import Any

from napari_ssp.io.tiff.scn import scn_images

#: What tifffile, and Bio-Formats in OME-TIFF, call the pictures that scanners take of a slide.
_PICTURES = {"thumbnail", "label", "macro", "map", "overview", "label image", "macro image"}
_SLIDES = {"svs", "ndpi", "qpi", "bif", "avs", "philips", "scn", "indica"}
_OME_PICTURES = {"label image", "macro image", "thumbnail image"}


def without_pictures(tif: Any, found: list[int]) -> list[int]:
    """Leave out series that only accompany the images.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    found : list of int
        Numbers of series.

    Returns
    -------
    list of int
        Those of images; all where nothing but pictures is left.
    """
    return [i for i in found if not _is_picture(tif, i)] or found


def _is_picture(tif: Any, number: int) -> bool:
    series = tif.series[number]
    name = (series.name or "").strip().lower()
    if series.kind == "scn":
        found = scn_images(tif.pages.first.description)
        return number < len(found) and found[number].is_overview
    if series.kind in _SLIDES and name in _PICTURES:
        return True
    if series.kind == "ome":
        return name in _OME_PICTURES
    # The page says of itself that it is a smaller version of another one, or its mask.
    if number > 0 and (series.keyframe.is_reduced or series.keyframe.is_mask):
        return True
    if series.kind != "generic" or series.keyframe.is_tiled:
        return False
    return any(s.is_pyramidal and s.keyframe.is_tiled for s in tif.series)
