"""What the entries of a card must be; cards come from other people, too."""

from __future__ import annotations

import re
from typing import Any

from napari_ssp.registry.bioimage_operations import check_operations

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
    _need(min(content.get("window", [1]), default=0) > 0, "window", "numbers above 0")
    size = content.get("voxel_size")
    _need(size is None or (_is_list(size, int | float) and len(size) == 3), "voxel_size", "z y x")
    _need(isinstance(content.get("zoom", 1.0), int | float), "zoom", "a number")
    across = content.get("object_diameter")
    sized = across is None or (isinstance(across, int | float) and across > 0)
    _need(sized, "object_diameter", "a number above 0")
    _need(isinstance(content.get("parameters", 0), int), "parameters", "a whole number")
    if content.get("family") == "package":
        _check_package(content.get("network", {}))
    if content.get("remote") is not None:
        _check_remote(content["remote"])


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


def _is_list(value: Any, kind: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, kind) for item in value)


def _need(is_right: bool, key: str, wanted: str) -> None:
    if not is_right:
        raise ValueError(f"its entry '{key}' must be {wanted}")
