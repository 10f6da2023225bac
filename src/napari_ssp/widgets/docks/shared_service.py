"""The model services of the viewer's process."""

from __future__ import annotations

import atexit
from functools import cache

from napari.settings import get_plugin_settings

from napari_ssp.service import ModelService
from napari_ssp.service.compute.places import LOCAL


def preferred_place() -> str:
    """Where new docks compute, as the Preferences say; here where napari does not know them."""
    settings = getattr(get_plugin_settings().get("napari-ssp"), "compute", None)
    return str(settings.where) if settings is not None and settings.where else LOCAL


@cache
def shared_service(purpose: str = "prediction", compute: str = "local") -> ModelService:
    """Service that all docks share for a purpose and a place; closed when Python ends.

    A training has its own, so that images can be segmented meanwhile.

    Raises
    ------
    ValueError, ImportError, OSError
        When nothing can be computed at that place; the message says why.
    """
    service = ModelService(compute)
    atexit.register(service.close)
    return service
