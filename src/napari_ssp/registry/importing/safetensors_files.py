"""Reader of safetensors files, after a look at the length of their head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

#: As the format's own library allows.
_LONGEST_HEAD = 100_000_000


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors: the length of its head, then its brace."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{" or path.suffix.lower() == ".safetensors"


def read_safetensors(path: Path) -> dict[str, Any]:
    """Tensors by name, mapped from the file.

    Raises
    ------
    ValueError
        When the head or the tensors do not fit into the file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file  # loads torch

    with path.open("rb") as file:
        head = int.from_bytes(file.read(8), "little")
    size = path.stat().st_size
    if size < 9 or head > min(size - 8, _LONGEST_HEAD):
        raise ValueError(
            f"{path.name} is {size} bytes long, but says that its head alone is {head} bytes long. "
            "It is damaged or no file of weights. Download or copy it again."
        )
    try:
        return load_file(path)
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path.name} is damaged or no file of weights: {error}. Download or copy it again."
        ) from error
