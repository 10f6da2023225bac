"""An image of a series as layers: its channels, and its labels in memory, to be corrected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.io import read_label_image, read_scenes
from napari_ssp.io.label_images import check_label_header, with_whole_numbers
from napari_ssp.io.layer_attributes import FILE_KEY, METADATA_KEY
from napari_ssp.io.napari_reader import scene_layers
from napari_ssp.io.objects.notes import EDITS_KEY, read_provenance
from napari_ssp.io.scene import Scene
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.measuring import digest_labels
from napari_ssp.service.requests import Request
from napari_ssp.service.series.saving import LabelFile

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.io import ImageSource
    from napari_ssp.service.series.listing import SeriesImage

    # (data, attributes, layer type), as napari takes them
    LayerData = tuple[Any, dict[str, Any], str]


@dataclass(frozen=True, eq=False)
class OpenedImage:
    """An image read for the viewer.

    Attributes
    ----------
    image : SeriesImage
        Which one.
    layers : tuple
        Layer data of its channels.
    labels : tuple or None
        Layer data of its labels; None where it has none.
    file : LabelFile
        Where its labels are saved.
    """

    image: SeriesImage
    layers: tuple[LayerData, ...]
    labels: LayerData | None
    file: LabelFile


@dataclass(frozen=True, eq=False)
class OpenImageRequest(Request[OpenedImage]):
    """Read an image and its labels.

    Attributes
    ----------
    image : SeriesImage
        Which one.
    """

    image: SeriesImage


def open_steps(request: OpenImageRequest) -> Steps[OpenedImage]:
    """Read an image and its labels.

    Raises
    ------
    ValueError
        If it cannot be used; the message says why.
    OSError, TypeError, ImportError
        As `napari_ssp.io.read_image`, and if its labels are none.
    """
    image = request.image
    if image.problem:
        raise ValueError(image.problem)
    yield Progress("reading the image")
    found = read_scenes(image.image.path, image.image.scene)
    scenes = [scene for scene in found if not scene.is_labels] or found
    layers = [_with_file(each, image.image) for scene in scenes for each in scene_layers(scene)]
    if not image.labels.path.exists():
        return OpenedImage(image, tuple(layers), None, LabelFile(image.labels.path))
    yield Progress("reading the labels")
    labels = replace(_read_labels(image.labels, scenes[0].image), name=f"{image.name} labels")
    record = read_provenance(image.labels.path)
    file = LabelFile(image.labels.path, digest_labels(labels), record.pop(EDITS_KEY, ()))
    scene = Scene(labels, is_labels=True, name=image.labels.scene or "")
    data, attributes, kind = _with_file(scene_layers(scene)[0], image.labels)
    if "request" in record:  # else it is no result of ours
        attributes["metadata"][METADATA_KEY] = record
    return OpenedImage(image, tuple(layers), (data, attributes, kind), file)


def _read_labels(source: ImageSource, image: MicroscopyImage) -> MicroscopyImage:
    """Labels in memory, with numbers that new objects fit into, at the place of their image."""
    found = read_label_image(source.path, source.scene)
    check_label_header(found, f"file {source.path}")
    found = with_whole_numbers(found)
    kind = np.int32 if found.dtype.kind == "i" else np.uint32
    labels = replace(found, data=np.array(found.data, kind), levels=())
    if labels.voxel_size is None and labels.sizes == _sizes_without_channels(image):
        size, position, origin = image.voxel_size, image.position, image.origin
        labels = replace(labels, voxel_size=size, position=position, origin=origin)
    return labels


def _sizes_without_channels(image: MicroscopyImage) -> dict[str, int]:
    return {letter: n for letter, n in image.sizes.items() if letter != "c"}


def _with_file(layer: LayerData, source: ImageSource) -> LayerData:
    data, attributes, kind = layer
    metadata = {**attributes.get("metadata", {}), FILE_KEY: str(source.path)}
    return data, {**attributes, "metadata": metadata}, kind
