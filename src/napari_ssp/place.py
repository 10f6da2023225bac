"""The place of an image: in the full image that it is a part of, and in the world."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.image import UNKNOWN_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_ssp.image import MicroscopyImage, VoxelSize

#: Letters of an origin, in its order.
PLACES = "tzyx"


def translation(image: MicroscopyImage) -> tuple[float, float, float]:
    """Where an image's own first voxel lies in the world.

    Parameters
    ----------
    image : MicroscopyImage
        The image, with the place of the full image and its own in that.

    Returns
    -------
    tuple of three floats
        Along z, y and x, in µm; in voxels where the voxel size is unknown.
    """
    steps = image.voxel_size or (1.0, 1.0, 1.0)
    z, y, x = (
        start + first * step
        for start, first, step in zip(image.position, image.origin[1:], steps, strict=True)
    )
    return z, y, x


def with_voxel_size(image: MicroscopyImage, size: VoxelSize | None) -> MicroscopyImage:
    """Give an image another voxel size; a position that was in voxels is then in µm.

    Warnings that it was unknown are settled, and go.
    """
    if size is None or size == image.voxel_size:
        return image
    position = image.position
    if image.voxel_size is None:
        z, y, x = (start * step for start, step in zip(position, size, strict=True))
        position = (z, y, x)
    warnings = tuple(line for line in image.warnings if UNKNOWN_SIZE not in line)
    return replace(image, voxel_size=size, position=position, warnings=warnings)


def is_part(image: MicroscopyImage) -> bool:
    """Whether an image is known to be a part of another one."""
    return bool(image.full_axes) or any(image.origin)


def place_in(
    image: MicroscopyImage, starts: Sequence[int], lengths: Mapping[str, int]
) -> dict[str, Any]:
    """Place of what was made of an image, or of a part of it.

    Parameters
    ----------
    image : MicroscopyImage
        The image, perhaps a part itself.
    starts : sequence of four int
        First position (t, z, y, x) in the image.
    lengths : mapping
        Length along each axis by its letter, 1 where it is not given.

    Returns
    -------
    dict
        The fields ``origin``, ``position`` and ``full_axes`` of a `MicroscopyImage`.
    """
    sizes = image.sizes
    is_whole = all(sizes.get(a, 1) == lengths.get(a, 1) for a in PLACES)
    own = "" if is_whole else "".join(a for a in PLACES if a in sizes)
    origin = tuple(n + first for n, first in zip(starts, image.origin, strict=True))
    return {"origin": origin, "position": image.position, "full_axes": image.full_axes or own}


def add_axes(image: MicroscopyImage) -> MicroscopyImage:
    """Give an image the axes "t" and "z" of the full image, of length 1 where it has not its own.

    Parameters
    ----------
    image : MicroscopyImage
        E.g. one plane (Y, X) of a stack.

    Returns
    -------
    MicroscopyImage
        The new axes come first.
    """
    known = {a for a, n in zip(PLACES, image.origin, strict=True) if n} | set(image.full_axes)
    new = "".join(a for a in "tz" if a in known and a not in image.axes)
    if not new:
        return image
    key = (None,) * len(new)
    levels = tuple(level[key] for level in image.levels)
    return replace(image, data=image.data[key], axes=new + image.axes, levels=levels)


def drop_axes(image: MicroscopyImage) -> MicroscopyImage:
    """Take the axes "t" and "z" of length 1 off an image."""
    kept = "".join(a for a in image.axes if a not in "tz" or image.sizes[a] > 1)
    if kept == image.axes:
        return image
    key = tuple(slice(None) if a in kept else 0 for a in image.axes)
    levels = tuple(level[key] for level in image.levels)
    return replace(image, data=image.data[key], axes=kept, levels=levels)


def cut(
    image: MicroscopyImage, starts: Mapping[str, int], lengths: Mapping[str, int]
) -> MicroscopyImage:
    """Part of an image; pixels are not read.

    Parameters
    ----------
    image : MicroscopyImage
        The image.
    starts, lengths : mapping
        First position of the part, and its length, by the letters of the axes that are cut.

    Returns
    -------
    MicroscopyImage
        Its origin says where the part lies.
    """
    box = {a: slice(first, first + lengths[a]) for a, first in starts.items()}
    key = tuple(box.get(a, slice(None)) for a in image.axes)
    firsts = [starts.get(a, 0) for a in PLACES]
    place = place_in(image, firsts, {**image.sizes, **{a: lengths[a] for a in starts}})
    return replace(image, data=image.data[key], levels=(), **place)


def cut_like(image: MicroscopyImage, part: MicroscopyImage) -> MicroscopyImage:
    """Part of an image that another image covers, by the origins of both; pixels are not read.

    Parameters
    ----------
    image : MicroscopyImage
        E.g. a full image. One of the same size as the part is taken to be of the same region, and
        all is left as it is where the other image is not known to be a part.
    part : MicroscopyImage
        E.g. labels of a region.

    Returns
    -------
    MicroscopyImage

    Raises
    ------
    ValueError
        If the part reaches beyond the image.
    """
    sizes, wanted = image.sizes, part.sizes
    if not is_part(part) or all(sizes.get(a, 1) == wanted.get(a, 1) for a in PLACES):
        return image
    firsts = dict(zip(PLACES, part.origin, strict=True))
    begins = dict(zip(PLACES, image.origin, strict=True))
    starts = {a: firsts[a] - begins[a] for a in PLACES if a in sizes}
    lengths = {a: wanted.get(a, 1) for a in starts}
    for letter, first in starts.items():
        if first < 0 or first + lengths[letter] > sizes[letter]:
            raise ValueError(
                f"'{part.name}' reaches beyond '{image.name}' along {letter}: it covers {first} to "
                f"{first + lengths[letter]} of {sizes[letter]} pixels. Give the image that it was "
                "made of."
            )
    return cut(image, starts, lengths)
