"""Plan of a segmentation: a request resolved once, by a pure function, before any work."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ssp.engine import count_tiles
from napari_ssp.engine.tiling import compute_zoomed_shape, grow_window
from napari_ssp.registry import CELLPOSE, OBJECTS, PACKAGE, ModelCard, find_card
from napari_ssp.service.precision import describe_precision, warn_emulated
from napari_ssp.service.results import MAGNIFIED
from napari_ssp.service.source_image import (
    choose_channel,
    choose_nuclei,
    clip_region,
    open_image,
)
from napari_ssp.service.stack_grid import (
    check_family,
    doubt_volumes,
    leaves_size_open,
    network_grid,
    stack_windows,
    volume_windows,
)

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service.requests import SegmentRequest

#: Pixels, as the network sees them, of a plane that is segmented in one piece.
WHOLE_PLANE = 4096 * 4096
#: Side of the blocks of larger planes.
TILE = 2048
#: Voxels of equal sides in which 3D objects can be found; each takes about 100 bytes of memory.
MOST_VOXELS = 2**27

#: Limits of the magnification that a diameter asks for.
SMALLEST_ZOOM, LARGEST_ZOOM = 1 / 64, 8.0

#: A magnification this many times larger or smaller than the model's own is warned of.
UNUSUAL = 1.9

#: Views of a plane, mirrored and in all; counted here because the views themselves load torch.
NUM_MIRRORED, NUM_EIGHTFOLD = 3, 8

#: Words for a choice that is not left to the pixels.
_NORMALISED = {
    "image": "grey values by the whole image",
    "region": "grey values by region",
}


@dataclass(frozen=True, eq=False)
class SegmentPlan:
    """A segment request with every choice made.

    Attributes
    ----------
    image : MicroscopyImage
        What is segmented, with its final axes and voxel size.
    card : ModelCard
        The model; for several, what they have in common.
    members : tuple of ModelCard
        Models that are averaged; one, or those of an ensemble.
    channel : int or None
        Channel that is read; None where the image has colours or a single channel.
    planes : tuple of (t, z)
        Planes that are segmented, in order.
    region : tuple of int
        (y0, y1, x0, x1) in pixels.
    zoom : float
        Magnification of the region before the network sees it.
    window : tuple of int
        Lengths of a window, as the network sees it.
    overlap : float
        Share of a window that its neighbours cover too.
    num_windows : int
        Windows in all, over all views.
    tile : int or None
        Side of the blocks that a plane is done in; None does it in one piece.
    volume : tuple of int or None
        Lengths (z, y, x) of the grid on which the network sees a stack as a volume, the same step
        along all axes; None where planes are segmented.
    precision : str
        Numbers that the network computes in, as they were asked for.
    precision_warnings : tuple of str
        What the user should know about them on this computer.
    normalise : str
        Where the grey range comes from: ``"auto"``, ``"image"`` or ``"region"``.
    nuclei : int or None
        Channel that is read beside the first; None where a single one is seen.
    is_size_open : bool
        Whether the size of the objects is estimated before a volume is segmented: nobody says it,
        and the model has to know it. Zoom, grid and windows are the model's own until then.
    is_size_estimated : bool
        Whether the magnification follows the size of the objects as it was estimated in the image.
    """

    image: MicroscopyImage
    card: ModelCard
    members: tuple[ModelCard, ...]
    channel: int | None
    planes: tuple[tuple[int, int], ...]
    region: tuple[int, int, int, int]
    zoom: float
    window: tuple[int, ...]
    overlap: float
    num_windows: int
    tile: int | None = None
    volume: tuple[int, int, int] | None = None
    precision: str = "auto"
    precision_warnings: tuple[str, ...] = ()
    normalise: str = "auto"
    nuclei: int | None = None
    is_size_open: bool = False
    is_size_estimated: bool = False

    @property
    def channels(self) -> tuple[int | None, ...]:
        """Channels that are read, each with a grey range of its own: cells, then nuclei."""
        return (self.channel,) if self.nuclei is None else (self.channel, self.nuclei)

    @property
    def num_samples(self) -> int:
        """Grey values of a pixel."""
        return 3 if self.image.rgb else len(self.channels)

    @property
    def middle_plane(self) -> tuple[int, int]:
        """Of the middle time point the (t, z) of the plane halfway up: the one to look at first."""
        time = [(t, z) for t, z in self.planes if t == self.planes[len(self.planes) // 2][0]]
        return time[len(time) // 2]

    @property
    def shape(self) -> tuple[int, int]:
        """Lengths of the region along y and x."""
        return (self.region[1] - self.region[0], self.region[3] - self.region[2])

    @property
    def axes(self) -> str:
        """Axes of the resulting labels: the image's t and z as far as they are covered, y, x."""
        sizes = self.image.sizes
        whole = len(self.planes) == self.image.num_planes
        return "".join(a for a in "tz" if a in sizes and whole) + "yx"

    @property
    def room(self) -> tuple[int, ...]:
        """Bytes of the arrays that are worked in: labels, flows with probability, grey levels."""
        pixels = len(self.planes) * math.prod(self.shape)
        parts = 3 if self.volume is None else 4
        levels = pixels if self.volume is not None else math.prod(self.shape)
        return 4 * pixels, 4 * parts * pixels, self.num_samples * levels

    @property
    def summary(self) -> str:
        """One line for the user: "2D RGB, 0.5 µm/px, 1 plane, 4 windows"."""
        image = self.image
        size = "pixel size unknown"
        if image.voxel_size is not None:
            size = f"{image.voxel_size[1]:.3g} µm/px"
        parts = [f"{_kind(image)} {self._channel_words()}".strip(), size]
        if "t" in image.axes or "z" in image.axes:
            parts.append(f"{_count(len(self.planes), 'plane')} of {image.num_planes}")
        else:
            parts.append("1 plane")
        parts.append(f"{self.shape[1]} × {self.shape[0]} px")
        if self.zoom != self.card.zoom:
            parts.append(f"magnified {self.zoom:.2g} times")
        parts.append(_count(self.num_windows, "window"))
        if self.volume is not None:
            parts.append(f"in 3D on {' × '.join(str(n) for n in self.volume[::-1])} voxels")
            if self.is_size_open:
                parts.append("more or fewer once the objects' size is estimated")
        elif self.tile is not None:
            parts.append(f"in blocks of {self.tile} px")
        if words := describe_precision(self.precision):
            parts.append(words)
        if self.normalise in _NORMALISED:
            parts.append(_NORMALISED[self.normalise])
        return ", ".join(parts)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before trusting the result."""
        own = self.card.zoom
        found = [*self.image.warnings, *self.precision_warnings]
        fits = self.is_size_estimated or own / UNUSUAL < self.zoom < own * UNUSUAL
        if self.card.voxel_size is None and not fits:
            found.append(
                f"The image is magnified {self.zoom:.2g} times instead of the {own:g} times at "
                f"which '{self.card.name}' learned. Cells that it knows from there may be missed: "
                "compare with a run at the model's own size."
            )
        if self.volume is not None:
            found.extend(doubt_volumes(self.card, self.image.voxel_size is not None))
        if self.is_size_estimated and self.card.object_diameter is not None:
            found.append(
                f"{MAGNIFIED} {self.zoom:.2g} times, for objects that seem to be about "
                f"{self.card.object_diameter / self.zoom:.0f} px across. Give their diameter to "
                "decide that yourself."
            )
        return tuple(found)

    def _channel_words(self) -> str:
        image = self.image
        if image.rgb:
            return "RGB"
        if self.channel is None:
            return "grey"
        names = [f" ({name})" for name in image.channel_names] or [""] * image.num_channels
        if self.nuclei is None:
            return f"channel {self.channel + 1} of {image.num_channels}{names[self.channel]}"
        cells = f"cells in channel {self.channel + 1}{names[self.channel]}"
        return f"{cells}, nuclei in channel {self.nuclei + 1}{names[self.nuclei]}"


def plan_segmentation(request: SegmentRequest) -> SegmentPlan:
    """Make every choice that a request leaves open, and refuse what cannot be done.

    Raises
    ------
    FileNotFoundError
        When the image's file or the model is missing.
    ValueError
        When the channel, plane or region is not in the image.
    """
    card, members = find_members(request.model)
    image = open_image(request)
    channel = choose_channel(image, request.channel)
    planes = _planes(image, request.plane)
    region = clip_region(image, request.region)
    zoom = _zoom(request, card, image)
    overlap = card.overlap if request.overlap is None else request.overlap
    plan = SegmentPlan(
        image,
        card,
        members,
        channel,
        planes,
        region,
        zoom=zoom,
        window=card.window,
        overlap=overlap,
        num_windows=0,
        precision=request.precision,
        precision_warnings=warn_emulated(request.precision, request.device),
        normalise=request.normalise,
        nuclei=choose_nuclei(image, channel, request.nuclei),
    )
    check_family(request, card)
    if len(card.axes) == 3:
        volume = _package_volume(request, plan)
        windows = stack_windows(card, volume, overlap) * image.sizes.get("t", 1)
        plan = replace(plan, volume=volume, num_windows=windows)
    elif request.stacks == "volume":
        volume = _volume(image, plan)
        windows = volume_windows(card, volume, overlap) * image.sizes.get("t", 1)
        is_open = leaves_size_open(request, card)
        plan = replace(plan, volume=volume, num_windows=windows, is_size_open=is_open)
    else:
        seen = compute_zoomed_shape(plan.shape, zoom)
        window = _window(request, card, seen, overlap)
        plan = replace(
            plan,
            tile=choose_tile(plan.shape, request.tile, plan.zoom),
            window=window,
            num_windows=count_tiles(seen, window, overlap) * len(planes),
        )
    return replace(plan, num_windows=plan.num_windows * _num_views(request))


def _num_views(request: SegmentRequest) -> int:
    if request.eightfold:
        return NUM_EIGHTFOLD
    return NUM_MIRRORED if request.tta else 1


def model_names(model: str) -> list[str]:
    """Names of the models in what a request calls its model: "a + b" is two."""
    return [model] if Path(model).is_dir() else [name.strip() for name in model.split("+")]


def find_members(model: str) -> tuple[ModelCard, tuple[ModelCard, ...]]:
    """Card of what a request calls its model, and the cards of the networks that are averaged.

    Raises
    ------
    FileNotFoundError
        When a model is missing.
    ValueError
        When a model does not segment, or they see images at different magnifications.
    """
    chosen = [find_card(name) for name in model_names(model)]
    members: list[ModelCard] = []
    for card in chosen:
        if card.makes != OBJECTS:
            raise ValueError(
                f"'{card.name}' predicts {card.makes}; it does not segment cells. Choose another "
                "model, see 'napari-ssp models list'."
            )
        members += [find_card(name) for name in card.members] or [card]
    alone = [card.name for card in members if card.family in (PACKAGE, CELLPOSE)]
    if alone and len(members) > 1:
        raise ValueError(f"'{alone[0]}' is run as it is, not averaged with other models.")
    if len({card.family for card in members}) > 1:
        families = ", ".join(f"'{card.name}' is a {card.family}" for card in members)
        raise ValueError(f"Only models of one family can be averaged: {families}.")
    if len({card.zoom for card in members}) > 1:
        zooms = ", ".join(f"'{card.name}' {card.zoom:g}" for card in members)
        raise ValueError(
            "The models cannot be averaged, because they magnify images differently before they "
            f"look at them: {zooms}. Choose models of the same magnification."
        )
    if len(chosen) == 1:
        return chosen[0], tuple(members)
    digests = "".join(card.sha256 for card in members)
    joined = replace(
        members[0],
        name=model,
        sha256=sha256(digests.encode()).hexdigest(),
        members=tuple(card.name for card in members),
    )
    return joined, tuple(members)


def _window(
    request: SegmentRequest, card: ModelCard, seen: tuple[int, ...], overlap: float
) -> tuple[int, ...]:
    """Window for a plane; one size for all views, so that those that are turned keep to squares."""
    if request.eightfold:
        return card.window
    return grow_window(seen, card.window, card.largest_window or card.window, overlap)


def _zoom(request: SegmentRequest, card: ModelCard, image: MicroscopyImage) -> float:
    """Magnification at which objects or pixels have the size that the model knows."""
    if card.family == CELLPOSE:
        return 1.0  # it magnifies by itself
    if request.diameter is not None:
        if card.object_diameter is None:
            raise ValueError(
                f"The card of '{card.name}' does not say how large objects are that it knows, so "
                "a diameter cannot be used. Leave it out, or choose another model."
            )
        return min(max(card.object_diameter / request.diameter, SMALLEST_ZOOM), LARGEST_ZOOM)
    if card.voxel_size is not None and image.voxel_size is not None:
        wanted = image.voxel_size[1] / card.voxel_size[1]
        return min(max(wanted, SMALLEST_ZOOM), LARGEST_ZOOM)
    return card.zoom


def diameter_in_pixels(request: SegmentRequest, microns: float) -> float:
    """Diameter for a request whose image has a voxel size.

    Raises
    ------
    ValueError
        When it has none.
    """
    image = open_image(request)
    if image.voxel_size is None:
        raise ValueError(
            f"'{image.name}' has no voxel size, so {microns:g} µm are an unknown number of pixels. "
            "Give the voxel size, or the diameter in pixels."
        )
    return microns / image.voxel_size[1]


def choose_tile(shape: tuple[int, int], wanted: int | None, zoom: float = 1.0) -> int | None:
    """Side of the blocks that a plane is done in, or None for one piece."""
    if wanted is not None:
        return wanted if max(shape) > wanted else None
    return TILE if shape[0] * shape[1] * max(zoom, 1.0) ** 2 > WHOLE_PLANE else None


def _volume(image: MicroscopyImage, plan: SegmentPlan) -> tuple[int, int, int]:
    """Grid of a volume with voxels that are cubes, at the network's magnification."""
    if "z" not in plan.axes:
        raise ValueError(
            f"3D objects need all z-planes of a stack, but '{image.name}' is segmented with the "
            f"axes '{plan.axes}'. Choose stacks 'planes', or leave the plane out."
        )
    z, y, _ = image.voxel_size or (1.0, 1.0, 1.0)
    lengths = (image.sizes["z"] * z / y, *plan.shape)
    depth, height, width = (max(1, round(n * plan.zoom)) for n in lengths)
    if depth * height * width > MOST_VOXELS:
        raise ValueError(
            f"3D objects are tracked in memory: the stack has {depth} x {height} x {width} voxels "
            f"of equal sides, at most {MOST_VOXELS} are possible. Choose a smaller region, or "
            "stacks 'linked'."
        )
    return depth, height, width


def _package_volume(request: SegmentRequest, plan: SegmentPlan) -> tuple[int, int, int]:
    """Grid on which a network of stacks sees one."""
    image, card = plan.image, plan.card
    if "z" not in plan.axes:
        raise ValueError(
            f"'{card.name}' finds objects in whole stacks, but '{image.name}' is segmented with "
            f"the axes '{plan.axes}'. Choose a z-stack and all its planes, or another model."
        )
    if request.diameter is not None:
        raise ValueError(
            f"'{card.name}' sees stacks at the voxel size that it knows, so a diameter cannot be "
            "used. Leave it out, and give the voxel size where the stack has none."
        )
    shape = (image.sizes["z"], *plan.shape)
    depth, height, width = network_grid(shape, image.voxel_size, card)
    if max(depth * height * width, math.prod(shape)) > MOST_VOXELS:
        raise ValueError(
            f"Packages see a stack in memory: {depth} x {height} x {width} voxels, at most "
            f"{MOST_VOXELS} are possible. Choose a smaller region."
        )
    return depth, height, width


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


def _kind(image: MicroscopyImage) -> str:
    names = {"": "2D", "z": "3D", "t": "time series", "tz": "3D time series"}
    return names["".join(a for a in "tz" if a in image.axes)]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
