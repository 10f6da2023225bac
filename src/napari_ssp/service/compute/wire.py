"""Requests and results as JSON and arrays: what travels between processes, free of pickle."""

from __future__ import annotations

import builtins
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.ngff.stored import StoredPixels
from napari_ssp.schema import flatten, restore
from napari_ssp.service.compute.trainings.lesson import Learned, Lesson
from napari_ssp.service.requests import (
    BlockRequest,
    DiameterRequest,
    PredictRequest,
    SegmentRequest,
)
from napari_ssp.service.results import DataSize, Segmentation, StructurePrediction, TrainedModel
from napari_ssp.service.review.requests import Review, ReviewRequest
from napari_ssp.service.training.request_files import TASKS
from napari_ssp.training.state import TrainingState

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What may travel as a whole, by the name that it travels under.
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        MicroscopyImage,
        StoredPixels,
        SegmentRequest,
        PredictRequest,
        DiameterRequest,
        BlockRequest,
        ReviewRequest,
        Segmentation,
        StructurePrediction,
        Review,
        Lesson,
        Learned,
        DataSize,
        TrainingState,
        TrainedModel,
    )
}
#: Trainings, whose choices are plain values in groups, by the word for their task.
_TASKS = {kind: task for task, kind in TASKS.items()}
_PLAIN = (type(None), bool, int, float, str)


@dataclass(frozen=True, eq=False)
class Parcel:
    """A value on its way.

    Attributes
    ----------
    text : str
        JSON, in which arrays are named by their number.
    arrays : list of numpy.ndarray
        Of numbers or text.
    """

    text: str
    arrays: list[NDArray[Any]]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays)


def pack(value: Any) -> Parcel:
    """Make a parcel of a request or a result; lazy arrays are read.

    Raises
    ------
    TypeError
        When a part is of a kind that does not travel.
    """
    arrays: list[NDArray[Any]] = []
    return Parcel(json.dumps(_encode(value, arrays)), arrays)


def unpack(parcel: Parcel) -> Any:
    """Make the value of a parcel again; its arrays can be written to.

    Raises
    ------
    ValueError, TypeError
        When the parcel is damaged, or of another version.
    """
    return _decode(json.loads(parcel.text), parcel.arrays)


def pack_error(error: BaseException) -> Parcel:
    """Make a parcel of an error: its nearest built-in class, and what it says."""
    kind = next(c for c in type(error).__mro__ if getattr(builtins, c.__name__, None) is c)
    args = list(error.args)
    if isinstance(error, OSError) and error.filename is not None and len(args) == 2:
        args.append(error.filename)
    said = args if all(isinstance(part, _PLAIN) for part in args) else [str(error)]
    return Parcel(json.dumps({"error": kind.__name__, "said": said}), [])


def pack_missing(digests: list[str], worker: str) -> Parcel:
    """Make a parcel that says which weights a worker lacks, and which worker it is."""
    return Parcel(json.dumps({"missing": digests, "worker": worker}), [])


def read_missing(parcel: Parcel) -> tuple[list[str], str]:
    """Digests of such a parcel, and the worker; none of any other."""
    content = json.loads(parcel.text)
    is_one = isinstance(content, dict) and "missing" in content
    return (content["missing"], content["worker"]) if is_one else ([], "")


def raise_error(parcel: Parcel) -> None:
    """Raise the error of a parcel that holds one; any other is let pass."""
    content = json.loads(parcel.text)
    if isinstance(content, dict) and "error" in content:
        kind = getattr(builtins, content["error"])
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            kind = RuntimeError  # an end of the other process is none of this one
        raise kind(*content["said"])


def _encode(value: Any, arrays: list[NDArray[Any]]) -> Any:
    name = type(value).__name__
    if _KINDS.get(name) is type(value):
        return {"is": name, "fields": _encode_fields(value, arrays)}
    if type(value) in _TASKS:
        return {"training": [_TASKS[type(value)], flatten(value)]}
    if isinstance(value, np.generic) or hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise TypeError(f"An array of {array.dtype} cannot be sent to another process.")
        arrays.append(array)
        return {"array": len(arrays) - 1}
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, list | tuple):
        found = [_encode(item, arrays) for item in value]
        return found if isinstance(value, list) else {"tuple": found}
    if isinstance(value, dict):
        return {"dict": [[_encode(part, arrays) for part in item] for item in value.items()]}
    raise TypeError(f"A {name} cannot be sent to another process.")


def _encode_fields(value: Any, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    # Smaller copies are for display; nothing is computed from them.
    left_out = {"levels"} if isinstance(value, MicroscopyImage) else set()
    return {
        item.name: _encode(getattr(value, item.name), arrays)
        for item in fields(value)
        if item.name not in left_out
    }


def _decode(content: Any, arrays: list[NDArray[Any]]) -> Any:
    if isinstance(content, list):
        return [_decode(item, arrays) for item in content]
    if not isinstance(content, dict):
        return content
    if "is" in content:
        found = {name: _decode(item, arrays) for name, item in content["fields"].items()}
        return _KINDS[content["is"]](**found)
    ((mark, inside),) = content.items()
    if mark == "array":
        array = arrays[inside]
        return np.require(array, requirements="W") if array.ndim else array[()]
    if mark == "training":
        task, values = inside
        return restore(TASKS[task], values)
    if mark == "path":
        return Path(inside)
    if mark == "tuple":
        return tuple(_decode(item, arrays) for item in inside)
    return dict(_decode(item, arrays) for item in inside)
