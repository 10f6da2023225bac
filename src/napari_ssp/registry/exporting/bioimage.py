"""Exporter of models as BioImage.IO packages, with the network as TorchScript."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_ssp.atomic import atomic_path
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry.catalogue import find_card
from napari_ssp.registry.describing import card_lines
from napari_ssp.registry.digests import hash_file
from napari_ssp.registry.exporting.bioimage_description import describe_package
from napari_ssp.registry.exporting.onnx import OPSET, check_onnx, onnx_graph
from napari_ssp.registry.exporting.plain_network import (
    apply_preprocessing,
    build_plain_network,
    choose_task,
    make_example,
)
from napari_ssp.registry.model_archive import check_export
from napari_ssp.scratch import scratch_folder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from napari_ssp.registry.card import ModelCard


def export_bioimage_steps(
    model: str | Path,
    path: Path,
    task: str | None = None,
    overwrite: bool = False,
    with_onnx: bool = False,
) -> Steps[Path]:
    """Write an installed model as a BioImage.IO package.

    Parameters
    ----------
    model : str or pathlib.Path
        Name, or folder.
    path : pathlib.Path
        File to write, with the ending ``.zip``.
    task : str or None
        Structure, where the model predicts several: a package holds the merged network of one.
    overwrite : bool
        Replace a file of that name.
    with_onnx : bool
        Put the network in as an ONNX graph, too.

    Yields
    ------
    Progress
        Stages.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FileExistsError, FileNotFoundError
        As `export_steps`.
    ImportError
        When onnx or onnxruntime is wanted and not installed.
    ValueError
        When the task is missing or not the model's, or the weights are damaged.
    """
    card = find_card(model)
    check_export(card, path, overwrite)
    chosen = choose_task(card, task)
    if with_onnx:
        check_onnx()
    with (
        atomic_path(path, overwrite) as temporary,
        scratch_folder(path.parent) as scratch,
    ):
        script = scratch / "weights.pt"
        yield Progress(f"loading {card.name}")
        network, stride = build_plain_network(card, chosen)
        example = make_example(card, stride)
        yield Progress(f"tracing {card.name}")
        output = _trace(network, apply_preprocessing(card, example), script)
        digests = yield from hash_file(script, "verifying weights.pt")
        content = describe_package(card, chosen, stride)
        content["weights"] |= {"torchscript": _weights(digests.sha256)}
        content["config"] |= {"bioimageio": _tolerance(output)}
        graph = b""
        if with_onnx:
            yield Progress("writing weights.onnx")
            graph = _graph(network, apply_preprocessing(card, example))
            content["weights"] |= {"onnx": _onnx_weights(graph)}
        content["timestamp"] = datetime.now(UTC).isoformat(timespec="seconds")
        yield Progress(f"writing {path.name}")
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            # JSON is YAML, and needs no further library.
            archive.writestr("rdf.yaml", json.dumps(content, indent=2, ensure_ascii=False))
            archive.writestr("README.md", _page(card, chosen))
            archive.writestr("test_input.npy", _as_file(example))
            archive.writestr("test_output.npy", _as_file(output))
            archive.write(script, "weights.pt")
            if graph:
                archive.writestr("weights.onnx", graph)
    return path


def _trace(network: nn.Module, values: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    import torch

    tensor, jit = torch.from_numpy(values), cast("Any", torch.jit)
    # Deprecated in favour of a format that BioImage.IO does not know.
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        jit.save(jit.trace(network, tensor, check_trace=False), str(path))
        output: NDArray[np.float32] = network(tensor).numpy()
    return output


def _tolerance(output: NDArray[np.float32]) -> dict[str, Any]:
    """How exactly others must compute the test output: the format allows a hundredth of it."""
    absolute = min(1e-3, 5e-3 * max(float(output.max()), 0.0))
    entry = {"relative_tolerance": 1e-3, "absolute_tolerance": absolute}
    return {"reproducibility_tolerance": [entry]}


def _weights(sha256: str) -> dict[str, Any]:
    import torch

    version = re.match(r"\d+\.\d+\.\d+", torch.__version__)
    return {
        "source": "weights.pt",
        "sha256": sha256,
        "pytorch_version": version[0] if version else "2.6.0",
    }


def _graph(network: nn.Module, values: NDArray[np.float32]) -> bytes:
    import torch

    return onnx_graph(network, torch.from_numpy(values))


def _onnx_weights(graph: bytes) -> dict[str, Any]:
    return {
        "source": "weights.onnx",
        "sha256": hashlib.sha256(graph).hexdigest(),
        "opset_version": OPSET,
        "parent": "torchscript",
    }


def _page(card: ModelCard, task: str) -> str:
    lines = "\n".join(f"- **{label}**: {text}" for label, text in card_lines(card))
    return f"# {card.name}: {task}\n\nExported by napari-ssp.\n\n{lines}\n"


def _as_file(values: NDArray[np.float32]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()
