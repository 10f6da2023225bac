"""Choice between pixels that are sent to a worker, and a file that it reads by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.ngff.stored import StoredPixels
from napari_ssp.service.compute.lending import count_bytes
from napari_ssp.service.requests import DiameterRequest

#: Bytes of an image that is sent though it lies in a file that the worker sees as well.
MOST_COPIED = 2**26


def name_pixels(request: Any) -> tuple[Any, str]:
    """Let a large image that lies in a Zarr go by its name; say what is done.

    Parameters
    ----------
    request : Request
        Of an image, for a worker that sees the files of this computer.

    Returns
    -------
    request : Request
        The same, or one whose pixels are read where they are looked at.
    str
        For the user.
    """
    if isinstance(request, DiameterRequest):
        segment, words = name_pixels(request.segment)
        return replace(request, segment=segment), words
    image = getattr(request, "image", None)
    if not isinstance(image, MicroscopyImage):
        return request, "reading the image"
    size = count_bytes(image)
    stored = StoredPixels.of(image.data) if size > MOST_COPIED else None
    if stored is None:
        return request, f"sending the image, {size / 2**20:.0f} MiB"
    named = replace(image, data=stored, levels=())
    return replace(request, image=named), f"workers read '{stored.folder}' themselves"
