"""Reader of OME-Zarr, versions 0.1 to 0.5: images with their levels, series, and labels."""

from __future__ import annotations

import zlib
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from napari_ssp.atomic import ZARR_MARKERS, is_special
from napari_ssp.image import MicroscopyImage
from napari_ssp.io.calibration import calibrate
from napari_ssp.io.errors import damage_error
from napari_ssp.io.label_images import is_whole, with_whole_numbers
from napari_ssp.io.lazy import as_dask, drop_single
from napari_ssp.io.ngff.archive import find_store, is_archive
from napari_ssp.io.ngff.lazy import ZarrArray, ZarrSource, remember_source
from napari_ssp.io.ngff.metadata import NgffImage, ome_attributes, parse_image
from napari_ssp.io.scene import (
    ImageSource,
    Scene,
    find_scenes,
    image_name,
    image_stem,
    scene_names,
)
from napari_ssp.io.stored_origin import place_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from napari_ssp.image import VoxelSize

# Blocks of an image of 60 TB, whose list takes some seconds; and bytes that can be counted.
_MOST_BLOCKS, _LARGEST = 2**21, 2**62
# What a hand-made or cut-off JSON file leads to, here and in zarr.
_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, BadZipFile, zlib.error)


def is_zarr(path: Path) -> bool:
    """Whether a folder is, or claims to be, a Zarr group or array; or a file is such a zip."""
    if not path.is_dir():
        return is_archive(path)
    return path.suffix.lower() == ".zarr" or any((path / name).is_file() for name in ZARR_MARKERS)


def read_zarr(path: Path, scene: str | int | None = None) -> list[Scene]:
    """Read all images of an OME-Zarr, or some; pixels stay in the file until they are looked at.

    Parameters
    ----------
    path : pathlib.Path
        The folder of an image, of several images (as bioformats2raw writes them), of a plate, of
        one well of it, or of labels; or a zip of such a folder.
    scene : str or int, optional
        Name or number of the only image to read; of a plate "A/1/0" is a field, "A/1" a well.

    Returns
    -------
    list of Scene
        In the order of the file, each image followed by its labels.

    Raises
    ------
    OSError
        If parts are missing or damaged.
    ValueError
        If it is no OME-Zarr image, its metadata are broken, its axes cannot be told, or there is
        no such scene.
    """
    group = _open(path)
    places = _places(group, path, str(scene))
    names, title = _names(group, path, places), _title(group, path)
    chosen = range(len(places)) if scene is None else find_scenes(names, scene, path)
    scenes = []
    for number in chosen:
        image, place = _image(group, places[number], path)
        meta, name = _parse(image, place), title(names[number])
        scenes.append(_scene(image, meta, place, name, names[number]))
        if "labels" in image:
            labels, folder = image["labels"], place / "labels"
            scenes[-1] = _with_lost(scenes[-1], labels, folder)
            scenes += _labels(labels, folder, name, names[number])
    return [_with_lost(found, group, path) for found in scenes]


def list_zarr(path: Path) -> list[ImageSource]:
    """List the images of an OME-Zarr; parameter and errors as of `read_zarr`."""
    group = _open(path)
    names, title = _names(group, path, _places(group, path)), _title(group, path)
    return [ImageSource(path, name or None, title(name)) for name in names]


def image_folders(path: Path) -> dict[str | None, Path]:
    """Find the folder of each image by its name; errors are those of `read_zarr`."""
    group = _open(path)
    places = _places(group, path)
    names = _names(group, path, places)
    return {name or None: path / place for name, place in zip(names, places, strict=True)}


def is_plate(path: Path) -> bool:
    """Whether a Zarr is a plate of wells; errors are those of `read_zarr`."""
    return "plate" in ome_attributes(_open(path).attrs)


def _open(path: Path) -> Any:
    import zarr  # takes half a second, and other formats do without it

    store, root = find_store(path) if path.is_file() else (path, None)
    if store is path and not any((path / name).is_file() for name in ZARR_MARKERS):
        raise ValueError(
            f"'{path}' holds none of {', '.join(ZARR_MARKERS)}, so it is no Zarr and there is no "
            "image in it. Copy the whole folder again, or choose the folder that ends with .zarr."
        )
    try:
        node = zarr.open(store, path=root, mode="r")
        attributes = dict(node.attrs)
    except (*_BROKEN, OSError) as error:
        raise _broken(path, error) from error
    if isinstance(node, zarr.Array) and "multiscales" not in ome_attributes(attributes):
        raise ValueError(
            f"'{path}' is a bare Zarr array {node.shape}: nothing says what its axes are. Open the "
            "folder above it if that is an OME-Zarr image, or convert it with "
            "napari_ssp.io.write_image."
        )
    return node


def _places(group: Any, path: Path, wanted: str = "") -> list[str]:
    """Find the groups that hold an image each; "" is the group itself.

    Where a field of a plate is wanted and there, the other wells are not looked at.
    """
    ome = ome_attributes(group.attrs)
    if "multiscales" in ome:
        return [""]
    names = _fields(group, ome, path, wanted) if "plate" in ome else _children(group, ome, path)
    if not names:
        raise ValueError(
            f"'{path}' is a Zarr group without an OME-Zarr image (no 'multiscales' in its "
            f"attributes, which are {sorted(ome) or 'empty'}). Choose the folder of an image, or "
            "export it again as OME-Zarr."
        )
    return names


def _fields(group: Any, ome: Mapping[str, Any], path: Path, wanted: str) -> list[str]:
    """Find the fields of a plate's wells: "A/1/0"."""

    def inside(well: str) -> list[str]:
        images = ome_attributes(_child(group, well, path).attrs)["well"]["images"]
        return [f"{well}/{image['path']}" for image in images]

    try:
        wells = [str(well["path"]) for well in ome["plate"]["wells"]]
        if any(wanted in inside(well) for well in wells if wanted.startswith(f"{well}/")):
            return [wanted]
        return [field for well in wells for field in inside(well)]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise _broken(path, error) from error


def _children(group: Any, ome: Mapping[str, Any], path: Path) -> list[str]:
    try:
        if "well" in ome:
            return [str(image["path"]) for image in ome["well"]["images"]]
        if "labels" in ome:
            return listed_labels(group, path)[0]
        series = ome_attributes(group["OME"].attrs).get("series") if "OME" in group else None
        if series:
            return [str(name) for name in series]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise _broken(path, error) from error
    numbers: list[str] = []
    while str(len(numbers)) in group and "bioformats2raw.layout" in ome:
        numbers.append(str(len(numbers)))
    return numbers


def _names(group: Any, path: Path, places: list[str]) -> list[str]:
    """Names by which the images are told apart: as the file says, of wells and fields the place."""
    if {"plate", "well", "labels"} & set(ome_attributes(group.attrs)):
        return places
    if len(places) == 1:
        return [""]
    return scene_names([_parse(*_image(group, place, path)).name for place in places])


def _title(group: Any, path: Path) -> Callable[[str], str]:
    """How an image of the Zarr is called, given its name."""
    stem, plate = zarr_stem(path), "plate" in ome_attributes(group.attrs)
    return lambda name: image_name(stem, _field_name(name) if plate else name)


def _image(group: Any, place: str, path: Path) -> tuple[Any, Path]:
    """Group of an image, and its folder."""
    if not place:
        return group, path
    child = _child(group, place, path)
    if "multiscales" not in ome_attributes(child.attrs):
        raise damage_error(path, f"its part '{place}' is no image")
    return child, path / place


def _child(group: Any, name: str, path: Path) -> Any:
    if any(is_special(path / name / marker) for marker in ZARR_MARKERS):
        raise damage_error(path, f"the metadata of its part '{name}' are no file")
    try:
        return group[name]
    except KeyError as error:
        raise damage_error(path, f"its metadata name '{name}', which is not there") from error
    except (*_BROKEN, OSError) as error:
        raise _broken(path / name, error) from error


def _parse(group: Any, path: Path) -> NgffImage:
    try:
        return parse_image(dict(group.attrs))
    except _BROKEN as error:
        raise _broken(path, error) from error


def listed_labels(group: Any, folder: Path) -> tuple[list[str], list[str]]:
    """Names that a group of labels lists: those that are there, and those that were deleted."""
    names = [str(name) for name in ome_attributes(group.attrs).get("labels", ())]
    # What is left of a label image is damage, and no deletion; a zip has no folders.
    lost = [n for n in names if not (folder / n).exists() and n not in group]
    return [name for name in names if name not in lost], lost


def _with_lost(scene: Scene, group: Any, folder: Path) -> Scene:
    """Scene that warns of label images that a group lists and has no more."""
    try:
        lost = listed_labels(group, folder)[1]
    except _BROKEN as error:
        raise _broken(folder, error) from error
    if not lost:
        return scene
    warning = (
        f"'{folder}' lists label images that are not there: {', '.join(lost)}. They were deleted, "
        "or not copied; the others are read."
    )
    image = replace(scene.image, warnings=(*scene.image.warnings, warning))
    return replace(scene, image=image)


def _labels(labels: Any, folder: Path, name: str, scene: str) -> Iterator[Scene]:
    for label in listed_labels(labels, folder)[0]:
        child = _child(labels, label, folder)
        meta = _parse(child, folder / label)
        full = image_name(name, label)
        yield _scene(child, meta, folder / label, full, f"{scene} {label}".strip())


def _scene(group: Any, meta: NgffImage, path: Path, name: str, scene: str) -> Scene:
    arrays = [_array(group, place, path) for place in meta.paths]
    if not arrays:
        raise _broken(path, "its list of levels is empty")
    _check_axes(meta.axes, arrays[0].shape, path)
    key, axes = drop_single(meta.axes, arrays[0].shape)
    levels = [as_dask(array)[key] for array in arrays]
    if meta.rgb:
        order = [*(i for i, a in enumerate(axes) if a != "c"), axes.index("c")]
        levels = [level.transpose(order) for level in levels]
        axes = "".join(axes[i] for i in order)
    remember_source(levels[0], ZarrSource(path.absolute(), axes))
    labels = path.parent.name == "labels" or meta.is_labels
    channels = 1 if meta.rgb or "c" not in axes else levels[0].shape[axes.index("c")]
    calibration = calibrate(meta.lengths, "z" in axes)
    image = MicroscopyImage(
        data=levels[0],
        axes=axes,
        voxel_size=calibration.voxel_size,
        channel_names=meta.channel_names if len(meta.channel_names) == channels else (),
        name=name,
        rgb=meta.rgb,
        levels=tuple(levels[1:]),
        warnings=calibration.warnings,
    )
    image = place_part(image, meta.origin, _translation(meta, calibration.voxel_size))
    if labels and is_whole(image):
        return Scene(with_whole_numbers(image), True, scene)
    return Scene.of(image, image_stem(path), name=scene)


def _translation(meta: NgffImage, size: VoxelSize | None) -> tuple[float, float, float]:
    """Where the first voxel lies along z, y and x: µm, or voxels where their size is not known."""
    steps = size or (1.0, 1.0, 1.0)
    z, y, x = (
        meta.starts.get(a, 0.0) * (step / (abs(float(meta.lengths[a].value)) or 1.0))
        if a in meta.lengths
        else meta.starts.get(a, 0.0)
        for a, step in zip("zyx", steps, strict=True)
    )
    return z, y, x


def _array(group: Any, name: str, path: Path) -> ZarrArray:
    array = _child(group, name, path)
    if not hasattr(array, "chunks"):
        raise damage_error(path, f"its level '{name}' is no array")
    shape, chunks = tuple(array.shape), tuple(array.chunks)
    if min((*shape, *chunks), default=0) < 1:
        raise damage_error(path / name, f"it has the shape {shape} in chunks of {chunks}")
    found = ZarrArray(str(path / name), array)
    blocks = prod(-(-n // step) for n, step in zip(shape, found.chunks, strict=True))
    if blocks > _MOST_BLOCKS or prod(shape) * found.dtype.itemsize > _LARGEST:
        raise damage_error(path / name, f"it has the shape {shape}, more than any image")
    return found


def _check_axes(axes: str, shape: tuple[int, ...], path: Path) -> None:
    if len(axes) != len(shape) or not {"y", "x"} <= set(axes):
        raise ValueError(
            f"'{path}' names the axes '{axes}' for an array of shape {shape}; each axis needs a "
            "name, y and x among them. Export it again as OME-Zarr."
        )
    if any(a == "?" and n > 1 for a, n in zip(axes, shape, strict=True)):
        raise ValueError(
            f"'{path}' has axes other than t, c, z, y and x (shape {shape}), which have no place "
            "in an image. Save the part that matters without them."
        )


def zarr_stem(path: Path) -> str:
    """Name of the Zarr, and of the part of it that was asked for."""
    parts = path.parts
    inside = next((i for i, part in enumerate(parts) if part.lower().endswith(".zarr")), -1)
    root, *rest = parts[inside:]
    place = "/".join(rest)
    if len(rest) > 1 and is_readable_plate(Path(*parts[: inside + 1])):
        place = _field_name(place)
    return " ".join([image_stem(Path(root)), *place.split("/")]).strip()


def is_readable_plate(root: Path) -> bool:
    """Whether a path is a plate; what cannot be read is none."""
    try:
        return is_plate(root)
    except (OSError, ValueError):
        return False


def _field_name(place: str) -> str:
    """Name of a well or a field as people say it: "A1 0" for "A/1/0"."""
    return place.replace("/", "", 1).replace("/", " ")


def _broken(path: Path, cause: Exception | str) -> ValueError:
    reason = f"{type(cause).__name__}: {cause}" if isinstance(cause, Exception) else cause
    return ValueError(
        f"'{path}': its OME-Zarr metadata cannot be read ({reason}). Copy the whole folder or "
        "export it again."
    )
