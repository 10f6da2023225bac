"""Networks as ONNX graphs, for other programs; proved with onnxruntime."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import atomic_path
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry.catalogue import find_card
from napari_ssp.registry.exporting.plain_network import (
    apply_preprocessing,
    build_plain_network,
    choose_task,
    make_example,
)
from napari_ssp.registry.model_archive import check_export

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

#: Version of the operators; programs of the last years know it.
OPSET = 17
#: Largest difference from torch, of the largest value.
_TOLERANCE = 1e-4


def export_onnx_steps(
    model: str | Path, path: Path, task: str | None = None, overwrite: bool = False
) -> Steps[Path]:
    """Write an installed model's network as an ONNX graph with its weights.

    Parameters
    ----------
    model : str or pathlib.Path
        Name, or folder.
    path : pathlib.Path
        File to write, with the ending ``.onnx``.
    task : str or None
        Structure, where the model predicts several.
    overwrite : bool
        Replace a file of that name.

    Yields
    ------
    Progress
        Stages.

    Returns
    -------
    pathlib.Path
        The file: input (N, C, spatial), output (N, C_out, spatial), any N and lengths that are
        multiples of what the network halves.

    Raises
    ------
    FileExistsError, FileNotFoundError
        As `export_steps`.
    ImportError
        When onnx or onnxruntime is not installed.
    ValueError
        When the task is missing or not the model's, or the weights are damaged.
    """
    import torch

    card = find_card(model)
    check_export(card, path, overwrite, ".onnx")
    check_onnx()
    chosen = choose_task(card, task)
    yield Progress(f"loading {card.name}")
    network, stride = build_plain_network(card, chosen)
    values = torch.from_numpy(apply_preprocessing(card, make_example(card, stride)))
    yield Progress(f"writing {path.name}")
    content = onnx_graph(network, values)
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(content)
    return path


def check_onnx() -> None:
    """Refuse with an ImportError when what writes and proves graphs is not installed."""
    missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f'ONNX needs {" and ".join(missing)}: pip install "napari-ssp[onnx]", then try again.'
        )


def onnx_graph(network: nn.Module, values: Tensor) -> bytes:
    """Graph of a network, compared with it on other lengths and another batch.

    Parameters
    ----------
    network : torch.nn.Module
        On the CPU, in evaluation mode.
    values : torch.Tensor
        Example of an input.

    Returns
    -------
    bytes
        Content of a file.

    Raises
    ------
    RuntimeError
        When the graph computes something else.
    """
    import torch

    buffer = BytesIO()
    names = {0: "batch", **{k: f"length_{k}" for k in range(2, values.ndim)}}
    onnx: Any = torch.onnx
    # The older exporter: the newer one writes SegFormers whose lengths are fixed.
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        onnx.export(
            network,
            (values,),
            buffer,
            input_names=["image"],
            output_names=["prediction"],
            dynamic_axes={"image": names, "prediction": names},
            opset_version=OPSET,
            dynamo=False,
        )
    _prove(network, buffer.getvalue(), values)
    return buffer.getvalue()


def _prove(network: nn.Module, content: bytes, values: Tensor) -> None:
    import onnxruntime as ort
    import torch

    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(content, options, ["CPUExecutionProvider"])
    longer = torch.cat([values.flip(-1), values], dim=-1)
    for given in (values, torch.cat([longer, -longer])):
        found = session.run(None, {"image": given.numpy()})[0]
        with torch.inference_mode():
            wanted = network(given).numpy()
        difference = float(np.abs(found - wanted).max())
        if not difference <= _TOLERANCE * max(float(np.abs(wanted).max()), 1e-6):
            raise RuntimeError(
                f"The ONNX graph differs from the network by {difference:.3g}, so it was not "
                "written. Please report this, with the versions of torch and onnx."
            )
