"""Reader of cellpose's ``_seg.npy`` files, pickles read as data: nothing is executed.

The file names classes and functions that build NumPy arrays. None of them is called: each name
stands for a small recorder here, and any other name is refused.
"""

from __future__ import annotations

import pickle
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

_ARRAYS = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_PATHS = ("pathlib", "pathlib._local")
_KINDS = "biu"
_AXES = {2: "yx", 3: "zyx"}


def read_cellpose(path: Path) -> Scene:
    """Read the masks of a file that cellpose's window or command line saved.

    Parameters
    ----------
    path : pathlib.Path
        File whose name ends with "_seg.npy".

    Returns
    -------
    Scene
        Labels with the axes "yx" or "zyx"; outlines, flows and settings in the file are left out.

    Raises
    ------
    ValueError
        If it is another file, is damaged, or asks for anything beyond arrays and plain values.
    """
    try:
        with path.open("rb") as file:
            _check_header(file)
            content = _Reader(file).load()
        masks = _array(_entry(content, "masks"))
    except _RefusedError as error:
        raise ValueError(
            f"'{path}' asks for '{error}', which masks do not need. Loading it would run code, so "
            "it was refused and nothing was executed. If somebody sent it to you, be careful."
        ) from error
    except Exception as error:  # damaged instructions fail in many ways
        raise ValueError(
            f"'{path}' is no file of masks that cellpose saved, or it is damaged: {error}. Save it "
            "again, or save the masks as TIFF or PNG in cellpose."
        ) from error
    return Scene(MicroscopyImage(masks, _AXES[masks.ndim], name=path.stem), True)


class _RefusedError(ValueError):
    """A name that is not needed was asked for."""


class _Type:
    """Recorder of an array's data type."""

    def __init__(self, code: Any) -> None:
        self.code: str = str(code)
        self.order: Any = "|"

    def __setstate__(self, state: Any) -> None:
        self.order = str(state[1])


class _Array:
    """Recorder of an array."""

    def __init__(self, shape: Any = (), kind: Any = None, content: Any = b"") -> None:
        self.shape, self.kind, self.content, self.fortran = shape, kind, content, False

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.kind, self.fortran, self.content = state


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any) -> _Array:
    found = _Array(shape, kind, bytes(content))
    found.fortran = order == "F"
    return found


def _type(code: Any, *_: Any) -> _Type:
    return _Type(code)


def _scalar(kind: Any, content: Any = b"") -> Any:
    return content if isinstance(content, bytes) else None


def _encode(text: Any, *_: Any) -> bytes:
    # How old protocols keep bytes.
    return str(text).encode("latin1")


def _as_text(*parts: Any) -> str:
    return "/".join(str(part) for part in parts)


_NAMES: dict[tuple[str, str], Any] = {
    **{(room, "_reconstruct"): _reconstruct for room in _ARRAYS},
    **{(room, "scalar"): _scalar for room in _ARRAYS},
    **{(room, "_frombuffer"): _from_buffer for room in _NUMERIC},
    **{(room, f"{kind}Path"): _as_text for room in _PATHS for kind in ("Posix", "Windows")},
    ("numpy", "ndarray"): _as_text,  # only passed on
    ("numpy", "dtype"): _type,
    ("_codecs", "encode"): _encode,
}


class _Reader(pickle.Unpickler):
    """Follows a pickle's instructions with recorders in the place of what it asks for."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """Give the recorder of a name; refuse all others."""
        if (module, name) not in _NAMES:
            raise _RefusedError(f"{module}.{name}"[:200])
        # A copy: instructions may change what they are given.
        return partial(_NAMES[module, name])


def _check_header(file: IO[bytes]) -> None:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_2_0
    if version == (1, 0):
        read = np.lib.format.read_array_header_1_0
    shape, _, dtype = read(file)
    if dtype != np.dtype(object) or shape != ():
        raise ValueError(f"it holds an array of {dtype} with the shape {shape}")


def _entry(content: Any, name: str) -> Any:
    """Entry of the dictionary that the file's array without axes holds."""
    held = content.content if isinstance(content, _Array) else None
    found = held[0] if isinstance(held, list) and len(held) == 1 else None
    if not isinstance(found, dict) or name not in found:
        raise ValueError(f"it has no entry '{name}'")
    return found[name]


def _array(record: Any) -> NDArray[Any]:
    """Array of what was recorded, if its bytes are as long as it says."""
    if not isinstance(record, _Array) or not isinstance(record.kind, _Type):
        raise ValueError("its masks are no array")
    dtype = np.dtype(record.kind.code).newbyteorder(record.kind.order)
    shape = tuple(int(n) for n in record.shape)
    if dtype.kind not in _KINDS or len(shape) not in _AXES or not isinstance(record.content, bytes):
        raise ValueError(f"its masks have the shape {shape} and the type {dtype}")
    values = np.frombuffer(record.content, dtype)
    if min(shape) < 1 or values.size != np.prod(shape, dtype=object):
        raise ValueError(f"its masks have the shape {shape}, but {values.size} values")
    found = values.reshape(shape, order="F" if record.fortran else "C")
    native = found.astype(dtype.newbyteorder("="), order="C")
    return native.astype(np.uint8) if dtype.kind == "b" else native
