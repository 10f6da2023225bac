"""Writer of OME-Zarr 0.5, slab by slab."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec

from napari_ssp.atomic import atomic_folder
from napari_ssp.io.ngff.metadata import ome_attributes
from napari_ssp.io.ngff.pyramid import chunk_shape, halve, level_sides
from napari_ssp.io.ngff.reading import read_zarr
from napari_ssp.io.ngff.written_metadata import VERSION, image_attributes, stored_axes
from napari_ssp.io.scene import is_labels_name
from napari_ssp.io.slabs import slab_depth, slabs
from napari_ssp.place import is_part, with_voxel_size

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage

    Windows = dict[int, tuple[float, float]]


def write_zarr(
    path: Path, image: MicroscopyImage, dtype: np.dtype[Any], overwrite: bool, *, is_labels: bool
) -> None:
    """Write one image or one label image.

    Parameters
    ----------
    path : pathlib.Path
        The folder, ending with ".zarr"; or for labels a place in an image,
        "image.ome.zarr/labels/cells".
    image : MicroscopyImage
        Stored with its axes in the order t, c, z, y, x.
    dtype : numpy.dtype
        Type of the stored pixels.
    overwrite : bool
        Replace a Zarr of that name.
    is_labels : bool
        Mark the values as object numbers; smaller levels take every second pixel.

    Raises
    ------
    FileExistsError, FileNotFoundError, OSError
        As `atomic_folder`.
    ValueError
        If the place in an image is not for labels, or the image is no OME-Zarr 0.5.
    """
    if not is_labels_name(path):
        _write_folder(path, image, dtype, overwrite, is_labels)
        return
    _check_place(path, is_labels)
    image = _beside(image, path.parent.parent)
    path.parent.mkdir(exist_ok=True)
    try:
        _write_folder(path, image, dtype, overwrite, is_labels)
    except BaseException:
        with suppress(OSError):  # other labels are there
            path.parent.rmdir()
        raise
    _register(path)


def _check_place(path: Path, is_labels: bool) -> None:
    holder = path.parent.parent
    if not is_labels:
        raise ValueError(
            f"'{path}' is a place for labels, and this is an image. Give a name that ends with "
            ".zarr, or use napari_ssp.io.write_labels."
        )
    try:
        version = ome_attributes(zarr.open_group(holder, mode="r").attrs)["version"]
    except (KeyError, TypeError, ValueError, OSError):
        version = None
    if version != VERSION:
        found = f"is of version {version}" if version else "is none"
        raise ValueError(
            f"Labels can be added to an OME-Zarr of version {VERSION}, but '{holder}' {found}. "
            "Write the labels to a .zarr of their own."
        )


def _beside(labels: MicroscopyImage, holder: Path) -> MicroscopyImage:
    """Give labels the voxel size and the place of the image that they are put into."""
    image = read_zarr(holder)[0].image
    if labels.voxel_size is None:
        labels = with_voxel_size(labels, image.voxel_size)
    position = labels.position if any(labels.position) else image.position
    labels = replace(labels, position=position)
    same = all(labels.sizes[a] == image.sizes[a] for a in "yx")
    if is_part(labels) or not same:
        return labels
    return replace(labels, origin=image.origin, full_axes=image.full_axes)


def _register(path: Path) -> None:
    """Name the labels in the list that the image's folder of labels keeps."""
    group = zarr.open_group(path.parent, mode="a", zarr_format=3)
    names = list(ome_attributes(group.attrs).get("labels", ()))
    if path.name not in names:
        group.attrs["ome"] = {"version": VERSION, "labels": [*names, path.name]}


def _write_folder(
    path: Path,
    image: MicroscopyImage,
    dtype: np.dtype[Any],
    overwrite: bool,
    is_labels: bool,
) -> None:
    with atomic_folder(path, overwrite) as folder:
        group = zarr.open_group(folder, mode="a", zarr_format=3)
        levels = _create_levels(group, image, dtype)
        windows = _fill(levels, image, dtype, is_labels)
        group.attrs.update(image_attributes(image, [a.shape for a in levels], windows, is_labels))


def _create_levels(group: Any, image: MicroscopyImage, dtype: np.dtype[Any]) -> list[Any]:
    axes = stored_axes(image)
    compressor = BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
    levels = []
    for number, (height, width) in enumerate(level_sides(image.sizes["y"], image.sizes["x"])):
        sizes = {**image.sizes, "y": height, "x": width}
        array = group.create_array(
            str(number),
            shape=tuple(sizes[a] for a in axes),
            chunks=chunk_shape(axes, sizes, dtype.itemsize),
            dtype=dtype,
            compressors=compressor,
            dimension_names=list(axes),
        )
        levels.append(array)
    return levels


def _fill(
    levels: list[Any], image: MicroscopyImage, dtype: np.dtype[Any], is_labels: bool
) -> Windows:
    """Write all levels in one pass; return the least and the largest value of each channel."""
    axes = stored_axes(image)
    windows: Windows = {}
    thick = max((a.chunks[axes.index("z")] for a in levels), default=1) if "z" in axes else 1
    depth = -(-slab_depth(image) // thick) * thick
    for place, slab in slabs(image, depth):
        for sample, stack in enumerate(slab):
            channel = sample if image.rgb else place.get("c", 0)
            windows[channel] = _widen(windows.get(channel), stack)
            part = stack.astype(dtype, copy=False)  # a large plane is mapped from a file
            key = _key(axes, {**place, "c": channel}, part.shape[0])
            for number, level in enumerate(levels):
                part = halve(part, nearest=is_labels) if number else part
                level[key] = part if "z" in axes else part[0]
    return windows


def _key(axes: str, place: dict[str, int], depth: int) -> tuple[int | slice, ...]:
    positions: dict[str, int | slice] = {**place, "z": slice(place["z"], place["z"] + depth)}
    return tuple(positions.get(a, slice(None)) for a in axes)


def _widen(window: tuple[float, float] | None, stack: npt.NDArray[Any]) -> tuple[float, float]:
    finite = stack[np.isfinite(stack)] if stack.dtype.kind == "f" else stack
    if not finite.size:
        return window or (0.0, 0.0)
    low, high = float(finite.min()), float(finite.max())
    return (min(low, window[0]), max(high, window[1])) if window else (low, high)
