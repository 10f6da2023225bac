"""One position of an ND2 file as an array that reads only the frames it is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssp.io.errors import damage_error, import_extra, reading
from napari_ssp.io.lazy import LazyArray

if TYPE_CHECKING:
    from collections.abc import Mapping

LIBRARY, EXTRA = "nd2", "nd2"
_LETTERS = {"T": "t", "P": "", "Z": "z"}
_COLOURS = 3
# A frame of zeros is packed to a thousandth; more is a lie.
_BEST_PACKING = 1100


@dataclass(frozen=True)
class Nd2Frames:
    """How the frames of a file are counted, and what is in each.

    Attributes
    ----------
    loops : mapping
        Length of each loop of the recording by its letter, the outermost first; "P" are positions.
    channels, height, width, samples : int
        Of each frame; the samples of a channel are 1, or 3 for colours.
    dtype : numpy.dtype
        Type of the pixels.
    recorded, packed : int, bool
        Number of frames that were taken, and whether they are compressed.
    """

    loops: Mapping[str, int]
    channels: int
    height: int
    width: int
    samples: int
    dtype: np.dtype[Any]
    recorded: int
    packed: bool

    @classmethod
    def of(cls, file: Any) -> Nd2Frames:
        """Read them from an open `nd2.ND2File`."""
        found = file.attributes
        loops = {a: n for a, n in file.sizes.items() if a not in "CYXS"}
        channels = found.channelCount or 1
        return cls(
            loops=loops,
            channels=channels,
            height=found.heightPx,
            width=found.widthPx or 0,
            samples=found.componentCount // channels,
            dtype=np.dtype(file.dtype),
            recorded=found.sequenceCount,
            packed=found.compressionType is not None or file.is_legacy,
        )

    @property
    def count(self) -> int:
        """Number of frames that the loops make."""
        return math.prod(self.loops.values())

    @property
    def positions(self) -> int:
        """Number of positions."""
        return self.loops.get("P", 1)

    @property
    def rgb(self) -> bool:
        """Whether each frame holds colours."""
        return self.samples == _COLOURS and self.channels == 1

    @property
    def axes(self) -> str:
        """Axes of one position; channels and y, x always among them."""
        loops = "".join(_LETTERS[letter] for letter in self.loops)
        return loops + ("yxc" if self.rgb else "cyx")

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of `axes`."""
        loops = (n for letter, n in self.loops.items() if _LETTERS[letter])
        if self.rgb:
            return (*loops, self.height, self.width, self.samples)
        return (*loops, self.channels * self.samples, self.height, self.width)

    def check(self, path: Path) -> None:
        """Raise what is wrong with them: ValueError for strange axes, OSError for lies."""
        if set(self.loops) - set(_LETTERS):
            raise ValueError(
                f"'{path}' has loops other than time, positions and z ({dict(self.loops)}), which "
                "have no place in an image. Export what you need as OME-TIFF from NIS-Elements."
            )
        size = self.height * self.width * self.channels * self.samples * self.dtype.itemsize
        room = path.stat().st_size * (_BEST_PACKING if self.packed else 1)
        if not 0 < size <= room:
            raise damage_error(path, f"it says that a frame has {size} bytes")

    def number(self, place: Mapping[str, int]) -> int:
        """Count to the frame at a place along the loops."""
        number = 0
        for letter, length in self.loops.items():
            number = number * length + place[letter]
        return number


class Nd2Array(LazyArray):
    """One position, read from the file at each access.

    The file is open only while it is read, and the object can be sent to another process.

    Parameters
    ----------
    path : str
        The file.
    frames : Nd2Frames
        What is in it.
    position : int
        Which position.
    """

    def __init__(self, path: str, frames: Nd2Frames, position: int) -> None:
        self._path, self._frames, self._position = path, frames, position
        self.shape, self.dtype = frames.shape, frames.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """One frame, with all its channels, which lie side by side in the file."""
        return (1,) * (self.ndim - 3) + self.shape[-3:]

    def _read(self, box: tuple[range, ...]) -> npt.NDArray[Any]:
        library = import_extra(LIBRARY, EXTRA, Path(self._path))
        out = np.empty([len(r) for r in box], self.dtype)
        letters = [letter for letter in self._frames.loops if letter != "P"]
        inside = tuple(slice(r.start, r.stop) for r in box[-3:])
        with reading(Path(self._path)), library.ND2File(self._path) as file:
            for place in np.ndindex(out.shape[:-3]):
                at = {a: r[i] for a, r, i in zip(letters, box, place, strict=False)}
                out[place] = self._frame(file, {**at, "P": self._position})[inside]
        return out

    def _frame(self, file: Any, place: Mapping[str, int]) -> npt.NDArray[Any]:
        found = self._frames
        stored: npt.NDArray[Any] = np.asarray(file.read_frame(found.number(place)))
        shape = (found.channels, found.height, found.width, found.samples)
        frame = stored.reshape(shape).transpose(0, 3, 1, 2).reshape(-1, *shape[1:3])
        return frame.transpose(1, 2, 0) if found.rgb else frame
