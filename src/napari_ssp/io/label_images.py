"""Label images as files hold them: integers, whole floats, masks, with pixels not annotated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.image import MicroscopyImage, check_voxel_size
from napari_ssp.labels import (
    check_label_type,
    has_one_number,
    known_labels,
    number_parts,
    warn_of_masks,
    whole_numbers,
)
from napari_ssp.place import with_voxel_size
from napari_ssp.progress import Progress, Steps, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

#: Voxels in which parts are counted at most.
_COUNTED = 2**27


@dataclass(frozen=True)
class LabelFacts:
    """What the pixels of a label image give reason to doubt.

    Attributes
    ----------
    unknown : int
        Pixels that are -1: not annotated.
    parts : int
        Separate parts of a frame in which all objects have one number; 0 where objects differ.
    """

    unknown: int = 0
    parts: int = 0


def label_image(
    labels: Any, axes: str | None = None, voxel_size: Sequence[float] | None = None
) -> MicroscopyImage:
    """Give an array of labels names and sizes; an image keeps its own, and its place.

    Parameters
    ----------
    labels : MicroscopyImage or array
        The labels.
    axes : str, optional
        One letter of "tczyx" per axis of an array; "yx" when not given.
    voxel_size : three floats, optional
        µm along z, y and x; else the image's own.

    Returns
    -------
    MicroscopyImage

    Raises
    ------
    TypeError, ValueError
        As `MicroscopyImage`.
    """
    if isinstance(labels, MicroscopyImage):
        found = with_voxel_size(labels, check_voxel_size(voxel_size))
    else:
        found = MicroscopyImage.from_array(labels, axes or "yx", voxel_size, name="labels")
    # A last axis of length 3 may be channels of labels, but never colours.
    return replace(found, rgb=False)


def is_whole(image: MicroscopyImage) -> bool:
    """Whether pixels can be labels: of floats in memory all are looked at, else the first plane."""
    if image.dtype.kind != "f":
        return True
    try:
        whole_numbers(image.data if isinstance(image.data, np.ndarray) else image.plane())
    except TypeError:
        return False
    return True


def with_whole_numbers(image: MicroscopyImage) -> MicroscopyImage:
    """Image whose floats are integers; lazy ones are converted, and refused, when they are read."""
    if image.dtype.kind != "f":
        return image
    convert = partial(whole_numbers, name=f"image '{image.name}'")
    return _changed(image, convert, np.dtype(np.int32))


def as_labels(image: MicroscopyImage, name: str) -> MicroscopyImage:
    """Image as labels, with what is doubtful about them among its warnings.

    Parameters
    ----------
    image : MicroscopyImage
        As it was read; lazy pixels are read until objects differ, signed ones and floats all.
    name : str
        What an error calls it, in the singular: "file a.tif".

    Returns
    -------
    MicroscopyImage
        Of integers from 0 on. Pixels that are -1, not annotated, are background.

    Raises
    ------
    TypeError
        If it holds no whole numbers, or a mask.
    ValueError
        If it has colours or several channels, or a number below -1.
    """
    check_label_header(image, name)
    facts = look_at_labels(image, name)
    warnings = image.warnings
    if facts.unknown:
        what = f"{facts.unknown} pixels are -1, not annotated"
        warnings += (f"The {name}: {what}; they are left out.",)
    if facts.parts > 1:
        warnings += (warn_of_masks([facts.parts], 1),)
    if image.dtype.kind != "u":
        convert = partial(known_labels, name=name)
        image = _changed(image, convert, convert(np.zeros(1, image.dtype)).dtype)
    return replace(image, warnings=warnings)


def number_mask(image: MicroscopyImage, name: str) -> MicroscopyImage:
    """Give each part of a mask a number, in memory; other images are given as they are.

    Parameters
    ----------
    image : MicroscopyImage
        A mask is bool, or has one number for all objects. Its parts reach through the planes of a
        stack; those of a movie are numbered on from frame to frame. -1, not annotated, stays.
    name : str
        As of `as_labels`.

    Raises
    ------
    TypeError, ValueError
        As `as_labels`, but of bool.
    """
    check_grey(image, name)
    if image.dtype.kind != "b" and not look_at_labels(image, name).parts:
        return image
    frames, first = [], 1
    for t in range(image.sizes.get("t", 1)):
        numbers = _number_frame(image, t, image.sizes.get("z", 1))
        frames.append(np.where(numbers > 0, numbers + np.int32(first - 1), numbers))
        first += int(numbers.max(initial=0))
    axes = "".join(a for a in "tzyx" if a in image.axes)
    data = np.stack(frames).reshape([image.sizes[a] for a in axes])
    return replace(image, data=data, axes=axes, levels=(), channel_names=())


def look_at_labels(image: MicroscopyImage, name: str) -> LabelFacts:
    """Look for pixels that are not annotated, and for one number in all objects.

    Raises
    ------
    TypeError
        If it holds no whole numbers, or a mask.
    ValueError
        If it has a number below -1.
    """
    return run(look_steps(image, name))


def look_steps(image: MicroscopyImage, name: str) -> Steps[LabelFacts]:
    """Look at labels as `look_at_labels`, plane by plane."""
    number, differ, unknown = 0, False, 0
    for done, (t, z) in enumerate(image.planes()):
        yield Progress("looking at the labels", done, image.num_planes)
        plane = whole_numbers(image.plane(t, z), name)
        known = known_labels(plane, name)
        unknown += int(np.count_nonzero(plane < 0))
        highest = int(known.max(initial=0))
        if highest and not differ:
            differ = number not in (0, highest) or not has_one_number(known)
            number = highest
        if differ and image.dtype.kind == "u":
            break
    return LabelFacts(unknown, 0 if differ or not number else _count_parts(image))


def check_label_header(image: MicroscopyImage, name: str) -> None:
    """Refuse what cannot be a label image as far as type and colours tell.

    Raises
    ------
    TypeError
        If its pixels are bool, or no numbers.
    ValueError
        If it has colours.
    """
    check_label_type(image.dtype, name)
    check_grey(image, name)


def check_grey(image: MicroscopyImage, name: str) -> None:
    """Refuse colours with a ValueError; arguments as of `as_labels`."""
    if not image.rgb:
        return
    plane = image.plane()
    remedy = "Give the label image that belongs to it, or name its axes, e.g. --axes zyx."
    if bool((plane == plane[..., :1]).all()):
        remedy = (
            "Its three colours are the same everywhere: save one of them as a grey image, e.g. in "
            "Fiji with Image > Type > 16-bit."
        )
    raise ValueError(
        f"The {name} is a colour image (shape {image.shape}), not a label image, which has one "
        f"number in each pixel. {remedy}"
    )


def _count_parts(image: MicroscopyImage) -> int:
    """Parts of the first frame that has several; of a large volume, of its first planes."""
    planes = max(1, _COUNTED // (image.sizes["y"] * image.sizes["x"]))
    depth = min(planes, image.sizes.get("z", 1))
    counts = (_number_frame(image, t, depth).max() for t in range(image.sizes.get("t", 1)))
    return int(next((n for n in counts if n > 1), 1))


def _number_frame(image: MicroscopyImage, t: int, depth: int) -> NDArray[np.int32]:
    """Numbered parts (Z, Y, X) of the first planes of a frame."""
    return number_parts(np.stack([image.plane(t, z) for z in range(depth)]))


def _changed(
    image: MicroscopyImage, change: Callable[[Any], NDArray[Any]], dtype: np.dtype[Any]
) -> MicroscopyImage:
    """Image with other pixels, of its levels too; what is not in memory is changed when read."""

    def level(array: Any) -> Any:
        if isinstance(array, np.ndarray):
            return change(array)
        import dask.array as da  # takes a while to import, and small files do without it

        from_anything: Any = da.asarray
        lazy = from_anything(array)
        return lazy.map_blocks(change, dtype=dtype, meta=np.empty((0,) * lazy.ndim, dtype))

    return replace(image, data=level(image.data), levels=tuple(map(level, image.levels)))
