"""A microscopy image: a lazy array with named axes and a voxel size in µm."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import product
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AXES = "tczyx"
VoxelSize = tuple[float, float, float]
#: Part of each warning that is settled as soon as somebody enters a voxel size.
UNKNOWN_SIZE = "the voxel size is taken as unknown"

# An axis this short, ahead of y and x, is read as channels when nobody named it.
_MOST_GUESSED_CHANNELS = 6
_COLOUR_SAMPLES = (3, 4)


@dataclass(frozen=True, eq=False)
class MicroscopyImage:
    """A lazy array with named axes, a voxel size in µm and channel names.

    Attributes
    ----------
    data : array-like
        Anything with ``shape``, ``dtype`` and ``__getitem__``: a numpy, dask or zarr array of bool,
        integers or floats. It is read plane by plane, never as a whole.
    axes : str
        One letter of "tczyx" per axis of ``data``, in any order; "y" and "x" are always there.
    voxel_size : tuple of three floats or None
        µm along z, y and x; None when unknown. A 2D image carries any positive z, usually 1.
    channel_names : tuple of str
        One per channel, or empty.
    name : str
        What to call the image and the layer made of it.
    rgb : bool
        The "c" axis is last and holds 3 or 4 colour samples instead of channels.
    levels : tuple of array-like
        Further, smaller pyramid levels of ``data`` with the same axes.
    origin : tuple of four int
        (t, z, y, x) of its first pixel in the full image, where it is a part of one.
    position : tuple of three floats
        Where the full image's first voxel lies along z, y and x, as a stage or a translation says:
        in µm, or in voxels where the voxel size is unknown.
    full_axes : str
        Axes of the full image out of "tzyx", where it is a part of one: an axis "t" or "z" of
        length 1 is then one position of several.
    warnings : tuple of str
        What reading it gave reason to doubt; plans, docks and reports say it on.

    Raises
    ------
    TypeError
        If the array holds complex numbers, text or objects.
    ValueError
        If axes, shape, voxel size, channel names, colour samples, levels or place do not go
        together.
    """

    data: Any
    axes: str
    voxel_size: VoxelSize | None = None
    channel_names: tuple[str, ...] = ()
    name: str = "image"
    rgb: bool = False
    levels: tuple[Any, ...] = ()
    origin: tuple[int, int, int, int] = (0, 0, 0, 0)
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    warnings: tuple[str, ...] = ()
    full_axes: str = ""

    def __post_init__(self) -> None:
        _check_array(self.data)
        _check_axes(self.axes, self.shape)
        object.__setattr__(self, "voxel_size", check_voxel_size(self.voxel_size))
        object.__setattr__(self, "channel_names", tuple(str(n) for n in self.channel_names))
        object.__setattr__(self, "levels", tuple(self.levels))
        object.__setattr__(self, "origin", _check_origin(self.origin))
        object.__setattr__(self, "position", _check_position(self.position))
        object.__setattr__(self, "warnings", tuple(self.warnings))
        _check_full_axes(self.full_axes)
        if self.rgb:
            _check_colour(self.axes, self.shape)
        self._check_channel_names()
        self._check_levels()

    @classmethod
    def from_array(
        cls,
        array: Any,
        axes: str | None = None,
        voxel_size: Sequence[float] | None = None,
        name: str = "image",
        channel_names: Sequence[str] = (),
    ) -> MicroscopyImage:
        """Wrap an array; without ``axes`` they are guessed from the shape.

        The guess: 2D is "yx". 3D is "yxc" with colours when the last axis is 3 or 4 long, the dtype
        is an integer and the other axes are longer than 4, else "zyx". 4D is "zyxc" by the same
        rule for colours; else the first of the two leading axes that is at most 6 long becomes "c"
        ("czyx", "zcyx"); else "tzyx".

        Parameters
        ----------
        array : array-like, 2D or more
            A numpy, dask or zarr array, or nested lists of numbers.
        axes : str, optional
            One letter of "tczyx" per axis, upper or lower case. A last axis "c" of length 3 or 4
            is read as colours; move the channels to the front if they are not.
        voxel_size : three floats, optional
            µm along z, y and x.
        name : str
            What to call the image.
        channel_names : sequence of str
            One per channel, or empty.

        Returns
        -------
        MicroscopyImage

        Raises
        ------
        TypeError
            If the array holds complex numbers, text or objects.
        ValueError
            If the array has no planes or no pixels, has more than four axes and no ``axes``, or
            does not go with the other arguments.
        """
        data = array if _is_lazy_array(array) else np.asarray(array)
        _check_array(data)
        if axes is None:
            letters = guess_axes(tuple(data.shape), data.dtype)
        else:
            letters = "".join(axes).lower()
        rgb = letters.endswith("c") and len(letters) == data.ndim
        rgb = rgb and data.shape[-1] in _COLOUR_SAMPLES
        size = check_voxel_size(voxel_size)
        return cls(data, letters, size, tuple(channel_names), name, rgb)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis, in the order of ``axes``."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each axis by its letter."""
        return dict(zip(self.axes, self.shape, strict=True))

    @property
    def num_channels(self) -> int:
        """Number of channels; 1 for colours and for an image without a channel axis."""
        return 1 if self.rgb else self.sizes.get("c", 1)

    @property
    def num_planes(self) -> int:
        """Number of (t, z) positions."""
        return self.sizes.get("t", 1) * self.sizes.get("z", 1)

    def planes(self) -> Iterator[tuple[int, int]]:
        """Go through the (t, z) positions, z fastest."""
        yield from product(range(self.sizes.get("t", 1)), range(self.sizes.get("z", 1)))

    def plane(
        self,
        t: int = 0,
        z: int = 0,
        channel: int | None = None,
        region: tuple[int, int, int, int] | None = None,
    ) -> npt.NDArray[Any]:
        """Read one plane, or a part of it, and only that.

        Parameters
        ----------
        t, z : int
            Position, from 0; 0 where the image has no such axis.
        channel : int, optional
            Channel, from 0; None is the first. Colours are one channel.
        region : tuple of int, optional
            Part (y0, y1, x0, x1) in pixels; None is the whole plane.

        Returns
        -------
        numpy.ndarray
            (Y, X), or (Y, X, 3) for colours, in the image's dtype; alpha is dropped.

        Raises
        ------
        IndexError
            If the image has no such position or channel.
        """
        wanted = {"t": t, "z": z}
        if not self.rgb:
            wanted["c"] = 0 if channel is None else channel
        elif channel not in (None, 0):
            raise IndexError(
                f"Channel {channel} of '{self.name}' was asked for, but its colours are one "
                "channel. Leave the channel out."
            )
        for letter, index in wanted.items():
            self._check_index(letter, index)
        y0, y1, x0, x1 = region or (0, self.sizes["y"], 0, self.sizes["x"])
        place = {**wanted, "y": slice(y0, y1), "x": slice(x0, x1)}
        picked = tuple(place[a] for a in self.axes if a in place)
        if self.rgb:
            picked += (slice(0, 3),)
        plane = np.asarray(self.data[picked])
        return plane if self.axes.index("y") < self.axes.index("x") else plane.swapaxes(0, 1)

    def _check_index(self, letter: str, index: int) -> None:
        length = self.sizes.get(letter, 1)
        if not 0 <= index < length:
            raise IndexError(
                f"Position {letter}={index} was asked for, but '{self.name}' has {length} along "
                f"{letter}. Use 0 to {length - 1}."
            )

    def _check_channel_names(self) -> None:
        if self.channel_names and len(self.channel_names) != self.num_channels:
            raise ValueError(
                f"{len(self.channel_names)} channel names were given for {self.num_channels} "
                f"channels (axes '{self.axes}', shape {self.shape}). Give one name per channel."
            )

    def _check_levels(self) -> None:
        for level in self.levels:
            shape = tuple(level.shape)
            smaller = all(n <= full for n, full in zip(shape, self.shape, strict=False))
            if len(shape) != len(self.shape) or not smaller:
                raise ValueError(
                    f"A pyramid level has shape {shape}, the full image {self.shape}. Give levels "
                    f"with the same axes '{self.axes}', none longer than the full image."
                )


def guess_axes(shape: Sequence[int], dtype: npt.DTypeLike) -> str:
    """Guess the axes of an array of 2 to 4 axes; `MicroscopyImage.from_array` says how.

    Parameters
    ----------
    shape : sequence of int
        Length of each axis.
    dtype : dtype
        Type of the pixels; only integers can be colours.

    Returns
    -------
    str
        One letter per axis.

    Raises
    ------
    ValueError
        If there are more than four axes.
    """
    colours = np.dtype(dtype).kind in "iu" and shape[-1] in _COLOUR_SAMPLES
    colours = colours and len(shape) in (3, 4) and min(shape[-3:-1]) > max(_COLOUR_SAMPLES)
    if len(shape) == 2:
        return "yx"
    if len(shape) == 3:
        return "yxc" if colours else "zyx"
    if len(shape) == 4:
        return "zyxc" if colours else _guess_four_axes(shape)
    raise ValueError(
        f"The image has {len(shape)} axes (shape {tuple(shape)}), too many to guess what they are. "
        f"Name them, one letter of '{AXES}' per axis, e.g. axes='{AXES}'."
    )


def _is_lazy_array(array: Any) -> bool:
    return all(hasattr(array, a) for a in ("shape", "dtype", "ndim", "__getitem__"))


def _check_array(data: Any) -> None:
    dtype, shape = np.dtype(data.dtype), tuple(data.shape)
    if dtype.kind not in "buif":
        raise TypeError(
            f"The image has dtype {dtype}, but pixels must be bool, integers or floats. Convert "
            "it first; of complex numbers take the magnitude (numpy.abs)."
        )
    if len(shape) < 2:
        raise ValueError(
            f"The image has shape {shape}, but at least the two axes y and x are needed. "
            "Give a 2D array or more."
        )
    if 0 in shape:
        raise ValueError(
            f"The image has shape {shape}: an axis of length 0 means that it has no pixels. "
            "Check how it was cropped or read."
        )


def _check_axes(axes: str, shape: tuple[int, ...]) -> None:
    repeated = any(count > 1 for count in Counter(axes).values())
    if repeated or set(axes) - set(AXES) or not {"y", "x"} <= set(axes):
        raise ValueError(
            f"The axes are '{axes}', but they need 'y' and 'x' and may add 't', 'c' and 'z', each "
            f"letter once. For an array of shape {shape} give e.g. '{_example_axes(shape)}'."
        )
    if len(axes) != len(shape):
        raise ValueError(
            f"The axes '{axes}' name {len(axes)} axes, but the array has {len(shape)} (shape "
            f"{shape}). Give one letter per axis, e.g. '{_example_axes(shape)}'."
        )


def _example_axes(shape: tuple[int, ...]) -> str:
    return {2: "yx", 3: "zyx", 4: "czyx"}.get(len(shape), AXES)


def _check_colour(axes: str, shape: tuple[int, ...]) -> None:
    if not axes.endswith("c") or shape[-1] not in _COLOUR_SAMPLES:
        raise ValueError(
            f"An RGB image has 3 or 4 colour samples on a last axis 'c', but the axes are '{axes}' "
            f"and the shape is {shape}. Move the colours to the end, or use rgb=False."
        )


def check_voxel_size(size: Sequence[float] | None) -> VoxelSize | None:
    """Give (z, y, x) in µm as plain floats, or None; refuse others with a ValueError."""
    if size is None:
        return None
    several = hasattr(size, "__len__") and not isinstance(size, str)
    numbers: tuple[Any, ...] = tuple(size) if several else (size,)
    if len(numbers) != 3 or not all(_is_positive(n) for n in numbers):
        raise ValueError(
            f"The voxel size is {numbers}, but it must be three positive numbers: µm along z, "
            "y and x. For a 2D image use 1.0 for z; leave it out when it is unknown."
        )
    z, y, x = (float(n) for n in numbers)
    return z, y, x


def _check_origin(origin: Sequence[int]) -> tuple[int, int, int, int]:
    whole = [int(n) for n in origin if isinstance(n, int | np.integer) and n >= 0]
    if len(origin) != 4 or len(whole) != 4:
        raise ValueError(
            f"The origin is {tuple(origin)}, but it must be the four places (t, z, y, x), from 0, "
            "of the first pixel in the full image."
        )
    t, z, y, x = whole
    return t, z, y, x


def _check_full_axes(axes: str) -> None:
    if len(set(axes)) < len(axes) or set(axes) - set("tzyx"):
        raise ValueError(
            f"The axes of the full image are '{axes}', but they may be 't', 'z', 'y' and 'x', each "
            "letter once."
        )


def _check_position(position: Sequence[float]) -> tuple[float, float, float]:
    if len(position) != 3 or not all(isinstance(n, Real) and math.isfinite(n) for n in position):
        raise ValueError(
            f"The position is {tuple(position)}, but it must be three numbers: where the image "
            "begins along z, y and x."
        )
    z, y, x = (float(n) for n in position)
    return z, y, x


def _is_positive(number: Any) -> bool:
    return isinstance(number, Real) and math.isfinite(number) and float(number) > 0


def _guess_four_axes(shape: Sequence[int]) -> str:
    if shape[0] <= _MOST_GUESSED_CHANNELS:
        return "czyx"
    return "zcyx" if shape[1] <= _MOST_GUESSED_CHANNELS else "tzyx"
