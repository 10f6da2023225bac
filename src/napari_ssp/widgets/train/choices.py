"""Choices of the user in the Train dock, as one value."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari_ssp.registry.folders import DEFAULT_MODEL
from napari_ssp.schema import checked_dataclass, choice, describe_fields, same_choice
from napari_ssp.service import TrainRequest, TrainStructuresRequest
from napari_ssp.service.compute.places import LOCAL
from napari_ssp.widgets.forms.choice_fields import COMPUTE_HELP, request_values

_same = partial(same_choice, TrainRequest)
CELLS, STRUCTURES = "cells", "structures"
MINUTES, EPOCHS = "minutes", "epochs"


@checked_dataclass(frozen=True)
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
    trainable, augmentation, learning_rate, batch_size, fit_to_time, crop, device
        As in :class:`napari_ssp.service.TrainRequest`.
    replay, validation : pathlib.Path or None
        Folder that is mixed in, and folder that is scored instead of a part of the data.
    compute : str
        Where it is trained.

    Raises
    ------
    ValueError
        When a number is out of its limits.
    """

    learn: str = choice(CELLS, "Learn", "Cells from labels, or structures from fluorescence")
    base: str | None = choice(
        DEFAULT_MODEL,
        "Base model",
        "Model that the new one starts from; it stays as it is",
    )
    name: str = _same("name")
    # Shorter than a request's own time: who sits in front of it wants to see something soon.
    duration: tuple[float, str] = choice(
        (10.0, MINUTES), "Train for", "How long to train at most; Stop keeps the best so far"
    )
    trainable: str = _same(
        "trainable",
        label="What learns",
        help="Which part of the network learns. Less of it forgets less and needs fewer images",
    )
    augmentation: str = _same("augmentation", help="How strongly training images are varied")
    learning_rate: float | None = choice(
        None, "Learning rate", "Highest learning rate; empty takes what fits the trained part"
    )
    batch_size: int = _same("batch_size")
    fit_to_time: bool = _same("fit_to_time")
    crop: int = _same("crop")
    replay: Path | None = choice(
        None,
        "Replay",
        "Folder with images and labels that the base model does well; mixed in, so that it forgets "
        "nothing",
    )
    validation: Path | None = choice(
        None,
        "Validation",
        "Folder that is scored and never learned from; without one a part of the data is set aside",
    )
    device: str = _same("device")
    compute: str = choice(LOCAL, "Compute", COMPUTE_HELP)

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
        elif "epochs" in describe_fields(kind):
            values |= {"minutes": None, "epochs": most}
        else:
            raise ValueError("Structures are trained for minutes. Choose minutes.")
        return values
