"""Between instance labels and gradient flows, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from napari_ssp.flows.diffusion import labels_to_flows
    from napari_ssp.flows.tracking import flows_to_labels

__all__ = ["flows_to_labels", "labels_to_flows"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__, submod_attrs={"diffusion": ["labels_to_flows"], "tracking": ["flows_to_labels"]}
)
