"""Make the pictures of ``docs/images``: ``make screenshots``."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import virtual_screen
from window import (
    Hand,
    fits_window,
    middles,
    open_dock,
    own_settings,
    pause,
    pixel_at,
    run,
    segment_sample,
    slide,
    start,
    wait,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

    from napari_ssp.widgets.classes.dock import ClassesDock
    from napari_ssp.widgets.compare.dock import CompareDock
    from napari_ssp.widgets.compartments.dock import CompartmentsDock
    from napari_ssp.widgets.edit.dock import EditDock
    from napari_ssp.widgets.measure.dock import MeasureDock
    from napari_ssp.widgets.models.dock import ModelsDock
    from napari_ssp.widgets.predict.dock import PredictDock
    from napari_ssp.widgets.review.dock import ReviewDock
    from napari_ssp.widgets.segment.dock import SegmentDock
    from napari_ssp.widgets.series.dock import SeriesDock
    from napari_ssp.widgets.track.dock import TrackDock
    from napari_ssp.widgets.train.dock import TrainDock

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
_NUCLEI = SHARED / "nuclei_mnfinder" / "train"
_WINDOW = (1400, 860)


def main() -> int:
    if virtual_screen.is_needed():
        return virtual_screen.run_again()
    with own_settings() as folder:
        FOLDER.mkdir(parents=True, exist_ok=True)
        _shoot_all("Segment", fluorescence, running, phase_contrast, advanced, colours, error)
        if (SHARED / "microbes").is_dir():
            _shoot_all("Segment", falling_back)
        _shoot_all("Segment", refining)
        _shoot_all("Cells and nuclei", compartments)
        _shoot_all("Edit objects", editing)
        if SHARED.is_dir():
            _shoot_all("Series", going_through)
        _shoot_all("Measure objects", measuring)
        if (SHARED / "scratch_assay").is_dir():
            _shoot_all("Track objects", tracking)
        _shoot_all("Compare with truth", comparing)
        os.environ["NAPARI_SSP_CACHE"], before = str(folder), os.environ.get("NAPARI_SSP_CACHE")
        if _NUCLEI.is_dir():
            _shoot_all("Classify objects", classifying)
        _shoot_all("Train models", training, collecting)
        if _has("critic", "Review"):
            _shoot_all("Review", reviewing)
        _restore("NAPARI_SSP_CACHE", before)
        _shoot_all("Models", models)
        if _has("repmode", "Predict"):
            _shoot_all("Predict structures", structures, predicting, scales, refused)
    return 0


def _shoot_all(title: str, *shots: Callable[[napari.Viewer, Any], None]) -> None:
    for shoot in shots:
        viewer, dock = open_dock(title, _WINDOW)
        shoot(viewer, dock)
        viewer.close()


def _has(family: str, dock: str) -> bool:
    """Whether a model for a dock is installed."""
    from napari_ssp.registry import list_cards

    found = any(card.family == family for card in list_cards())
    if not found:
        print(f"No model for the {dock} dock is installed: it is left out.", flush=True)
    return found


def fluorescence(viewer: napari.Viewer, dock: SegmentDock) -> None:
    segment_sample(viewer, dock, "fluorescent_nuclei")
    _save(viewer, "segment-fluorescence")


def running(viewer: napari.Viewer, dock: SegmentDock) -> None:
    viewer.open_sample("napari-ssp", "phase_contrast_cells")
    start(dock)
    wait(lambda: " left" in dock.panel.message.text() or dock.panel.run_button.isEnabled())
    _save(viewer, "segment-running")
    dock.panel.cancel_button.click()


def phase_contrast(viewer: napari.Viewer, dock: SegmentDock) -> None:
    labels = segment_sample(viewer, dock, "phase_contrast_cells")
    labels.contour = 2
    labels.opacity = 1
    _save(viewer, "segment-phase-contrast")


def advanced(viewer: napari.Viewer, dock: SegmentDock) -> None:
    dock.form.set_advanced_open(True)
    dock.form.set_value(replace(dock.form.value(), keep_flows=True, keep_probability=True))
    segment_sample(viewer, dock, "cell_painting")
    viewer.layers[-3].visible = True
    viewer.layers[-1].visible = False
    _save(viewer, "segment-advanced")


def colours(viewer: napari.Viewer, dock: SegmentDock) -> None:
    labels = segment_sample(viewer, dock, "stained_nuclei")
    labels.contour = 2
    labels.opacity = 1
    _save(viewer, "segment-colours")


def falling_back(viewer: napari.Viewer, dock: SegmentDock) -> None:
    """Yeast, of which the first model makes no objects."""
    yeast = SHARED / "microbes" / "train" / "images" / "yeast_trap_prime95b_testc_tp3.tiff"
    viewer.open(yeast, plugin="napari-ssp")
    run(dock)
    viewer.layers[-1].contour = 1
    viewer.layers[-1].opacity = 1
    _save(viewer, "segment-fallback")


def error(viewer: napari.Viewer, dock: SegmentDock) -> None:
    import torch

    absent = "mps" if torch.cuda.is_available() else "cuda"
    dock.form.set_value(replace(dock.form.value(), device=absent))
    segment_sample(viewer, dock, "fluorescent_nuclei")
    _save(viewer, "segment-error")


def refining(viewer: napari.Viewer, dock: SegmentDock) -> None:
    labels = segment_sample(viewer, dock, "phase_contrast_cells")
    labels.contour = 2
    labels.opacity = 1
    slide(dock, cell_threshold=0.25, min_size=200)
    _save(viewer, "segment-refine")


def compartments(viewer: napari.Viewer, dock: CompartmentsDock) -> None:
    cells, nuclei = _open_two_stains(viewer)
    cells.colormap, nuclei.colormap, nuclei.blending = "gray", "blue", "additive"
    dock.image_box.set_value(cells)
    dock.update_plan()
    dock.nuclei_box.set_value(nuclei)
    run(dock)
    _save(viewer, "cells-and-nuclei")


def _open_two_stains(viewer: napari.Viewer) -> tuple[Any, Any]:
    """Open macrophages, where there is the data, else the sample; gives the layers of both."""
    path = SHARED / "cells" / "labelled" / "images" / "macrophage_bbbc020.tiff"
    if not path.is_file():
        viewer.open_sample("napari-ssp", "cell_painting")
        nuclei, cells, other = viewer.layers
        other.visible = False
        return cells, nuclei
    import tifffile

    cells, nuclei = tifffile.imread(path)[:, 100:, 400:]
    return viewer.add_image(cells, name="macrophages CD11b"), viewer.add_image(nuclei, name="DAPI")


def editing(viewer: napari.Viewer, dock: EditDock) -> None:
    """Remove a cell and click where it was; then a line across another one, not yet let go."""
    from napari_ssp.service import Tool

    _, segment = viewer.window.add_plugin_dock_widget("napari-ssp", "Segment", tabify=True)
    labels = segment_sample(viewer, segment, "phase_contrast_cells")
    labels.contour, labels.opacity = 2, 1
    dock.parent().raise_()
    viewer.layers.selection.active = labels
    pause(300)
    viewer.reset_view()
    viewer.scene.camera.zoom *= 2
    dock.toggle(Tool.REMOVE)
    cells = middles(labels.data)
    hand = Hand(viewer, labels)
    hand.draw(cells[0])
    dock.toggle(Tool.ADD)
    hand.draw(cells[0])
    dock.toggle(Tool.SPLIT)
    y, x = cells[1]
    hand.press([(y - 42, x - 8), (y, x), (y + 48, x + 10)])
    _save(viewer, "edit-objects", whole=False)


def going_through(viewer: napari.Viewer, dock: SeriesDock) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = str(Path(place) / "nuclei")
        Path(folder).mkdir()
        for path in sorted((_NUCLEI / "images").iterdir())[:6]:
            shutil.copy(path, folder)
        cut_off = sorted(Path(folder).iterdir())[4]
        cut_off.write_bytes(cut_off.read_bytes()[:5000])
        dock.open_folder(folder)
        wait(lambda: dock.series is not None and dock.is_settled)
        run(dock)
        dock.list.next_button.click()
        wait(lambda: dock.is_settled)
        labels = dock.visit.labels
        labels.selected_label, labels.brush_size = int(labels.data.max()) + 1, 30
        labels.paint((60, 60), labels.selected_label)
        for button in (dock.list.next_button, dock.list.previous_button):
            button.click()
            wait(lambda: dock.is_settled)
        _save(viewer, "series")


def measuring(viewer: napari.Viewer, dock: MeasureDock) -> None:
    viewer.open_sample("napari-ssp", "cell_painting")
    for layer in viewer.layers:
        layer.scale, layer.units = (0.65, 0.65), ("um", "um")
    viewer.add_labels(_bright_objects(viewer.layers[0].data), name="nuclei", **_place(viewer))
    run(dock)
    dock.table_button.click()
    dock.colours.box.set_value("area_um2")
    dock.table.panel.view.selectRow(4)
    _save(viewer, "measure-objects", whole=False)


def tracking(viewer: napari.Viewer, dock: TrackDock) -> None:
    import numpy as np
    import tifffile

    folder = SHARED / "scratch_assay"
    place: dict[str, Any] = {
        "scale": (1, 0.619, 0.619),
        "units": ("pixel", "um", "um"),
        "axis_labels": ("t", "y", "x"),
    }
    images, labels = (
        np.stack([tifffile.imread(path) for path in sorted((folder / name).glob("*.tiff"))])
        for name in ("target", "labels_nuclei")
    )
    viewer.add_image(images, name="wound", **place)
    viewer.add_labels(labels, name="nuclei", **place)
    viewer.layers["wound"].gamma = 0.4
    dock.form.change(linking="laptrack", max_distance=20.0, divisions=False)
    run(dock)
    viewer.layers["nuclei tracked"].contour = 2
    viewer.dims.set_current_step(0, 3)
    _save(viewer, "track-objects")


def classifying(viewer: napari.Viewer, dock: ClassesDock) -> None:
    """Parts that a threshold found: nuclei, some that it joined, and debris; five examples each."""
    import tifffile

    name = "mn_2022-03-18_rpe1_trai_3"
    image = tifffile.imread(_NUCLEI / "images" / f"{name}.tiff")
    truth = tifffile.imread(_NUCLEI / "labels" / f"{name}_label.tiff")
    viewer.add_image(image, name="RPE-1 nuclei", gamma=0.6)
    layer = viewer.add_labels(_bright_objects(image, 0.8), name="a threshold")
    dock.panel.list.table.item(0, 1).setText("nucleus")
    dock.panel.list.table.item(1, 1).setText("merged")
    dock.panel.list.add_button.click()
    dock.panel.list.table.item(2, 1).setText("debris")
    dock.panel.list.table.item(2, 2).setCheckState(dock.panel.list.table.item(1, 2).checkState())
    dock.panel.give_button.click()
    given = [0, 0, 0]
    for place in middles(layer.data):
        number = {0: 2, 1: 0}.get(_nuclei_at(layer.data, truth, place), 1)
        if given[number] < 5:
            viewer.cursor.position = tuple(layer.data_to_world(place))
            dock.give(number + 1)
            given[number] += 1
    wait(lambda: dock.is_settled)
    _save(viewer, "classify-objects")


def comparing(viewer: napari.Viewer, dock: CompareDock) -> None:
    viewer.open_sample("napari-ssp", "fluorescent_nuclei")
    image = viewer.layers[0].data
    viewer.add_labels(_bright_objects(image), name="reference")
    viewer.add_labels(_bright_objects(image, 1.6), name="another threshold")
    run(dock)
    _save(viewer, "compare-with-truth")


def reviewing(viewer: napari.Viewer, dock: ReviewDock) -> None:
    viewer.open_sample("napari-ssp", "fluorescent_nuclei")
    labels = _bright_objects(viewer.layers[0].data)  # nuclei that touch are one
    viewer.add_labels(labels, name="a threshold").contour = 2  # or they would hide the map
    run(dock)
    dock.show_next()
    dock.accept()
    dock.reject()
    _save(viewer, "review")


def models(viewer: napari.Viewer, dock: ModelsDock) -> None:
    viewer.open_sample("napari-ssp", "fluorescent_nuclei")
    dock.list.set_value("mediar-phase1")
    _save(viewer, "models")


def training(viewer: napari.Viewer, dock: TrainDock) -> None:
    _open_annotated(viewer)
    choices = dock.form.value()
    dock.form.set_value(replace(choices, name="my-tissue", duration=(2.0, "minutes"), crop=128))
    dock.data.add_all()
    ended: list[Any] = []
    dock.done.connect(ended.append)
    start(dock)
    wait(lambda: len(dock.view.score_plot.curve.points) >= 5 or bool(ended))
    _save(viewer, "train-running")
    wait(lambda: bool(ended))
    _save(viewer, "train-verdict")


def collecting(viewer: napari.Viewer, dock: TrainDock) -> None:
    _, segment = viewer.window.add_plugin_dock_widget("napari-ssp", "Segment", tabify=True)
    labels = segment_sample(viewer, segment, "stained_nuclei")
    labels.contour, labels.opacity = 2, 1
    dock.parent().raise_()
    panel = dock.collecting.panel
    panel.set_folder(Path(os.environ["NAPARI_SSP_CACHE"]) / "training-set")
    panel.fold.setChecked(True)
    panel.add_button.click()
    wait(lambda: bool(dock.data.value()))
    heard: list[str] = []
    dock.collecting.suggestions.shown.connect(heard.append)
    panel.next_button.click()
    wait(lambda: bool(heard))
    labels.mode = "paint"
    pause(300)
    _save(viewer, "train-collect", whole=False)


def _open_annotated(viewer: napari.Viewer) -> None:
    """Open tissue that the starter does not know, where there is the data, else nuclei."""
    volumes = SHARED / "cells" / "volumes"
    if not volumes.is_dir():
        viewer.open_sample("napari-ssp", "fluorescent_nuclei")
        viewer.add_labels(_round_objects(viewer.layers[0].data), name="my labels").contour = 2
        return
    import tifffile

    stack = tifffile.imread(volumes / "images" / "plant_ovule_3d.tiff")
    labels = tifffile.imread(volumes / "labels" / "plant_ovule_3d_label.tiff")
    for z in (2, 5, 8, 11):  # of four, one is set aside as a whole
        viewer.add_image(stack[z], name=f"ovule {z}")
        viewer.add_labels(labels[z], name=f"ovule {z} cells").contour = 2


def _round_objects(image: Any) -> Any:
    """Labels as a person draws them: objects that touch are two."""
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    inside = _bright_objects(image) > 0
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside), 2)
    seeds = peak_local_max(depth, min_distance=8, labels=inside.astype(int))
    markers = ndimage.label(_points(image.shape, seeds))[0]
    return watershed(-depth, markers, mask=inside)


def _nuclei_at(labels: Any, truth: Any, place: Any) -> int:
    """How many true nuclei lie, by a third at least, in the object at a place."""
    import numpy as np

    inside = labels == labels[pixel_at(place)]
    ids, counts = np.unique(truth[inside & (truth > 0)], return_counts=True)
    return sum(n > (truth == i).sum() / 3 for i, n in zip(ids, counts, strict=True))


def _points(shape: tuple[int, ...], places: Any) -> Any:
    import numpy as np

    points = np.zeros(shape, bool)
    points[tuple(places.T)] = True
    return points


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _bright_objects(image: Any, factor: float = 1.0) -> Any:
    """Labels for pictures of what is done with labels: a threshold, without a network."""
    from scipy import ndimage
    from skimage.filters import gaussian, threshold_otsu

    smooth = gaussian(image, 1.5, preserve_range=True)
    return ndimage.label(smooth > factor * threshold_otsu(smooth))[0]


def _place(viewer: napari.Viewer) -> dict[str, Any]:
    return {"scale": viewer.layers[0].scale, "units": viewer.layers[0].units}


def structures(viewer: napari.Viewer, dock: PredictDock) -> None:
    _choose_measured(viewer, dock)
    run(dock)
    for layer in viewer.layers:
        layer.visible = layer.name.startswith(f"{dock.image_box.currentText()} ")
    _save(viewer, "predict-structures")


def predicting(viewer: napari.Viewer, dock: PredictDock) -> None:
    _choose_measured(viewer, dock)
    start(dock)
    wait(lambda: " left" in dock.panel.message.text() or dock.panel.run_button.isEnabled())
    _save(viewer, "predict-running")
    dock.panel.cancel_button.click()


def scales(viewer: napari.Viewer, dock: PredictDock) -> None:
    _choose_measured(viewer, dock)
    dock.gates.fold.click()
    wait(lambda: bool(dock.gates.view.bars))
    pause(300)
    dock.column.show_from(dock.gates)
    _save(viewer, "predict-scales")


def refused(viewer: napari.Viewer, dock: PredictDock) -> None:
    viewer.open_sample("napari-ssp", "fluorescent_nuclei")
    pause(300)
    _save(viewer, "predict-refused")


def _choose_measured(viewer: napari.Viewer, dock: PredictDock) -> None:
    """Choose the structures that were measured in the sample."""
    viewer.open_sample("napari-ssp", "transmitted_light_neurons")
    dock.update_plan()
    tasks = [task for task in dock.form.tasks() if task in ("dapi", "map2")]
    dock.form.set_value(replace(dock.form.value(), tasks=tuple(tasks)))
    dock.update_plan()
    wait(lambda: dock.controller.is_settled)


def _save(viewer: napari.Viewer, name: str, whole: bool = True) -> None:
    pause(600)
    wait(lambda: fits_window(viewer))
    if whole:
        viewer.reset_view()  # the panels may have become wider
    pause(600)
    path = FOLDER / f"{name}.png"
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    print(path.relative_to(FOLDER.parent.parent), flush=True)


if __name__ == "__main__":
    sys.exit(main())
