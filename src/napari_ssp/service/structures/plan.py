"""Plan of a prediction: a request resolved for its stack once, by a pure function."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_ssp.engine import count_tiles
from napari_ssp.engine.tiling import add_margin, choose_window
from napari_ssp.place import place_in, with_voxel_size
from napari_ssp.registry import IMAGES, OBJECTS, PACKAGE, ModelCard, find_card
from napari_ssp.service.precision import describe_precision, warn_emulated
from napari_ssp.service.source_image import choose_channel, clip_region, open_image
from napari_ssp.service.stack_grid import network_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service.requests import PredictRequest

#: RepMode halves its input four times.
MULTIPLE = 16
#: A stack's voxels may be this much larger or smaller than the model's before a warning.
USUAL_FACTOR = 4.0
#: Views of a patch whose spread is computed: as it is, and mirrored along y, x and both.
NUM_VIEWS = 4

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class PredictionPlan:
    """A prediction request with every choice made.

    Attributes
    ----------
    image : MicroscopyImage
        The stack, with its final axes and voxel size.
    card : ModelCard
        The model.
    tasks : tuple of int
        Positions of the wanted structures on the card.
    channel : int or None
        Channel that is read; None where there is a single one.
    time : int
        Time point that is read.
    box : tuple of (start, stop)
        Part that is predicted, in voxels along z, y and x.
    voxel_size : tuple of float or None
        (z, y, x) in µm that the stack is taken to have; None where the model does not care.
    network_shape : tuple of int
        Lengths of the part at the model's voxel size.
    window : tuple of int
        Lengths of a patch.
    num_patches : int
        Patches that cover the part.
    warnings : tuple of str
        What the user should know before trusting the result.
    precision : str
        Numbers that the network computes in, as they were asked for.
    spread : bool
        Whether the spread of mirrored views is computed, too.
    """

    image: MicroscopyImage
    card: ModelCard
    tasks: tuple[int, ...]
    channel: int | None
    time: int
    box: tuple[tuple[int, int], ...]
    voxel_size: tuple[float, float, float] | None
    network_shape: Shape
    window: Shape
    num_patches: int
    warnings: tuple[str, ...]
    precision: str = "auto"
    spread: bool = False

    @property
    def shape(self) -> Shape:
        """Lengths of the part that is predicted, in the stack's own voxels."""
        return tuple(stop - start for start, stop in self.box)

    @property
    def room(self) -> tuple[int, ...]:
        """Bytes of the arrays that are worked in: as the network sees them, and the result."""
        structures = 4 * len(self.tasks) * (1 + self.spread)
        return structures * math.prod(self.network_shape), structures * math.prod(self.shape)

    @property
    def place(self) -> dict[str, Any]:
        """Origin, position and axes of the full image, as a `MicroscopyImage` has them."""
        lengths = dict(zip("zyx", self.shape, strict=True))
        starts = (self.time, *(start for start, _ in self.box))
        return place_in(with_voxel_size(self.image, self.voxel_size), starts, lengths)

    @property
    def summary(self) -> str:
        """One line for the user."""
        channel = ""
        if self.channel is not None:
            names = self.image.channel_names
            name = f" ({names[self.channel]})" if names else ""
            channel = f"channel {self.channel + 1} of {self.image.num_channels}{name}, "
        is_stack = "z" in self.image.axes
        first = 0 if is_stack else 1  # of a plane z is nothing to speak of
        size = "voxel size unknown" if is_stack else "pixel size unknown"
        if self.voxel_size is not None:
            size = " × ".join(f"{s:.3g}" for s in self.voxel_size[first:]) + " µm"
        kind, points = ("3D", "voxels") if is_stack else ("2D", "pixels")
        parts = [f"{kind} {channel}{_lengths(self.shape[first:])} {points} of {size}"]
        if self.network_shape != self.shape:
            parts.append(f"seen as {_lengths(self.network_shape[first:])}")
        parts.append(_count(self.num_patches, "patch", "patches"))
        parts.append(_count(len(self.tasks), "structure", "structures"))
        if self.spread:
            parts.append(f"{NUM_VIEWS} mirrored views")
        if words := describe_precision(self.precision):
            parts.append(words)
        return ", ".join(parts)


def plan_prediction(request: PredictRequest) -> PredictionPlan:
    """Make every choice that a request leaves open, and refuse what cannot be done.

    Reads no pixels.

    Raises
    ------
    FileNotFoundError
        When the stack's file or the model is missing.
    ValueError
        When the image is no stack, or a structure, channel or region does not exist.
    """
    card = find_card(request.model)
    check_structures_card(card)
    if request.spread and card.family == PACKAGE:
        raise ValueError(
            f"'{card.name}' is a package, of which no spread of views is computed. Leave it out."
        )
    image = open_image(request)
    is_flat = len(card.axes) == 2
    if not is_flat:
        check_stack(image, card, request.tasks)
    tasks = tuple(task_index(card, name) for name in request.tasks)
    if not tasks:
        raise ValueError(f"Choose at least one structure of: {', '.join(card.tasks)}.")
    box = _box(image, request)
    voxel_size, warnings = _voxel_size(image, card)
    shape = tuple(stop - start for start, stop in box)
    network_shape = network_grid(shape, voxel_size, card)
    if "z" not in image.axes:  # a plane has no depth that could be resampled
        network_shape = (1, *network_shape[1:])
    window, seen = (1, *card.window) if is_flat else card.window, network_shape
    if card.family != PACKAGE:  # of which only the windows that it names are known to fit
        seen = add_margin(network_shape, card.margin)
        window = choose_window(seen, card.window, MULTIPLE)
    padded = tuple(max(n, w) for n, w in zip(seen, window, strict=True))
    return PredictionPlan(
        image=image,
        card=card,
        tasks=tasks,
        channel=choose_channel(image, request.channel),
        time=_time(image, request.time),
        box=box,
        voxel_size=voxel_size,
        network_shape=network_shape,
        window=window,
        num_patches=count_tiles(padded, window, request.overlap),
        warnings=(
            *image.warnings,
            *_axis_warnings(image),
            *_depth_warnings(request, card, shape[0]),
            *warnings,
            *_unit_warnings(request, card),
            *warn_emulated(request.precision, request.device),
        ),
        precision=request.precision,
        spread=request.spread,
    )


def check_structures_card(card: ModelCard) -> None:
    """Refuse a model that does not predict structures, with a ValueError."""
    if card.makes != IMAGES:
        does = "segments cells" if card.makes == OBJECTS else f"predicts {card.makes}"
        raise ValueError(
            f"'{card.name}' {does}; it does not predict structures. Choose another model, see "
            "'napari-ssp models list'."
        )


def check_stack(image: MicroscopyImage, card: ModelCard, tasks: Sequence[str]) -> None:
    """Refuse what is no z-stack of intensities; a plane will do for what was learned from planes.

    Raises
    ------
    ValueError
        For colours, and for images without a z axis unless a plane is enough for all tasks.
    """
    if image.rgb:
        raise ValueError(
            f"'{image.name}' is a colour image; structures are predicted from a grey z-stack of "
            "transmitted light. Choose the stack itself, or one of its channels."
        )
    if "z" not in image.axes and not suits_planes(card, tasks):
        raise ValueError(
            f"'{image.name}' has the axes '{image.axes}' and no z: structures are predicted from a "
            "z-stack. Name the axes if one of them is z, e.g. axes='zyx'." + enough_for(card)
        )


def suits_planes(card: ModelCard, tasks: Sequence[str]) -> bool:
    """Whether a plane is enough for all tasks, as far as any were chosen."""
    return bool(card.from_planes) and set(tasks) <= set(card.from_planes)


def enough_for(card: ModelCard) -> str:
    """Say what a plane is enough for; nothing where it is for no task."""
    names = ", ".join(card.from_planes)
    return f" Of '{card.name}' a plane is enough for: {names}." if names else ""


def task_index(card: ModelCard, name: str) -> int:
    """Position of a structure on a card; a ValueError lists what the model knows."""
    if name in card.tasks:
        return card.tasks.index(name)
    near = difflib.get_close_matches(name.lower(), card.tasks, n=2)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(
        f"'{card.name}' does not know the structure '{name}'.{hint} It knows: "
        f"{', '.join(card.tasks)}."
    )


def _time(image: MicroscopyImage, wanted: int) -> int:
    count = image.sizes.get("t", 1)
    if wanted >= count:
        raise ValueError(
            f"Time point {wanted} was asked for, but '{image.name}' has {count} (counted from 0)."
        )
    return wanted


def _box(image: MicroscopyImage, request: PredictRequest) -> tuple[tuple[int, int], ...]:
    depth = image.sizes.get("z", 1)
    first, last = request.z_range or (0, depth)
    first, last = max(int(first), 0), min(int(last), depth)
    if last <= first:
        raise ValueError(
            f"The planes {request.z_range} were asked for, but '{image.name}' has {depth}: give "
            f"(first, last + 1) between 0 and {depth}."
        )
    y0, y1, x0, x1 = clip_region(image, request.region)
    return ((first, last), (y0, y1), (x0, x1))


def _voxel_size(
    image: MicroscopyImage, card: ModelCard
) -> tuple[tuple[float, float, float] | None, tuple[str, ...]]:
    """Voxel size to work with, and what is to be said about it."""
    if card.voxel_size is None:
        return image.voxel_size, ()
    wanted = " × ".join(f"{s:g}" for s in card.voxel_size)
    if image.voxel_size is None:
        return card.voxel_size, (
            f"The stack's voxel size is unknown; it is taken to be the model's, {wanted} µm.",
        )
    factors = [
        s / w
        for letter, s, w in zip("zyx", image.voxel_size, card.voxel_size, strict=True)
        if letter in image.axes
    ]
    if any(not 1 / USUAL_FACTOR <= f <= USUAL_FACTOR for f in factors):
        found = " × ".join(f"{s:g}" for s in image.voxel_size)
        return image.voxel_size, (
            f"The stack's voxels of {found} µm are far from the model's {wanted} µm. They are "
            "resampled, but expect little; check the voxel size.",
        )
    return image.voxel_size, ()


def _axis_warnings(image: MicroscopyImage) -> tuple[str, ...]:
    sizes = image.sizes
    if sizes.get("z", 1) > 4 * min(sizes["y"], sizes["x"]):
        return (
            f"The stack has {sizes['z']} planes of {sizes['y']} × {sizes['x']} pixels. If that is "
            f"not so, its axes are in another order than '{image.axes}'.",
        )
    return ()


def _depth_warnings(request: PredictRequest, card: ModelCard, depth: int) -> tuple[str, ...]:
    names = [name for name in request.tasks if name in card.from_planes]
    if depth == 1 or not names:
        return ()
    return (
        f"{', '.join(names)} of '{card.name}' was learned from single planes, and here {depth} are "
        "predicted together. Expect little; choose one plane.",
    )


def _unit_warnings(request: PredictRequest, card: ModelCard) -> tuple[str, ...]:
    lacking = [name for name in request.tasks if name not in card.target_statistics]
    if not request.measured_units or not lacking:
        return ()
    return (
        f"The model's card does not say how {', '.join(lacking)} was measured; the result has mean "
        "0 and standard deviation 1.",
    )


def _lengths(shape: Shape) -> str:
    return " × ".join(str(n) for n in shape)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
