"""Classes and functions that a PyTorch file asks for, found without loading it."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pickletools import genops
from typing import IO, TYPE_CHECKING, Any

from napari_ssp.registry.archive_members import members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The one class beside tensors that RepMode's files hold: the options of its command line.
NAMESPACE = "argparse.Namespace"
#: How PyTorch's older format begins: a pickle of its magic number.
LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
#: In that format: magic number, version, system, content, list of storages.
_LEGACY_PICKLES = 5
_TENSOR_NAMES = {
    "collections.OrderedDict",
    "torch.Size",
    "torch.device",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch.serialization._get_layout",
}
_STRINGS = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING"}
#: More is no list of weights, and would take long to read.
_MOST_BYTES = 2**28


def foreign_names(path: Path) -> list[str]:
    """Names that a PyTorch file asks for beyond tensors and dictionaries.

    The instructions of the file are read, none is followed.

    Parameters
    ----------
    path : pathlib.Path
        File of `torch.save`, in the present or in the older format, or a bare pickle.

    Returns
    -------
    list of str
        Such as ``"posix.system"``, each once, in the file's order.

    Raises
    ------
    ValueError
        When the instructions are damaged or too long.
    """
    try:
        found = dict.fromkeys(name for part in _pickles(path) for name in part)
    except ValueError:
        raise
    except Exception as error:  # damaged instructions fail in many ways
        raise ValueError(f"its content cannot be read ({error})") from error
    return [name for name in found if name not in _TENSOR_NAMES and not _is_storage(name)]


def _is_storage(name: str) -> bool:
    room, _, kind = name.rpartition(".")
    return room == "torch" and (kind.endswith("Storage") or kind in _DTYPES)


_DTYPES = {f"{kind}{bits}" for kind in ("float", "int", "uint") for bits in (8, 16, 32, 64)} | {
    "bfloat16",
    "bool",
}


def _pickles(path: Path) -> Iterator[Iterator[str]]:
    items = members(path)
    if items:
        with zipfile.ZipFile(path) as archive:
            for item in items:
                if item.filename.endswith("data.pkl"):
                    if item.file_size > _MOST_BYTES:
                        raise ValueError(f"its list of contents is {item.file_size} bytes long")
                    yield _names(BytesIO(archive.read(item)))
        return
    with path.open("rb") as file:
        count = _LEGACY_PICKLES if file.read(len(LEGACY_START)) == LEGACY_START else 1
        file.seek(0)
        for _ in range(count):
            yield _names(file)


def _names(file: IO[bytes]) -> Iterator[str]:
    texts: list[str] = []
    for operation, argument, _ in genops(file):
        kind = operation.name
        if kind in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif kind == "STACK_GLOBAL":
            yield ".".join(texts[-2:]) or "something without a name"
        elif kind.startswith("EXT"):
            yield f"extension {argument}"
        elif kind in _STRINGS:
            texts = [*texts[-1:], _text(argument)]


def _text(argument: Any) -> str:
    return str(argument)[:200]
