"""One table of the objects of many label images: of a plate, a folder, the scenes of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.cli.compartment_names import choose_compartment
from napari_ssp.cli.files import find_sources, refuse_read
from napari_ssp.cli.label_files import ImagesOfLabels
from napari_ssp.cli.pairing import label_sources
from napari_ssp.cli.reporting import USER_ERRORS, one_line, say
from napari_ssp.io import is_folder, read_image
from napari_ssp.io.ngff.plates import object_place
from napari_ssp.io.objects.object_files import object_file
from napari_ssp.io.sources import with_subfolders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_ssp.cli.label_files import LabelFile
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.io import ImageSource
    from napari_ssp.measure import Table

    Image = MicroscopyImage | None
    Measure = Callable[[MicroscopyImage, Image, Image], tuple[Table, dict[str, Any]]]


def write_object_table(
    labels: LabelFile,
    others: tuple[Path | None, Path | None],
    output: Path,
    overwrite: bool,
    measure: Measure,
) -> list[dict[str, Any]]:
    """Measure label images one by one into a Parquet file; one that fails stops no other.

    Parameters
    ----------
    labels : LabelFile
        A file, a plate or a folder, with the folders in it where that is said.
    others : pair of pathlib.Path or None
        File, plate or folder of the images that they belong to, in folders of the same names; and
        of the labels of their nuclei, alike, which may be that of the labels.
    output : pathlib.Path
        The table: columns plate, well, field, file, scene, then those of the measurements.
    overwrite : bool
        Replace a table that exists.
    measure : callable
        Gives the table of labels, their image and their nuclei, and a row of the report.

    Returns
    -------
    list of dict
        One per label image, with an "error" where it failed.

    Raises
    ------
    ImportError, OSError, ValueError
        If nothing could be measured, or the table cannot be written or would replace what is read.
    """
    refuse_read([output], filter(None, (labels.path, *others)))
    found, images, of_nuclei = _find(labels, *others)
    rows = []
    with object_file(output, overwrite) as file:
        for source in found:
            row: dict[str, Any] = {"file": str(source.path), "scene": source.scene}
            try:
                own, inside = images.find(source), of_nuclei.find(source)
                read = read_image(own.path, own.scene) if own else None
                inner = labels.read(inside) if inside else None
                table, said = measure(labels.read(source), read, inner)
                file.add(object_place(own or source), table)
            except USER_ERRORS as error:
                say(f"Error: {source}: {one_line(error)}")
                rows.append({**row, "error": one_line(error)})
            else:
                say(f"{source}: {len(table['label'])} objects")
                rows.append({**row, **said})
    return rows


def _find(
    labels: LabelFile, image: Path | None, nuclei: Path | None
) -> tuple[list[ImageSource], ImagesOfLabels, ImagesOfLabels]:
    """Find label images, their images and their nuclei.

    Raises
    ------
    ValueError
        If there are none, or files where folders in folders are wanted.
    """
    places = [path for path in (labels.path, image, nuclei) if path is not None]
    if labels.subfolders and not all(map(is_folder, places)):
        raise ValueError("With --subfolders, LABELS, --image and --nuclei are folders of folders.")

    def folders(place: Path | None) -> list[Path]:
        """Add the folders in a place; images may lie around their labels, or among them."""
        if place is None or not labels.subfolders:
            return [] if place is None else [place]
        others = [path for path in places if path.resolve() != place.resolve()]
        return with_subfolders([place], without=others)

    found = [one for here in folders(labels.path) for one in label_sources(here, labels.scene)]
    inner = [one for here in folders(nuclei) for one in label_sources(here)]
    if nuclei is not None:
        found = choose_compartment(found, "cells")

    def belonging(sources: list[ImageSource], place: Path | None) -> ImagesOfLabels:
        roots = ([place] if place else [], [labels.path]) if labels.subfolders else ((), ())
        return ImagesOfLabels(sources, found, roots)

    images = find_sources(folders(image)) if image else []
    return found, belonging(images, image), belonging(choose_compartment(inner, "nuclei"), nuclei)
