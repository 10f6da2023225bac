"""What a request means for its image: resolved once, by a pure function, before any work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ssp.engine import count_tiles
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image
from napari_ssp.registry import ModelCard, find_card

if TYPE_CHECKING:
    from napari_ssp.service.requests import PredictRequest, SegmentRequest

#: Views of a window under mirror averaging; counted here because the views themselves load torch.
NUM_VIEWS = 3


@dataclass(frozen=True, eq=False)
class SegmentPlan:
    """A segment request with every choice made.

    Attributes
    ----------
    image : MicroscopyImage
        What is segmented, with its final axes and voxel size.
    card : ModelCard
        The model.
    channel : int or None
        Channel that is read; None where the image has colours or a single channel.
    planes : tuple of (t, z)
        Planes that are segmented, in order.
    region : tuple of int
        (y0, y1, x0, x1) in pixels.
    num_windows : int
        Windows of each plane; mirror averaging looks at each three times.
    """

    image: MicroscopyImage
    card: ModelCard
    channel: int | None
    planes: tuple[tuple[int, int], ...]
    region: tuple[int, int, int, int]
    num_windows: int

    @property
    def axes(self) -> str:
        """Axes of the resulting labels: the image's t and z as far as they are covered, y, x."""
        sizes = self.image.sizes
        whole = len(self.planes) == self.image.num_planes
        return "".join(a for a in "tz" if a in sizes and whole) + "yx"

    @property
    def summary(self) -> str:
        """One line for a person: "2D RGB, 0.5 µm/px, 1 plane, 4 windows"."""
        image = self.image
        size = "pixel size unknown"
        if image.voxel_size is not None:
            size = f"{image.voxel_size[1]:.3g} µm/px"
        parts = [f"{_kind(image)} {self._channel_words()}".strip(), size]
        if "t" in image.axes or "z" in image.axes:
            parts.append(f"{_count(len(self.planes), 'plane')} of {image.num_planes}")
        else:
            parts.append("1 plane")
        height, width = self.region[1] - self.region[0], self.region[3] - self.region[2]
        parts.append(f"{width} × {height} px")
        parts.append(_count(self.num_windows * len(self.planes), "window"))
        return ", ".join(parts)

    def _channel_words(self) -> str:
        image = self.image
        if image.rgb:
            return "RGB"
        if self.channel is None:
            return "grey"
        name = f" ({image.channel_names[self.channel]})" if image.channel_names else ""
        return f"channel {self.channel + 1} of {image.num_channels}{name}"


def plan_segmentation(request: SegmentRequest) -> SegmentPlan:
    """Make every choice that a request leaves open, and refuse what cannot be done.

    Raises
    ------
    FileNotFoundError
        When the image's file or the model is missing.
    ValueError
        When the channel, plane or region is not in the image.
    """
    card = find_card(request.model)
    if card.family != "mediar":
        raise ValueError(
            f"'{card.name}' predicts structures; it does not segment cells. Choose a model of the "
            "family 'mediar', see 'napari-ssp models list'."
        )
    image = open_image(request)
    channel = _channel(image, request.channel)
    planes = _planes(image, request.plane)
    region = clip_region(image, request.region)
    windows = count_windows(card, region, request.overlap) * (NUM_VIEWS if request.tta else 1)
    return SegmentPlan(image, card, channel, planes, region, windows)


def open_image(request: SegmentRequest | PredictRequest) -> MicroscopyImage:
    """Image of a request, with the axes and the voxel size that the request names."""
    source = request.image
    if isinstance(source, str | Path):
        source = read_image(source)
    if not isinstance(source, MicroscopyImage):
        return MicroscopyImage.from_array(source, request.axes, request.voxel_size)
    if request.axes is not None and request.axes.lower() != source.axes:
        source = MicroscopyImage.from_array(
            source.data, request.axes, source.voxel_size, source.name
        )
    if request.voxel_size is not None:
        source = replace(source, voxel_size=request.voxel_size)
    return source


def count_windows(card: ModelCard, region: tuple[int, int, int, int], overlap: float) -> int:
    """Windows that cover a region of a plane."""
    lengths = (region[1] - region[0], region[3] - region[2])
    lengths = (round(lengths[0] * card.zoom), round(lengths[1] * card.zoom))
    padded = tuple(max(n, w) for n, w in zip(lengths, card.window, strict=True))
    return count_tiles(padded, card.window, overlap)


def _channel(image: MicroscopyImage, wanted: int | None) -> int | None:
    if wanted is not None and wanted >= image.num_channels:
        raise ValueError(
            f"Channel {wanted} was asked for, but '{image.name}' has {image.num_channels} "
            f"(counted from 0). Choose 0 to {image.num_channels - 1}."
        )
    if image.num_channels == 1:
        return None
    return 0 if wanted is None else wanted


def _planes(image: MicroscopyImage, wanted: tuple[int, int] | None) -> tuple[tuple[int, int], ...]:
    planes = tuple(image.planes())
    if wanted is None:
        return planes
    if tuple(wanted) not in planes:
        sizes = image.sizes
        raise ValueError(
            f"Plane t={wanted[0]}, z={wanted[1]} was asked for, but '{image.name}' has "
            f"{sizes.get('t', 1)} time points and {sizes.get('z', 1)} z-planes (from 0)."
        )
    return ((wanted[0], wanted[1]),)


def clip_region(
    image: MicroscopyImage, wanted: tuple[int, int, int, int] | None
) -> tuple[int, int, int, int]:
    """Part of a region (y0, y1, x0, x1) that lies in the image; None is all of it.

    Raises
    ------
    ValueError
        When no part does.
    """
    height, width = image.sizes["y"], image.sizes["x"]
    if wanted is None:
        return (0, height, 0, width)
    y0, y1, x0, x1 = (int(n) for n in wanted)
    y0, y1, x0, x1 = max(y0, 0), min(y1, height), max(x0, 0), min(x1, width)
    if y1 <= y0 or x1 <= x0:
        raise ValueError(
            f"The region y {wanted[0]}:{wanted[1]}, x {wanted[2]}:{wanted[3]} does not meet the "
            f"image of {height} x {width} pixels."
        )
    return (y0, y1, x0, x1)


def _kind(image: MicroscopyImage) -> str:
    names = {"": "2D", "z": "3D", "t": "time series", "tz": "3D time series"}
    return names["".join(a for a in "tz" if a in image.axes)]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
