"""Reader of TIFF files: plain, ImageJ, OME-TIFF, with all their series and pyramid levels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.calibration import Lengths, calibrate, imagej_lengths, resolution_lengths
from napari_ssp.io.errors import damage_error, reading
from napari_ssp.io.lazy import as_dask
from napari_ssp.io.memory import check_fits
from napari_ssp.io.scene import Scene, image_stem, scene_name
from napari_ssp.io.tiff.axes import arrange, name_axes
from napari_ssp.io.tiff.checks import check_complete
from napari_ssp.io.tiff.claims import check_claims, check_planes, find_doubts
from napari_ssp.io.tiff.lazy import TiffArray, TiffSource
from napari_ssp.io.tiff.makers import maker_channels, maker_lengths
from napari_ssp.io.tiff.ome import OmeImage, parse_ome
from napari_ssp.io.tiff.opening import open_tiff
from napari_ssp.io.tiff.place import place_together
from napari_ssp.io.tiff.slides import without_pictures
from napari_ssp.io.tiff.stk import stk_axes

if TYPE_CHECKING:
    from pathlib import Path

#: Larger images, in bytes once decoded, are left in the file until they are looked at.
EAGER_BYTES = 64 * 2**20

_RGB, _YCBCR = 2, 6


def read_tiff(path: Path, eager_bytes: int | None = None) -> list[Scene]:
    """Read all images of a TIFF file.

    Values come as they are stored: palettes are not applied, "min is white" is not inverted.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    eager_bytes : int, optional
        Files that decode to more than this are read lazily, through dask; 64 MiB when not given.

    Returns
    -------
    list of Scene
        One per series of the file, in its order.

    Raises
    ------
    OSError
        If the file is cut off or damaged, or holds no image.
    TypeError
        If it holds complex numbers.
    ValueError
        If its axes cannot be told.
    """
    with reading(path), open_tiff(path) as tif:
        return _scenes(tif, path, EAGER_BYTES if eager_bytes is None else eager_bytes)


def _scenes(tif: Any, path: Path, eager_bytes: int) -> list[Scene]:
    check_claims(tif, path)
    found = _series(tif, path)
    check_complete(tif, path)
    check_planes(tif, path)
    size = sum(tif.series[i].size * tif.series[i].dtype.itemsize for i in found)
    source = TiffSource(str(path), tif) if size > eager_bytes else None
    ome = parse_ome(tif.ome_metadata) if tif.is_ome else []
    ome += [OmeImage()] * (len(tif.series) - len(ome))
    names = [scene_name(image_stem(path), i, len(found), ome[i].name) for i in found]
    scenes = [
        _scene(tif, path, i, ome[i], source, name) for i, name in zip(found, names, strict=True)
    ]
    placed = place_together([scene.image for scene in scenes], [ome[i].place for i in found])
    doubts = find_doubts(tif)
    warned = [replace(image, warnings=(*doubts, *image.warnings)) for image in placed]
    return [replace(scene, image=image) for scene, image in zip(scenes, warned, strict=True)]


def _series(tif: Any, path: Path) -> list[int]:
    found = [i for i, s in enumerate(tif.series) if s.dtype is not None and s.size]
    if not found:
        raise damage_error(path, "there is no image in it")
    return without_pictures(tif, found)


def _scene(
    tif: Any, path: Path, number: int, ome: OmeImage, source: TiffSource | None, name: str
) -> Scene:
    series = tif.series[number]
    colour = series.keyframe.photometric in (_RGB, _YCBCR)
    named, shape = stk_axes(tif, number)
    letters, rgb = name_axes(named, shape, colour)
    levels = []
    for level in range(len(series.levels)):
        array = _lazy_array(source, number, level) if source else None
        if array is None:
            array = _decoded(series.levels[level], path)
        if len(named) > array.ndim:
            array = array.reshape(shape)
        arranged, axes = arrange(array, letters, rgb)
        levels.append(arranged)
    channels = 1 if rgb or "c" not in axes else levels[0].shape[axes.index("c")]
    calibration = calibrate(_lengths(tif, number, ome), "z" in axes)
    image = MicroscopyImage(
        data=levels[0],
        axes=axes,
        voxel_size=calibration.voxel_size,
        channel_names=_channel_names(tif, number, ome, axes, channels),
        name=name,
        rgb=rgb,
        levels=tuple(levels[1:]),
        warnings=calibration.warnings,
    )
    return Scene.of(image, image_stem(path), ome.description)


def _lazy_array(source: TiffSource, series: int, level: int) -> Any:
    try:
        return as_dask(TiffArray(source, series, level))
    except NotImplementedError:
        return None


def _decoded(series: Any, path: Path) -> Any:
    check_fits(path, series.shape, series.dtype.itemsize, "its pixels")
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
