"""Reader of TIFF files: plain, ImageJ, OME-TIFF, with all their series and pyramid levels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.calibration import Lengths, calibrate, imagej_lengths, resolution_lengths
from napari_ssp.io.errors import reading
from napari_ssp.io.lazy import as_dask
from napari_ssp.io.memory import check_fits
from napari_ssp.io.scene import (
    ImageSource,
    Scene,
    choose_scenes,
    image_name,
    image_stem,
    scene_names,
)
from napari_ssp.io.tiff.axes import arrange, name_axes
from napari_ssp.io.tiff.checks import check_complete
from napari_ssp.io.tiff.claims import check_planes, find_doubts
from napari_ssp.io.tiff.entries import Entry, find_entries
from napari_ssp.io.tiff.lazy import TiffArray, TiffSource, is_elsewhere
from napari_ssp.io.tiff.makers import maker_channels, maker_doubts, maker_lengths
from napari_ssp.io.tiff.opening import open_tiff
from napari_ssp.io.tiff.place import find_corner, place_image
from napari_ssp.io.tiff.sets import FileSet, find_set, missing_error, opened_set
from napari_ssp.io.tiff.stk import stk_axes

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.io.tiff.ome import OmeImage

#: Larger images, in bytes once decoded, are left in the file until they are looked at.
EAGER_BYTES = 64 * 2**20

_RGB, _YCBCR = 2, 6


def read_tiff(
    path: Path,
    eager_bytes: int | None = None,
    scene: str | int | None = None,
    missing: str = "refuse",
) -> list[Scene]:
    """Read all images of a TIFF file, or one of them.

    Values come as they are stored: palettes are not applied, "min is white" is not inverted.

    Parameters
    ----------
    path : pathlib.Path
        The file; of an OME-TIFF in several files any one of them.
    eager_bytes : int, optional
        Files that decode to more than this are read lazily, through dask; 64 MiB when not given.
    scene : str or int, optional
        Name or number of the only image to read.
    missing : str
        "refuse", or "zeros" for planes of 0 where files of a set are missing.

    Returns
    -------
    list of Scene
        In the order of the file.

    Raises
    ------
    FileNotFoundError
        If a file of the set is missing that an image needs.
    OSError
        If the file is cut off or damaged, or holds no image.
    TypeError
        If it holds complex numbers.
    ValueError
        If its axes cannot be told, or there is no such image.
    """
    eager = EAGER_BYTES if eager_bytes is None else eager_bytes
    with reading(path), opened_set(path) as (tif, files):
        return _scenes(tif, files, eager, scene, missing)


def list_tiff(path: Path) -> list[ImageSource]:
    """List the images of a TIFF file from its headers; parameter and errors as of `read_tiff`."""
    with reading(path), opened_set(path) as (tif, files):
        names = scene_names([entry.ome.name for entry in find_entries(tif, files)])
    stem = image_stem(files.files[0])
    return [ImageSource(path, name or None, image_name(stem, name)) for name in names]


def list_files(path: Path) -> tuple[Path, ...]:
    """List the files that hold the images of a TIFF file; errors are those of `read_tiff`."""
    with reading(path), open_tiff(path) as (_, root):
        return find_set(root, path).files


def _scenes(
    tif: Any, files: FileSet, eager_bytes: int, scene: str | int | None, missing: str
) -> list[Scene]:
    found = find_entries(tif, files)
    names, chosen = choose_scenes([entry.ome.name for entry in found], scene, files.master)
    check_complete(tif, files.master)
    if missing == "refuse" and not any(entry.missing for entry in found):
        check_planes(tif, files.master)
    entries = [replace(found[k], name=names[k]) for k in chosen]
    size = sum(tif.series[i].nbytes for entry in entries for i in entry.series)
    source = TiffSource(str(files.master), tif) if size > eager_bytes else None
    scenes = [_scene(tif, files, entry, source, missing) for entry in entries]
    # Where an image lies is the same whether all are read or it alone.
    shown = [entry for entry in found if entry.series]
    corner = find_corner([e.ome.place for e in shown], [_is_measured(tif, e) for e in shown])
    doubts = find_doubts(tif, files.root)
    placed = [
        place_image(scene.image, entry.ome.place, corner)
        for scene, entry in zip(scenes, entries, strict=True)
    ]
    return [
        replace(scene, image=replace(image, warnings=(*doubts, *image.warnings)))
        for scene, image in zip(scenes, placed, strict=True)
    ]


def _is_measured(tif: Any, entry: Entry) -> bool:
    return calibrate(_lengths(tif, entry.series[0], entry.ome), False).voxel_size is not None


def _scene(
    tif: Any, files: FileSet, entry: Entry, source: TiffSource | None, missing: str
) -> Scene:
    if entry.missing and (missing == "refuse" or not entry.series):
        raise missing_error(files.master, entry.missing)
    parts = [_levels(tif, number, entry, source, files.master) for number in entry.series]
    levels, axes, rgb = parts[0]
    if len(parts) > 1:
        levels = [_stacked(tif, entry.series, [part[0][0] for part in parts])]
        axes = f"z{axes.replace('z', '')}"
    number, stem = entry.series[0], image_stem(files.files[0])
    channels = 1 if rgb or "c" not in axes else levels[0].shape[axes.index("c")]
    calibration = calibrate(_lengths(tif, number, entry.ome), "z" in axes)
    image = MicroscopyImage(
        data=levels[0],
        axes=axes,
        voxel_size=calibration.voxel_size,
        channel_names=_channel_names(tif, number, entry.ome, axes, channels),
        name=image_name(stem, entry.name),
        rgb=rgb,
        levels=tuple(levels[1:]),
        warnings=(
            *entry.doubts(tif, files.master),
            *calibration.warnings,
            *maker_doubts(tif),
        ),
    )
    return Scene.of(image, stem, entry.ome.description, entry.name)


def _levels(
    tif: Any, number: int, entry: Entry, source: TiffSource | None, path: Path
) -> tuple[list[Any], str, bool]:
    """Arrays of a series, the largest first; their axes; whether they hold colours."""
    series = tif.series[number]
    colour = series.keyframe.photometric in (_RGB, _YCBCR)
    named, shape = stk_axes(tif, number)
    position = tuple(entry.position.get(a, slice(None)) for a in named)
    own = [(a, n) for a, n in zip(named, shape, strict=True) if a not in entry.position]
    letters, rgb = name_axes("".join(a for a, _ in own), [n for _, n in own], colour)
    levels = []
    for level in range(len(series.levels)):
        array = _lazy_array(source, number, level) if source else None
        if array is None:
            array = _decoded(tif, number, level, path)
        if len(named) > array.ndim:
            array = array.reshape(shape)
        arranged, axes = arrange(array[position], letters, rgb)
        levels.append(arranged)
    return levels, axes, rgb


def _stacked(tif: Any, series: tuple[int, ...], arrays: list[Any]) -> Any:
    """Put pages together in the order of the file, which several series share."""
    by_page: dict[int, Any] = {}
    for number, array in zip(series, arrays, strict=True):
        pages = list(tif.series[number].pages)
        single = [array] if len(pages) == 1 else array
        by_page |= {page.index: plane for page, plane in zip(pages, single, strict=True)}
    planes = [by_page[index] for index in sorted(by_page)]
    if all(isinstance(plane, np.ndarray) for plane in planes):
        return np.stack(planes)
    import dask.array as da  # takes a while to import

    stack: Any = da.stack
    return stack(planes)


def _lazy_array(source: TiffSource, series: int, level: int) -> Any:
    try:
        return as_dask(TiffArray(source, series, level))
    except NotImplementedError:
        return None


def _decoded(tif: Any, number: int, level: int, path: Path) -> Any:
    series = tif.series[number].levels[level]
    check_fits(path, series.shape, series.dtype.itemsize, "its pixels")
    if is_elsewhere(series, tif):  # tifffile would look for its pixels in the wrong file
        return TiffArray(TiffSource(str(path), tif), number, level)[()]
    return series.asarray().reshape(series.shape)


def _lengths(tif: Any, number: int, ome: OmeImage) -> Lengths:
    page = tif.series[number].keyframe
    found = ome.lengths or maker_lengths(tif, number)
    if found or tif.is_ome:
        return found
    if tif.is_imagej and tif.imagej_metadata:
        return imagej_lengths(tif.imagej_metadata, page.resolution)
    return resolution_lengths(page.resolution, int(page.resolutionunit))


def _channel_names(
    tif: Any, number: int, ome: OmeImage, axes: str, channels: int
) -> tuple[str, ...]:
    names = list(ome.channel_names) or maker_channels(tif, number)
    if tif.is_imagej and tif.imagej_metadata and axes == "cyx":
        # ImageJ's slice labels; with z or t as well they would name planes, not channels.
        names = tif.imagej_metadata.get("Labels", [])
    if len(names) != channels or not all(isinstance(name, str) and name for name in names):
        return ()
    return tuple(names)
