"""Checks of the entries of a card; cards come from other people, too."""

from __future__ import annotations

import math
import re
from typing import Any

from napari_ssp.registry.bioimage.operations import check_operations

#: Names of models that become names of folders.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TEXTS = (
    "name",
    "family",
    "sha256",
    "axes",
    "description",
    "licence",
    "citation",
    "training_data",
    "origin",
)
#: Pixels of a window, at most.
_LARGEST_WINDOW = 2**26
_REMOTE_TEXTS = ("name", "page", "sha256", "md5")


def check_name(name: str) -> str:
    """Return a model's name that can be the name of a folder.

    Raises
    ------
    ValueError
        When it cannot.
    """
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise ValueError(
            f"'{name}' cannot be the name of a model: use up to 64 letters, digits, '-', '_' and "
            "'.', beginning with a letter or digit. Give another name."
        )
    return name


def check_content(content: Any) -> None:
    """Refuse a card's content whose entries are of another kind than they should be.

    Raises
    ------
    ValueError
        With the first entry that is wrong.
    """
    if not isinstance(content, dict):
        raise ValueError("it is no list of named entries")
    for key in _TEXTS:
        _need(isinstance(content.get(key, ""), str), key, "text")
    for key in ("network", "task_descriptions", "target_statistics", "figures"):
        _need(isinstance(content.get(key, {}), dict), key, "named entries")
    for key in ("tasks", "members"):
        _need(_is_list(content.get(key, []), str), key, "a list of names")
    _need(_is_list(content.get("window", [1]), int), "window", "whole numbers")
    window = content.get("window", [1])
    _need(min(window, default=0) > 0, "window", "numbers above 0")
    # Small images are padded to it.
    _need(math.prod(window) <= _LARGEST_WINDOW, "window", f"at most {_LARGEST_WINDOW} pixels")
    _check_sizes(content)
    for key in ("figures", "task_descriptions", "target_statistics"):
        _check_values(key, content.get(key, {}))
    _need(isinstance(content.get("parameters", 0), int), "parameters", "a whole number")
    # What another program loads cannot come from a card, which could name any file.
    _need(content.get("family") != "cellpose", "family", "of a network that is kept here")
    if content.get("family") == "package":
        _check_package(content.get("network", {}))
    if content.get("remote") is not None:
        _check_remote(content["remote"])


def _check_sizes(content: dict[str, Any]) -> None:
    size = content.get("voxel_size")
    sized = size is None or (_is_list(size, int | float) and len(size) == 3)
    _need(sized and all(map(_is_size, size or ())), "voxel_size", "z y x in µm")
    _need(_is_size(content.get("zoom", 1.0)), "zoom", "a number above 0")
    across = content.get("object_diameter")
    _need(across is None or _is_size(across), "object_diameter", "a number above 0")


def _is_size(value: Any) -> bool:
    """Whether a number may be a length or a factor; neither 0 nor infinite nor near them."""
    return isinstance(value, int | float) and 1e-4 <= value <= 1e4


def _check_values(key: str, entries: dict[Any, Any]) -> None:
    wanted, is_right = _VALUES[key]
    _need(all(isinstance(k, str) and is_right(v) for k, v in entries.items()), key, wanted)


def _check_package(network: Any) -> None:
    _need(network.get("format") in ("onnx", "torchscript"), "format", "onnx or torchscript")
    _need(network.get("input_channels") in (1, 3), "input_channels", "1 or 3")
    sizes = network.get("sizes")
    pairs = isinstance(sizes, list) and all(_is_list(s, int) and len(s) == 2 for s in sizes)
    _need(pairs, "sizes", "pairs of whole numbers")
    kinds = ("flows", "probability", "image")
    _need(network.get("output") in kinds, "output", f"one of {', '.join(kinds)}")
    for where in ("preprocessing", "postprocessing"):
        check_operations(network.get(where), where)


def _check_remote(remote: Any) -> None:
    _need(isinstance(remote, dict), "remote", "named entries")
    for key in _REMOTE_TEXTS:
        _need(isinstance(remote.get(key, ""), str), f"remote {key}", "text")
    _need(bool(remote.get("name")), "remote name", "the name of a file")
    check_name(remote["name"])
    _need(_is_list(remote.get("urls"), str), "remote urls", "a list of addresses")
    _need(bool(remote.get("sha256") or remote.get("md5")), "remote sha256", "a digest")
    _need(isinstance(remote.get("size"), int | None), "remote size", "a whole number")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: Any, kind: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, kind) for item in value)


def _need(is_right: bool, key: str, wanted: str) -> None:
    if not is_right:
        raise ValueError(f"its entry '{key}' must be {wanted}")


_VALUES: dict[str, tuple[str, Any]] = {
    "figures": ("names with numbers", _is_number),
    "task_descriptions": ("names with text", lambda value: isinstance(value, str)),
    "target_statistics": (
        "names with a mean and a standard deviation",
        lambda value: _is_list(value, int | float) and len(value) == 2,
    ),
}
