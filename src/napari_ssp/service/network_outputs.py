"""Flows and cell probability of a segmentation as an image: kept beside the labels, found there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.io import LABEL_ENDINGS, image_stem, read_image, write_image
from napari_ssp.io.label_names import without_endings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service.results import Segmentation

#: Channels of a plane's outputs; those of a volume begin with flow_z.
CHANNELS = ("flow_y", "flow_x", "cell_probability")
#: What names of such files end with, and how these files may be written.
ENDING, _SUFFIXES = "_flows", (".tiff", ".tif", ".zarr")


def outputs_image(result: Segmentation, name: str) -> MicroscopyImage:
    """Wrap flows and probability as one image, read plane by plane: they may not fit into memory.

    Returns
    -------
    MicroscopyImage
        Float32, channels `CHANNELS`, or four in volumes, in front of the axes of the labels.
    """
    import dask.array  # takes a while to import

    da: Any = dask.array
    planes = tuple(1 for _ in result.axes[:-2]) + result.labels.shape[-2:]
    flows = da.from_array(result.flows, chunks=(1, *planes), name=False)
    probability = da.from_array(result.cell_probability, chunks=planes, name=False)
    channels = ("flow_z", *CHANNELS)[-1 - len(result.flows) :]
    return result.image(da.concatenate([flows, probability[None]]), name, channels)


def outputs_path(labels: Path) -> Path:
    """Name the file of outputs beside a label file that ends as the labels do."""
    owner = without_endings(image_stem(labels), LABEL_ENDINGS)
    return labels.with_name(owner + ENDING + labels.suffix)


def write_outputs(result: Segmentation, path: Path, overwrite: bool = False) -> None:
    """Write flows and probability of a segmentation, as `napari_ssp.io.write_image`."""
    write_image(path, outputs_image(result, path.stem), overwrite=overwrite)


def find_outputs(labels: Path) -> Path | None:
    """Find the file of outputs that lies beside a label file, as ``segment --save-flows`` names it.

    ``cells_label.tiff`` has ``cells_flows.tiff``.
    """
    owner = without_endings(image_stem(labels), LABEL_ENDINGS)
    beside = (labels.with_name(owner + ENDING + suffix) for suffix in _SUFFIXES)
    return next((path for path in beside if path.exists() and _holds_outputs(path)), None)


def _holds_outputs(path: Path) -> bool:
    """Whether a file may hold outputs: cellpose gives pictures of flows the same name."""
    try:
        image = read_image(path)
    except (OSError, ValueError, TypeError):
        return False
    return image.dtype.kind == "f" and not image.rgb


def check_outputs(outputs: MicroscopyImage) -> None:
    """Refuse an image that has not the three channels of a plane's outputs, with a ValueError."""
    if outputs.num_channels != len(CHANNELS):
        raise ValueError(
            f"'{outputs.name}' has {outputs.num_channels} channels, but flow_y, flow_x and "
            "cell_probability are needed. Give the file that 'napari-ssp segment --save-flows' "
            "writes beside the labels."
        )


def read_outputs(
    outputs: MicroscopyImage, t: int = 0, z: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read a plane: flows, float32 (2, Y, X), and cell probability, float32 (Y, X).

    Raises
    ------
    ValueError
        As `check_outputs`.
    """
    check_outputs(outputs)
    *flows, probability = (outputs.plane(t, z, channel) for channel in range(len(CHANNELS)))
    return np.stack(flows), probability


def measure_plane_agreement(
    labels: NDArray[np.integer], outputs: MicroscopyImage, t: int = 0, z: int = 0
) -> NDArray[np.float32]:
    """Agreement of the objects of a plane with its outputs, as `measure_agreement`.

    Raises
    ------
    ValueError
        As `check_outputs`, and when the labels have another shape.
    """
    from napari_ssp.flows import measure_agreement  # loads numba

    return measure_agreement(labels, *read_outputs(outputs, t, z))
