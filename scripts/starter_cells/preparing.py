"""The sets in the layout that training reads: images and labels, with -1 where nobody annotated.

``train`` and ``val`` hold ``images`` and ``labels``; ``stacks`` the kept back parts of stacks;
``quick`` pieces of a few kept back pictures of each set, to be scored during training;
``manifest.csv`` says of each picture where it comes from and which set it is scored with.
"""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from examples import Example, amplified, check_names, count_objects, pieces
from sets import SETS, stacks
from skimage.io import imsave
from tifffile import imwrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: Kept back pictures of a set that are scored during training, the side of their pieces, and sets
#: that are not.
_QUICK, _QUICK_SIDE = 2, 384
_NOT_QUICK = ("microbes ecoli", "cells worms_bbbc010", "cells plant_chloroplast")


def prepare(data: Path, out: Path) -> None:
    """Write all sets of a folder; the manifest, last, says that it is whole."""
    examples = list(amplified(example for read in SETS for example in read(data)))
    check_names(examples)
    written = [_write(example, out / example.split) for example in examples]
    kept_back = [stack for stack in stacks(data) if stack.split == "val"]
    volumes = [_write(stack, out / "stacks") for stack in kept_back]
    for example in quick(examples):
        _write(example, out / "quick")
    _write_table(out / "manifest.csv", [*written, *volumes])
    objects: Counter[tuple[str, str]] = Counter()
    for row in written:
        objects[row["set"], row["split"]] += row["n_objects"]
    counts = Counter((row["set"], row["split"]) for row in written)
    for group, split in sorted(counts):
        number = objects[group, split]
        print(f"{group:36} {split:6} {counts[group, split]:4} pictures {number:6} objects")


def _write(example: Example, folder: Path) -> dict[str, Any]:
    """Write picture and labels; what the manifest says of them."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    image = _write_picture(folder / "images" / example.name, example)
    labels = folder / "labels" / f"{example.name}_label.tiff"
    imwrite(labels, example.labels.astype(np.int32), compression="zlib")
    return {
        "id": example.name,
        "set": example.group,
        "split": example.split,
        "scored": example.scored and example.split == "val",
        "image": image.relative_to(folder.parent).as_posix(),
        "label": labels.relative_to(folder.parent).as_posix(),
        "n_objects": count_objects(example),
        "not_annotated": round(float((example.labels < 0).mean()), 4),
        "licence": example.licence,
        "origin": example.origin,
    }


def _write_picture(stem: Path, example: Example) -> Path:
    pixels: NDArray[Any] = example.pixels
    if pixels.dtype == np.uint8 and example.labels.ndim == 2:
        path = stem.with_name(f"{stem.name}.png")
        imsave(path, pixels, check_contrast=False)
    else:
        path = stem.with_name(f"{stem.name}.tiff")
        axes = "ZYX"[-pixels.ndim :]
        imwrite(path, pixels, compression="zlib", metadata={"axes": axes})
    return path


def _write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def quick(examples: Iterable[Example]) -> Iterator[Example]:
    """Choose the first few of each set that is scored, and of each the piece with most objects."""
    taken: Counter[str] = Counter()
    for example in examples:
        is_scored = example.scored and example.split == "val"
        if is_scored and not example.group.startswith(_NOT_QUICK):
            taken[example.group] += 1
            if taken[example.group] <= _QUICK:
                yield max(pieces(example, _QUICK_SIDE), key=count_objects)
