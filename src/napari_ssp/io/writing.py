"""Write images and labels as OME-TIFF."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.atomic import atomic_path, check_target
from napari_ssp.io.scene import LABELS_DESCRIPTION

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

_OME_TYPES = ("bool", "i1", "i2", "i4", "u1", "u2", "u4", "f4", "f8")
_WRITE_ORDER = "tczyx"
_ALPHA = 4
# Classic TIFF counts bytes in 32 bits; some are left for the tags.
_CLASSIC_LIMIT = 2**32 - 2**25


def write_labels(
    path: str | os.PathLike[str],
    labels: Any,
    *,
    axes: str = "yx",
    voxel_size: Sequence[float] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a label image as OME-TIFF.

    Parameters
    ----------
    path : path-like
        The file, e.g. ending with ".tif" or ".ome.tif".
    labels : array of bool or int
        0 is background. Saved as uint16 when the numbers fit, else as uint32.
    axes : str
        One letter of "tczyx" per axis.
    voxel_size : three floats, optional
        µm along z, y and x.
    overwrite : bool
        Replace a file of that name.

    Returns
    -------
    pathlib.Path
        The file. It appears under its name only when it is complete.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, OSError
        As `atomic_path`.
    TypeError
        If the labels are no integers.
    ValueError
        If a label is negative or above 4294967295, or axes, voxel size and shape do not fit.
    """
    check_target(Path(path), overwrite)
    image = MicroscopyImage.from_array(labels, axes, voxel_size, name="labels")
    # A last axis of length 3 may be channels of labels, but never colours.
    image = replace(image, rgb=False)
    return _write(path, image, _label_dtype(image), overwrite, LABELS_DESCRIPTION)


def write_image(
    path: str | os.PathLike[str], image: MicroscopyImage, overwrite: bool = False
) -> Path:
    """Write an image as OME-TIFF, plane by plane, so that it may be larger than memory.

    Parameters
    ----------
    path : path-like
        The file, e.g. ending with ".tif" or ".ome.tif".
    image : MicroscopyImage
        Axes are stored in the order t, c, z, y, x. Pyramid levels are left out. OME-TIFF has no
        float16 and no 64-bit integers: the first becomes float32, the others 32-bit integers.
    overwrite : bool
        Replace a file of that name.

    Returns
    -------
    pathlib.Path
        The file. It appears under its name only when it is complete.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, OSError
        As `atomic_path`.
    ValueError
        If 64-bit integers do not fit into 32 bits.
    """
    check_target(Path(path), overwrite)
    return _write(path, image, _image_dtype(image), overwrite, "")


def _label_dtype(image: MicroscopyImage) -> np.dtype[Any]:
    if image.dtype.kind not in "bui":
        raise TypeError(
            f"The labels have dtype {image.dtype}, but labels are integers, one number per object. "
            "Convert them, or save the array as an image."
        )
    low, high = _extremes(image)
    if low < 0 or high > np.iinfo(np.uint32).max:
        raise ValueError(
            f"The labels reach from {low} to {high}, but a file holds 0 to "
            f"{np.iinfo(np.uint32).max}. Use 0 for the background and renumber the objects "
            "(skimage.segmentation.relabel_sequential)."
        )
    return np.dtype(np.uint16 if high <= np.iinfo(np.uint16).max else np.uint32)


def _image_dtype(image: MicroscopyImage) -> np.dtype[Any]:
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
    pairs = [(int(page.min()), int(page.max())) for page in _pages(image, image.dtype)]
    return min(low for low, _ in pairs), max(high for _, high in pairs)


def _write(
    path: str | os.PathLike[str],
    image: MicroscopyImage,
    dtype: np.dtype[Any],
    overwrite: bool,
    description: str,
) -> Path:
    # tifffile takes a while to import.
    import tifffile

    shape, options = _layout(image)
    bytes_in_all = int(np.prod(shape)) * dtype.itemsize
    with atomic_path(path, overwrite) as temporary, temporary.open("w+b") as file:
        with tifffile.TiffWriter(file, ome=True, bigtiff=bytes_in_all > _CLASSIC_LIMIT) as tif:
            tif.write(
                _pages(image, dtype),
                shape=shape,
                dtype=dtype,
                compression="zlib",
                predictor=dtype.kind in "iu" and not description,
                metadata=_metadata(image, description),
                **options,
            )
    return Path(path)


def _layout(image: MicroscopyImage) -> tuple[tuple[int, ...], dict[str, Any]]:
    order = _order(image)
    if not image.rgb:
        return tuple(image.sizes[a] for a in order), {"photometric": "minisblack"}
    options: dict[str, Any] = {"photometric": "rgb", "planarconfig": "contig"}
    if image.sizes["c"] == _ALPHA:
        options["extrasamples"] = ["unassalpha"]
    return tuple(image.sizes[a] for a in order), options


def _order(image: MicroscopyImage) -> str:
    if image.rgb:
        return "".join(a for a in "tzyxc" if a in image.axes)
    return "".join(a for a in _WRITE_ORDER if a in image.axes)


def _pages(image: MicroscopyImage, dtype: np.dtype[Any]) -> Iterator[npt.NDArray[Any]]:
    """Go through the planes in the order of the file, reading one at a time."""
    order = _order(image)
    page = 3 if image.rgb else 2
    place = dict.fromkeys(image.axes, slice(None))
    left = [a for a in image.axes if a in order[-page:]]
    for index in np.ndindex(*(image.sizes[a] for a in order[:-page])):
        picked = place | dict(zip(order, index, strict=False))
        plane = np.asarray(image.data[tuple(picked[a] for a in image.axes)])
        ordered = plane.transpose([left.index(a) for a in order[-page:]])
        yield np.ascontiguousarray(ordered, dtype=dtype)


def _metadata(image: MicroscopyImage, description: str) -> dict[str, Any]:
    letters = _order(image).upper()
    metadata: dict[str, Any] = {
        "axes": letters.replace("C", "S") if image.rgb else letters,
        "Name": image.name,
    }
    if description:
        metadata["Description"] = description
    if image.channel_names:
        metadata["Channel"] = {"Name": list(image.channel_names)}
    if image.voxel_size is not None:
        for axis, size in zip("ZYX", image.voxel_size, strict=True):
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    return metadata
