"""Conversion of a BioImage.IO description to a card, as far as it can be run here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_ssp.registry.bioimage.operations import check_operations
from napari_ssp.registry.card import FLOWS, IMAGE, PACKAGE, PROBABILITY, ModelCard

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLOW_CHANNELS = ["flow_y", "flow_x", "cell_logit"]
_CELL_WORDS = re.compile(r"prob|foreground|mask|boundar|segment", re.IGNORECASE)
#: Lengths of a window that packages with adjustable lengths get, at most.
_LONGEST = {"zyx": (32, 128, 128), "yx": (512, 512)}
_LONGEST_AXIS = 8192
_MICRONS = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3}


@dataclass(frozen=True)
class Entry:
    """One kind of weights in a package.

    Attributes
    ----------
    kind : str
        ``"pytorch_state_dict"``, ``"onnx"``, ``"torchscript"``, or another one.
    source : str
        Name of the file in the package.
    sha256 : str
        Digest that the description gives, or empty.
    architecture : str
        Of a state dict: the name of its code, which is never run.
    """

    kind: str
    source: str
    sha256: str = ""
    architecture: str = ""


def choose_weights(content: dict[str, Any]) -> list[Entry]:
    """Weights that a description names; a ValueError says what is wrong with it."""
    version = str(content.get("format_version", ""))
    if content.get("type") != "model":
        raise ValueError(f"it describes a {str(content.get('type'))[:40]}, not a model")
    if not version.startswith("0.5."):
        raise ValueError(
            f"its description is of format {version[:20] or 'unknown'}, and only 0.5 is read. "
            "Bring it up to date with 'bioimageio update-format', or download it again"
        )
    weights = content.get("weights")
    if not isinstance(weights, dict) or not weights:
        raise ValueError("it names no weights")
    return [_entry(str(kind), entry) for kind, entry in weights.items() if entry]


def _entry(kind: str, entry: Any) -> Entry:
    if not isinstance(entry, dict) or not isinstance(entry.get("source"), str):
        raise ValueError(f"its weights '{kind[:40]}' name no file")
    if entry.get("external_data"):
        raise ValueError(f"its weights '{kind[:40]}' are in two files, which is not supported")
    architecture = entry.get("architecture")
    name = architecture.get("callable") if isinstance(architecture, dict) else architecture
    return Entry(kind, entry["source"], _text(entry.get("sha256")).lower(), _text(name)[:80])


def build_card(content: dict[str, Any], name: str, kind: str) -> ModelCard:
    """Card of a package that is run as it is.

    Parameters
    ----------
    content : dict
        The description.
    name : str
        Name of the model.
    kind : str
        Kind of the weights that are taken: ``"onnx"`` or ``"torchscript"``.

    Raises
    ------
    ValueError
        When it asks for something that is not supported, with what that is.
    """
    entry, result = _only(content, "inputs"), _only(content, "outputs")
    axes, channels = _axes(entry, "input")
    _, outputs = _axes(result, "output")
    if len(channels) not in (1, 3):
        raise ValueError(
            f"its input has {len(channels)} channels; one, or the three colours, can be given"
        )
    own = content.get("config", {}).get("napari_ssp", {}) if content.get("config") else {}
    own = own if isinstance(own, dict) else {}
    _check_same_size(entry, result)
    after = check_operations(result.get("postprocessing"), "postprocessing")
    sizes = [_size(axis.get("size")) for axis in entry["axes"][2:]]
    network = {
        "format": kind,
        "sizes": [list(size) for size in sizes],
        "input_channels": len(channels),
        "output": _kind(result, outputs, axes, after),
        "preprocessing": check_operations(entry.get("preprocessing"), "preprocessing"),
        "postprocessing": after,
    }
    across = own.get("object_diameter")
    return ModelCard(
        name=name,
        family=PACKAGE,
        network=network,
        sha256="",
        axes=axes,
        window=_window(sizes, axes, own.get("window")),
        zoom=_number(own.get("zoom"), 1.0),
        object_diameter=_number(across, 1.0) if across else None,
        voxel_size=_voxel_size(entry, axes),
        tasks=tuple(outputs),
        **read_about(content),
    )


def read_about(content: dict[str, Any]) -> dict[str, Any]:
    """Take from a description what it says for a reader: entries of a card."""
    return {
        "description": _text(content.get("description"))[:1000],
        "licence": _text(content.get("license")) or "not stated in the package",
        "citation": _citation(content),
    }


def _only(content: dict[str, Any], key: str) -> dict[str, Any]:
    found = content.get(key)
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
        count = len(found) if isinstance(found, list) else 0
        raise ValueError(f"it has {count} {key}; packages with one are supported")
    return found[0]


def _axes(tensor: dict[str, Any], words: str) -> tuple[str, list[str]]:
    """Letters of the spatial axes, and the names of the channels."""
    given = tensor.get("axes")
    axes = [a for a in given if isinstance(a, dict)] if isinstance(given, list) else []
    kinds = [axis.get("type") for axis in axes]
    letters = "".join(_text(axis.get("id")) for axis in axes[2:])
    right = kinds[:2] == ["batch", "channel"] and set(kinds[2:]) == {"space"}
    if not right or letters not in _LONGEST:
        said = ", ".join(str(axis.get("id") or axis.get("type"))[:20] for axis in axes)
        raise ValueError(
            f"its {words} has the axes '{said}'; supported are batch, channel, y, x and batch, "
            "channel, z, y, x"
        )
    names = axes[1].get("channel_names")
    if not isinstance(names, list) or not 0 < len(names) <= 64:
        raise ValueError(f"its {words} does not name its channels")
    plain = [re.sub(r"[^\w .+-]", "-", str(name))[:64] for name in names]
    if len(set(plain)) < len(plain):
        raise ValueError(f"its {words} has two channels of the same name")
    return letters, plain


def _check_same_size(entry: dict[str, Any], result: dict[str, Any]) -> None:
    for axis, given in zip(result["axes"][2:], entry["axes"][2:], strict=False):
        size = axis.get("size")
        same = axis.get("id") == given.get("id") and axis.get("scale", 1) == given.get("scale", 1)
        offset = size.get("offset", 0) if isinstance(size, dict) else 0
        if not same or offset or (isinstance(size, int) and size != given.get("size")):
            raise ValueError("its output is not on the grid of its input, which is not supported")


def _kind(
    result: dict[str, Any], channels: Sequence[str], axes: str, after: Sequence[dict[str, Any]]
) -> str:
    """Say what the numbers mean: flows, how sure it is that here is an object, or an image."""
    if list(channels) == _FLOW_CHANNELS and axes == "yx":
        return FLOWS
    if axes == "zyx" and any(name.lower().startswith("flow") for name in channels):
        raise ValueError(
            f"it gives flows in 3D ({', '.join(channels)}), which are not followed for packages; "
            "one that gives a probability, or flows of planes, is"
        )
    squeezed = any(step["id"] in ("sigmoid", "softmax", "binarize") for step in after)
    data = result.get("data")
    ranges = data.get("range") if isinstance(data, dict) else None
    bounded = isinstance(ranges, list) and [_number(r, None) for r in ranges] == [0.0, 1.0]
    named = any(_CELL_WORDS.search(name) for name in (*channels, _text(result.get("id"))))
    return PROBABILITY if squeezed or bounded or named else IMAGE


def _window(sizes: Sequence[tuple[int, int]], axes: str, wanted: Any) -> tuple[int, ...]:
    """Lengths of a window: those that are wanted where they fit, else not too large ones."""
    given = isinstance(wanted, list) and len(wanted) == len(axes)
    longest = wanted if given and all(isinstance(w, int) for w in wanted) else _LONGEST[axes]
    return tuple(
        least + max(most - least, 0) // step * step if step else least
        for (least, step), most in zip(sizes, longest, strict=True)
    )


def _size(size: Any) -> tuple[int, int]:
    """Shortest length of an axis, and the step to longer ones; 0 where it is fixed."""
    least: Any
    least, step = (size.get("min"), size.get("step")) if isinstance(size, dict) else (size, 0)
    if _is_length(least) and isinstance(step, int) and 0 <= step <= _LONGEST_AXIS:
        return int(least), step
    raise ValueError(f"its input has an axis of size {str(size)[:60]}, which is not supported")


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LONGEST_AXIS


def _voxel_size(entry: dict[str, Any], axes: str) -> tuple[float, float, float] | None:
    """(z, y, x) in µm, where all axes say it."""
    steps = []
    for axis in entry["axes"][2:]:
        factor, scale = _MICRONS.get(_text(axis.get("unit"))), _number(axis.get("scale"), None)
        if factor is None or not scale or not 0 < scale < 1e6:
            return None
        steps.append(factor * scale)
    z, y, x = steps if len(axes) == 3 else [1.0, *steps]
    return (z, y, x)


def _citation(content: dict[str, Any]) -> str:
    entries = content.get("cite")
    cited = (
        [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    )
    parts = [" ".join(_text(e.get(key)) for key in ("text", "doi", "url")).strip() for e in cited]
    return "; ".join(parts)[:1000]


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _number(value: Any, default: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else default
