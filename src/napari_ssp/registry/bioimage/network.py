"""Networks of BioImage.IO packages: a graph of ONNX, or a program of TorchScript."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from napari_ssp.registry.bioimage.graph_process import GraphError, GraphProcess
from napari_ssp.registry.trust import UntrustedError, is_trusted

if TYPE_CHECKING:
    from napari_ssp.registry.card import ModelCard


def load_package(card: ModelCard, device: str | torch.device = "cpu") -> PackageNetwork:
    """Network of a package whose digest was compared with its card's.

    Raises
    ------
    ImportError
        When it needs onnxruntime, which is not installed.
    UntrustedError
        When it is a program that nobody on this computer has agreed to run.
    ValueError
        When it is damaged, or asks for something that is not there.
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
    network = PackageNetwork(card, device)
    try:
        network.process.start()
    except GraphError as error:
        raise ValueError(
            f"{card.weights.name} of '{card.name}' cannot be loaded: {error}"
        ) from error
    return network


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
        found = self.process.compute(x.detach().cpu().float().numpy())
        return torch.from_numpy(found).to(x.device)

    def stop(self) -> None:
        """End what it computes; the next call starts it anew."""
        self.process.stop()
