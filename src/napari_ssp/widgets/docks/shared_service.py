"""The model services of the viewer's process."""

from __future__ import annotations

import atexit
from functools import cache

from napari_ssp.preferences import read_preferences
from napari_ssp.service import ModelService

#: Purposes that have services of their own: a training is not to keep others waiting.
PREDICTION, TRAINING = "prediction", "training"


def preferred_choices(makes: str = "") -> dict[str, str]:
    """Choices that new docks begin with, as the Preferences say.

    Parameters
    ----------
    makes : str
        What the dock's models make: ``"objects"``, ``"images"`` or ``"errors"``.

    Returns
    -------
    dict of str to str
        Values by the names of a form's fields.
    """
    found = read_preferences()
    chosen = {"compute": found.where, "device": found.device, "precision": found.precision}
    chosen["model"] = getattr(found, makes) if makes else ""
    return {name: value for name, value in chosen.items() if value}


def shared_service(purpose: str = PREDICTION, compute: str = "local") -> ModelService:
    """Service that all docks share for a purpose and a place; closed when Python ends.

    A training has its own, so that images can be segmented meanwhile.

    Raises
    ------
    ValueError, ImportError, OSError
        When nothing can be computed at that place; the message says why.
    """
    return _open_service(purpose, compute)


@cache  # by both words, however they were given
def _open_service(purpose: str, compute: str) -> ModelService:
    service = ModelService(compute)
    atexit.register(service.close)
    return service
