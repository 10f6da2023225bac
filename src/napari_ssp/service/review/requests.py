"""Request for a review of labels, and its result."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BeforeValidator

from napari_ssp.image import MicroscopyImage
from napari_ssp.place import add_axes
from napari_ssp.schema import checked_dataclass, choice, same_choice
from napari_ssp.service.requests import (
    ImageRequest,
    ModelName,
    Request,
    Source,
    SourceRequest,
    as_text,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Critic that is shipped.
CRITIC_STARTER = "critic-starter"
#: Largest expected share of wrong objects among the accepted, where nothing else is asked for.
WRONG_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Review:
    """Where labels are probably wrong, without a truth.

    Attributes
    ----------
    error_map : numpy.ndarray
        Float32, one axis per letter of ``axes``: the probability, from 0 to 1, that a pixel is
        wrong in any way. A large one is mapped from a temporary file.
    table : dict of str to numpy.ndarray
        One row per object and plane, the worst first: ``label``; ``t`` and ``z`` where there are
        such axes; ``predicted_error``, 1 - IoU with the best true object as the critic predicts it,
        from 0 to 1; ``likely``, the kind of error that the critic sees most of; with a calibration
        ``accepted``, 1 or 0; in the dock ``class``, of those that a person's classes say are wrong,
        which come first; size and place as `measure_objects` names them. Places are those in
        the full image.
    image_errors : numpy.ndarray
        Float64 (planes,): predicted 1 - panoptic quality of each plane, in the order t, z.
    axes : str
        Axes of the map: ``"yx"``, ``"zyx"``, ``"tyx"`` or ``"tzyx"``.
    voxel_size, origin, position, full_axes
        As those of `napari_ssp.Segmentation`.
    wrong_share : float or None
        Largest expected share of wrong objects among the accepted; None without a calibration.
    warnings : tuple of str
        What the user should know before trusting the result.
    provenance : dict
        JSON-ready: request, model with sha256, versions, device, duration in seconds.
    """

    error_map: NDArray[np.float32]
    table: dict[str, NDArray[Any]]
    image_errors: NDArray[np.float64]
    axes: str = "yx"
    voxel_size: tuple[float, float, float] | None = None
    origin: tuple[int, int, int, int] = (0, 0, 0, 0)
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    full_axes: str = ""
    wrong_share: float | None = None
    warnings: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def image_error(self) -> float:
        """Predicted 1 - panoptic quality, the mean of all planes."""
        return float(self.image_errors.mean())

    @property
    def num_objects(self) -> int:
        """How many objects there are; one in several planes counts once per plane."""
        return len(self.table["label"])

    def image(self, name: str = "error map") -> MicroscopyImage:
        """Error map as an image at its place."""
        found = MicroscopyImage(
            self.error_map,
            self.axes,
            self.voxel_size,
            name=name,
            origin=self.origin,
            position=self.position,
            full_axes=self.full_axes,
        )
        return add_axes(found)


@checked_dataclass(frozen=True, eq=False)
class ReviewRequest(SourceRequest, Request[Review]):
    """Predict where labels are wrong, without a truth.

    Attributes
    ----------
    image, scene, missing, axes, voxel_size
        As in :class:`SourceRequest`.
    labels : MicroscopyImage, array or path
        Labels of the image, of any origin, or of a part of it that their origin names: 0 is
        background, -1 is not annotated. An array has the image's axes but for the channels.
    flows : MicroscopyImage, array or path, or None
        Flows and cell probability that the labels were made from, channels flow_y, flow_x and
        cell_probability in front of the axes of the labels: objects that do not agree with them are
        doubtful. None takes those that lie beside the labels' file, as ``segment --save-flows``
        names it. Without any, and with those of volumes, the critic has the image and the labels.
    model : str or None
        Name of a critic, or its folder; None takes the one that learned from results of the model
        that made the labels, where one is installed, else the shipped one.
    made_by : str or None
        Name of the model that made the labels; None takes what is noted beside their file.
    channel : int or None
        Channel that was segmented; None means the colours of an RGB image, else the first channel.
    labels_scene : str or None
        As ``scene``, of the file with the labels.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    overlap : float
        Share of a window that its neighbours cover too.
    calibration : str or None
        File that ``napari-ssp review --calibrate`` has written; None takes the critic's own.
    wrong_share : float
        Largest expected share of wrong objects among those that are accepted.
    """

    labels: Source = field(kw_only=False)
    model: ModelName | None = choice(
        None,
        "Critic",
        "Name of a critic, or a critic's folder [default: the one that knows the model that made "
        "the labels, else critic-starter]",
        kw_only=False,
    )
    _: KW_ONLY
    channel: int | None = choice(
        None,
        "Channel",
        "Channel that was segmented, from 0 [default: colours, or the first]",
        min=0,
    )
    made_by: ModelName | None = choice(
        None,
        "Made by",
        "Model that made the labels [default: as is known of their file]",
    )
    flows: Source | None = choice(
        None, "Flows", "File of flows and cell probability that the labels were made from"
    )
    labels_scene: Annotated[str | None, BeforeValidator(as_text)] = choice(
        None, "Scene of the labels", "Label image of a file with several: its name, or its number"
    )
    device: str = same_choice(ImageRequest, "device")
    overlap: float = choice(
        0.25, "Overlap", "Share of a window that its neighbours cover too", min=0.0, max=0.9
    )
    calibration: Annotated[
        str | None, BeforeValidator(lambda v: str(v) if isinstance(v, Path) else v)
    ] = choice(None, "Calibration", "File written by --calibrate [default: the critic's own]")
    wrong_share: float = choice(
        WRONG_SHARE,
        "Wrong at most",
        "Largest expected share of wrong objects among those that are accepted",
        min=0.01,
        max=0.5,
    )

    def __post_init__(self) -> None:
        """Take lists of numbers for labels, too."""
        super().__post_init__()
        if isinstance(self.labels, list | tuple):
            object.__setattr__(self, "labels", np.asarray(self.labels))
