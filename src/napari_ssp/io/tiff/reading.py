"""Reader of TIFF files: plain, ImageJ, OME-TIFF, with all their series and pyramid levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tifffile

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.calibration import imagej_voxel_size, resolution_voxel_size
from napari_ssp.io.errors import damage_error, reading
from napari_ssp.io.lazy import as_dask
from napari_ssp.io.memory import check_fits
from napari_ssp.io.scene import Scene, image_stem, is_labels, scene_name
from napari_ssp.io.tiff.axes import arrange, name_axes
from napari_ssp.io.tiff.checks import check_complete
from napari_ssp.io.tiff.claims import check_claims, check_planes, find_doubts
from napari_ssp.io.tiff.lazy import TiffArray, TiffSource
from napari_ssp.io.tiff.ome import OmeImage, parse_ome

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import VoxelSize

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
    with reading(path), tifffile.TiffFile(path) as tif:
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
    return [_scene(tif, path, number, ome[number], source) for number in found]


def _series(tif: Any, path: Path) -> list[int]:
    found = [i for i, s in enumerate(tif.series) if s.dtype is not None and s.size]
    if not found:
        raise damage_error(path, "there is no image in it")
    return found


def _scene(tif: Any, path: Path, number: int, ome: OmeImage, source: TiffSource | None) -> Scene:
    series = tif.series[number]
    colour = series.keyframe.photometric in (_RGB, _YCBCR)
    letters, rgb = name_axes(series.axes, series.shape, colour)
    levels = []
    for level in range(len(series.levels)):
        array = _lazy_array(source, number, level) if source else None
        if array is None:
            array = _decoded(series.levels[level], path)
        arranged, axes = arrange(array, letters, rgb)
        levels.append(arranged)
    names = _channel_names(tif, ome, axes, rgb, levels[0].shape)
    image = MicroscopyImage(
        data=levels[0],
        axes=axes,
        voxel_size=_voxel_size(tif, series, ome),
        channel_names=names,
        name=scene_name(image_stem(path), number, len(tif.series), ome.name),
        rgb=rgb,
        levels=tuple(levels[1:]),
        warnings=find_doubts(tif),
    )
    return Scene(image, is_labels(image, image_stem(path), ome.description))


def _lazy_array(source: TiffSource, series: int, level: int) -> Any:
    try:
        return as_dask(TiffArray(source, series, level))
    except NotImplementedError:
        return None


def _decoded(series: Any, path: Path) -> Any:
    check_fits(path, series.shape, series.dtype.itemsize, "its pixels")
    return series.asarray().reshape(series.shape)


def _voxel_size(tif: Any, series: Any, ome: OmeImage) -> VoxelSize | None:
    page = series.keyframe
    if tif.is_ome:
        return ome.voxel_size
    if tif.is_imagej and tif.imagej_metadata:
        return imagej_voxel_size(tif.imagej_metadata, page.resolution)
    return resolution_voxel_size(page.resolution, int(page.resolutionunit))


def _channel_names(
    tif: Any, ome: OmeImage, axes: str, rgb: bool, shape: tuple[int, ...]
) -> tuple[str, ...]:
    channels = 1 if rgb or "c" not in axes else shape[axes.index("c")]
    names = list(ome.channel_names)
    if tif.is_imagej and tif.imagej_metadata and axes == "cyx":
        # ImageJ's slice labels; with z or t as well they would name planes, not channels.
        names = tif.imagej_metadata.get("Labels", [])
    if len(names) != channels or not all(isinstance(name, str) and name for name in names):
        return ()
    return tuple(names)
