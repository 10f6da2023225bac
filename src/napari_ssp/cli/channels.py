"""Channels of images as structures: named, matched between prediction and truth, read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.image import MicroscopyImage


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel of an image, still in its file.

    Attributes
    ----------
    image : MicroscopyImage
        The image.
    index : int
        Which channel, from 0.
    name : str
        The structure, or empty where nobody named it.
    """

    image: MicroscopyImage
    index: int
    name: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """(Z, Y, X), or (Y, X) of a single plane."""
        sizes = self.image.sizes
        depth = (sizes["z"],) if sizes.get("z", 1) > 1 else ()
        return (*depth, sizes["y"], sizes["x"])

    def read(self) -> npt.NDArray[Any]:
        """Voxels of `shape`, in the image's own type."""
        values = np.empty(self.shape, self.image.dtype)
        for z, plane in enumerate(values if values.ndim == 3 else values[None]):
            plane[...] = self.image.plane(0, z, self.index)
        return values


def list_channels(image: MicroscopyImage, file_name: str, name: str = "") -> list[Channel]:
    """List the channels of an image, with its channel names or the given one.

    Raises
    ------
    ValueError
        If it holds colours, or several time points.
    """
    if image.rgb:
        raise ValueError(
            f"{file_name} holds colours, which are no measured structures. Give it as grey "
            "channels: in Fiji, Image > Color > Split Channels."
        )
    if image.sizes.get("t", 1) > 1:
        raise ValueError(
            f"{file_name} holds {image.sizes['t']} time points; one is scored at a time. Save each "
            "to a file of its own."
        )
    names = image.channel_names or ("",) * image.num_channels
    if name and len(names) == 1:
        names = (name,)
    return [Channel(image, index, text) for index, text in enumerate(names)]


def match_channels(
    name: str, predicted: Sequence[Channel], true: Sequence[Channel]
) -> list[tuple[str, Channel, Channel]]:
    """Pair channels by name, upper and lower case being the same, else by their order.

    Parameters
    ----------
    name : str
        Of the image, for messages.
    predicted, true : sequence of Channel
        Channels of either side.

    Returns
    -------
    list of (task, prediction, truth)
        In the order of the prediction. Where both sides have names, those in common.

    Raises
    ------
    ValueError
        If names or counts leave open what belongs together.
    """
    by_name = {normalise_name(channel.name): channel for channel in true if channel.name}
    common = [
        (c.name, c, by_name[normalise_name(c.name)])
        for c in predicted
        if normalise_name(c.name) in by_name
    ]
    if common:
        return common
    one_each = len(predicted) == len(true) == 1
    unnamed = not all(c.name for c in predicted) or not by_name
    if one_each or (unnamed and len(predicted) == len(true)):
        pairs = enumerate(zip(predicted, true, strict=True))
        return [(p.name or t.name or f"channel {k}", p, t) for k, (p, t) in pairs]
    raise ValueError(
        f"'{name}': it is open which channels belong together: the prediction has "
        f"{_listed(predicted)}, the truth {_listed(true)}. Give the truth's channels the names of "
        "the structures, or save the one that was measured alone."
    )


def normalise_name(name: str) -> str:
    """Write a name without case, and with one kind of blank."""
    return re.sub(r"[\s_-]+", " ", name.strip()).casefold()


def _listed(channels: Sequence[Channel]) -> str:
    names = [f"'{channel.name}'" if channel.name else "unnamed" for channel in channels]
    return f"{len(channels)} ({', '.join(names[:12])})"
