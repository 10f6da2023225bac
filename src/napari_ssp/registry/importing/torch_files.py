"""Reader of PyTorch files as data: nothing is executed, and none takes more than its size."""

from __future__ import annotations

import argparse
import zipfile
from typing import TYPE_CHECKING, Any

from napari_ssp.registry.archive_members import members
from napari_ssp.registry.importing.pickle_names import LEGACY_START, NAMESPACE, foreign_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Beginnings of names that stand for a network saved as a whole.
_NETWORK_ROOMS = (
    "torch.nn.",
    "torch.jit.",
    "__torch__.",
    "segmentation_models_pytorch.",
    "timm.",
    "monai.",
    "core.",
)
_FIXED_TORCH = (2, 6)


def is_torch_file(path: Path) -> bool:
    """Whether a file is of PyTorch's present or older format, or at least a pickle."""
    if any(item.filename.endswith("data.pkl") for item in members(path)):
        return True
    with path.open("rb") as file:
        return file.read(2) in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def read_torch_file(path: Path) -> Any:
    """Content of a PyTorch file that holds tensors, plain values and at most RepMode's options.

    Raises
    ------
    ValueError
        When it asks for anything else, with the name of that; when it is damaged, or would take
        more memory than it is long.
    """
    wanted = _scan(path)
    if wanted and wanted != [NAMESPACE]:
        raise _refusal(path, wanted)
    is_archive = bool(members(path))
    if is_archive:
        _check_archive(path)
    elif not _is_legacy(path):
        raise ValueError(
            f"{path.name} is a Python pickle, but not one that PyTorch wrote. Give a file of "
            "torch.save(model.state_dict(), ...)."
        )
    return _load(path, is_archive, [argparse.Namespace] if wanted else [])


def _load(path: Path, is_archive: bool, classes: list[Any]) -> Any:
    import torch

    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < _FIXED_TORCH:
        raise ValueError(
            f"PyTorch {torch.__version__} can be made to run code from such a file. Install "
            "PyTorch 2.6 or later and import it again."
        )
    try:
        with torch.serialization.safe_globals(classes):
            # Mapped: of a RepMode's file, two thirds are the optimiser's and are never read.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except Exception as error:  # a damaged file fails in many ways
        raise ValueError(
            f"{path.name} is damaged or no file of weights: {_first_line(error)} Download or copy "
            "it again."
        ) from error


def _scan(path: Path) -> list[str]:
    try:
        return foreign_names(path)
    except ValueError as error:
        raise ValueError(
            f"{path.name} is damaged or no file of weights: {error}. Download or copy it again."
        ) from error


def _is_legacy(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(LEGACY_START)) == LEGACY_START


def _refusal(path: Path, wanted: list[str]) -> ValueError:
    """Say what a file asked for: a network as a whole, or something that weights never need."""
    others = [name for name in wanted if not name.startswith("torch.nn.") and name != NAMESPACE]
    named = ", ".join(f"'{name}'" for name in (others or wanted)[:3])
    if any(name.startswith(_NETWORK_ROOMS) for name in wanted):
        return ValueError(
            f"{path.name} holds a network as a whole instead of its weights: it asks for {named}. "
            "Loading it would run code, so it was refused. In the program that wrote it, save the "
            "weights: torch.save(model.state_dict(), 'weights.pth'), and import that."
        )
    return ValueError(
        f"{path.name} asks for {named}, which weights do not need. Loading it would run code, so "
        "it was refused and nothing was executed. If somebody sent it to you, be careful with it."
    )


def _check_archive(path: Path) -> None:
    """Refuse an archive that becomes larger than it is, or holds a name twice.

    Raises
    ------
    ValueError
        When it does.
    """
    items = members(path)
    total, size = sum(item.file_size for item in items), path.stat().st_size
    packed = any(item.compress_type != zipfile.ZIP_STORED for item in items)
    if packed or total > size:
        raise ValueError(
            f"{path.name} is {size} bytes long, but would become {total} bytes when it is "
            "unpacked. PyTorch packs nothing, so it was refused."
        )
    if len({item.filename for item in items}) < len(items):
        raise ValueError(f"{path.name} holds the same name twice, so it was refused.")


def plain_tensors(entries: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    """Tensors by name, without the mark of several GPUs in their names.

    Raises
    ------
    ValueError
        When something is no ordinary tensor, or they take more memory than the file is long.
    """
    import torch

    for key, value in entries.items():
        plain = isinstance(value, torch.Tensor) and value.layout is torch.strided
        if not isinstance(key, str) or not plain or value.is_meta or value.is_quantized:
            raise ValueError(
                f"{path.name} is no list of weights: its entry '{str(key)[:80]}' is "
                f"{type(value).__name__}, not a tensor. Give a file of "
                "torch.save(model.state_dict(), ...)."
            )
    total = sum(value.numel() * value.element_size() for value in entries.values())
    if total > path.stat().st_size:
        raise ValueError(
            f"{path.name} is {path.stat().st_size} bytes long, but its tensors would take {total} "
            "bytes, so it was refused."
        )
    prefix = "module."
    if entries and all(key.startswith(prefix) for key in entries):
        return {key[len(prefix) :]: value for key, value in entries.items()}
    return dict(entries)


def _first_line(error: Exception) -> str:
    text = (str(error) or type(error).__name__).splitlines()[0].strip()
    return text[:200] if text.endswith(".") else f"{text[:200]}."
