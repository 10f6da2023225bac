"""One scene of a CZI file as an array that reads only the part it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssp.io.errors import import_extra, reading
from napari_ssp.io.lazy import LazyArray

if TYPE_CHECKING:
    from collections.abc import Mapping

LIBRARY, EXTRA = "pylibCZIrw.czi", "czi"
_TYPES = {"Gray8": "u1", "Gray16": "u2", "Gray32Float": "f4"}
_COLOURS = {"Bgr24": "u1", "Bgr48": "u2", "Bgr96Float": "f4"}
_BLOCK_SIDE = 2048


@dataclass(frozen=True)
class CziScene:
    """Where the pixels of one scene are.

    Attributes
    ----------
    number : int or None
        The scene; None in a file without scenes.
    y, x : range
        Its place among the scenes, in pixels.
    t, c, z : range
        Positions in the file's own count, which need not begin at 0.
    pixel_types : tuple of str
        One name of libCZI per channel.
    """

    number: int | None
    y: range
    x: range
    t: range
    c: range
    z: range
    pixel_types: tuple[str, ...]

    @property
    def rgb(self) -> bool:
        """Whether its one channel holds colours."""
        return self.pixel_types[0] in _COLOURS

    @property
    def axes(self) -> str:
        """Axes of its `CziArray`."""
        return "tzyxc" if self.rgb else "tczyx"

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that holds the pixels of all channels."""
        known = {**_TYPES, **_COLOURS}
        return np.result_type(*(np.dtype(known[name]) for name in self.pixel_types))

    def check(self, path: Path) -> None:
        """Raise ValueError when the pixels have no place in one array."""
        unknown = set(self.pixel_types) - set(_TYPES) - set(_COLOURS)
        colours = [name in _COLOURS for name in self.pixel_types]
        if unknown or (any(colours) and len(colours) > 1):
            raise ValueError(
                f"'{path}' has channels of the types {', '.join(sorted(set(self.pixel_types)))}, "
                "which do not go into one image. Save the channels one by one from ZEN, as "
                "OME-TIFF."
            )


class CziArray(LazyArray):
    """One scene at one zoom, read from the file at each access.

    The file is open only while it is read, and the object can be sent to another process.

    Parameters
    ----------
    path : str
        The file.
    scene : CziScene
        Which scene.
    factor : int
        1 for all pixels, 2 for every second along y and x, and so on by powers of two.
    """

    def __init__(self, path: str, scene: CziScene, factor: int = 1) -> None:
        self._path, self._scene, self._factor = path, scene, factor
        lengths: Mapping[str, int] = {
            "t": len(scene.t),
            "c": 3 if scene.rgb else len(scene.c),
            "z": len(scene.z),
            "y": len(scene.y) // factor,
            "x": len(scene.x) // factor,
        }
        self.shape = tuple(lengths[a] for a in scene.axes)
        self.dtype = scene.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """One plane, or a part of a large one."""
        steps = {"y": _BLOCK_SIDE, "x": _BLOCK_SIDE, "c": 3 if self._scene.rgb else 1}
        sizes = zip(self._scene.axes, self.shape, strict=True)
        return tuple(min(n, steps.get(a, 1)) for a, n in sizes)

    def _read(self, box: tuple[range, ...]) -> npt.NDArray[Any]:
        czi = import_extra(LIBRARY, EXTRA, Path(self._path))
        picked = dict(zip(self._scene.axes, box, strict=True))
        out = np.empty([len(r) for r in box], self.dtype)
        leading = [a for a in self._scene.axes[:3] if a in "tcz"]
        colours = slice(picked["c"].start, picked["c"].stop) if self._scene.rgb else 0
        if not out.size:
            return out
        with reading(Path(self._path)), czi.open_czi(self._path) as file:
            for place in np.ndindex(*(len(picked[a]) for a in leading)):
                at = {a: picked[a][i] for a, i in zip(leading, place, strict=True)}
                plane = self._plane(file, at, picked["y"], picked["x"])
                out[place] = plane[..., colours]
        return out

    def _plane(self, file: Any, at: dict[str, int], y: range, x: range) -> npt.NDArray[Any]:
        scene, factor = self._scene, self._factor
        channel = scene.c[at.get("c", 0)]
        position = {"T": scene.t[at["t"]], "C": channel, "Z": scene.z[at["z"]]}
        corner = (scene.x[x.start * factor], scene.y[y.start * factor])
        roi = (*corner, len(x) * factor, len(y) * factor)
        plane = file.read(roi=roi, plane=position, scene=scene.number, zoom=1 / factor)
        # libCZI keeps colours in the order blue, green, red.
        return np.asarray(plane)[..., ::-1]
