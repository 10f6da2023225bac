"""Writer of outlines as regions of interest for ImageJ and Fiji."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

from napari_ssp.atomic import atomic_path
from napari_ssp.io.objects.outlines import outline_planes

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from napari_ssp.io.objects.outlines import Outline, Ring

# ImageJ reads its 16-bit coordinates up to this number; beyond it takes floats.
_LARGEST_SHORT = 60_535
# Of the file format; from 222 on there are floats.
_VERSION = 227
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0


def write_imagej_rois(
    path: str | os.PathLike[str], labels: Any, *, axes: str | None = None, overwrite: bool = False
) -> Path:
    """Write the outlines of all objects as a set of ImageJ ROIs.

    Outlines follow the edges of the pixels, as those of ImageJ's wand do, so that ImageJ finds the
    same pixels inside. Objects with holes or separate parts are composite selections. In a stack or
    a movie an object is one ROI per plane, with its position.

    Parameters
    ----------
    path : path-like
        The file, ending with ".zip"; drop it on the ROI Manager.
    labels : MicroscopyImage or array of int
        Label image, 0 is background; read plane by plane. Coordinates are those of the full image
        that a MicroscopyImage is a part of.
    axes : str, optional
        One letter of "tzyx" per axis of an array; "yx" when not given. A stack or a movie gets
        positions in a stack, an image with both axes those of a hyperstack.
    overwrite : bool
        Replace a file of that name.

    Returns
    -------
    pathlib.Path
        The file. Its ROIs are named by the label: "12"; in stacks also by the frame and the slice,
        from 1 as in ImageJ: "12_t003_z007".

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, OSError
        As `atomic_path`.
    TypeError
        If the labels are no integers.
    ValueError
        If a label is negative, the axes do not fit, or the name does not end with ".zip".
    """
    target = Path(path)
    if target.suffix.lower() != ".zip":
        raise ValueError(
            f"'{target}' does not end with '.zip', but ImageJ opens a set of ROIs only as a ZIP "
            f"file. Name it e.g. '{target.with_suffix('.zip').name}'."
        )
    with (
        atomic_path(target, overwrite) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for roi in _rois(labels, axes):
            archive.writestr(f"{roi.name}.roi", roi.tobytes())
    return target


def _rois(labels: Any, axes: str | None) -> Iterator[ImagejRoi]:
    for place, outlines in outline_planes(labels, axes):
        # ImageJ counts from 1; 0 means every plane.
        one_based = {axis: index + 1 for axis, index in place.items()}
        suffix = "".join(f"_{axis}{one_based[axis]:03}" for axis in "tz" if axis in one_based)
        for outline in outlines:
            roi = _roi(outline)
            roi.name = f"{outline.label}{suffix}"
            if len(one_based) == 1:
                (roi.position,) = one_based.values()
            else:
                roi.t_position, roi.z_position = (one_based.get(axis, 0) for axis in "tz")
            yield roi


def _roi(outline: Outline) -> ImagejRoi:
    rings = [ring[:, ::-1] for polygon in outline.polygons for ring in polygon]
    points = np.concatenate(rings)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    roi = ImagejRoi(version=_VERSION, left=left, top=top, right=right, bottom=bottom)
    return _composite(roi, rings) if len(rings) > 1 else _traced(roi, points)


def _traced(roi: ImagejRoi, points: Ring) -> ImagejRoi:
    roi.roitype = ROI_TYPE.TRACED
    roi.n_coordinates = len(points)
    roi.integer_coordinates = (points - points.min(axis=0)).astype(np.int32)
    if points.max() > _LARGEST_SHORT:
        roi.options |= ROI_OPTIONS.SUB_PIXEL_RESOLUTION
        roi.subpixel_coordinates = points.astype(np.float32)
    return roi


def _composite(roi: ImagejRoi, rings: list[Ring]) -> ImagejRoi:
    """Make one path of all rings; those of holes turn the other way, so any winding rule does."""
    path = [number for ring in rings for number in _path(ring)]
    roi.roitype = ROI_TYPE.RECT
    roi.multi_coordinates = np.array(path, np.float32)
    roi.shape_roi_size = len(path)
    return roi


def _path(ring: Ring) -> Iterator[float]:
    for command, (x, y) in zip([_MOVE] + [_LINE] * (len(ring) - 1), ring.tolist(), strict=True):
        yield from (command, x, y)
    yield _CLOSE
