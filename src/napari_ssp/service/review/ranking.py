"""Ranking of a folder's images by how wrong their labels look: the worst are annotated next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.progress import Progress, Steps, count_through
from napari_ssp.service.requests import Request
from napari_ssp.service.review.requests import ReviewRequest
from napari_ssp.service.training.segmentation.pairs import scan_pairs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_ssp.service.review.requests import Review
    from napari_ssp.service.training.segmentation.pairs import Pair

    #: Starts the review of an image, here or elsewhere.
    Begin = Callable[[ReviewRequest], Steps[Review]]

#: Predicted error of an object that is more likely wrong than right.
_DOUBTFUL = 0.5


@dataclass(frozen=True)
class RankedImage:
    """An image of a folder, and how wrong its labels look.

    Attributes
    ----------
    image, labels : pathlib.Path
        The files.
    error : float
        Predicted 1 - panoptic quality, from 0 to 1.
    doubtful, count : int
        Objects that are more likely wrong than right, and all of them.
    """

    image: Path
    labels: Path
    error: float
    doubtful: int
    count: int


@dataclass(frozen=True)
class FolderRanking:
    """Images of a folder, those whose labels look worst first.

    Attributes
    ----------
    images : tuple of RankedImage
        As many as have labels that could be reviewed.
    problems : tuple of str
        What was left out, and why.
    """

    images: tuple[RankedImage, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class RankFolderRequest(Request[FolderRanking]):
    """Rank the images of a folder by the predicted errors of their labels.

    Attributes
    ----------
    folder : pathlib.Path
        Laid out as one to train on: ``images`` and ``labels``, or labels beside their images.
    model : str or None
        Name of a critic, or its folder; None chooses for each image as a review does.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """

    folder: Path
    model: str | None = None
    device: str = "auto"


def rank_steps(request: RankFolderRequest, begin: Begin) -> Steps[FolderRanking]:
    """Review the images of a folder one by one.

    Parameters
    ----------
    request : RankFolderRequest
        Which folder.
    begin : callable
        Starts the review of an image, here or elsewhere.

    Yields
    ------
    Progress
        Between two windows and between two images.

    Raises
    ------
    ValueError
        When the folder holds no images with labels.
    """
    yield Progress("looking at the folder")
    scan = scan_pairs(request.folder)
    if not scan.pairs:
        raise ValueError("\n".join(scan.problems or (f"{request.folder} holds no labels.",)))
    found, problems = [], list(scan.problems)
    for index, pair in enumerate(scan.pairs):
        steps = _rank(pair, request, begin)
        try:
            found.append((yield from count_through(steps, index, len(scan.pairs), "image")))
        except (OSError, ValueError, TypeError) as error:
            problems.append(f"{pair.image.name}: {error}")
    found.sort(key=lambda image: image.error, reverse=True)
    return FolderRanking(tuple(found), tuple(problems))


def _rank(pair: Pair, request: RankFolderRequest, begin: Begin) -> Steps[RankedImage]:
    asked = ReviewRequest(
        pair.image,
        pair.labels,
        request.model,
        device=request.device,
        channel=pair.channel,
        scene=pair.scene,
        labels_scene=pair.label_scene,
    )
    review = yield from begin(asked)
    doubtful = int((review.table["predicted_error"] > _DOUBTFUL).sum())
    return RankedImage(pair.image, pair.labels, review.image_error, doubtful, review.num_objects)
