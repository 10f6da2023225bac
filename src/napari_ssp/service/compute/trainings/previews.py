"""The state of a training as a message: small, with a picture now and then."""

from __future__ import annotations

import time
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.service.compute.wire import Parcel, pack, unpack
from napari_ssp.training.state import TrainingState

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Seconds between two pictures at least: a scheduler keeps the last 1,000 messages.
_PAUSE = 2.0
#: Side of a picture in pixels, which is what the Train dock has room for.
_SIDE = 320


class PreviewSender:
    """Messages about one training; a picture goes only once."""

    def __init__(self) -> None:
        self._sent: Any = None
        self._when = -_PAUSE

    def make(self, preview: Any) -> dict[str, Any]:
        """Make the message of a preview; empty where it is no state of a training."""
        if not isinstance(preview, TrainingState):
            return {}
        picture, now = preview.preview, time.monotonic()
        is_new = picture is not None and picture is not self._sent and now - self._when >= _PAUSE
        if is_new:
            self._sent, self._when = picture, now
        parcel = pack(replace(preview, preview=_cut(picture) if is_new else None))
        return {"text": parcel.text, "arrays": list(map(_as_bytes, parcel.arrays))}


def read_preview(message: dict[str, Any]) -> Any:
    """Read the preview of a message; None where it has none."""
    if not message:
        return None
    return unpack(Parcel(message["text"], [_from_bytes(*array) for array in message["arrays"]]))


def _cut(picture: Any) -> Any:
    name, *planes = picture
    starts = [max(0, (side - _SIDE) // 2) for side in planes[-1].shape]
    middle = tuple(slice(start, start + _SIDE) for start in starts)
    return name, *(plane[middle] for plane in planes)


def _as_bytes(array: NDArray[Any]) -> tuple[str, list[int], bytes]:
    return array.dtype.str, list(array.shape), zlib.compress(array.tobytes(), 1)


def _from_bytes(kind: str, shape: list[int], content: bytes) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(content), kind).reshape(shape).copy()
