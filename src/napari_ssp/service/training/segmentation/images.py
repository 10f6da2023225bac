"""Images and labels of a training: listed, read, normalised, divided."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from napari_ssp.engine.contrast import describe_blank
from napari_ssp.io import read_image
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.training.manifest import Entry
from napari_ssp.service.training.segmentation.masks import read_labels
from napari_ssp.training.data import LabelledImage
from napari_ssp.training.segmentation.annotation import set_strip_aside, without_outlines
from napari_ssp.training.segmentation.image_store import ImageStore

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.service.training.requests import Crops, TrainRequest
    from napari_ssp.service.training.segmentation.pairs import Pair
    from napari_ssp.service.training.segmentation.training_files import TrainingFiles


@dataclass(frozen=True)
class TrainingImages:
    """Images of a training by what becomes of them.

    Attributes
    ----------
    training, validation, replay, known : ImageStore
        Learned from, scored, mixed in, scored in the end for what was forgotten.
    blank : list of str
        Images that were left out, since they show nothing, and why.
    """

    training: ImageStore
    validation: ImageStore
    replay: ImageStore
    known: ImageStore
    blank: list[str] = field(default_factory=list, init=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What reading them gave reason to say."""
        return (f"Left out: {'; '.join(self.blank)}.",) if self.blank else ()

    @classmethod
    def in_folder(cls, folder: Path, place: int = 0) -> TrainingImages:
        """Make stores without images, for one of several processes."""
        names = (f".{role}-{place}.images" for role in ("train", "val", "replay", "known"))
        return cls(*(ImageStore(folder / name) for name in names))

    def stores(self) -> dict[str, ImageStore]:
        """Images by what becomes of them."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.init}

    def close(self) -> None:
        """Remove files in which they were kept."""
        for store in self.stores().values():
            store.close()


def pack_images(images: TrainingImages) -> dict[str, Any]:
    """Images as arrays that travel."""
    return {
        role: [(image.name, image.pixels, image.labels) for image in store]
        for role, store in images.stores().items()
    }


def unpack_images(content: dict[str, Any], folder: Path) -> TrainingImages:
    """Images that were sent."""
    found = TrainingImages.in_folder(folder)
    for role, store in found.stores().items():
        for image in content[role]:
            store.add(LabelledImage(*image))
    return found


def read_training_images(
    files: TrainingFiles, request: TrainRequest, place: int = 0
) -> Steps[TrainingImages]:
    """Read and normalise all images; set strips aside where the files say so.

    Parameters
    ----------
    files : TrainingFiles
        What to read.
    request : TrainRequest
        How, and where images are kept that are too many for memory.
    place : int
        Number of this process among those that train together.

    Yields
    ------
    Progress
        After every image.

    Raises
    ------
    ValueError
        When images cannot be read, do not fit their labels, or teach nothing; all are listed.
    """
    found = TrainingImages.in_folder(request.output, place)
    annotation = _Annotation()
    try:
        yield from _read_all(files, request, found, annotation)
        annotation.check()
    except BaseException:
        found.close()
        raise
    return found


def _read_all(
    files: TrainingFiles,
    request: TrainRequest,
    found: TrainingImages,
    annotation: _Annotation,
) -> Steps[None]:
    def learn(image: LabelledImage) -> None:
        annotation.see(image)
        _learn_from(image, files.strip, request, found)

    problems: list[str] = []
    sources = (
        (files.training, learn),
        (files.validation, found.validation.add),
        (files.replay, found.replay.add),
        (files.known, found.known.add),
    )
    total = sum(len(pairs) for pairs, _ in sources)
    done = 0
    for pairs, add in sources:
        for pair in pairs:
            try:
                image = _read(pair, request.crops, found)
                if image is not None:
                    add(image)
            except (OSError, ValueError, TypeError) as error:
                where = f", scene {pair.scene}" if pair.scene else ""
                problems.append(f"{pair.image.name}{where}: {error}")
            done += 1
            yield Progress("reading training images", done, total)
    if problems:
        lines = "\n  ".join(problems)
        raise ValueError(f"{len(problems)} of {total} training pairs cannot be used:\n  {lines}")
    if not found.training:
        raise ValueError(
            f"None of the {len(files.training)} training images shows anything: "
            f"{'; '.join(found.blank)}. Export them again."
        )


def _read(pair: Pair, crops: Crops, found: TrainingImages) -> LabelledImage | None:
    """Image with its labels; None where there is nothing to see, which is noted."""
    image = read_image(pair.image, pair.scene)
    plane = image.plane(channel=pair.channel)
    nuclei = None if pair.nuclei is None else image.plane(channel=pair.nuclei)
    blank = describe_blank([plane])
    if blank and (nuclei is None or describe_blank([nuclei])):
        found.blank.append(f"{pair.name} {blank}")
        return None
    return LabelledImage.from_planes(pair.name, plane, read_labels(pair, crops), nuclei)


def _learn_from(
    image: LabelledImage, strip: bool, request: TrainRequest, found: TrainingImages
) -> None:
    parts = set_strip_aside(image) if strip else None
    if parts:
        image = parts[0]
        found.validation.add(parts[1])
    if request.crops.boundary_exclusion:
        image = replace(image, labels=without_outlines(image.labels))
    found.training.add(image)


@dataclass
class _Annotation:
    """What people annotated in the training images, before anything was held out."""

    images: int = 0
    objects: bool = False
    background: bool = False
    unknown: bool = False

    def see(self, image: LabelledImage) -> None:
        """Take an image into account."""
        self.images += 1
        self.objects |= bool((image.labels > 0).any())
        self.background |= bool((image.labels == 0).any())
        self.unknown |= bool((image.labels < 0).any())

    def check(self) -> None:
        """Refuse annotation from which nothing can be learned."""
        if not self.objects:
            raise ValueError(
                f"None of the {self.images} training images has an annotated object. Labels are "
                "whole numbers from 1; 0 is background and -1 is not annotated."
            )
        if self.unknown and not self.background:
            raise ValueError(
                "The labels hold objects and not-annotated pixels, but no background (0), so the "
                "model would learn that everything is a cell. Paint some background around the "
                "objects: pixels with 0 instead of -1."
            )


def entries(files: TrainingFiles) -> list[Entry]:
    """List every file of a training with its role."""
    role = "train and validation strip" if files.strip else "train"
    roles = (
        (role, files.training),
        ("validation", files.validation),
        ("replay", files.replay),
        ("known", files.known),
    )
    return [
        Entry(name, kind, path, pair.shape)
        for name, pairs in roles
        for pair in pairs
        for kind, path in (("image", pair.image), ("labels", pair.labels))
    ]
