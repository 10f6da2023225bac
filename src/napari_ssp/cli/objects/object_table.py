"""One table of the objects of many label images: of a plate, a folder, the scenes of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.cli.files import find_sources
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

    Measure = Callable[[MicroscopyImage, MicroscopyImage | None], tuple[Table, dict[str, Any]]]


def write_object_table(
    labels: LabelFile, image: Path | None, output: Path, overwrite: bool, measure: Measure
) -> list[dict[str, Any]]:
    """Measure label images one by one into a Parquet file; one that fails stops no other.

    Parameters
    ----------
    labels : LabelFile
        A file, a plate or a folder, with the folders in it where that is said.
    image : pathlib.Path or None
        File, plate or folder of the images that they belong to, in folders of the same names.
    output : pathlib.Path
        The table: columns plate, well, field, file, scene, then those of the measurements.
    overwrite : bool
        Replace a table that exists.
    measure : callable
        Gives the table of labels and their image, and a row of the report.

    Returns
    -------
    list of dict
        One per label image, with an "error" where it failed.

    Raises
    ------
    ImportError, OSError, ValueError
        If nothing could be measured, or the table cannot be written.
    """
    found, images = _find(labels, image)
    rows = []
    with object_file(output, overwrite) as file:
        for source in found:
            row: dict[str, Any] = {"file": str(source.path), "scene": source.scene}
            try:
                own = images.find(source)
                read = read_image(own.path, own.scene) if own else None
                table, said = measure(labels.read(source), read)
                file.add(object_place(own or source), table)
            except USER_ERRORS as error:
                say(f"Error: {source}: {one_line(error)}")
                rows.append({**row, "error": one_line(error)})
            else:
                say(f"{source}: {len(table['label'])} objects")
                rows.append({**row, **said})
    return rows


def _find(labels: LabelFile, image: Path | None) -> tuple[list[ImageSource], ImagesOfLabels]:
    """Find label images and their images; refuses files where folders in folders are wanted."""
    if not labels.subfolders:
        found = label_sources(labels.path, labels.scene)
        return found, ImagesOfLabels(find_sources([image]) if image else [], found)
    roots = [labels.path] if image is None else [labels.path, image]
    if not all(map(is_folder, roots)):
        raise ValueError("With --subfolders, LABELS and --image are folders of folders.")
    folders = with_subfolders(roots[:1], without=roots[-1])
    found = [source for folder in folders for source in label_sources(folder, labels.scene)]
    images = find_sources(with_subfolders(roots[1:], without=labels.path))
    return found, ImagesOfLabels(images, found, (roots[1:], roots[:1]))
