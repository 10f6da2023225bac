"""Network architectures, as plain torch modules that never download anything."""

from __future__ import annotations

from napari_ssp.networks.mediar import MediarFormer
from napari_ssp.networks.repmode import RepMode

__all__ = ["MediarFormer", "RepMode"]
