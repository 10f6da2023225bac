"""Reader of Nikon ND2 files: all positions, lazily."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.calibration import Length, Lengths, calibrate
from napari_ssp.io.errors import import_extra, reading
from napari_ssp.io.lazy import as_dask, drop_single
from napari_ssp.io.nd2.lazy import EXTRA, LIBRARY, Nd2Array, Nd2Frames
from napari_ssp.io.scene import Scene, channel_names, choose_scenes, image_name, image_stem

if TYPE_CHECKING:
    from pathlib import Path

#: How ND2 files begin: those of today, and the older ones that are JPEG 2000.
ND2_STARTS = (b"\xda\xce\xbe\x0a", b"\0\0\0\x0cjP  \r\n\x87\n")


def read_nd2(path: Path, wanted: str | int | None = None) -> list[Scene]:
    """Read all positions of an ND2 file, or one; pixels stay in the file until they are looked at.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    wanted : str or int, optional
        Name or number of the only position to read.

    Returns
    -------
    list of Scene
        In the order of the positions, beside each other as the stage says. Planes that were never
        taken, because the recording was stopped, are 0, and a warning says so.

    Raises
    ------
    ModuleNotFoundError
        If nd2 is not installed.
    OSError
        If the file is cut off or damaged.
    ValueError
        If it has axes that have no place in an image, or no such position.
    """
    library = import_extra(LIBRARY, EXTRA, path)
    with reading(path), library.ND2File(path) as file:
        frames, described = Nd2Frames.of(file), _describe(file, path)
        positions = _positions(file, frames.positions)
    frames.check(path)
    names, chosen = choose_scenes([position.name for position in positions], wanted, path)
    stem, scenes = image_stem(path), []
    for number in chosen:
        image = _image(path, frames, described, number)
        image = replace(image, name=image_name(stem, names[number]))
        if image.voxel_size is not None:
            image = replace(image, position=positions[number].corner)
        scenes.append(Scene.of(image, stem, name=names[number]))
    return scenes


def _image(path: Path, frames: Nd2Frames, described: _Description, number: int) -> MicroscopyImage:
    key, axes = drop_single(frames.axes, frames.shape)
    calibration = calibrate(described.lengths, "z" in frames.axes)
    channels = described.channel_names
    return MicroscopyImage(
        data=as_dask(Nd2Array(str(path), frames, number))[key],
        axes=axes,
        voxel_size=calibration.voxel_size,
        channel_names=channels if len(channels) == frames.channels and not frames.rgb else (),
        rgb=frames.rgb,
        warnings=(*calibration.warnings, *described.doubts, *_stopped(frames, path)),
    )


@dataclass(frozen=True)
class _Description:
    """What the file says of its channels and voxels, and what gives reason to doubt."""

    lengths: Lengths
    channel_names: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def _describe(file: Any, path: Path) -> _Description:
    try:
        return _Description(_lengths(file), _channels(file))
    except Exception as error:  # one odd filter must not keep the pixels from being read
        doubt = (
            f"What '{path.name}' says of its channels and voxels cannot be read "
            f"({type(error).__name__}: {error}): names and voxel size are taken as unknown."
        )
        return _Description({}, (), (doubt,))


def _stopped(frames: Nd2Frames, path: Path) -> tuple[str, ...]:
    missing = frames.count - frames.recorded
    if missing <= 0:
        return ()
    return (
        f"{missing} of {frames.count} frames of '{path.name}' were never taken, since the "
        "recording was stopped: they are 0.",
    )


def _lengths(file: Any) -> Lengths:
    for channel in file.metadata.channels or ():
        sizes = zip("xyz", channel.volume.axesCalibration, strict=True)
        known = channel.volume.axesCalibrated
        return {a: Length(n, "µm") for (a, n), told in zip(sizes, known, strict=True) if told}
    return {}


def _channels(file: Any) -> tuple[str, ...]:
    return channel_names([str(one.channel.name or "") for one in file.metadata.channels or ()])


@dataclass(frozen=True)
class _Position:
    """Name of a position, and its place (z, y, x) in µm from the upper left of all."""

    name: str = ""
    corner: tuple[float, float, float] = (0.0, 0.0, 0.0)


def _positions(file: Any, count: int) -> list[_Position]:
    points = [
        point
        for loop in file.experiment
        if loop.type == "XYPosLoop"
        for point in loop.parameters.points
    ]
    if len(points) != count:
        return [_Position()] * count
    x, y = zip(*(point.stagePositionUm[:2] for point in points), strict=True)
    # The stage's own zero is far away from images of other files.
    return [
        _Position(str(point.name or "").strip(), (0.0, down - min(y), right - min(x)))
        for point, down, right in zip(points, y, x, strict=True)
    ]
