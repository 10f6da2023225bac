"""Networks of BioImage.IO packages: a graph of ONNX, or a program of TorchScript."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import torch

from napari_ssp.registry.trust import UntrustedError, is_trusted

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.registry.card import ModelCard


def load_package(card: ModelCard, device: str | torch.device = "cpu") -> torch.nn.Module:
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
    try:
        if card.network["format"] == "onnx":
            return OnnxNetwork(card.weights)
        if not is_trusted(card.sha256):
            raise UntrustedError(
                f"'{card.name}' is a program (TorchScript) that nobody agreed to on this computer. "
                "Import its package and agree, if you trust who made it."
            )
        return ScriptNetwork(card.weights, device)
    except (RuntimeError, ValueError, EOFError) as error:
        words = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ValueError(
            f"{card.weights.name} of '{card.name}' cannot be loaded: {words}"
        ) from error


def has_onnx() -> bool:
    """Whether onnxruntime is installed."""
    return find_spec("onnxruntime") is not None


class ScriptNetwork(torch.nn.Module):
    """Runs a program of TorchScript.

    Parameters
    ----------
    path : pathlib.Path
        The program, with its weights in it.
    device : str or torch.device
        Where it computes.
    """

    def __init__(self, path: Path, device: str | torch.device = "cpu") -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated in favour of what packages do not have
            self._script = _jit().load(str(path), map_location=device).eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the first output."""
        # Optimised, the first calls would differ from later ones in their last digits.
        with _jit().optimized_execution(False):
            found = self._script(x)
        return cast("torch.Tensor", found[0] if isinstance(found, tuple | list) else found)


def _jit() -> Any:
    """Return the module of TorchScript, which has no types."""
    return torch.jit


class OnnxNetwork(torch.nn.Module):
    """Runs a graph of ONNX on the CPU, with tensors in and out.

    Parameters
    ----------
    path : pathlib.Path
        The graph, with its weights in it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        if not has_onnx():
            raise ModuleNotFoundError(
                "This model is in the ONNX format, which needs onnxruntime: pip install "
                '"napari-ssp[onnx]", then start again.'
            )
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            # From memory: a graph that names other files cannot have them.
            content = path.read_bytes()
            self._session = ort.InferenceSession(content, options, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has errors of its own
            raise ValueError(str(error)) from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ValueError(f"the graph has {len(inputs)} inputs, not one")
        self._input = inputs[0].name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the first output."""
        found = self._session.run(None, {self._input: x.detach().cpu().float().numpy()})[0]
        return torch.from_numpy(found).to(x.device)
