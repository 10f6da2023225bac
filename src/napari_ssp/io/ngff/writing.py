"""Writer of OME-Zarr 0.5, slab by slab; labels also into images of version 0.4."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec

from napari_ssp.atomic import atomic_folder
from napari_ssp.io.ngff.metadata import ome_attributes
from napari_ssp.io.ngff.pyramid import chunk_shape, halve, level_sides
from napari_ssp.io.ngff.reading import listed_labels, read_zarr
from napari_ssp.io.ngff.written_metadata import (
    VERSION,
    image_attributes,
    stored_axes,
    with_version,
)
from napari_ssp.io.scene import is_labels_name
from napari_ssp.io.slabs import slab_depth, slabs
from napari_ssp.place import is_part, with_voxel_size

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage

    Windows = dict[int, tuple[float, float]]


#: Versions of images that labels are added to, and the Zarr format of each.
_ZARR_FORMATS: dict[str, Literal[2, 3]] = {"0.4": 2, VERSION: 3}
_LABELS_VERSIONS = tuple(_ZARR_FORMATS)


@dataclass(frozen=True)
class _Kind:
    """Whether object numbers are written, and as which version."""

    is_labels: bool
    version: str = VERSION


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
        If the place in an image is not for labels, or the image is no OME-Zarr 0.4 or 0.5.
    """
    if not is_labels_name(path):
        _write_folder(path, image, dtype, overwrite, _Kind(is_labels))
        return
    if not is_labels:
        raise ValueError(
            f"'{path}' is a place for labels, and this is an image. Give a name that ends with "
            ".zarr, or use napari_ssp.io.write_labels."
        )
    version = check_labels_place(path)
    image = _beside(image, path.parent.parent)
    path.parent.mkdir(exist_ok=True)
    try:
        _write_folder(path, image, dtype, overwrite, _Kind(is_labels, version))
    except BaseException:
        with suppress(OSError):  # other labels are there
            path.parent.rmdir()
        raise
    _register(path, version)


def check_labels_place(path: Path) -> str:
    """Give the version of the image that labels are to be put into.

    Parameters
    ----------
    path : pathlib.Path
        The place of the labels, "image.ome.zarr/labels/cells".

    Raises
    ------
    ValueError
        If there is no OME-Zarr image of a version that is written.
    """
    holder = path.parent.parent
    try:
        attributes = zarr.open_group(holder, mode="r").attrs
        ome = ome_attributes(attributes)
        version = str(ome["version"] if "ome" in attributes else ome["multiscales"][0]["version"])
    except (KeyError, IndexError, TypeError, ValueError, OSError):
        version = ""
    if version not in _LABELS_VERSIONS:
        found = f"is of version {version}" if version else "is none"
        raise ValueError(
            f"Labels can be added to an OME-Zarr of version {' or '.join(_LABELS_VERSIONS)}, but "
            f"'{holder}' {found}. Write the labels to a .zarr of their own."
        )
    return version


def create_labels(
    folder: Path, image: MicroscopyImage, dtype: np.dtype[Any], side: int, path: Path
) -> None:
    """Create a label image without pixels, to be filled block by block by any number of writers.

    Parameters
    ----------
    folder : pathlib.Path
        Where it is made; nothing is there.
    image : MicroscopyImage
        Axes, lengths, voxel size and place; its pixels are not looked at.
    dtype : numpy.dtype
        Type of the stored numbers.
    side : int
        Side of a chunk, which has one plane.
    path : pathlib.Path
        The final name, as of `write_zarr`.

    Raises
    ------
    ValueError
        As `write_zarr`.
    """
    version = VERSION
    if is_labels_name(path):
        version = check_labels_place(path)
        image = _beside(image, path.parent.parent)
    group = zarr.open_group(folder, mode="w-", zarr_format=_ZARR_FORMATS[version])
    levels = _create_levels(group, image, dtype, side)
    shapes = [level.shape for level in levels]
    group.attrs.update(image_attributes(image, shapes, {}, is_labels=True, version=version))


def place_labels(folder: Path, path: Path, overwrite: bool) -> None:
    """Give a complete label image that lies on the same disk its final name.

    Raises
    ------
    FileExistsError, FileNotFoundError, OSError
        As `atomic_folder`.
    """
    with atomic_folder(path, overwrite) as temporary:
        temporary.rmdir()  # Windows replaces no folder
        os.replace(folder, temporary)
    if is_labels_name(path):
        _register(path, check_labels_place(path))


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


def _register(path: Path, version: str) -> None:
    """Name the labels in the list of the image's folder of labels, without what was deleted."""
    group = zarr.open_group(path.parent, mode="a", zarr_format=_ZARR_FORMATS[version])
    names, lost = listed_labels(group, path.parent)
    if path.name in names and not lost:
        return
    names += [path.name] if path.name not in names else []
    group.attrs.update(with_version({"labels": names}, version))


def _write_folder(
    path: Path,
    image: MicroscopyImage,
    dtype: np.dtype[Any],
    overwrite: bool,
    kind: _Kind,
) -> None:
    with atomic_folder(path, overwrite) as folder:
        group = zarr.open_group(folder, mode="a", zarr_format=_ZARR_FORMATS[kind.version])
        levels = _create_levels(group, image, dtype)
        windows = _fill(levels, image, dtype, kind.is_labels)
        shapes = [level.shape for level in levels]
        group.attrs.update(image_attributes(image, shapes, windows, **asdict(kind)))


def _create_levels(
    group: Any, image: MicroscopyImage, dtype: np.dtype[Any], side: int | None = None
) -> list[Any]:
    axes = stored_axes(image)
    levels = []
    for number, (height, width) in enumerate(level_sides(image.sizes["y"], image.sizes["x"])):
        sizes = {**image.sizes, "y": height, "x": width}
        chunks = chunk_shape(axes, sizes, dtype.itemsize)
        if side is not None:
            chunks = (1,) * (len(axes) - 2) + (min(side, height), min(side, width))
        array = group.create_array(
            str(number),
            shape=tuple(sizes[a] for a in axes),
            chunks=chunks,
            dtype=dtype,
            **_storage(group, axes),
        )
        levels.append(array)
    return levels


def _storage(group: Any, axes: str) -> dict[str, Any]:
    """How the pixels of a level are stored."""
    if group.metadata.zarr_format == _ZARR_FORMATS[VERSION]:
        compressor = BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
        return {"compressors": compressor, "dimension_names": list(axes)}
    return {"chunk_key_encoding": {"name": "v2", "separator": "/"}}


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
