"""Writer of OME-TIFF, plane by plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssp.atomic import atomic_path
from napari_ssp.io.slabs import slab_depth, slabs
from napari_ssp.io.tiff.place import place_metadata
from napari_ssp.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage

_ALPHA = 4
# Classic TIFF counts bytes in 32 bits; some are left for the tags.
_CLASSIC_LIMIT = 2**32 - 2**25
# On many cores tifffile would gather half a gigabyte to compress in parallel.
_BUFFER_BYTES = 2**26


def write_tiff(
    path: Path, image: MicroscopyImage, dtype: np.dtype[Any], overwrite: bool, description: str
) -> None:
    """Write one image; BigTIFF when it is too large for the classic kind.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    image : MicroscopyImage
        Stored with its axes in the order t, c, z, y, x; colours last.
    dtype : numpy.dtype
        Type of the stored pixels, one that OME-TIFF has.
    overwrite : bool
        Replace a file of that name.
    description : str
        OME description; with one, the values are labels.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, OSError
        As `atomic_path`.
    """
    # tifffile takes a while to import.
    import tifffile

    shape, options = _layout(image)
    bytes_in_all = int(np.prod(shape)) * dtype.itemsize
    with atomic_path(path, overwrite) as temporary, temporary.open("w+b") as file:
        with tifffile.TiffWriter(file, ome=True, bigtiff=bytes_in_all > _CLASSIC_LIMIT) as tif:
            tif.write(
                _pages(image, dtype),
                shape=shape,
                dtype=dtype,
                compression="zlib",
                predictor=dtype.kind in "iu" and not description,
                metadata=_metadata(image, description),
                buffersize=_BUFFER_BYTES,
                **options,
            )


def _layout(image: MicroscopyImage) -> tuple[tuple[int, ...], dict[str, Any]]:
    shape = tuple(image.sizes[a] for a in _order(image))
    if not image.rgb:
        return shape, {"photometric": "minisblack"}
    options: dict[str, Any] = {"photometric": "rgb", "planarconfig": "contig"}
    if image.sizes["c"] == _ALPHA:
        options["extrasamples"] = ["unassalpha"]
    return shape, options


def _order(image: MicroscopyImage) -> str:
    return "".join(a for a in ("tzyxc" if image.rgb else "tczyx") if a in image.axes)


def _pages(image: MicroscopyImage, dtype: np.dtype[Any]) -> Iterator[npt.NDArray[Any]]:
    for _, slab in slabs(image, slab_depth(image)):
        for plane in slab.swapaxes(0, 1):
            page = np.moveaxis(plane, 0, -1) if image.rgb else plane[0]
            yield np.ascontiguousarray(page, dtype=dtype)


def _metadata(image: MicroscopyImage, description: str) -> dict[str, Any]:
    letters = _order(image).upper()
    metadata: dict[str, Any] = {
        "axes": letters.replace("C", "S") if image.rgb else letters,
        "Name": printable(image.name),  # XML has no control characters
    }
    if description:
        metadata["Description"] = description
    if image.channel_names:
        metadata["Channel"] = {"Name": [printable(name) for name in image.channel_names]}
    if image.voxel_size is not None:
        for axis, size in zip("ZYX", image.voxel_size, strict=True):
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    return metadata | place_metadata(image)
