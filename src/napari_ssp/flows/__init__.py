"""Conversion between instance labels and gradient flows, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from napari_ssp.flows.diffusion import labels_to_flows
    from napari_ssp.flows.field import FlowField, TrackingSettings
    from napari_ssp.flows.linking import link_labels, link_stored
    from napari_ssp.flows.orthogonal import combine_orthogonal_flows
    from napari_ssp.flows.stitching import stitch_labels
    from napari_ssp.flows.tracking import batch_to_labels, flows_to_labels

__all__ = [
    "FlowField",
    "TrackingSettings",
    "batch_to_labels",
    "combine_orthogonal_flows",
    "flows_to_labels",
    "labels_to_flows",
    "link_labels",
    "link_stored",
    "stitch_labels",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "diffusion": ["labels_to_flows"],
        "field": ["FlowField", "TrackingSettings"],
        "linking": ["link_labels", "link_stored"],
        "orthogonal": ["combine_orthogonal_flows"],
        "stitching": ["stitch_labels"],
        "tracking": ["batch_to_labels", "flows_to_labels"],
    },
)
