"""Choices of the user in the Review dock, as one value."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.schema import checked_dataclass, choice, same_choice
from napari_ssp.service import ReviewRequest
from napari_ssp.service.compute.places import HELP as COMPUTE_HELP
from napari_ssp.widgets.forms.choice_fields import request_values

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage

_same = partial(same_choice, ReviewRequest)


@checked_dataclass(frozen=True)
class ReviewChoices:
    """The choices of a ReviewRequest without image and labels.

    Attributes
    ----------
    model, channel, device, overlap, calibration, wrong_share
        As in :class:`napari_ssp.ReviewRequest`.
    compute : str
        Where it is computed.

    Raises
    ------
    ValueError
        When a number is out of its limits.
    """

    model: str | None = _same("model")
    channel: int | None = _same("channel")
    wrong_share: float = _same("wrong_share")
    calibration: str | None = _same("calibration")
    overlap: float = _same("overlap")
    device: str = _same("device")
    compute: str = choice("local", "Compute", COMPUTE_HELP)

    def request(
        self,
        image: MicroscopyImage,
        labels: MicroscopyImage,
        flows: MicroscopyImage | None = None,
        made_by: str | None = None,
    ) -> ReviewRequest:
        """Make the request for an image, its labels, and what these were made from, and by whom."""
        shared: dict[str, Any] = request_values(self, ReviewRequest)
        return ReviewRequest(image, labels, flows=flows, made_by=made_by, **shared)
