"""Reader of Zeiss CZI files: all scenes, lazily."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.calibration import calibrate
from napari_ssp.io.czi.checks import check_complete
from napari_ssp.io.czi.lazy import EXTRA, LIBRARY, CziArray, CziScene
from napari_ssp.io.czi.metadata import CziMetadata, parse_czi
from napari_ssp.io.errors import damage_error, import_extra, reading
from napari_ssp.io.lazy import as_dask, drop_single
from napari_ssp.io.scene import Scene, channel_names, choose_scenes, image_name, image_stem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_ssp.image import VoxelSize

# Larger planes come with smaller levels, so that a viewer need not read all of them.
_LARGE_SIDE = 4096
_SMALL_SIDE = 1024
# A recording may miss planes, but not nearly all of them.
_MOST_EMPTY = 1000
_UNKNOWN_AXES = {"H": "phases", "I": "illuminations", "R": "rotations", "V": "views"}


class _Block(NamedTuple):
    """A piece of a plane, as the file stores it."""

    position: dict[str, int]
    x: int
    y: int
    width: int
    height: int
    pixel_type: str


def read_czi(path: Path, wanted: str | int | None = None) -> list[Scene]:
    """Read all scenes of a CZI file, or one; pixels stay in the file until they are looked at.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    wanted : str or int, optional
        Name of the only scene to read, or its place among the scenes, from 0.

    Returns
    -------
    list of Scene
        In the order of the scenes' numbers. Tiles are put together to the plane that they cover;
        what none covers is 0. Large planes have smaller levels of every second, fourth, ... pixel.
        Scenes lie beside each other as in the file, whose upper left corner is at 0.

    Raises
    ------
    ModuleNotFoundError
        If pylibCZIrw is not installed.
    OSError
        If the file is cut off or damaged.
    ValueError
        If it has axes or mixtures of pixel types that have no place in an image, or no such scene.
    """
    czi = import_extra(LIBRARY, EXTRA, path)
    check_complete(path)
    with reading(path), czi.open_czi(str(path)) as file:
        blocks, metadata = _blocks(file), _metadata(file, path)
    _check_axes(blocks, path)
    by_number: dict[int | None, list[_Block]] = {}
    for block in blocks:
        by_number.setdefault(block.position.get("S"), []).append(block)
    numbers = sorted(by_number, key=lambda number: -1 if number is None else number)
    given = [metadata.scene_names.get(n or 0, "") or str(n or 0) for n in numbers]
    names, chosen = choose_scenes(given, wanted, path)
    scenes = [_scene(number, by_number[number]) for number in numbers]
    corner = min(scene.y.start for scene in scenes), min(scene.x.start for scene in scenes)
    return [_image(path, scenes[k], metadata, names[k], corner) for k in chosen]


def _metadata(file: Any, path: Path) -> CziMetadata:
    try:
        return parse_czi(file.raw_metadata)
    except ValueError as error:
        raise damage_error(path, error) from error


def _blocks(file: Any) -> list[_Block]:
    found: list[_Block] = []

    def keep(_: int, info: Any) -> bool:
        if info.get_zoom() > 0.999:  # the others belong to stored, smaller levels
            place = info.logicalRect
            box = (place.x, place.y, place.w, place.h)
            found.append(_Block(info.coordinate.to_dict(), *box, info.pixelType.name))
        return True

    file.enumerate_subblocks(keep)
    return found


def _check_axes(blocks: list[_Block], path: Path) -> None:
    if not blocks:
        raise damage_error(path, "there is no image in it")
    spans = [_span(block.position.get(axis, 0) for block in blocks) for axis in "TCZ"]
    if prod(map(len, spans)) > _MOST_EMPTY * len(blocks):
        raise damage_error(
            path, f"its {len(blocks)} blocks say that there are {prod(map(len, spans))} planes"
        )
    for axis, name in _UNKNOWN_AXES.items():
        count = len({block.position.get(axis, 0) for block in blocks})
        if count > 1:
            raise ValueError(
                f"'{path}' holds {count} {name} (axis {axis}), which have no place in an image of "
                "time, channels, z, y and x. Process it in ZEN first, or save one of them alone."
            )


def _scene(number: int | None, blocks: list[_Block]) -> CziScene:
    t, c, z = (_span(block.position.get(axis, 0) for block in blocks) for axis in "TCZ")
    types = {block.position.get("C", 0): block.pixel_type for block in blocks}
    return CziScene(
        number,
        y=range(min(b.y for b in blocks), max(b.y + b.height for b in blocks)),
        x=range(min(b.x for b in blocks), max(b.x + b.width for b in blocks)),
        t=t,
        c=c,
        z=z,
        pixel_types=tuple(types.get(channel, blocks[0].pixel_type) for channel in c),
    )


def _span(positions: Iterable[int]) -> range:
    found = set(positions)
    return range(min(found), max(found) + 1)


def _image(
    path: Path, scene: CziScene, metadata: CziMetadata, name: str, corner: tuple[int, int]
) -> Scene:
    scene.check(path)
    levels = [as_dask(CziArray(str(path), scene, factor)) for factor in _factors(scene)]
    key, axes = drop_single(scene.axes, levels[0].shape)
    names = channel_names(metadata.channel_names[scene.c.start : scene.c.stop])
    calibration = calibrate(metadata.lengths, len(scene.z) > 1)
    image = MicroscopyImage(
        data=levels[0][key],
        axes=axes,
        voxel_size=calibration.voxel_size,
        channel_names=names if len(names) == len(scene.c) else (),
        name=image_name(image_stem(path), name),
        rgb=scene.rgb,
        levels=tuple(level[key] for level in levels[1:]),
        position=_position(scene, corner, calibration.voxel_size),
        warnings=calibration.warnings,
    )
    return Scene.of(image, image_stem(path), name=name)


def _position(
    scene: CziScene, corner: tuple[int, int], size: VoxelSize | None
) -> tuple[float, float, float]:
    """Where a scene lies beside the others: they share one plane, whose zero is the stage's."""
    _, height, width = size or (1.0, 1.0, 1.0)
    top, left = corner
    return 0.0, (scene.y.start - top) * height, (scene.x.start - left) * width


def _factors(scene: CziScene) -> list[int]:
    side = max(len(scene.y), len(scene.x))
    factors = [1]
    while side > _LARGE_SIDE and side // factors[-1] > _SMALL_SIDE:
        factors.append(2 * factors[-1])
    return [f for f in factors if min(len(scene.y), len(scene.x)) >= f]
