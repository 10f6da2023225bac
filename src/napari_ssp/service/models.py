"""Networks that are loaded already."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_ssp.registry import ModelCard


class ModelCache:
    """Keeps the networks used last, by weights and device.

    Parameters
    ----------
    size : int
        Networks kept at most.
    """

    def __init__(self, size: int = 2) -> None:
        self._size = size
        self._networks: OrderedDict[tuple[str, str], nn.Module] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, card: ModelCard, device: torch.device) -> nn.Module:
        """Network of a card on a device, loaded only when it is not there."""
        from napari_ssp.registry import load_model  # loads torch

        key = (card.sha256, str(device))
        with self._lock:
            if key not in self._networks:
                self._networks[key] = load_model(card, device)
            self._networks.move_to_end(key)
            while len(self._networks) > self._size:
                self._networks.popitem(last=False)
            return self._networks[key]

    def clear(self) -> None:
        """Forget all networks."""
        with self._lock:
            self._networks.clear()
