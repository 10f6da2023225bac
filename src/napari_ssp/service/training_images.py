"""Images and labels of a training: read, normalised, divided, and listed with their hashes."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ssp.io import atomic_path, read_image
from napari_ssp.progress import Progress, Steps
from napari_ssp.training.annotation import set_strip_aside, without_outlines
from napari_ssp.training.data import LabelledImage
from napari_ssp.training.image_store import ImageStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.service.pairs import Pair
    from napari_ssp.service.training_plan import TrainingFiles
    from napari_ssp.service.training_requests import TrainRequest

DATA_FILE = "data.csv"
_COLUMNS = ("role", "kind", "path", "sha256", "shape")


@dataclass(frozen=True)
class TrainingImages:
    """Images of a training by what becomes of them.

    Attributes
    ----------
    training, validation, replay : ImageStore
        Learned from, scored, mixed in.
    """

    training: ImageStore
    validation: ImageStore
    replay: ImageStore

    def close(self) -> None:
        """Remove files in which they were kept."""
        for store in (self.training, self.validation, self.replay):
            store.close()


def read_training_images(files: TrainingFiles, request: TrainRequest) -> Steps[TrainingImages]:
    """Read and normalise all images; set strips aside where the files say so.

    Yields
    ------
    Progress
        After every image.

    Raises
    ------
    ValueError
        When images cannot be read, do not fit their labels, or teach nothing; all are listed.
    """
    found = TrainingImages(
        *(ImageStore(request.output / f".{role}.images") for role in ("train", "val", "replay"))
    )
    problems: list[str] = []
    total = len(files.training) + len(files.validation) + len(files.replay)
    done = 0
    for pairs, add in (
        (files.training, lambda image: _learn_from(image, files.strip, request, found)),
        (files.validation, found.validation.add),
        (files.replay, found.replay.add),
    ):
        for pair in pairs:
            try:
                add(_read(pair, request.ignore_label))
            except (OSError, ValueError, TypeError) as error:
                problems.append(f"{pair.image.name}: {error}")
            done += 1
            yield Progress("reading training images", done, total)
    if problems:
        lines = "\n  ".join(problems)
        raise ValueError(f"{len(problems)} of {total} training pairs cannot be used:\n  {lines}")
    _check_annotation(found.training)
    return found


def _read(pair: Pair, ignore: int | None) -> LabelledImage:
    plane, labels = read_image(pair.image).plane(), read_image(pair.labels).plane()
    return LabelledImage.from_planes(pair.name, plane, labels, ignore)


def _learn_from(
    image: LabelledImage, strip: bool, request: TrainRequest, found: TrainingImages
) -> None:
    parts = set_strip_aside(image) if strip else None
    if parts:
        image = parts[0]
        found.validation.add(parts[1])
    if request.boundary_exclusion:
        image = replace(image, labels=without_outlines(image.labels))
    found.training.add(image)


def _check_annotation(images: Sequence[LabelledImage]) -> None:
    """Refuse annotation from which nothing can be learned."""
    if not any((image.labels > 0).any() for image in images):
        raise ValueError(
            f"None of the {len(images)} training images has an annotated object. Labels are whole "
            "numbers from 1; 0 is background and -1 is not annotated."
        )
    sparse = any((image.labels < 0).any() for image in images)
    if sparse and not any((image.labels == 0).any() for image in images):
        raise ValueError(
            "The labels hold objects and not-annotated pixels, but no background (0), so the model "
            "would learn that everything is a cell. Paint some background around the objects: "
            "pixels with 0 instead of -1."
        )


def write_manifest(files: TrainingFiles, folder: Path, started: bool) -> None:
    """Write ``data.csv``: every file with its role, digest and shape.

    Parameters
    ----------
    files : TrainingFiles
        What the run works on.
    folder : pathlib.Path
        The run's.
    started : bool
        Whether the run goes on; its data must be what they were.

    Raises
    ------
    ValueError
        When the data of a run that goes on have changed.
    """
    text = _manifest(files)
    path = folder / DATA_FILE
    if started and path.exists() and path.read_text(encoding="utf-8") != text:
        names = _changed(path.read_text(encoding="utf-8"), text)
        raise ValueError(
            f"The data have changed since the run in {folder} was started: {', '.join(names[:5])}"
            f"{' and more' if len(names) > 5 else ''}. Its scores would not compare. Train in "
            "another folder, or put the files back."
        )
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def _changed(before: str, now: str) -> list[str]:
    """Names of the files that differ between two manifests."""
    rows = (set(map(tuple, csv.reader(io.StringIO(text)))) for text in (before, now))
    return sorted({Path(row[2]).name for row in next(rows) ^ next(rows)})


def _manifest(files: TrainingFiles) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    role = "train and validation strip" if files.strip else "train"
    roles = ((role, files.training), ("validation", files.validation), ("replay", files.replay))
    for name, pairs in roles:
        for pair in pairs:
            shape = "x".join(map(str, pair.shape))
            for kind, path in (("image", pair.image), ("labels", pair.labels)):
                writer.writerow((name, kind, path, _digest(path), shape))
    return text.getvalue()


def _digest(path: Path) -> str:
    """SHA-256 of a file; of a folder, that of its files in order."""
    if path.is_dir():
        parts = sorted(part for part in path.rglob("*") if part.is_file())
        return hashlib.sha256("".join(map(_digest, parts)).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
