"""Read and write microscopy images; this room knows neither Qt nor napari."""

from __future__ import annotations

from napari_ssp.io.atomic import atomic_path
from napari_ssp.io.reading import IMAGE_SUFFIXES, read_image, read_images
from napari_ssp.io.scene import image_stem
from napari_ssp.io.writing import write_image, write_labels

__all__ = [
    "IMAGE_SUFFIXES",
    "atomic_path",
    "image_stem",
    "read_image",
    "read_images",
    "write_image",
    "write_labels",
]
