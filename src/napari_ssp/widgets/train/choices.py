"""Choices of the user in the Train dock, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.service import TrainRequest, TrainStructuresRequest
from napari_ssp.service.requests import check_limits
from napari_ssp.widgets.forms.choice_fields import own_field, request_field, request_values

if TYPE_CHECKING:
    from pathlib import Path

_same = partial(request_field, TrainRequest)
CELLS, STRUCTURES = "cells", "structures"
MINUTES, EPOCHS = "minutes", "epochs"


def _limited(default: Any, label: str, help: str, low: float, high: float) -> Any:
    limits = {"min": low, "max": high}
    return field(default=default, metadata={"label": label, "help": help, **limits})


@dataclass(frozen=True)
class TrainChoices:
    """The choices of a TrainRequest or TrainStructuresRequest without the data.

    Attributes
    ----------
    learn : str
        ``"cells"`` or ``"structures"``.
    base : str or None
        Model to start from; None starts from scratch.
    name : str
        Name of the new model.
    duration : tuple
        How long at most, and whether that is ``"minutes"`` or ``"epochs"``.
    trainable, augmentation, learning_rate, batch_size, crop, device
        As in :class:`napari_ssp.service.TrainRequest`.
    replay, validation : pathlib.Path or None
        Folder that is mixed in, and folder that is scored instead of a part of the data.

    Raises
    ------
    ValueError
        When a number is out of its limits.
    """

    learn: str = own_field(CELLS, "Learn", "Cells from labels, or structures from fluorescence")
    base: str | None = own_field(
        "mediar-starter",
        "Base model",
        "Model that the new one starts from; it stays as it is",
    )
    name: str = _same("name")
    duration: tuple[float, str] = own_field(
        (10.0, MINUTES), "Train for", "How long to train at most; Stop keeps the best so far"
    )
    trainable: str = own_field(
        "all",
        "What learns",
        "Which part of the network learns. Less of it forgets less and needs fewer images",
    )
    augmentation: str = own_field(
        "standard", "Augmentation", "How strongly training images are varied"
    )
    learning_rate: float | None = own_field(
        None, "Learning rate", "Highest learning rate; empty takes what fits the trained part"
    )
    batch_size: int = _limited(8, "Batch", "Crops in a batch; less needs less memory", 2, 256)
    crop: int = _limited(256, "Crop", "Side of a crop in pixels, a multiple of 32", 32, 2048)
    replay: Path | None = own_field(  # noqa: RUF009
        None,
        "Replay",
        "Folder with images and labels that the base model does well; mixed in, so that it forgets "
        "nothing",
    )
    validation: Path | None = own_field(  # noqa: RUF009
        None,
        "Validation",
        "Folder that is scored and never learned from; without one a part of the data is set aside",
    )
    device: str = _same("device")

    def __post_init__(self) -> None:
        """Refuse values out of their limits."""
        check_limits(self)

    def request(
        self, data: tuple[Path, ...], output: Path
    ) -> TrainRequest | TrainStructuresRequest:
        """Make the request.

        Parameters
        ----------
        data : tuple of pathlib.Path
            Folders and tables to learn from.
        output : pathlib.Path
            Folder of the run.

        Raises
        ------
        ValueError
            When the choices do not go together.
        """
        if self.learn == CELLS:
            return TrainRequest(data, output, **self._values(TrainRequest))
        values = self._values(TrainStructuresRequest)
        values.pop("crop")  # of stacks it has three lengths
        return TrainStructuresRequest(data, output, **values)

    def _values(self, kind: type[Any]) -> dict[str, Any]:
        values = request_values(self, kind)
        values["validation"] = () if self.validation is None else (self.validation,)
        if "replay" in values:
            values["replay"] = () if self.replay is None else (self.replay,)
        most, unit = self.duration
        if unit == MINUTES:
            values["minutes"] = most
        elif "epochs" in kind.__dataclass_fields__:
            values |= {"minutes": None, "epochs": most}
        else:
            raise ValueError("Structures are trained for minutes. Choose minutes.")
        return values
