"""Noisy network output with the labels that MEDIAR finds in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from flow_inputs import make_labels, make_outputs

from napari_ssp.flows import labels_to_flows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def noisy_output(reference: Path) -> Callable[[str], Any]:
    """Flows and probabilities of a kind of labels, and the original's labels for them."""
    golden: Any = np.load(reference / "flows_shared.npz")

    def make(kind: str) -> Any:
        labels, key = make_labels(kind, 0), f"{kind}_flow_mediar"
        # The largest flows are not kept whole; ours differ from them by less than 1e-4.
        flow = golden[key] if key in golden else labels_to_flows(labels)
        return make_outputs(flow, labels, 0, noise=0.5), golden[f"{kind}_noisy_masks_mediar"]

    return make
