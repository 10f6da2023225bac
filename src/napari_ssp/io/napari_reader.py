"""The npe2 reader: images of microscopes as layers with the right axes, scale and names."""

from __future__ import annotations

import re
import warnings
import weakref
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ssp.io.layer_attributes import ORIGIN_KEY, SCENE_KEY, WARNINGS_KEY
from napari_ssp.io.ngff.lazy import pick_channel
from napari_ssp.io.ngff.reading import is_plate, is_zarr
from napari_ssp.io.reading import (
    MAKERS_SUFFIXES,
    TIFF_SUFFIXES,
    list_images,
    list_set,
    read_scenes,
)
from napari_ssp.io.scene import LABEL_ENDINGS, is_cellpose_name
from napari_ssp.io.sources import without_members
from napari_ssp.io.stored_origin import list_origin
from napari_ssp.place import add_axes, translation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.io.scene import Scene

    # (data, attributes, layer type), or (None,)
    LayerData = tuple[Any, ...]
    PathOrPaths = str | Sequence[str]

_LAYER_AXES = "tzyx"
#: Other PNG files are left to napari.
_LABEL_PNGS = tuple(f"{ending}.png" for ending in LABEL_ENDINGS)
#: Fields of a plate that are shown at once.
_MOST_FIELDS = 24
_TRANSMITTED = re.compile(r"bright|phase|\bdic\b|transmitted|\btl\b|\bbf\b|oblique", re.IGNORECASE)
_FEW_COLOURS = {1: ("green",), 2: ("magenta", "green")}
_COLOURS = ("blue", "green", "red", "cyan", "magenta", "yellow")


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Offer to read TIFF, CZI, ND2, LIF, OME-Zarr and label images.

    Parameters
    ----------
    path : str or list of str
        One file, or several that are read one by one; of OME-Zarr the folder or its zip.

    Returns
    -------
    function or None
        Reads the same path into layer data; None when a path is nothing of these.
    """
    paths = [Path(p) for p in _as_list(path)]
    return read_layers if paths and all(map(_is_ours, paths)) else None


def read_layers(path: PathOrPaths) -> list[LayerData]:
    """Read files into napari's layer data.

    Parameters
    ----------
    path : str or list of str
        One file or several.

    Returns
    -------
    list of (data, attributes, layer type)
        One layer per image (scene, position) and channel; labels as "labels", all else as "image".
        A set of files gives its images once, also where its files come one after another.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, ModuleNotFoundError, OSError, TypeError, ValueError
        As `napari_ssp.io.read_image`, or if a plate has too many fields to show.
    """
    files, notes = without_members([Path(file) for file in _as_list(path)])
    for note in notes:
        warnings.warn(note, stacklevel=2)
    layers = [layer for file in files for layer in _OPEN_SETS.read(file)]
    return layers or [(None,)]  # npe2's word for: read, but there is no layer


class _OpenSets:
    """Sets of files whose layers are there: napari hands dropped files over one by one."""

    def __init__(self) -> None:
        self._read: dict[tuple[Path, ...], tuple[Path, list[weakref.ref[Any]]]] = {}

    def read(self, file: Path) -> list[LayerData]:
        """Read a file's layers; none where they came with another file of its set already."""
        members = list_set(file)
        key = tuple(member.resolve() for member in members)
        if len(members) == 1:
            return _read(file)
        first, arrays = self._read.get(key, (file, []))
        if first != file and any(array() is not None for array in arrays):
            note = f"{file.name} belongs to the set of '{first}', which is open already."
            warnings.warn(note, stacklevel=3)
            return []
        layers = _read(file)
        arrays = [weakref.ref(array) for data, *_ in layers for array in _arrays(data)]
        self._read[key] = file, arrays
        return layers


_OPEN_SETS = _OpenSets()


def _read(file: Path) -> list[LayerData]:
    if is_zarr(file) and is_plate(file):
        _check_plate(file)
    return [layer for scene in _complete_scenes(file) for layer in scene_layers(scene)]


def _complete_scenes(file: Path) -> list[Scene]:
    """Read the images of a file; those of which files of a set are missing are said."""
    try:
        return read_scenes(file)
    except FileNotFoundError:
        scenes: list[Scene] = []
        faults: list[str] = []
        for source in list_images(file):
            try:
                scenes += read_scenes(file, source.scene)
            except FileNotFoundError as error:
                faults.append(f"{source.name}: {error}")
        if not scenes:
            raise
        for fault in faults:
            warnings.warn(fault, stacklevel=4)
        return scenes


def _check_plate(file: Path) -> None:
    fields = list_images(file)
    if len(fields) > _MOST_FIELDS:
        well = file.joinpath(*str(fields[0].scene).split("/")[:-1])
        raise ValueError(
            f"'{file}' is a plate of {len(fields)} fields, too many to show at once. Open one well "
            f"of it, e.g. the folder '{well}', or one field in that; 'napari-ssp segment' goes "
            "through all of them."
        )


def _arrays(data: Any) -> list[Any]:
    return list(data) if isinstance(data, list) else [data]


def scene_layers(scene: Scene) -> list[LayerData]:
    """Turn one image into layers.

    Parameters
    ----------
    scene : Scene
        The image, and whether it holds labels.

    Returns
    -------
    list of (data, attributes, layer type)
        One per channel; the axes are those of "tzyx" that the image has, then colours. Scale and
        units are set when the voxel size is known, else the layer is in pixels.
    """
    image = add_axes(scene.image)  # a plane of a stack is shown with that plane alone
    shared = _shared_attributes(image)
    if scene.name:
        shared["metadata"] = {**shared.get("metadata", {}), SCENE_KEY: scene.name}
    if scene.is_labels:
        return [(_layer_data(image, None), {**shared, "name": image.name}, "labels")]
    if "c" not in image.axes or image.rgb:
        attributes = {**shared, "name": image.name, "rgb": image.rgb}
        return [(_layer_data(image, None), attributes, "image")]
    return [
        (_layer_data(image, channel), {**shared, **attributes, "rgb": False}, "image")
        for channel, attributes in enumerate(_channel_attributes(image))
    ]


def _is_ours(path: Path) -> bool:
    labels = is_cellpose_name(path) or path.name.lower().endswith(_LABEL_PNGS)
    return path.suffix.lower() in (*TIFF_SUFFIXES, *MAKERS_SUFFIXES) or labels or is_zarr(path)


def _as_list(path: PathOrPaths) -> list[str]:
    return [path] if isinstance(path, str) else list(path)


def _shared_attributes(image: MicroscopyImage) -> dict[str, Any]:
    axes = [a for a in _LAYER_AXES if a in image.axes]
    attributes: dict[str, Any] = {"axis_labels": tuple(axes)}
    if image.levels:
        attributes["multiscale"] = True
    if image.voxel_size is not None:
        sizes = dict(zip("zyx", image.voxel_size, strict=True))
        attributes["scale"] = tuple(sizes.get(a, 1.0) for a in axes)
        attributes["units"] = tuple("µm" if a in sizes else "pixel" for a in axes)
    starts = dict(zip("tzyx", (image.origin[0], *translation(image)), strict=True))
    if any(starts.values()):
        attributes["translate"] = tuple(float(starts[a]) for a in axes)
    notes = {ORIGIN_KEY: list_origin(image), WARNINGS_KEY: image.warnings}
    if metadata := {key: note for key, note in notes.items() if note}:
        attributes["metadata"] = metadata
    return attributes


def _channel_attributes(image: MicroscopyImage) -> Iterator[dict[str, Any]]:
    names = image.channel_names or [f"channel {i}" for i in range(image.num_channels)]
    transmitted = [bool(_TRANSMITTED.search(name)) for name in names]
    colours = cycle(_FEW_COLOURS.get(transmitted.count(False), _COLOURS))
    for name, grey in zip(names, transmitted, strict=True):
        colormap = "gray" if grey else next(colours)
        blending = "translucent_no_depth" if grey else "additive"
        yield {"name": f"{image.name} {name}", "colormap": colormap, "blending": blending}


def _layer_data(image: MicroscopyImage, channel: int | None) -> Any:
    levels = [_ordered(level, image, channel) for level in (image.data, *image.levels)]
    return levels if image.levels else levels[0]


def _ordered(array: Any, image: MicroscopyImage, channel: int | None) -> Any:
    """Pick the channel and bring the axes into napari's order; lazy arrays stay lazy."""
    axes = image.axes
    if channel is not None:
        array = pick_channel(array, axes, channel)
        axes = axes.replace("c", "")
    # A tuple: dask returns the array itself where nothing changes, and its file stays known.
    return array.transpose(tuple(axes.index(a) for a in f"{_LAYER_AXES}c" if a in axes))
