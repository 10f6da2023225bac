"""The one model service of the viewer's process."""

from __future__ import annotations

import atexit
from functools import cache

from napari_ssp.service import ModelService


@cache
def shared_service() -> ModelService:
    """Service that all docks share, so that networks are loaded once; closed when Python ends."""
    service = ModelService()
    atexit.register(service.close)
    return service
