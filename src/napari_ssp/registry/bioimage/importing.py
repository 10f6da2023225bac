"""Importer of BioImage.IO packages: as a network of ours, or as a file run as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.progress import Progress, Steps, in_background
from napari_ssp.registry.bioimage.files import PackageFiles
from napari_ssp.registry.bioimage.graph_process import GraphError, GraphRequest
from napari_ssp.registry.bioimage.network import PackageNetwork, has_onnx, keep_proven
from napari_ssp.registry.bioimage.operations import apply_operations
from napari_ssp.registry.bioimage.reading import Entry, build_card, choose_weights, read_about
from napari_ssp.registry.digests import hash_file
from napari_ssp.registry.trust import UntrustedError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.registry.card import ModelCard

_LONGEST_TENSOR = 2**28
#: Largest difference from the package's own test output, of its largest value.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Unpacked:
    """A package's network in a file, and what it is.

    Attributes
    ----------
    card : ModelCard
        Its card; of a network of ours, None: the weights say what it is.
    weights : pathlib.Path
        In a temporary folder.
    about : dict
        What the description says for a reader: entries of a card.
    """

    card: ModelCard | None
    weights: Path
    about: dict[str, Any]


def unpack_bioimage(path: Path, name: str, folder: Path, trusted: bool) -> Steps[Unpacked]:
    """Choose weights of a package that can be used, unpack them and prove them.

    Parameters
    ----------
    path : pathlib.Path
        Archive or folder.
    name : str
        Name of the model.
    folder : pathlib.Path
        Where files are unpacked to.
    trusted : bool
        Run weights that are a program, TorchScript.

    Raises
    ------
    ImportError
        When onnxruntime is needed and not installed.
    UntrustedError
        When only a program is there, and it was not agreed to.
    ValueError
        When nothing can be used, or it does not compute what the package says.
    """
    files = PackageFiles(path)
    content = files.description()
    about = {**read_about(content), "origin": f"imported from {path.name}"}
    try:
        entries = choose_weights(content)
        entry = _chosen(entries, path, trusted)
        card = None if entry.kind == "pytorch_state_dict" else build_card(content, name, entry.kind)
    except ValueError as error:
        raise ValueError(f"{path.name} cannot be imported: {error}.") from error
    weights = folder / (card.weights_file if card else "weights.pth")
    yield from files.extract(entry.source, weights)
    digests = yield from hash_file(weights, f"verifying {entry.source}")
    if entry.sha256 and entry.sha256 != digests.sha256:
        raise ValueError(
            f"'{entry.source}' in {path.name} has the sha256 {digests.sha256[:12]}…, the "
            f"description says {entry.sha256[:12]}…: it is damaged or was replaced. Download it "
            "again."
        )
    if card is None:
        return Unpacked(None, weights, about)
    card = replace(card, sha256=digests.sha256, folder=folder)
    card = replace(card, origin=f"imported from {path.name}, sha256 {digests.sha256}")
    yield Progress(f"testing {card.name}")
    yield from _prove(card, files, content)
    return Unpacked(card, weights, about)


def description_name(path: Path) -> str:
    """Name of a package's model, as its description says."""
    return str(PackageFiles(path).description().get("name") or path.stem)


def _chosen(entries: list[Entry], path: Path, trusted: bool) -> Entry:
    """Weights to take: ours before graphs, graphs before programs."""
    by_kind = {entry.kind: entry for entry in entries}
    ours = by_kind.get("pytorch_state_dict")
    if ours is not None and ours.architecture in ("MediarFormer", "RepMode"):
        return ours
    if "onnx" in by_kind and has_onnx():
        return by_kind["onnx"]
    if "torchscript" in by_kind and trusted:
        return by_kind["torchscript"]
    if "onnx" in by_kind:
        raise ModuleNotFoundError(
            f"{path.name} holds an ONNX network, which needs onnxruntime: pip install "
            '"napari-ssp[onnx]", then import it again.'
        )
    if "torchscript" in by_kind:
        raise UntrustedError(
            f"{path.name} holds a program (TorchScript). Programs can do harm, so it was not "
            "opened. Agree to it only if you trust who made it: 'models import --trust', or the "
            "question of the Models dock."
        )
    if ours is not None:
        raise ValueError(
            f"its weights need the code of '{ours.architecture}', and code of packages is never "
            "run. Packages with ONNX or TorchScript weights can be used"
        )
    raise ValueError(
        f"its weights are {', '.join(by_kind)}; supported are ONNX, TorchScript, and state dicts "
        "of MEDIAR and RepMode"
    )


def _prove(card: ModelCard, files: PackageFiles, content: dict[str, Any]) -> Steps[None]:
    """Compute the package's own test, and refuse a network that gives something else."""
    given, wanted = (_tensor(files, content[key][0]) for key in ("inputs", "outputs"))
    if given is None or wanted is None:
        return
    axes = ("channel", *card.axes)
    before = apply_operations(given[0], axes, card.network["preprocessing"])
    network = PackageNetwork(card)
    try:
        request = GraphRequest(network.process)
        found = yield from in_background(_compute(card, request, before[None]), request.stop)
    except GraphError as error:
        raise ValueError(f"{files.path.name} cannot be imported: {error}") from error
    if found.shape != wanted.shape:
        raise ValueError(
            f"The network in {files.path.name} does not give what its description says: "
            f"{found.shape} instead of {wanted.shape}."
        )
    after = apply_operations(found[0], axes, card.network["postprocessing"])
    difference = float(np.abs(after - wanted[0]).max())
    if not difference <= _TOLERANCE * max(float(np.abs(wanted).max()), 1e-6):
        raise ValueError(
            f"The network in {files.path.name} does not compute its own test output: the largest "
            f"difference is {difference:.3g}. The package is damaged, or asks for something that "
            "is done in another way here."
        )
    keep_proven(card, network)


def _compute(card: ModelCard, request: GraphRequest, values: NDArray[np.float32]) -> Steps[Any]:
    """Compute what a package's network gives."""
    yield Progress(f"testing {card.name}")
    return request.compute(values)


def _tensor(files: PackageFiles, entry: dict[str, Any]) -> NDArray[Any] | None:
    tensor = entry.get("test_tensor")
    source = tensor.get("source") if isinstance(tensor, dict) else None
    if not isinstance(source, str):
        return None
    try:
        found: NDArray[Any] = np.load(
            BytesIO(files.read(source, _LONGEST_TENSOR)), allow_pickle=False
        )
    except (OSError, EOFError, MemoryError) as error:  # a head may state any shape
        raise ValueError(f"'{source}' in {files.path.name} is no array: {error}") from error
    if found.ndim != len(entry["axes"]) or len(found) != 1:
        raise ValueError(f"'{source}' in {files.path.name} is of shape {found.shape}.")
    return found
