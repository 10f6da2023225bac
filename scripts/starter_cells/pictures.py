"""One picture of each kind: what the starter finds, misses and adds in kept back images.

``python scripts/starter_cells/pictures.py DATA PREDICTED REPORT PICTURE`` takes the prepared data,
the labels of ``napari-ssp segment DATA/val/images``, the JSON report of ``napari-ssp evaluate`` and
the PNG to write. Of each set the image of middle F1 is taken, so that failures show as well.
``python scripts/starter_cells/pictures.py drawn PICTURE`` shows drawn pictures with their labels.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from drawn import drawn
from matplotlib.figure import Figure
from skimage.io import imread
from skimage.segmentation import find_boundaries

from napari_ssp.engine.normalise import normalise
from napari_ssp.metrics import compare_objects

if TYPE_CHECKING:
    from examples import Example
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

COLUMNS, SIDE = 6, 320
#: Its terms do not allow to publish it again.
NOT_SHOWN = "microbes ecoli"
#: Colours (red, green, blue) of outlines: found, missed, and found where nothing is.
FOUND, MISSED, EXTRA = (0.25, 1.0, 0.35), (1.0, 0.2, 0.2), (1.0, 0.85, 0.1)


def middle_images(manifest: Path, report: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Row of the image of middle F1 of each scored set."""
    scores = {Path(row["name"]).stem: row["f1_0.50"] for row in report["images"]}
    with manifest.open(newline="", encoding="utf-8") as file:
        # What is learned from of an image that is kept back in part has its name, too.
        kept_back = (row for row in csv.DictReader(file) if row["split"] == "val")
        rows = [r for r in kept_back if r["id"] in scores and r["set"] != NOT_SHOWN]
    sets: dict[str, list[dict[str, str]]] = {}
    for row in sorted(rows, key=lambda row: (row["set"], scores[row["id"]])):
        sets.setdefault(row["set"], []).append(row)
    return {name: of_set[len(of_set) // 2] for name, of_set in sets.items()}


def densest(labels: NDArray[Any]) -> tuple[slice, slice]:
    """Window of the picture's side with most labelled pixels, on a grid of a quarter of it."""
    spans = [range(0, max(n - SIDE, 0) + 1, SIDE // 4) for n in labels.shape]
    windows = [np.s_[y : y + SIDE, x : x + SIDE] for y in spans[0] for x in spans[1]]
    return max(windows, key=lambda window: np.count_nonzero(labels[window] > 0))


def draw(axes: Axes, image: NDArray[Any], truth: NDArray[Any], predicted: NDArray[Any]) -> None:
    """Show an image with the outlines of what was found, missed and added."""
    compared = compare_objects(truth, predicted, 0.5)
    picture = np.moveaxis(normalise(image), 0, -1)
    window = densest(truth)
    for labels, ids, partners, matched, alone in (
        (truth, compared.truth_labels, compared.truth_partners, None, MISSED),
        (predicted, compared.prediction_labels, compared.prediction_partners, FOUND, EXTRA),
    ):
        # Objects where nothing is annotated are in neither list.
        outline = find_boundaries(np.maximum(labels, 0), mode="inner")
        if matched is not None:
            picture[outline & np.isin(labels, ids[partners > 0])] = matched
        picture[outline & np.isin(labels, ids[partners == 0])] = alone
    axes.imshow(picture[window], interpolation="nearest")


def _make_panels(count: int) -> tuple[Figure, NDArray[Any]]:
    """Figure with at least so many empty panels, in rows."""
    rows = -(-count // COLUMNS)
    figure = Figure(figsize=(2.2 * COLUMNS, 2.45 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    return figure, panels


def show_drawn(target: Path) -> None:
    """Write a picture of each drawn kind in each look, with the outlines of its labels."""
    chosen: dict[str, Example] = {}
    for example in drawn(target):
        chosen.setdefault(example.name.rsplit("_", 1)[0], example)
    figure, panels = _make_panels(len(chosen))
    for axes, (name, example) in zip(panels, chosen.items(), strict=False):
        picture = np.moveaxis(normalise(example.pixels), 0, -1)
        picture[find_boundaries(example.labels, mode="inner")] = FOUND
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(name.removeprefix("drawn_").replace("_", " "), fontsize=7)
    figure.savefig(target, dpi=60)


def main() -> None:
    if sys.argv[1] == "drawn":
        show_drawn(Path(sys.argv[2]))
        return
    data, predicted, report, target = map(Path, sys.argv[1:])
    content = json.loads(report.read_text(encoding="utf-8"))
    chosen = middle_images(data / "manifest.csv", content)
    figure, panels = _make_panels(len(chosen))
    for axes, (name, row) in zip(panels, chosen.items(), strict=False):
        labels = imread(predicted / f"{row['id']}_label.tiff")
        draw(axes, imread(data / row["image"]), imread(data / row["label"]), labels)
        axes.set_title(f"{name}\nF1 {content['groups'][name]['f1_0.50']:.2f}", fontsize=7)
    figure.savefig(target, dpi=85)


if __name__ == "__main__":
    main()
