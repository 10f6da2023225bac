"""Export models as BioImage.IO packages, with the network as TorchScript."""

from __future__ import annotations

import json
import re
import uuid
import warnings
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_ssp.progress import Progress, Steps
from napari_ssp.registry.bioimage_description import describe_package
from napari_ssp.registry.catalogue import find_card
from napari_ssp.registry.describing import card_lines
from napari_ssp.registry.digests import hashed
from napari_ssp.registry.packages import check_target

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from napari_ssp.registry.card import ModelCard


def export_bioimage_steps(
    model: str | Path, path: Path, task: str | None = None, overwrite: bool = False
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
    ValueError
        When the task is missing or not the model's, or the weights are damaged.
    """
    card = find_card(model)
    check_target(card, path, overwrite)
    chosen = _task(card, task)
    temporary = path.with_name(f".{uuid.uuid4().hex}.zip")
    script = path.with_name(f".{uuid.uuid4().hex}.pt")
    try:
        yield Progress(f"loading {card.name}")
        network, stride = _network(card, chosen)
        example = _example(card, stride)
        yield Progress(f"tracing {card.name}")
        output = _trace(network, prepared(card, example), script)
        digests = yield from hashed(script, "verifying weights.pt")
        content = describe_package(card, chosen, stride)
        content["weights"] |= {"torchscript": _weights(digests.sha256)}
        content["timestamp"] = datetime.now(UTC).isoformat(timespec="seconds")
        yield Progress(f"writing {path.name}")
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            # JSON is YAML, and needs no further library.
            archive.writestr("rdf.yaml", json.dumps(content, indent=2, ensure_ascii=False))
            archive.writestr("README.md", _page(card, chosen))
            archive.writestr("test_input.npy", _as_file(example))
            archive.writestr("test_output.npy", _as_file(output))
            archive.write(script, "weights.pt")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        script.unlink(missing_ok=True)
    return path


def _task(card: ModelCard, task: str | None) -> str:
    if task is None and len(card.tasks) == 1:
        return card.tasks[0]
    if task not in card.tasks:
        said = f"'{task}' is none of them" if task else "choose one"
        raise ValueError(
            f"A package predicts one structure, {said}: '{card.name}' has {', '.join(card.tasks)}."
        )
    return task


def _network(card: ModelCard, task: str) -> tuple[nn.Module, int]:
    """Plain network of a task, and the number of which its input's lengths are multiples."""
    from napari_ssp.registry.weights import load_model  # loads torch

    network: Any = load_model(card)
    stride = int(network.stride)
    merged = card.family == "repmode"
    return (network.merge(card.tasks.index(task)) if merged else network), stride


def _example(card: ModelCard, stride: int) -> NDArray[np.float32]:
    """Input with known percentiles: 0 and 1, each in a twentieth of its pixels."""
    chance = np.random.default_rng(0)
    if card.family == "repmode":
        return chance.normal(size=(1, 1, stride, 2 * stride, 2 * stride)).astype(np.float32)
    values = chance.uniform(size=(1, 3, 4 * stride, 2 * stride)).astype(np.float32)
    places = chance.permutation(values.size)
    values.flat[places[: values.size // 20]] = 0.0
    values.flat[places[-values.size // 20 :]] = 1.0
    return values


def prepared(card: ModelCard, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Do to the example what the package says is done to an input."""
    shift, scale = 0.0, 1.0
    if card.family == "repmode":
        shift, scale = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    scaled = ((values - shift) / (scale + 1e-6)).astype(np.float32)
    return scaled if card.family == "repmode" else scaled.clip(0, 1)


def _trace(network: nn.Module, values: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    import torch

    tensor, jit = torch.from_numpy(values), cast("Any", torch.jit)
    # Deprecated in favour of a format that BioImage.IO does not know.
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        jit.save(jit.trace(network, tensor, check_trace=False), str(path))
        output: NDArray[np.float32] = network(tensor).numpy()
    return output


def _weights(sha256: str) -> dict[str, Any]:
    import torch

    version = re.match(r"\d+\.\d+\.\d+", torch.__version__)
    return {
        "source": "weights.pt",
        "sha256": sha256,
        "pytorch_version": version[0] if version else "2.6.0",
    }


def _page(card: ModelCard, task: str) -> str:
    lines = "\n".join(f"- **{label}**: {text}" for label, text in card_lines(card))
    return f"# {card.name}: {task}\n\nExported by napari-ssp.\n\n{lines}\n"


def _as_file(values: NDArray[np.float32]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()
