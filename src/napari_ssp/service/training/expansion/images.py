"""Images of a training on masks: read, normalised, divided; those without masks, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.engine.contrast import describe_blank
from napari_ssp.io import image_stem, read_image
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.training.manifest import Entry
from napari_ssp.service.training.requests import Crops
from napari_ssp.service.training.segmentation.images import entries
from napari_ssp.service.training.segmentation.masks import read_labels
from napari_ssp.training.data import UNKNOWN, LabelledImage
from napari_ssp.training.processes import read_process_group
from napari_ssp.training.segmentation.annotation import set_strip_aside
from napari_ssp.training.segmentation.image_store import ImageStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_ssp.service.training.expansion.plan import MaskFiles, UnlabelledFile
    from napari_ssp.service.training.expansion.requests import MaskRequest
    from napari_ssp.service.training.segmentation.pairs import Pair


@dataclass(frozen=True)
class MaskImages:
    """Images of a training on masks by what becomes of them.

    Attributes
    ----------
    training, validation, unlabelled : ImageStore
        Learned from, scored, and expanded on.
    blank : list of str
        Images that were left out, since they show nothing, and why.
    """

    training: ImageStore
    validation: ImageStore
    unlabelled: ImageStore
    blank: list[str] = field(default_factory=list, init=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What reading them gave reason to say."""
        return (f"Left out: {'; '.join(self.blank)}.",) if self.blank else ()

    def close(self) -> None:
        """Remove files in which they were kept."""
        for store in (self.training, self.validation, self.unlabelled):
            store.close()


def read_mask_images(files: MaskFiles, request: MaskRequest, _place: int = 0) -> Steps[MaskImages]:
    """Read and normalise all images; set strips aside where the files say so.

    Yields
    ------
    Progress
        After every file.

    Raises
    ------
    ValueError
        When images cannot be read, or nothing is annotated; all are listed. When this is one of
        several processes.
    """
    if read_process_group().world_size > 1:
        raise ValueError("Masks are learned in one process. Start the command without torchrun.")
    names = (f".{role}.images" for role in ("train", "val", "unlabelled"))
    found = MaskImages(*(ImageStore(request.output / name) for name in names))
    try:
        yield from _read_all(files, found)
        _check(found)
    except BaseException:
        found.close()
        raise
    return found


def _read_all(files: MaskFiles, found: MaskImages) -> Steps[None]:
    pairs, problems = files.pairs, list[str]()
    work: list[tuple[Path, Callable[[], None]]] = []
    work += [(pair.image, partial(_learn, pair, pairs.strip, found)) for pair in pairs.training]
    work += [(pair.image, partial(_score, pair, found)) for pair in pairs.validation]
    work += [(file.path, partial(_expand_on, file, found)) for file in files.unlabelled]
    for done, (path, read) in enumerate(work, 1):
        try:
            read()
        except (OSError, ValueError, TypeError) as error:
            problems.append(f"{path.name}: {error}")
        yield Progress("reading training images", done, len(work))
    if problems:
        lines = "\n  ".join(problems)
        raise ValueError(f"{len(problems)} of {len(work)} images cannot be used:\n  {lines}")


def _learn(pair: Pair, strip: bool, found: MaskImages) -> None:
    image = _read(pair, found)
    parts = set_strip_aside(image) if strip and image is not None else None
    if parts:
        image = parts[0]
        found.validation.add(parts[1])
    _add(found.training, image)


def _score(pair: Pair, found: MaskImages) -> None:
    _add(found.validation, _read(pair, found))


def _expand_on(file: UnlabelledFile, found: MaskImages) -> None:
    name = image_stem(file.path)
    image = read_image(file.path)
    for plane in (image.plane(t, z) for t, z in image.planes()):
        blank = describe_blank([plane])
        if blank:
            found.blank.append(f"{name} {blank}")
            continue
        nothing = np.full(plane.shape[:2], UNKNOWN, np.int32)
        found.unlabelled.add(LabelledImage.from_planes(name, plane, nothing))


def _read(pair: Pair, found: MaskImages) -> LabelledImage | None:
    """Image with its mask; None where there is nothing to see, which is noted."""
    plane = read_image(pair.image, pair.scene).plane(channel=pair.channel)
    blank = describe_blank([plane])
    if blank:
        found.blank.append(f"{pair.name} {blank}")
        return None
    return LabelledImage.from_planes(pair.name, plane, read_labels(pair, Crops()))


def _add(store: ImageStore, image: LabelledImage | None) -> None:
    if image is not None:
        store.add(image)


def mask_entries(files: MaskFiles) -> list[Entry]:
    """Every file of a training with its role, for the manifest."""
    others = [Entry("unlabelled", "image", file.path, file.shape) for file in files.unlabelled]
    return entries(files.pairs) + others


def _check(found: MaskImages) -> None:
    if not any((image.labels > 0).any() for image in found.training):
        raise ValueError(
            f"Nothing is annotated in the {len(found.training)} training images. What is above 0 "
            "in a mask is inside."
        )
