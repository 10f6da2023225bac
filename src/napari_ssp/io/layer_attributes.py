"""Attributes of napari's layers as axes, voxel size and place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_ssp.image import UNKNOWN_SIZE, check_voxel_size
from napari_ssp.io.stored_origin import parse_origin
from napari_ssp.place import PLACES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_ssp.image import VoxelSize

#: Key of a layer's metadata: the provenance of a result; empty while it is made.
METADATA_KEY = "napari_ssp"
#: Key of a layer's metadata: where its first pixel lies in the image that it is a part of, by the
#: letters of that image's axes.
ORIGIN_KEY = "napari_ssp_origin"
#: Key of a layer's metadata: which image of its file it shows, where there are several.
SCENE_KEY = "napari_ssp_scene"
#: Key of a layer's metadata: its file, where napari itself did not read it.
FILE_KEY = "napari_ssp_file"
#: Key of a layer's metadata: the objects are those of a result that is being made.
UNFINISHED_KEY = "napari_ssp_unfinished"
#: Key of a layer's metadata: what reading its file gave reason to doubt.
WARNINGS_KEY = "napari_ssp_warnings"

# Each index along such an axis is an image of its own, as a time point is; no neighbour of others.
_FIELDS = (
    "position", "positions", "pos", "field", "fields", "fov", "fovs", "site", "sites", "well",
    "wells", "scene", "scenes", "stage", "stages", "tile", "tiles", "series",
)  # fmt: skip
_WORDS = {
    "t": ("t", "time", "times", "timepoint", "timepoints", "frame", "frames", *_FIELDS),
    "z": ("z", "plane", "planes", "slice", "slices", "depth", "section", "sections"),
    "y": ("y", "row", "rows", "height"),
    "x": ("x", "col", "cols", "column", "columns", "width"),
    "c": ("c", "ch", "channel", "channels", "wavelength", "wavelengths", "colour", "color"),
}
_LETTERS = {word: letter for letter, words in _WORDS.items() for word in words}
# What napari calls an axis that nobody named.
_UNNAMED = re.compile(r"(axis[ _-]?)?-?\d*")
_GUESSED = "xyzt"


def layer_axes(labels: Sequence[Any], name: str) -> str:
    """Name the dimensions of a layer by its axis labels.

    Parameters
    ----------
    labels : sequence of str
        One per dimension, colours left out. Those that are napari's own, such as "-1", leave open
        what the dimension is: it becomes the last that is not taken of t, z, y, x. Of two
        dimensions any words are y and x.
    name : str
        Of the layer, for messages.

    Returns
    -------
    str
        One letter of "tczyx" per dimension. Positions, fields and wells are read as times.

    Raises
    ------
    ValueError
        If a word is not known, two words mean the same, or y or x is missing.
    """
    letters = [_LETTERS.get(_word(label), "") for label in labels]
    unnamed = [bool(_UNNAMED.fullmatch(str(label).strip().lower())) for label in labels]
    unknown = [
        str(label)
        for label, letter, free in zip(labels, letters, unnamed, strict=True)
        if not letter and not free
    ]
    if unknown and len(letters) == 2 and not any(letters):
        return "yx"
    if unknown:
        raise ValueError(
            f"The axis {_quoted(unknown)} of the layer '{name}' is not known. Say in "
            "layer.axis_labels what it is: time, channel, z, y or x; for images that have nothing "
            "to do with each other, position."
        )
    free = [letter for letter in _GUESSED if letter not in letters]
    for index in reversed(range(len(letters))):
        if not letters[index]:
            letters[index] = free.pop(0) if free else "?"
    _check_letters(letters, [str(label) for label in labels], name)
    return "".join(letters)


def has_fields(labels: Sequence[Any]) -> bool:
    """Whether a layer has an axis of positions, fields or wells: of images without neighbours."""
    return any(_word(label) in _FIELDS for label in labels)


def layer_voxel_size(axes: str, scale: Sequence[Any], units: Sequence[Any]) -> VoxelSize | None:
    """(z, y, x) in µm, or None when y and x are not given as lengths.

    Parameters
    ----------
    axes : str
        Letter of each dimension.
    scale, units : sequence
        Size of a step along each dimension, and its unit: pint's, or its name.
    """
    found = zip(axes, scale, units, strict=False)
    steps = {letter: micrometre_step(float(step), unit) for letter, step, unit in found}
    if not steps.get("y") or not steps.get("x"):
        return None
    return check_voxel_size((steps.get("z") or 1.0, steps["y"], steps["x"]))


def layer_place(
    axes: str,
    steps: Sequence[Any],
    corner: Sequence[Any],
    size: VoxelSize | None,
    metadata: Mapping[Any, Any],
) -> dict[str, Any]:
    """Fields of a `MicroscopyImage` that say where the image of a layer lies.

    Parameters
    ----------
    axes : str
        Letter of each dimension.
    steps, corner : sequence of float
        The layer's scale, and where its first pixel lies in the world.
    size : three floats or None
        The layer's voxel size in µm.
    metadata : mapping
        The layer's; may say of which part of an image it is.

    Returns
    -------
    dict
        Its ``origin``, ``position`` and ``full_axes``.
    """
    stored = parse_origin(metadata.get(ORIGIN_KEY))
    origin = tuple(stored.get(letter, 0) for letter in PLACES)
    position = [0.0, 0.0, 0.0]
    for i, letter in enumerate("zyx"):
        if letter in axes:
            k = axes.index(letter)
            voxel = size[i] if size is not None else 1.0
            position[i] = float(corner[k]) * (voxel / abs(float(steps[k])))
            position[i] -= origin[i + 1] * voxel
    return {"origin": origin, "position": tuple(position), "full_axes": "".join(stored)}


def layer_warnings(size: VoxelSize | None, metadata: Mapping[Any, Any]) -> tuple[str, ...]:
    """Give what reading a layer's file gave reason to doubt, but for what is settled by now.

    Parameters
    ----------
    size : three floats or None
        The layer's voxel size in µm, which somebody may have set since.
    metadata : mapping
        The layer's.
    """
    found = metadata.get(WARNINGS_KEY, ())
    lines = tuple(map(str, found)) if isinstance(found, list | tuple) else ()
    return tuple(line for line in lines if size is None or UNKNOWN_SIZE not in line)


def micrometre_step(step: float, unit: Any) -> float:
    """Length of a step in µm; 0 where its unit is no length."""
    import pint  # takes a while, and only who works with layers needs it

    try:
        registry: Any = pint.application_registry
        quantity = registry.get().Quantity(step, unit)
        return abs(float(quantity.to("micrometer").magnitude))
    except (pint.DimensionalityError, pint.UndefinedUnitError):  # pixels, seconds
        return 0.0


def _word(label: Any) -> str:
    return re.sub(r"[\s_-]+", "", str(label).lower())


def _check_letters(letters: Sequence[str], labels: Sequence[str], name: str) -> None:
    for letter in dict.fromkeys(letters):
        same = [label for label, each in zip(labels, letters, strict=True) if each == letter]
        if len(same) > 1 and letter != "?":
            meaning = "images one after the other" if letter == "t" else letter
            raise ValueError(
                f"The axes {_quoted(same)} of the layer '{name}' are both read as {meaning}. Set "
                "layer.axis_labels to letters of 'tczyx', or split the layer."
            )
    if "?" in letters or not {"y", "x"} <= set(letters):
        raise ValueError(
            f"The layer '{name}' has {len(letters)} dimensions, and its axis labels "
            f"{tuple(labels)} do not say what they are. Set layer.axis_labels to letters of "
            "'tczyx', or split the layer."
        )


def _quoted(words: Sequence[str]) -> str:
    return " and ".join(f"'{word}'" for word in words)


def layer_scene(metadata: Mapping[Any, Any]) -> str | None:
    """Which image of its file a layer shows, as its metadata say."""
    scene = metadata.get(SCENE_KEY)
    return str(scene) if scene else None
