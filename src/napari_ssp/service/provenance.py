"""Provenance of a result: enough to make it again."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ssp.registry import ModelCard

PACKAGES = ("napari-ssp", "torch", "segmentation-models-pytorch", "numpy", "scipy", "numba")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def devices() -> list[dict[str, Any]]:
    """Devices that a network can run on here: name, description, memory in bytes."""
    from napari_ssp.engine import available_devices  # loads torch

    return [asdict(device) for device in available_devices()]


def describe_run(
    request: dict[str, Any], card: ModelCard, device: str, seconds: float
) -> dict[str, Any]:
    """JSON-ready record of a finished run."""
    return {
        "request": request,
        "model": {"name": card.name, "family": card.family, "sha256": card.sha256},
        "device": device,
        "seconds": round(seconds, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }
