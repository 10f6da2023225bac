"""The model services of the viewer's process."""

from __future__ import annotations

import atexit
from functools import cache

from napari_ssp.service import ModelService


@cache
def shared_service(purpose: str = "prediction") -> ModelService:
    """Service that all docks share for a purpose; closed when Python ends.

    A training has its own, so that images can be segmented meanwhile.
    """
    service = ModelService()
    atexit.register(service.close)
    return service
