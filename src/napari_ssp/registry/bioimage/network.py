"""Networks of BioImage.IO packages: a graph of ONNX, or a program of TorchScript."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from napari_ssp.registry.bioimage.graph_process import GraphProcess, GraphRequest
from napari_ssp.registry.trust import UntrustedError, is_trusted

if TYPE_CHECKING:
    from napari_ssp.registry.card import ModelCard


def load_package(card: ModelCard, device: str | torch.device = "cpu") -> PackageNetwork:
    """Network of a package whose digest was compared with its card's; it starts when it is needed.

    Raises
    ------
    ImportError
        When it needs onnxruntime, which is not installed.
    UntrustedError
        When it is a program that nobody on this computer has agreed to run.
    """
    if card.network["format"] == "onnx":
        if not has_onnx():
            raise ModuleNotFoundError(
                "This model is in the ONNX format, which needs onnxruntime: pip install "
                '"napari-ssp[onnx]", then start again.'
            )
        device = "cpu"
    elif not is_trusted(card.sha256):
        raise UntrustedError(
            f"'{card.name}' is a program (TorchScript) that nobody agreed to on this computer. "
            "Import its package and agree, if you trust who made it."
        )
    network = _PROVEN.pop((card.sha256, str(device)), None)
    if network is None:
        return PackageNetwork(card, device)
    network.process.path = card.weights
    return network


#: The network that was imported last, by digest and device: as a rule it is used at once.
_PROVEN: dict[tuple[str, str], PackageNetwork] = {}
_KEPT = 60.0  # seconds


def keep_proven(card: ModelCard, network: PackageNetwork) -> None:
    """Keep the process of a network that was just imported for a while; its start takes seconds."""
    for earlier in list(_PROVEN):
        _end_proven(earlier)
    key = (card.sha256, "cpu")
    _PROVEN[key] = network
    timer = threading.Timer(_KEPT, _end_proven, [key])
    timer.daemon = True
    timer.start()


def _end_proven(key: tuple[str, str]) -> None:
    network = _PROVEN.pop(key, None)
    if network is not None:
        network.stop()


def has_onnx() -> bool:
    """Whether onnxruntime is installed."""
    return find_spec("onnxruntime") is not None


class PackageNetwork(torch.nn.Module):
    """Runs the network of a package in a process of its own, with tensors in and out.

    Parameters
    ----------
    card : ModelCard
        Of the package.
    device : str or torch.device
        Where it computes.
    """

    def __init__(self, card: ModelCard, device: str | torch.device = "cpu") -> None:
        super().__init__()
        self.process = GraphProcess(
            card.name,
            card.weights,
            card.network["format"],
            device=str(device),
            threads=torch.get_num_threads(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the first output; errors as of `GraphProcess.compute`."""
        return _on_tensors(self.process, x)

    def stop(self) -> None:
        """End the process; the next request starts it anew."""
        self.process.stop()


class RequestedNetwork(torch.nn.Module):
    """The network of a package as one request uses it, with tensors in and out.

    Parameters
    ----------
    network : PackageNetwork
        Whose process computes.
    """

    def __init__(self, network: PackageNetwork) -> None:
        super().__init__()
        self._request = GraphRequest(network.process)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the first output; errors as of `GraphProcess.compute`."""
        return _on_tensors(self._request, x)

    def stop(self) -> None:
        """End what is computed for this request, and refuse what it asks for later."""
        self._request.stop()


def _on_tensors(network: GraphProcess | GraphRequest, x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(network.compute(x.detach().cpu().float().numpy())).to(x.device)
