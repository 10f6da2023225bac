"""Networks that are loaded already."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import nn

    from napari_ssp.networks import RepMode
    from napari_ssp.registry import ModelCard


class ModelCache:
    """Keeps the networks used last, by weights and device.

    Parameters
    ----------
    size : int
        Networks kept at most.
    merged_bytes : int
        Memory that networks merged for one structure may take together; the last one always stays.
    """

    def __init__(self, size: int = 4, merged_bytes: int = 3 * 2**30) -> None:
        self._size = size
        self._merged_bytes = merged_bytes
        self._networks: OrderedDict[tuple[str, str, str], Any] = OrderedDict()
        self._merged: OrderedDict[tuple[str, int, str, str, int], nn.Module] = OrderedDict()
        #: Seconds of a window, by what they depend on.
        self.paces: dict[tuple[Any, ...], float] = {}
        self._users: weakref.WeakSet[object] = weakref.WeakSet()
        self._lock = threading.Lock()

    def get(
        self, card: ModelCard, device: torch.device | str, dtype: torch.dtype | None = None
    ) -> nn.Module:
        """Network of a card on a device, loaded only when it is not there.

        One that is asked for in a number format sees planes, channels last, and only predicts:
        its batch normalisation is folded away.
        """
        with self._lock:
            return self._get(card, str(device), dtype)

    def merged(
        self, card: ModelCard, task: int, device: torch.device, dtype: torch.dtype, depth: int
    ) -> nn.Module:
        """Plain network of one of a RepMode's tasks; another task costs a merge, not a load.

        On the CPU in float32 its convolutions are Winograd's, for patches of ``depth`` planes.
        """
        import torch

        from napari_ssp.engine.acceleration.winograd import use_winograd  # loads torch

        is_winograd = (device.type, dtype) == ("cpu", torch.float32)
        # By depth, though it could serve thinner patches: the last digits must not depend on which
        # came first.
        key = (card.sha256, task, str(device), str(dtype), depth if is_winograd else 0)
        with self._lock:
            if key not in self._merged:
                # The experts stay in main memory; only what computes goes to the device.
                network = cast("RepMode", self._get(card, "cpu")).merge(task)
                if is_winograd:
                    use_winograd(network, network.depths(depth))
                network = network.to(device, dtype)
                self._merged[key] = network.to(memory_format=torch.channels_last_3d)
            self._merged.move_to_end(key)
            while len(self._merged) > 1 and self._taken() > self._merged_bytes:
                self._merged.popitem(last=False)
            return self._merged[key]

    def held(self, key: tuple[str, str, str], load: Callable[[], Any]) -> Any:
        """Return what another program loads, kept as networks are: by weights, device, format."""
        with self._lock:
            if key not in self._networks:
                self._networks[key] = load()
            return self._used(key)

    def open(self, user: object) -> None:
        """Note who uses the networks."""
        with self._lock:
            self._users.add(user)

    def close(self, user: object) -> None:
        """Note that somebody uses them no more; the last one to leave clears them."""
        with self._lock:
            self._users.discard(user)
            is_last = not self._users
        if is_last:
            self.clear()

    def clear(self) -> None:
        """Forget all networks."""
        with self._lock:
            self._networks.clear()
            self._merged.clear()

    def _get(self, card: ModelCard, device: str, dtype: torch.dtype | None = None) -> nn.Module:
        from napari_ssp.registry import load_model  # loads torch

        key = (card.sha256, device, str(dtype))
        if key not in self._networks:
            self._networks[key] = (
                load_model(card, device) if dtype is None else _load_for_planes(card, device, dtype)
            )
        return cast("nn.Module", self._used(key))

    def _used(self, key: tuple[str, str, str]) -> Any:
        """Return what is kept under a key, which is now the last that was used."""
        self._networks.move_to_end(key)
        while len(self._networks) > self._size:
            self._networks.popitem(last=False)
        return self._networks[key]

    def _taken(self) -> int:
        parts = (part for network in self._merged.values() for part in network.parameters())
        return sum(part.numel() * part.element_size() for part in parts)


def _load_for_planes(card: ModelCard, device: str, dtype: torch.dtype) -> nn.Module:
    import torch

    from napari_ssp.engine.acceleration.folding import fold_batch_norm  # loads torch
    from napari_ssp.engine.acceleration.mish import use_quick_mish
    from napari_ssp.registry import load_model

    network = load_model(card)  # folded in float32 on the CPU, wherever it computes later
    channels, side = card.network.get("in_channels", 3), 2 * cast("Any", network).stride
    noise = torch.Generator().manual_seed(0)
    fold_batch_norm(network, torch.rand(1, channels, side, side, generator=noise))
    use_quick_mish(network)
    # Channels last is faster for 2D convolutions, on cards and on processors.
    return network.to(device, dtype).to(memory_format=torch.channels_last)
