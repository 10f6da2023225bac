"""Readers and writers of microscopy images; this room knows neither Qt nor napari."""

from __future__ import annotations

from napari_ssp.io.reading import IMAGE_SUFFIXES, read_image, read_images, read_scenes
from napari_ssp.io.scene import Scene, image_stem, is_cellpose_name
from napari_ssp.io.writing import write_image, write_labels

__all__ = [
    "IMAGE_SUFFIXES",
    "Scene",
    "image_stem",
    "is_cellpose_name",
    "read_image",
    "read_images",
    "read_scenes",
    "write_image",
    "write_labels",
]
