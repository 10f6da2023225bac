"""Sample data: small real images, for File > Open Sample and for first steps in scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ssp.io.napari_reader import scene_layers
from napari_ssp.io.reading import read_scenes
from napari_ssp.io.scene import Scene

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage

_FOLDER = Path(__file__).parent / "sample_images"

#: Key and file of each sample; `sample_images/NOTICE.md` has their origins and licences.
SAMPLES = {
    "fluorescent_nuclei": "fluorescent_nuclei.png",
    "stained_nuclei": "stained_nuclei.png",
    "phase_contrast_cells": "phase_contrast_cells.png",
    "cell_painting": "cell_painting.ome.tif",
    "transmitted_light_neurons": "neurons_phase_contrast.ome.tif",
}
#: Fluorescence of the same field, measured, for the samples that are input of a prediction.
MEASURED = {"transmitted_light_neurons": "neurons_measured.ome.tif"}

_MEASURED_COLOURS = ("blue", "green")


def sample_path(key: str) -> Path:
    """Give the file of a sample.

    Parameters
    ----------
    key : str
        One of `SAMPLES`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If there is no such sample.
    """
    if key not in SAMPLES:
        raise ValueError(f"There is no sample '{key}'. Choose one of {', '.join(SAMPLES)}.")
    return _FOLDER / SAMPLES[key]


def sample_image(key: str) -> MicroscopyImage:
    """Read a sample.

    Parameters
    ----------
    key : str
        One of `SAMPLES`.

    Returns
    -------
    MicroscopyImage
        Without a voxel size, which is not known for any of them.

    Raises
    ------
    ValueError
        If there is no such sample.
    """
    return read_scenes(sample_path(key))[0].image


def measured_image(key: str) -> MicroscopyImage:
    """Read the fluorescence that was measured for a sample.

    Parameters
    ----------
    key : str
        One of `MEASURED`.

    Returns
    -------
    MicroscopyImage
        Axes "cyx" on the grid of the sample's planes: one maximum projection per stain.

    Raises
    ------
    ValueError
        If nothing was measured for it.
    """
    if key not in MEASURED:
        raise ValueError(
            f"There is no measured fluorescence for the sample '{key}'. Choose one of "
            f"{', '.join(MEASURED)}."
        )
    return read_scenes(_FOLDER / MEASURED[key])[0].image


def fluorescent_nuclei() -> list[tuple[Any, dict[str, Any], str]]:
    """Nuclei in fluorescence, grey (Data Science Bowl 2018, CC0)."""
    return _layers("fluorescent_nuclei")


def stained_nuclei() -> list[tuple[Any, dict[str, Any], str]]:
    """Nuclei with a purple stain, RGB (Data Science Bowl 2018, CC0)."""
    return _layers("stained_nuclei")


def phase_contrast_cells() -> list[tuple[Any, dict[str, Any], str]]:
    """T98G glioblastoma cells in phase contrast, grey (Usiigaci, MIT)."""
    return _layers("phase_contrast_cells")


def cell_painting() -> list[tuple[Any, dict[str, Any], str]]:
    """U2OS cells in three fluorescence channels (BBBC022, CC0)."""
    return _layers("cell_painting")


def transmitted_light_neurons() -> list[tuple[Any, dict[str, Any], str]]:
    """Neurons in phase contrast, a stack, with measured DAPI and MAP2 (Google, Apache-2.0)."""
    key = "transmitted_light_neurons"
    measured = scene_layers(Scene(measured_image(key)))
    for (_, attributes, _), colour in zip(measured, _MEASURED_COLOURS, strict=True):
        attributes["colormap"] = colour
    return _layers(key) + measured


def _layers(key: str) -> list[tuple[Any, dict[str, Any], str]]:
    return scene_layers(read_scenes(sample_path(key))[0])
