"""A table of the objects of a label image, for stacks and movies too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssp.image import MicroscopyImage
from napari_ssp.labels import check_label_type, explain_shapes, known_labels, number_labels
from napari_ssp.measure import compartments
from napari_ssp.measure.compartments import NucleiOfCells
from napari_ssp.measure.intensities import channel_labels, intensities
from napari_ssp.measure.shapes import shapes
from napari_ssp.place import PLACES, add_axes, cut_like
from napari_ssp.progress import Progress, Steps, run

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Columns of the same length by their names.
Table = dict[str, npt.NDArray[Any]]

_AXES_OF_ARRAYS = {2: "yx", 3: "zyx", 4: "tzyx"}
_OBJECTS_AT_ONCE = 4096


def measure_objects(
    labels: MicroscopyImage | npt.ArrayLike,
    image: MicroscopyImage | None = None,
    voxel_size: Sequence[float] | None = None,
    *,
    planewise: bool = False,
    nuclei: MicroscopyImage | None = None,
) -> Table:
    """Measure every object: size, place, shape, and intensities per channel.

    Shapes and intensities are those of scikit-image's ``regionprops_table``.

    Parameters
    ----------
    labels : MicroscopyImage or array of int
        Label image, 0 is background; ids may have gaps; -1, not annotated, is left out. An array is
        read as (Y, X), (Z, Y, X) or (T, Z, Y, X); wrap it in a MicroscopyImage for other axes, e.g.
        "tyx".
    image : MicroscopyImage, optional
        Intensities, with as many frames, planes, rows and columns as the labels; or the full image
        that the labels are a part of, as their origin says.
    voxel_size : three floats, optional
        µm along z, y and x; else that of the labels, else that of the image.
    planewise : bool
        Measure the planes of a stack one by one instead of whole volumes.
    nuclei : MicroscopyImage, optional
        Labels of nuclei, of the same size: the objects are cells then. A nucleus belongs to the
        cell that holds most of it, as far as it lies inside, and to none where its larger part lies
        outside every cell.

    Returns
    -------
    dict of str to numpy.ndarray
        One row per object, in the order of the labels; in movies one per object and frame, and
        planewise one per object and plane. Units are part of the names: "um" is µm, "px" is pixels
        and stands in their place where no voxel size is known.

        Places are those in the full image, where the labels are a part of one:

        - ``label``; ``t``, ``z``: frame and plane, from 0, where they apply;
        - ``area_um2`` in a plane, ``volume_um3`` in a stack (or ``area_px2``, ``volume_px3``);
        - ``centroid_y_um`` ...: from the centre of the full image's first pixel; and
          ``centroid_y_px`` ...;
        - ``bbox_y_start_px``, ``bbox_y_stop_px`` ...: the box, its end excluded;
        - ``equivalent_diameter_um``: of the disk or ball of the same size;
        - in a plane also ``axis_major_um``, ``axis_minor_um`` and ``eccentricity`` of the ellipse
          with the same second moments, ``perimeter_um`` (by Crofton's formula in four directions:
          within 2 % for disks; nan where pixels are not square) and ``solidity``, the share of the
          convex hull that is filled;
        - per channel ``mean_NAME``, ``std_NAME``, ``min_NAME``, ``max_NAME`` and ``sum_NAME`` (the
          integrated intensity); NAME is the channel's, or "intensity" of a single one without
          a name, or "red", "green" and "blue";
        - with nuclei, ``num_nuclei`` of each cell (separate parts, where nuclei have the numbers of
          their cells already); ``nucleus_area_um2`` and ``cytoplasm_area_um2`` (or volumes),
          ``nucleus_mean_NAME`` and ``cytoplasm_mean_NAME``; and the ratios
          ``nucleus_to_cytoplasm_area`` (or volume) and ``nucleus_to_cytoplasm_mean_NAME``, nan
          where a cell has no nucleus, or nothing but one.

    Raises
    ------
    TypeError
        If the labels are no whole numbers.
    ValueError
        If a label is below -1, labels have channels, image and labels differ in size, or the voxel
        size is no three positive numbers.

    See Also
    --------
    measuring : the same with progress.
    """
    return run(measure_steps(labels, image, voxel_size, planewise=planewise, nuclei=nuclei))


def measure_steps(
    labels: MicroscopyImage | npt.ArrayLike,
    image: MicroscopyImage | None = None,
    voxel_size: Sequence[float] | None = None,
    *,
    planewise: bool = False,
    nuclei: MicroscopyImage | None = None,
) -> Steps[Table]:
    """Measure every object as `measure_objects`, a few thousand at a time.

    Yields
    ------
    Progress
        In objects; each frame, and planewise each plane, is a stage of its own.

    Returns
    -------
    dict of str to numpy.ndarray
        As `measure_objects`.

    Raises
    ------
    TypeError, ValueError
        As `measure_objects`.
    """
    found = _checked_labels(labels, image, voxel_size)
    nuclei = None if nuclei is None else _checked_labels(nuclei, None, None)
    image, nuclei = (_under(found, other) for other in (image, nuclei))
    places = _places(found, planewise)
    parts = []
    for number, place in enumerate(places, start=1):
        ids, numbers = read_objects(found, place)
        inside = None
        if nuclei is not None:
            inside = NucleiOfCells.find(ids, numbers, known_labels(_read(nuclei, place)))
        stage = "measuring objects" + (f", {number} of {len(places)}" if len(places) > 1 else "")
        for first in range(0, max(ids.size, 1), _OBJECTS_AT_ONCE):
            yield Progress(stage, first, ids.size)
            chosen = _chosen(numbers, first, ids.size)
            columns: Table = {"label": ids[first : first + _OBJECTS_AT_ONCE]}
            for axis, i in place.items():
                index = found.origin[PLACES.index(axis)] + i
                columns[axis] = np.full(columns["label"].size, index)
            columns |= shapes(chosen, found.voxel_size, found.origin)
            own = None if inside is None else inside.part(first, _OBJECTS_AT_ONCE)
            if own is not None:
                columns |= compartments.sizes(chosen, own, found.voxel_size)
            parts.append(columns | _intensities(chosen, image, place, own))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _checked_labels(
    labels: MicroscopyImage | npt.ArrayLike,
    image: MicroscopyImage | None,
    voxel_size: Sequence[float] | None,
) -> MicroscopyImage:
    """Give the labels with the voxel size that holds."""
    found = labels if isinstance(labels, MicroscopyImage) else _wrapped(np.asarray(labels))
    check_label_type(found.dtype)
    if "c" in found.axes and found.sizes["c"] > 1:
        raise ValueError(
            f"The labels have {found.sizes['c']} channels (axes '{found.axes}', shape "
            f"{found.shape}), but objects are measured in one. Give each channel alone."
        )
    known = [one.voxel_size for one in (found, image) if one is not None and one.voxel_size]
    size: Any = tuple(voxel_size) if voxel_size is not None else next(iter(known), None)
    return add_axes(replace(found, voxel_size=size, levels=()))


def _wrapped(labels: npt.NDArray[Any]) -> MicroscopyImage:
    axes = _AXES_OF_ARRAYS.get(labels.ndim)
    if axes is None:
        raise ValueError(
            f"The labels have {labels.ndim} axes (shape {labels.shape}). Wrap them in a "
            "MicroscopyImage, which names the axes, e.g. MicroscopyImage(labels, 'tyx')."
        )
    return MicroscopyImage(labels, axes, name="labels")


def _under(labels: MicroscopyImage, image: MicroscopyImage | None) -> MicroscopyImage | None:
    """Part of an image that lies under the labels, where there is one."""
    if image is None:
        return None
    image = cut_like(image, labels)
    if any(labels.sizes.get(a, 1) != image.sizes.get(a, 1) for a in "tzyx"):
        raise ValueError(
            f"The labels have the axes '{labels.axes}' and shape {labels.shape}, the image "
            f"'{image.axes}' and {image.shape}. Give the image that was segmented, or name the "
            f"axes of both if they were read wrongly.{explain_shapes(image.shape, labels.shape)}"
        )
    return image


def row_axes(labels: MicroscopyImage, planewise: bool = False) -> str:
    """Axes along which an object has rows of its own in a table: out of "t" and "z"."""
    known = add_axes(labels)
    one_plane = known.sizes.get("z") == 1 and ("z" in known.full_axes or known.origin[1] > 0)
    return "".join(
        axis for axis in "tz" if axis in known.axes and (axis == "t" or planewise or one_plane)
    )


def _places(labels: MicroscopyImage, planewise: bool) -> list[dict[str, int]]:
    places: list[dict[str, int]] = [{}]
    for axis in row_axes(labels, planewise):
        places = [{**place, axis: i} for place in places for i in range(labels.sizes[axis])]
    return places


def read_objects(
    labels: MicroscopyImage, place: dict[str, int]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """Read the objects of one frame or plane.

    Parameters
    ----------
    labels : MicroscopyImage
        Label image; -1, not annotated, counts as background.
    place : dict
        Position along "t", and along "z" where a single plane is meant.

    Returns
    -------
    ids : numpy.ndarray
        Ids of the objects, ascending.
    numbers : numpy.ndarray
        Int32 (Y, X), or (Z, Y, X): objects numbered from 1 in the order of their ids.
    """
    ids, numbers = number_labels(known_labels(_read(labels, place)))
    return ids.astype(np.uint64 if ids.dtype == np.uint64 else np.int64), numbers


def _chosen(numbers: npt.NDArray[np.int32], first: int, count: int) -> npt.NDArray[np.int32]:
    """Keep the objects of one step, numbered from 1."""
    if count <= _OBJECTS_AT_ONCE:
        return numbers
    chosen = (numbers > first) & (numbers <= first + _OBJECTS_AT_ONCE)
    return np.where(chosen, numbers - np.int32(first), np.int32(0))


def _intensities(
    numbers: npt.NDArray[np.int32],
    image: MicroscopyImage | None,
    place: dict[str, int],
    nuclei: NucleiOfCells | None,
) -> Table:
    columns: Table = {}
    if image is None:
        return columns
    for name, (channel, sample) in channel_labels(image).items():
        values = _read(image, place, channel)
        values = values if sample is None else values[..., sample]
        # Of values that are not finite, or too large, results are not either: no more to say.
        with np.errstate(invalid="ignore", over="ignore"):
            columns |= intensities(numbers, values, name)
            if nuclei is not None:
                columns |= compartments.means(numbers, nuclei, values, name)
    return columns


def _read(image: MicroscopyImage, place: dict[str, int], channel: int = 0) -> npt.NDArray[Any]:
    """Read (Y, X) of one plane, or (Z, Y, X); colours are a last axis."""
    t, z = place.get("t", 0), place.get("z", 0)
    if "z" in place or image.sizes.get("z", 1) == 1:
        return image.plane(t, z, channel)
    return np.stack([image.plane(t, each, channel) for each in range(image.sizes["z"])])
