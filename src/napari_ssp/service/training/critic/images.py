"""Images of a critic's training: read with their truth, and with what models made of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.engine.contrast import describe_blank
from napari_ssp.io import read_image, read_label_image
from napari_ssp.labels import explain_shapes, known_labels
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.network_outputs import find_outputs, measure_plane_agreement
from napari_ssp.service.training.manifest import Entry
from napari_ssp.service.training.requests import Crops
from napari_ssp.service.training.segmentation.images import entries
from napari_ssp.service.training.segmentation.masks import read_labels
from napari_ssp.training.critic.recipe import CriticisedImage, MadeLabels
from napari_ssp.training.data import LabelledImage
from napari_ssp.training.processes import read_process_group

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_ssp.service.training.critic.plan import CriticFiles
    from napari_ssp.service.training.critic.requests import TrainCriticRequest
    from napari_ssp.service.training.segmentation.pairs import Pair


@dataclass(frozen=True)
class CriticImages:
    """Images of a critic's training by what becomes of them.

    Attributes
    ----------
    training, validation : list of CriticisedImage
        Learned from, and scored.
    blank : list of str
        Images that were left out, since they show nothing, and why.
    """

    training: list[CriticisedImage] = field(default_factory=list)
    validation: list[CriticisedImage] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What reading them gave reason to say."""
        return (f"Left out: {'; '.join(self.blank)}.",) if self.blank else ()

    @property
    def have_agreement(self) -> bool:
        """Whether flows lie beside labels that models made of the scored images."""
        made = (one for image in self.validation for one in image.mistakes)
        return any(one.agreement is not None for one in made)

    def close(self) -> None:
        """Keep nothing; there are no files."""


def read_critic_images(
    files: CriticFiles, _request: TrainCriticRequest, _place: int = 0
) -> Steps[CriticImages]:
    """Read and normalise all images, with all their labels.

    Yields
    ------
    Progress
        After every image.

    Raises
    ------
    ValueError
        When images or labels cannot be read, or nothing is annotated; all are listed. When this is
        one of several processes.
    """
    if read_process_group().world_size > 1:
        raise ValueError("A critic learns in one process. Start the command without torchrun.")
    found, problems = CriticImages(), list[str]()
    roles = ((files.pairs.training, found.training), (files.pairs.validation, found.validation))
    work = [(pair, images) for pairs, images in roles for pair in pairs]
    for done, (pair, images) in enumerate(work, 1):
        # Heads alone look at flows, and they are fitted to the images that are scored.
        read_made = _read_with_outputs if images is found.validation else _read_made
        try:
            image = _read(pair, files.of(pair), read_made, found)
            images += [image] if image else []
        except (OSError, ValueError, TypeError) as error:
            problems.append(f"{pair.image.name}: {error}")
        yield Progress("reading training images", done, len(work))
    if problems:
        lines = "\n  ".join(problems)
        raise ValueError(f"{len(problems)} of {len(work)} images cannot be used:\n  {lines}")
    if not any((one.image.labels > 0).any() for one in found.training):
        raise ValueError(f"None of the {len(work)} images has an annotated object.")
    return found


def _read(
    pair: Pair,
    made: list[Path],
    read_made: Callable[[Path, tuple[int, ...]], MadeLabels],
    found: CriticImages,
) -> CriticisedImage | None:
    """Image with its truth and other labels; None where there is nothing to see."""
    plane = read_image(pair.image, pair.scene).plane(channel=pair.channel)
    blank = describe_blank([plane])
    if blank:
        found.blank.append(f"{pair.name} {blank}")
        return None
    image = LabelledImage.from_planes(pair.name, plane, read_labels(pair, Crops()))
    return CriticisedImage(image, tuple(read_made(path, image.labels.shape) for path in made))


def _read_made(path: Path, shape: tuple[int, ...]) -> MadeLabels:
    labels = known_labels(read_label_image(path).plane())
    if labels.shape != shape:
        raise ValueError(
            f"a model's labels {path} are {labels.shape} and the image is {shape}."
            f"{explain_shapes(shape, labels.shape)}"
        )
    return MadeLabels(labels.astype(np.int32))


def _read_with_outputs(path: Path, shape: tuple[int, ...]) -> MadeLabels:
    made, outputs = _read_made(path, shape), find_outputs(path)
    if outputs is None:
        return made
    agreement = measure_plane_agreement(made.labels, read_image(outputs))
    return replace(made, agreement=agreement)


def critic_entries(files: CriticFiles) -> list[Entry]:
    """Every file of a training with its role, for the manifest."""
    pairs = files.pairs
    made = [
        Entry(role, "made labels", path, pair.shape)
        for role, part in (("train", pairs.training), ("validation", pairs.validation))
        for pair in part
        for path in files.of(pair)
    ]
    flows = [
        Entry("validation", "made flows", outputs, pair.shape)
        for pair in pairs.validation
        for outputs in map(find_outputs, files.of(pair))
        if outputs is not None
    ]
    return entries(pairs) + made + flows
