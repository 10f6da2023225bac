"""Plan of a review: image, labels and critic brought together, before any work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, read_label_image
from napari_ssp.io.label_images import check_label_header
from napari_ssp.labels import explain_shapes
from napari_ssp.place import PLACES, cut_like, drop_axes, translation
from napari_ssp.registry import CRITIC, STUDENT, find_card, find_family, list_cards
from napari_ssp.service.network_outputs import CHANNELS, check_outputs, find_outputs
from napari_ssp.service.review.calibrating import find_calibration
from napari_ssp.service.review.choosing import choose_critic
from napari_ssp.service.review.requests import CRITIC_STARTER
from napari_ssp.service.source_image import choose_channel, open_image

if TYPE_CHECKING:
    from napari_ssp.metrics import ConformalCalibration
    from napari_ssp.registry import ModelCard
    from napari_ssp.service.review.requests import ReviewRequest

#: Voxels by which labels may lie beside their image: what rounding does, and no more.
_SLACK = 0.5
_OF_VOLUMES = (
    "The flows are those of a volume, which a critic of planes cannot use: it looks at the image "
    "and the labels alone."
)


@dataclass(frozen=True, eq=False)
class ReviewPlan:
    """A review request with every choice made.

    Attributes
    ----------
    image : MicroscopyImage
        What the labels are of, cut to the part that they cover.
    labels : MicroscopyImage
        The labels; -1 is not annotated.
    card : ModelCard
        The critic.
    channel : int or None
        Channel that it sees; None is the only one, or the colours.
    flows : MicroscopyImage or None
        Flows and cell probability that the labels were made from, where the critic looks at them.
    calibration : ConformalCalibration or None
        For accepting objects.
    reason : str
        Why this critic was taken, where nobody chose one and it is not the shipped one.
    warnings : tuple of str
        What the user should know before trusting the result.
    """

    image: MicroscopyImage
    labels: MicroscopyImage
    card: ModelCard
    channel: int | None
    flows: MicroscopyImage | None = None
    calibration: ConformalCalibration | None = None
    reason: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def planes(self) -> list[tuple[int, int]]:
        """Positions (t, z) of the labels."""
        return list(self.labels.planes())

    @property
    def axes(self) -> str:
        """Axes of the error map."""
        return "".join(a for a in "tzyx" if a in self.labels.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its lengths."""
        return tuple(self.labels.sizes[a] for a in self.axes)

    @property
    def room(self) -> tuple[int, ...]:
        """Bytes of each result."""
        total = 4
        for length in self.shape:
            total *= length
        return (total,)

    @property
    def summary(self) -> str:
        """One line for the user."""
        sizes, count = self.labels.sizes, len(self.planes)
        planes = "" if count == 1 else f"{count} planes one by one, "
        kind = "" if self.calibration is None else ", objects can be accepted"
        reason = f", {self.reason}" if self.reason else ""
        return f"{planes}{sizes['x']} × {sizes['y']} px, by {self.card.name}{reason}{kind}"


def plan_review(request: ReviewRequest) -> ReviewPlan:
    """Make every choice that a request leaves open, and refuse what cannot be done.

    Reads no pixels.

    Raises
    ------
    FileNotFoundError
        When a file or the critic is missing.
    TypeError
        When the labels are none by their type.
    ValueError
        When image and labels are not of one place, the model is no critic, or the calibration is
        another critic's.
    """
    asked, request = request.model, choose_critic(request)
    card = _critic(str(request.model))
    image, request = open_image(request), open_labels(request)
    labels = _labels(request, image)
    check_label_header(labels, f"label image '{labels.name}'")
    if labels.num_channels > 1:
        raise ValueError(
            f"'{labels.name}' has {labels.num_channels} channels (axes '{labels.axes}'), but "
            "labels have one number in each pixel. Give one of the channels."
        )
    part = cut_like(image, labels)
    _check_lengths(part, labels, "image")
    _check_place(part, labels)
    flows, doubts = _flows(request, labels, card)
    with_flows = flows is not None
    calibration = find_calibration(request.calibration, card, request.wrong_share, with_flows)
    return ReviewPlan(
        image=part,
        labels=labels,
        card=card,
        channel=choose_channel(image, request.channel),
        flows=flows,
        calibration=calibration,
        reason=_reason(card, request) if asked is None else "",
        warnings=tuple(dict.fromkeys((*image.warnings, *labels.warnings, *doubts))),
    )


def open_labels(request: ReviewRequest) -> ReviewRequest:
    """Request that holds its labels and flows, where it names their files.

    Raises
    ------
    OSError, ValueError, TypeError
        When a file cannot be read.
    """
    labels, flows = request.labels, request.flows
    if isinstance(labels, str | Path):
        flows = find_outputs(Path(labels)) if flows is None else flows
        labels = read_label_image(labels, request.labels_scene)
    if isinstance(flows, str | Path):
        flows = read_image(flows)
    return replace(request, labels=labels, labels_scene=None, flows=flows)


def _critic(model: str) -> ModelCard:
    card = find_card(model)
    if card.family != CRITIC:
        known = ", ".join(c.name for c in list_cards() if c.family == CRITIC) or "none"
        raise ValueError(
            f"'{card.name}' is of the family {card.family} and no critic, so it cannot say where "
            f"labels are wrong. Choose a critic; installed: {known}."
        )
    return card


def _reason(card: ModelCard, request: ReviewRequest) -> str:
    return "" if card.name == CRITIC_STARTER else f"which knows results of {request.made_by}"


def _labels(request: ReviewRequest, image: MicroscopyImage) -> MicroscopyImage:
    source: Any = request.labels
    if isinstance(source, MicroscopyImage):
        return replace(source, rgb=False)
    axes = "".join(a for a in image.axes if a != "c")
    if source.ndim != len(axes):
        axes = "".join(a for a in axes if image.sizes[a] > 1 or a in "yx")
    if source.ndim != len(axes):
        raise ValueError(
            f"The labels have shape {tuple(source.shape)} and the image {image.shape} (axes "
            f"'{image.axes}'). Give labels with one number for each pixel of the image."
        )
    found = MicroscopyImage(source, axes, image.voxel_size, name="labels")
    return replace(found, origin=image.origin, position=image.position, full_axes=image.full_axes)


def _flows(
    request: ReviewRequest, labels: MicroscopyImage, card: ModelCard
) -> tuple[MicroscopyImage | None, list[str]]:
    """Flows for a critic that knows of them; where they cannot be used, a sentence why."""
    source = request.flows
    if source is None or _are_empty(request.made_by, card):
        return None, []
    if not isinstance(source, MicroscopyImage):
        source = MicroscopyImage(source, "c" + labels.axes, labels.voxel_size, name="flows")
    if source.num_channels == len(CHANNELS) + 1:
        return None, [_OF_VOLUMES]
    check_outputs(source)
    _check_lengths(source, labels, "flows")
    return (source if card.network.get("agreement") else None), []


def _are_empty(maker: str | None, card: ModelCard) -> bool:
    """Whether flows are all 0, as a student's, and the critic has never seen such."""
    if maker is None or find_family(maker) != STUDENT:
        return False
    return STUDENT not in map(find_family, card.reviews)


def _check_lengths(image: MicroscopyImage, labels: MicroscopyImage, noun: str) -> None:
    found, wanted = labels.sizes, image.sizes
    different = [a for a in PLACES if found.get(a, 1) != wanted.get(a, 1)]
    if different:
        shapes = tuple(
            tuple(one.sizes.get(a, 1) for a in PLACES if found.get(a, 1) * wanted.get(a, 1) > 1)
            for one in (image, labels)
        )
        raise ValueError(
            f"'{labels.name}' is {_lengths(labels)}, but '{image.name}' is {_lengths(image)}. Give "
            f"the {noun} that the labels are of.{explain_shapes(*shapes)}"
        )


def _check_place(image: MicroscopyImage, labels: MicroscopyImage) -> None:
    """Refuse labels of another place, where both say in the same units where they lie."""
    if image.voxel_size != labels.voxel_size or not any(image.position) or not any(labels.position):
        return
    steps = image.voxel_size or (1.0, 1.0, 1.0)
    places = translation(drop_axes(image)), translation(drop_axes(labels))
    gaps = [abs(a - b) / step for a, b, step in zip(*places, steps, strict=True)]
    if max(gaps[1:]) > _SLACK:
        words = [" × ".join(f"{n:.6g}" for n in place[1:]) for place in places]
        unit = "px" if image.voxel_size is None else "µm"
        raise ValueError(
            f"'{labels.name}' lies at (y × x) {words[1]} {unit}, but '{image.name}' at {words[0]} "
            f"{unit}: they show different places. Give the image that the labels are of."
        )


def _lengths(image: MicroscopyImage) -> str:
    axes = [a for a in PLACES if a in image.axes and (a in "yx" or image.sizes[a] > 1)]
    return " × ".join(f"{image.sizes[a]} ({a})" for a in axes)
