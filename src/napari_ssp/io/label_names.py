"""Names of label files, as programs give them, and which image of a folder they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.io.scene import LABEL_ENDINGS, image_stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

#: What cellpose saves beside masks: flows and outlines, which are pictures and no labels.
_BY_PRODUCTS = ("_flows", "_outlines", "_cp_outlines", "_cp_output")
#: How images may end, where their labels have "_masks" in its place.
_IMAGE_ENDINGS = ("_img", "_image")


class SortedFiles(NamedTuple):
    """Files of one folder: images, labels of these images, and what cellpose saved besides."""

    images: list[Path]
    labels: list[Path]
    by_products: list[Path]


def sort_files(files: Sequence[Path]) -> SortedFiles:
    """Tell images from the labels that lie beside them, by their names.

    Parameters
    ----------
    files : sequence of pathlib.Path
        Images and label images of one folder.

    Returns
    -------
    SortedFiles
        A file counts as labels only where its image is there, too.
    """
    found = SortedFiles([], [], [])
    stems = {image_stem(path) for path in files}
    for path in files:
        stem = image_stem(path)
        owner = without_endings(stem, LABEL_ENDINGS)
        images = {owner, *(owner + ending for ending in _IMAGE_ENDINGS), *_files_of(owner)} & stems
        if owner.lower().endswith(_BY_PRODUCTS):
            found.by_products.append(path)
        else:
            (found.labels if owner != stem and images else found.images).append(path)
    return found


def _files_of(name: str) -> Iterator[str]:
    """Files that an image of a file with several may be of: "a b" of "a b c", and "a"."""
    while " " in name:
        name = name.rpartition(" ")[0]
        yield name


def leave_results_out(files: Sequence[Path]) -> list[Path]:
    """Leave out labels, flows and outlines that lie beside the image that they are of."""
    found = sort_files(files)
    stems = {image_stem(path) for path in found.images}
    results = set(found.labels)
    for path in found.by_products:
        owner = without_endings(image_stem(path), _BY_PRODUCTS)
        if {owner, *_files_of(owner)} & stems:
            results.add(path)
    return [path for path in files if path not in results]


def find_labels(stem: str, by_stem: Mapping[str, Path]) -> Path | None:
    """Find the labels of an image, by its stem, among those of label files; endings in order."""
    for owner in dict.fromkeys((stem, without_endings(stem, _IMAGE_ENDINGS))):
        for ending in (*LABEL_ENDINGS, ""):
            if owner + ending in by_stem:
                return by_stem[owner + ending]
    return None


def without_endings(stem: str, endings: Iterable[str]) -> str:
    """Remove endings, in any case, from a name until none is left."""
    known = tuple(endings)
    while stem.lower().endswith(known) and stem.lower() not in known:
        # "a_cp_masks" is of "a", not of "a_cp".
        stem = stem[: -max(len(e) for e in known if stem.lower().endswith(e))]
    return stem
