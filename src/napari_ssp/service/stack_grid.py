"""Abilities of a model in stacks or of another origin; grid and windows of what it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.engine.montage import Montage
from napari_ssp.engine.tiling import compute_resized_shape, count_tiles
from napari_ssp.registry import CELLPOSE, PACKAGE, STUDENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_ssp.registry import ModelCard
    from napari_ssp.service.requests import SegmentRequest

Shape = tuple[int, ...]

#: Figures in the card of a model of planes that was measured in stacks.
AP_OF_VOLUMES = "stacks, 3D objects, AP at IoU 0.50"
AP_OF_LINKED = "stacks, linked planes, AP at IoU 0.50"

#: Factors this near to 1 are left alone: resampling would blur more than it corrects.
_SAME_SIZE = 0.02


def network_grid(
    shape: Shape, voxel_size: tuple[float, float, float] | None, card: ModelCard
) -> Shape:
    """Lengths of a stack at the voxel size that a model expects, where both are known."""
    if card.voxel_size is None or voxel_size is None:
        return shape
    factors = tuple(s / w for s, w in zip(voxel_size, card.voxel_size, strict=True))
    return compute_resized_shape(
        shape, tuple(1.0 if abs(f - 1) < _SAME_SIZE else f for f in factors)
    )


def package_window(card: ModelCard, shape: Shape) -> Shape:
    """Window of a package for an image: no longer than it needs, of a length that fits."""
    found = []
    for n, window, (least, step) in zip(shape, card.window, card.network["sizes"], strict=True):
        needed = least + max(-(-(n - least) // step), 0) * step if step else window
        found.append(min(window, needed))
    return tuple(found)


def stack_windows(card: ModelCard, grid: Shape, overlap: float) -> int:
    """Windows of a package that cover a stack."""
    window = package_window(card, grid)
    return count_tiles(tuple(max(n, w) for n, w in zip(grid, window, strict=True)), window, overlap)


def doubt_volumes(card: ModelCard, is_voxel_size_known: bool) -> Iterator[str]:
    """Sentences on 3D objects: where linked planes may be better, and what is taken for granted."""
    of_planes = len(card.axes) == 2
    if of_planes:
        yield from _doubt_planes(card)
    if is_voxel_size_known:
        return
    if of_planes:
        yield (
            "The stack's voxel size is unknown, so its voxels are taken to be cubes. Where "
            "planes are further apart than pixels, objects look flat from the side and are "
            "missed: give the voxel size; of a layer, its scale and units."
        )
    elif card.voxel_size is not None:
        steps = " × ".join(f"{step:g}" for step in card.voxel_size)
        yield f"The stack's voxel size is unknown; it is taken to be the model's, {steps} µm."


def _doubt_planes(card: ModelCard) -> Iterator[str]:
    whole, linked = (card.figures.get(name) for name in (AP_OF_VOLUMES, AP_OF_LINKED))
    if whole is None or linked is None:
        yield f"'{card.name}' was not measured in 3D. Compare with planes linked by overlap."
    elif linked > whole:
        yield (
            f"In the stacks that '{card.name}' was measured in, planes linked by overlap were "
            f"better than 3D objects (AP {linked:.2f} against {whole:.2f}): try them first."
        )


def volume_windows(card: ModelCard, volume: tuple[int, int, int], overlap: float) -> int:
    """Windows of all planes of the three orientations."""
    depth, height, width = volume
    window = (card.window[0], card.window[1])
    sides = [(depth, (height, width)), (height, (depth, width)), (width, (depth, height))]
    return sum(Montage(plane, window).count_windows(n, overlap) for n, plane in sides)


def leaves_size_open(request: SegmentRequest, card: ModelCard) -> bool:
    """Whether a volume's objects may have a size that a network of planes does not see.

    In volumes it matters more than in planes: a nucleus that is small for the network has a
    handful of planes, and is seen in each of three orientations.
    """
    is_known = request.diameter is not None or card.voxel_size is not None
    return card.family != CELLPOSE and card.object_diameter is not None and not is_known


def check_family(request: SegmentRequest, card: ModelCard) -> None:
    """Refuse with a ValueError what only networks of our own families do."""
    if card.family == CELLPOSE and request.eightfold:
        raise ValueError(
            f"'{card.name}' averages mirror images in cellpose's own way only: leave eightfold "
            "averaging out, or choose mirror averaging."
        )
    if card.family in (CELLPOSE, PACKAGE) and request.normalise != "auto":
        raise ValueError(
            f"'{card.name}' normalises images in its own way: leave normalise '{request.normalise}'"
            " out, or choose a MEDIAR."
        )
    if card.family in (PACKAGE, STUDENT) and request.nuclei is not None:
        raise ValueError(
            f"'{card.name}' is a {card.family} that sees one channel, or colours: leave the nuclei "
            "out, or choose a MEDIAR or a model of cellpose."
        )
    sees_planes = card.family in (PACKAGE, STUDENT) and len(card.axes) == 2
    if sees_planes and request.stacks == "volume":
        raise ValueError(
            f"'{card.name}' is a {card.family} that sees planes: choose stacks 'planes', or "
            "'linked' for objects that keep their number from plane to plane."
        )
