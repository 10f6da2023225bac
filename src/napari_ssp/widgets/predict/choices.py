"""Choices of the user in the Predict dock, as one value."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari_ssp.schema import checked_dataclass, choice, same_choice
from napari_ssp.service.requests import PredictRequest
from napari_ssp.widgets.forms.choice_fields import COMPUTE_HELP, request_values

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage

_same = partial(same_choice, PredictRequest)


@checked_dataclass(frozen=True)
class PredictChoices:
    """The choices of a PredictRequest without the image.

    Attributes
    ----------
    visible_only : bool
        Predict only what the canvas shows, in all planes that are chosen.
    compute : str
        Where the network runs, as `napari_ssp.ModelService` takes it.
    model, tasks, channel, voxel_size, z_range, measured_units, spread, device, precision, overlap
        As in :class:`napari_ssp.PredictRequest`.
    batch_size : int
        As in :class:`napari_ssp.PredictRequest`.

    Raises
    ------
    ValueError
        When a number is out of its limits.
    """

    model: str = _same("model")
    tasks: tuple[str, ...] = choice((), "Structures", "What to predict; each becomes a layer")
    channel: int | None = _same("channel")
    voxel_size: tuple[float, float, float] | None = choice(
        None, "Voxel size", "Size of the stack's voxels in µm along z, y and x"
    )
    z_range: tuple[int, int] | None = choice(
        None, "Planes", "Planes to predict, counted from 0 as on the slider"
    )
    visible_only: bool = choice(
        False, "Visible region only", "Predict only what the canvas shows, in the chosen planes"
    )
    measured_units: bool = _same("measured_units")
    spread: bool = _same("spread")
    device: str = _same("device")
    precision: str = _same("precision")
    compute: str = choice("local", "Compute", COMPUTE_HELP)
    overlap: float = _same("overlap")
    batch_size: int = _same("batch_size")

    def request(
        self,
        image: MicroscopyImage,
        time: int = 0,
        region: tuple[int, int, int, int] | None = None,
        scene: str | None = None,
    ) -> PredictRequest:
        """Make the request for an image; what else is given is as in the request."""
        shared = request_values(self, PredictRequest)
        return PredictRequest(image, scene=scene, time=time, region=region, **shared)
