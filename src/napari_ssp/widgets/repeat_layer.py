"""Repetition of a result layer: a run in its dock, or a command to copy."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from napari.utils.notifications import show_error, show_info
from napari.viewer import Viewer  # noqa: TC002, napari reads it to know what to pass
from qtpy.QtWidgets import QApplication

from napari_ssp.io import read_image, read_images
from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.service import (
    CompartmentsRequest,
    PredictRequest,
    SegmentRequest,
    as_command,
    restore_request,
)
from napari_ssp.widgets.docks.messages import error_line, is_expected
from napari_ssp.widgets.docks.open_dock import open_dock
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.layers.alignment import side_by_side
from napari_ssp.widgets.layers.images import layer_file, layer_image, layer_scene, stack_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_ssp.image import MicroscopyImage

#: Titles of the docks that do requests.
_DOCKS: dict[type[Any], str] = {
    SegmentRequest: "Segment",
    PredictRequest: "Predict structures",
    CompartmentsRequest: "Cells and nuclei",
}
_NO_RESULT = "Select one layer that Segment, Cells and nuclei or Predict structures has made."


def run_again(viewer: Viewer) -> None:
    """Run what made the selected layer, in its dock; on the same CPU the same comes out."""
    _speak(_run_again, own_viewer(viewer))


def copy_command(viewer: Viewer) -> None:
    """Put the command that makes the selected layer again on the clipboard."""
    _speak(_copy_command, own_viewer(viewer))


def build_command(viewer: Viewer) -> str:
    """Command that makes the selected layer again.

    Raises
    ------
    FileNotFoundError
        When the model is not installed.
    ValueError
        When the layer is no result, or was not made of a whole file.
    """
    record = _record(viewer)
    image = record["request"].get("image")
    if isinstance(image, str):
        return as_command(record)
    source, image = _source(viewer, record)
    path = layer_file(source)
    if path is None:
        raise ValueError(
            f"'{source.name}' was not read from a file, and a command needs one. Save the layer "
            "(File > Save Selected Layers, as OME-TIFF), open that file and run on it."
        )
    if "layers" not in record:
        changes = _within_file(str(path), source, image)
        return as_command(_changed(record, changes), path)
    return as_command(_of_one_file(viewer, record, str(path)), path)


def _run_again(viewer: Viewer) -> None:
    record = _record(viewer)
    source, image = _source(viewer, record)
    request = restore_request(record, image)
    if type(request) not in _DOCKS:
        raise ValueError(_NO_RESULT)
    open_dock(viewer, _DOCKS[type(request)]).repeat(request, source)


def _copy_command(viewer: Viewer) -> None:
    command = build_command(viewer)
    clipboard: Any = QApplication.clipboard()
    clipboard.setText(command)
    edited = " It makes the labels without your edits." if _record(viewer).get("edits") else ""
    show_info(f"Copied: {command}{edited}")


def _speak(act: Callable[[Viewer], None], viewer: Viewer) -> None:
    """Do something, and tell the user why where it is not possible."""
    try:
        act(viewer)
    except Exception as error:
        if not is_expected(error):
            raise
        show_error(error_line(error))


def _record(viewer: Viewer) -> dict[str, Any]:
    layer: Layer | None = viewer.layers.selection.active
    record = layer.metadata.get(METADATA_KEY) if layer is not None else None
    if not isinstance(record, dict) or not isinstance(record.get("request"), dict):
        raise ValueError(_NO_RESULT)
    return record


def _source(viewer: Viewer, record: dict[str, Any]) -> tuple[Image, MicroscopyImage]:
    """Image layer that a result was made of, by its name and shape, and what was read of it."""
    wanted = record["request"].get("image")
    if not isinstance(wanted, dict):
        raise ValueError(f"The result was made of the file '{wanted}'. Copy it as a command.")
    name, *beside = record.get("layers", [wanted.get("name")])
    for layer in _images(viewer, name):
        for image in _read(viewer, layer, beside, record):
            if list(image.shape) == wanted.get("shape") and image.axes == wanted.get("axes"):
                return layer, image
    names = " and ".join(f"'{each}'" for each in (name, *beside))
    raise ValueError(
        f"The image layer {names} that the result was made of is not there any more. Open it "
        "again, under this name."
    )


def _read(
    viewer: Viewer, layer: Image, beside: list[str], record: dict[str, Any]
) -> Iterator[MicroscopyImage]:
    """Images that a layer, with the one beside it, may have been for the dock of a result."""
    if not beside:
        yield stack_image(layer) if "tasks" in record["request"] else layer_image(layer)
    for other in _images(viewer, *beside):
        with suppress(ValueError):
            yield side_by_side(layer, other)


def _images(viewer: Viewer, *names: str) -> list[Image]:
    return [each for each in viewer.layers if isinstance(each, Image) and each.name in names]


def _changed(record: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Record with other choices, of nuclei as well where they were found beside cells."""
    found = {**record, "request": record["request"] | changes}
    if "nuclei" in record:
        found["nuclei"] = _changed(record["nuclei"], changes)
    return found


def _of_one_file(viewer: Viewer, record: dict[str, Any], path: str) -> dict[str, Any]:
    """Record of a result of two layers as one of the channels of their file."""
    layers = [_images(viewer, name)[0] for name in record["layers"]]
    if any(str(layer.source.path) != path for layer in layers):
        raise ValueError(
            f"'{layers[0].name}' and '{layers[1].name}' are of two files, and a command needs one "
            "with both channels. Run it again in the dock, or save both as one file."
        )
    cells, nuclei = (_within_file(path, layer, layer_image(layer)) for layer in layers)
    found = _changed(record, cells)
    if record["request"]["nuclei"] is not None:
        found["request"]["nuclei"] = nuclei["channel"]
    found["nuclei"]["request"] |= nuclei
    return found


def _within_file(path: str, layer: Image, image: MicroscopyImage) -> dict[str, Any]:
    """Choices by which the command line finds a layer's image in its file.

    Raises
    ------
    ValueError
        When it does not.
    """
    scene = layer_scene(layer)
    images = [read_image(path, scene)] if scene else read_images(path)
    found = images[0]
    changes: dict[str, Any] = {"scene": scene} if scene else {}
    if len(images) == 1 and "c" in found.axes and not found.rgb and "c" not in image.axes:
        names = found.channel_names or [f"channel {k}" for k in range(found.num_channels)]
        titles = [f"{found.name} {name}" for name in names]
        if layer.name in titles:
            changes["channel"] = titles.index(layer.name)
    same = _sizes(found, without_c="channel" in changes) == _sizes(image)
    if len(images) > 1 or not same or found.dtype != image.dtype:
        raise ValueError(
            f"'{layer.name}' is not the whole image in {path}, so no command finds it there. Save "
            "the layer (File > Save Selected Layers, as OME-TIFF), open that file and run on it."
        )
    if found.voxel_size != image.voxel_size:
        if image.voxel_size is None:
            raise ValueError(f"'{layer.name}' has no voxel size, but the file has. Run it again.")
        changes["voxel_size"] = image.voxel_size
    return changes


def _sizes(image: MicroscopyImage, without_c: bool = False) -> dict[str, int]:
    sizes = dict(image.sizes)
    if without_c:
        sizes.pop("c", None)
    return sizes
