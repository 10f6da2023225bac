"""Writer of images and labels as OME-TIFF or OME-Zarr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import check_folder_target, check_target, passes_on
from napari_ssp.io.label_images import label_image, with_whole_numbers
from napari_ssp.io.scene import LABELS_DESCRIPTION, is_labels_name, is_zarr_name
from napari_ssp.io.slabs import slab_depth, slabs
from napari_ssp.io.tiff.writing import write_tiff
from napari_ssp.labels import check_label_type
from napari_ssp.place import add_axes

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from napari_ssp.image import MicroscopyImage

#: What names of TIFFs end with; without an ending a TIFF is written as well.
_ENDINGS = (".tif", ".tiff", ".btf", ".tf8", "")
_OME_TYPES = ("bool", "i1", "i2", "i4", "u1", "u2", "u4", "f4", "f8")


def write_labels(
    path: str | os.PathLike[str],
    labels: Any,
    *,
    axes: str | None = None,
    voxel_size: Sequence[float] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a label image as OME-TIFF, or as OME-Zarr 0.5.

    Parameters
    ----------
    path : path-like
        The file, e.g. ending with ".tif" or ".ome.tif". A name ending with ".zarr" becomes an
        OME-Zarr of its own; "image.ome.zarr/labels/cells" adds the labels "cells" to an OME-Zarr
        image of version 0.4 or 0.5, also in a plate.
    labels : MicroscopyImage, or array of bool or int
        0 is background; floats that are whole count as integers. Saved as uint16 when the numbers
        fit, else as uint32. A MicroscopyImage also says where it lies: its origin in the full
        image, and that one's position.
    axes : str, optional
        One letter of "tczyx" per axis of an array; "yx" when not given.
    voxel_size : three floats, optional
        µm along z, y and x; else a MicroscopyImage's own.
    overwrite : bool
        Replace a file, or a Zarr, of that name.

    Returns
    -------
    pathlib.Path
        The file. It appears under its name only when it is complete.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, OSError
        As `atomic_path`.
    TypeError
        If the labels are no whole numbers.
    ValueError
        If a label is negative or above 4294967295, axes, voxel size and shape do not fit, or the
        name ends otherwise.
    """
    check_name(Path(path), overwrite)
    image = with_whole_numbers(label_image(labels, axes, voxel_size))
    return _write(Path(path), image, _label_dtype(image), overwrite, is_labels=True)


def write_image(
    path: str | os.PathLike[str], image: MicroscopyImage, overwrite: bool = False
) -> Path:
    """Write an image as OME-TIFF or OME-Zarr 0.5, in parts, so that it may be larger than memory.

    Parameters
    ----------
    path : path-like
        The file, e.g. ending with ".tif" or ".ome.tif", or for OME-Zarr with ".zarr".
    image : MicroscopyImage
        Axes are stored in the order t, c, z, y, x, with its place. Its levels are left out; an
        OME-Zarr gets new ones where a plane is longer than 1024 pixels, each of half the size.
        OME-TIFF has no float16 and no 64-bit integers: the first becomes float32, the others
        32-bit integers.
        In an OME-Zarr colours are channels.
    overwrite : bool
        Replace a file, or a Zarr, of that name.

    Returns
    -------
    pathlib.Path
        The file. It appears under its name only when it is complete.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, OSError
        As `atomic_path`.
    ValueError
        If 64-bit integers do not fit into the 32 bits of an OME-TIFF, or the name ends otherwise.
    """
    check_name(Path(path), overwrite)
    dtype = _zarr_dtype(image) if is_zarr_name(Path(path)) else _tiff_dtype(image)
    return _write(Path(path), image, dtype, overwrite, is_labels=False)


def _label_dtype(image: MicroscopyImage) -> np.dtype[Any]:
    if image.dtype.kind != "b":  # one object
        check_label_type(image.dtype)
    low, high = _extremes(image)
    if low < 0 or high > np.iinfo(np.uint32).max:
        raise ValueError(
            f"The labels reach from {low} to {high}, but a file holds 0 to "
            f"{np.iinfo(np.uint32).max}. Use 0 for the background and renumber the objects "
            "(skimage.segmentation.relabel_sequential)."
        )
    return np.dtype(np.uint16 if high <= np.iinfo(np.uint16).max else np.uint32)


def _zarr_dtype(image: MicroscopyImage) -> np.dtype[Any]:
    native = image.dtype.newbyteorder("=")
    return native if native.itemsize <= 8 else np.dtype(np.float64)


def _tiff_dtype(image: MicroscopyImage) -> np.dtype[Any]:
    native = image.dtype.newbyteorder("=")
    if native in [np.dtype(name) for name in _OME_TYPES]:
        return native
    if native.kind == "f":
        return np.dtype(np.float32 if native.itemsize < 4 else np.float64)
    low, high = _extremes(image)
    for candidate in (np.dtype(f"{native.kind}4"), np.dtype(np.uint32), np.dtype(np.int32)):
        if np.iinfo(candidate).min <= low and high <= np.iinfo(candidate).max:
            return candidate
    raise ValueError(
        f"The image holds {native} values from {low} to {high}, but OME-TIFF has no 64-bit "
        "integers. Convert it first, e.g. with image.astype('float64')."
    )


def _extremes(image: MicroscopyImage) -> tuple[int, int]:
    read = slabs(image, slab_depth(image))
    pairs = [(int(slab.min()), int(slab.max())) for _, slab in read]
    return min(low for low, _ in pairs), max(high for _, high in pairs)


def _write(
    path: Path, image: MicroscopyImage, dtype: np.dtype[Any], overwrite: bool, *, is_labels: bool
) -> Path:
    # One plane of a stack, or one time point, is kept as such: an axis of length 1.
    image = add_axes(image)
    if is_zarr_name(path):
        from napari_ssp.io.ngff.writing import write_zarr

        write_zarr(path, image, dtype, overwrite, is_labels=is_labels)
    else:
        write_tiff(path, image, dtype, overwrite, LABELS_DESCRIPTION if is_labels else "")
    return path


def check_name(path: Path, overwrite: bool) -> None:
    """Refuse the name of a TIFF or an OME-Zarr that cannot be written to, before any work for it.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, PermissionError
        As `check_target` and `check_folder_target`.
    ValueError
        If its ending is that of another format.
    """
    if is_labels_name(path):
        return  # the image around it is looked at first
    is_known = is_zarr_name(path) or path.suffix.lower() in _ENDINGS
    if not is_known and not passes_on(path):
        raise ValueError(
            f"'{path}' ends with '{path.suffix}', but images are written as TIFF (.tif, .ome.tif) "
            "or OME-Zarr (.ome.zarr). Give such a name."
        )
    check = check_folder_target if is_zarr_name(path) else check_target
    check(path, overwrite)
