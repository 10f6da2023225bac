"""Small files of the kinds that hold several images, or one in several files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import tifffile
import zarr

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def noise(*shape: int, seed: int = 0, dtype: str = "u1") -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 250, shape).astype(dtype)


def write_positions(path: Path, images: Sequence[np.ndarray], names: Sequence[str]) -> Path:
    """OME-TIFF with an image per name."""
    with tifffile.TiffWriter(path) as tif:
        for image, name in zip(images, names, strict=True):
            tif.write(image, metadata={"axes": "YX", "Name": name})
    return path


def _urn(number: int) -> str:
    return UUID(int=number + 1).urn


def _image(number: int, name: str, shape: tuple[int, ...], files: Sequence[tuple[int, str]]) -> str:
    planes = "".join(
        f'<TiffData FirstC="{c}" FirstZ="0" FirstT="0" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{file}">{_urn(key)}</UUID></TiffData>'
        for c, (key, file) in enumerate(files)
    )
    channels = "".join(
        f'<Channel ID="Channel:{number}:{c}" SamplesPerPixel="1"/>' for c in range(len(files))
    )
    return (
        f'<Image ID="Image:{number}" Name="{name}"><Pixels ID="Pixels:{number}" '
        f'DimensionOrder="XYZCT" Type="uint8" SizeX="{shape[1]}" SizeY="{shape[0]}" SizeZ="1" '
        f'SizeC="{len(files)}" SizeT="1">{channels}{planes}</Pixels></Image>'
    )


def ome(content: str, uuid: str | None = None) -> str:
    own = f' UUID="{uuid}"' if uuid else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{NAMESPACE}"{own}>{content}</OME>'


def _write_set(
    folder: Path, names: Sequence[str], images: Sequence[np.ndarray], content: str
) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for k, (name, image) in enumerate(zip(names, images, strict=True)):
        tifffile.imwrite(folder / name, image, description=ome(content, _urn(k)), metadata=None)
    return [folder / name for name in names]


def write_channel_set(
    folder: Path, channels: Sequence[np.ndarray], stem: str = "set"
) -> list[Path]:
    """One image, each channel in a file of its own; every file has the whole description."""
    names = [f"{stem}_C{k}.ome.tif" for k in range(len(channels))]
    content = _image(0, "set", channels[0].shape, list(enumerate(names)))
    return _write_set(folder, names, channels, content)


def write_position_set(folder: Path, positions: Sequence[np.ndarray]) -> list[Path]:
    """Several images, each in a file of its own; every file has the whole description."""
    names = [f"well_p{k}.ome.tif" for k in range(len(positions))]
    content = "".join(
        _image(k, f"Pos{k}", positions[0].shape, [(k, name)]) for k, name in enumerate(names)
    )
    return _write_set(folder, names, positions, content)


def write_companion_set(folder: Path, channels: Sequence[np.ndarray]) -> list[Path]:
    """One image; its files leave the description to a companion."""
    folder.mkdir(exist_ok=True)
    names = [f"part{k}.ome.tif" for k in range(len(channels))]
    content = _image(0, "set", channels[0].shape, list(enumerate(names)))
    (folder / "all.companion.ome").write_text(ome(content, _urn(77)), encoding="utf-8")
    binary = f'<BinaryOnly MetadataFile="all.companion.ome" UUID="{_urn(77)}"/>'
    return _write_set(folder, names, channels, binary)


def write_appended(path: Path, pages: Sequence[np.ndarray]) -> Path:
    for page in pages:
        colour = page.ndim == 3 and page.shape[-1] == 3
        tifffile.imwrite(path, page, append=True, photometric="rgb" if colour else "minisblack")
    return path


def _field(place: Any, pixels: np.ndarray, version: str) -> None:
    channels = [{"name": "c", "type": "channel"}] * (pixels.ndim - 2)
    axes = [*channels, *({"name": a, "type": "space", "unit": "micrometer"} for a in "yx")]
    scale = [{"type": "scale", "scale": [1.0] * len(channels) + [0.65, 0.65]}]
    entry = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    place.create_array("0", data=pixels, chunks=pixels.shape)
    _describe(place, {"multiscales": [{**entry, "version": version}]}, version)


def _describe(group: Any, content: dict[str, Any], version: str) -> None:
    if version == "0.4":
        group.attrs.update(content)
    else:
        group.attrs["ome"] = {"version": version, **content}


def write_plate(
    path: Path, wells: Sequence[str], fields: Sequence[np.ndarray], version: str = "0.5"
) -> Path:
    """Plate with the same fields in each well."""
    plate = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    _describe(plate, {"plate": {"wells": [{"path": well} for well in wells]}}, version)
    for well in wells:
        group = plate.create_group(well)
        names = [{"path": str(k)} for k in range(len(fields))]
        _describe(group, {"well": {"images": names}}, version)
        for k, pixels in enumerate(fields):
            _field(group.create_group(str(k)), pixels, version)
    return path
