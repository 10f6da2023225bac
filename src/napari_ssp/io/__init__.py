"""Readers and writers of microscopy images; this room knows neither Qt nor napari."""

from __future__ import annotations

from napari_ssp.io.label_images import as_labels, number_mask
from napari_ssp.io.reading import (
    IMAGE_SUFFIXES,
    read_image,
    read_images,
    read_label_image,
    read_scenes,
)
from napari_ssp.io.scene import (
    LABEL_ENDINGS,
    ImageSource,
    Scene,
    image_stem,
    is_cellpose_name,
)
from napari_ssp.io.sources import find_images, find_label_images, is_folder
from napari_ssp.io.writing import write_image, write_labels

__all__ = [
    "IMAGE_SUFFIXES",
    "LABEL_ENDINGS",
    "ImageSource",
    "Scene",
    "as_labels",
    "find_images",
    "find_label_images",
    "image_stem",
    "is_cellpose_name",
    "is_folder",
    "number_mask",
    "read_image",
    "read_images",
    "read_label_image",
    "read_scenes",
    "write_image",
    "write_labels",
]
