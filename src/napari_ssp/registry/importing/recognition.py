"""Recognition of a network by the names and shapes of its weights."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_ssp.networks.arguments import check_arguments
from napari_ssp.registry.importing.pickle_names import NAMESPACE
from napari_ssp.registry.importing.torch_files import plain_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MEDIAR_KEY = "gradflow_head.3.weight"
_REPMODE_KEY = "encoder_block1.conv_more.conv1.gate.weight"
#: Of segmentation_models_pytorch's own head, which the authors' napari plugin keeps but never uses.
_UNUSED_HEAD = {
    "segmentation_head.0.weight": (3, 64, 3, 3),
    "segmentation_head.0.bias": (3,),
}
#: Blocks per level of the SegFormer encoders; the first two differ in their width only.
_BLOCKS = {
    "mit_b1": (2, 2, 2, 2),
    "mit_b2": (3, 4, 6, 3),
    "mit_b3": (3, 4, 18, 3),
    "mit_b4": (3, 8, 27, 3),
    "mit_b5": (3, 6, 40, 3),
}


@dataclass(frozen=True)
class Recognised:
    """What a file of weights is.

    Attributes
    ----------
    family : str
        Architecture.
    network : dict
        Arguments of the network's class.
    state : dict
        Tensors by name, as the network has them.
    tasks : tuple of str
        What it predicts, as far as the file says.
    notes : dict
        What else the file says: epoch, iteration.
    """

    family: str
    network: dict[str, Any]
    state: dict[str, Any]
    tasks: tuple[str, ...] = ()
    notes: dict[str, int] = field(default_factory=dict)


def recognise(content: Any, path: Path) -> Recognised:
    """Recognise the content of a file of weights.

    Parameters
    ----------
    content : Any
        Tensors by name, or the dictionary that RepMode writes.
    path : pathlib.Path
        The file, for messages.

    Raises
    ------
    ValueError
        When it is of no known network.
    """
    if not isinstance(content, dict):
        raise ValueError(
            f"{path.name} holds {type(content).__name__}, not a dictionary of weights. Give a file "
            "of torch.save(model.state_dict(), ...)."
        )
    if "nn_state" in content and "opts" in content:
        return _with_options(content, path)
    if any(_class_name(value) == NAMESPACE for value in content.values()):
        raise ValueError(f"{path.name} asks for '{NAMESPACE}', but is no file of RepMode: refused.")
    state = plain_tensors(content, path)
    if _MEDIAR_KEY in state:
        return _mediar(state, path)
    if _REPMODE_KEY in state:
        return Recognised("repmode", _repmode_network(state, path), state)
    some = ", ".join(f"'{key[:60]}'" for key in list(state)[:4]) or "nothing"
    raise ValueError(
        f"{path.name} is of no network that is known here: it holds {some} ... Known are MEDIAR's "
        ".pth, RepMode's .p and models of napari-ssp."
    )


def _class_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _with_options(content: dict[str, Any], path: Path) -> Recognised:
    """Read what RepMode's own `save_state` wrote."""
    if not isinstance(content["nn_state"], dict):
        raise ValueError(f"{path.name} is no file of RepMode: its 'nn_state' is no dictionary.")
    state = plain_tensors(content["nn_state"], path)
    if _REPMODE_KEY not in state:
        raise ValueError(
            f"{path.name} was written by RepMode's program, but holds another network "
            f"('{str(content.get('nn_module'))[:40]}'). Only the network 'RepMode' is known."
        )
    network = _repmode_network(state, path)
    tasks = _tasks(getattr(content["opts"], "adopted_datasets", None))
    if tasks and len(tasks) != network["num_tasks"]:
        raise ValueError(
            f"{path.name} contradicts itself: its options name {len(tasks)} structures, its gates "
            f"have {network['num_tasks']}."
        )
    counts = {"epoch": content.get("count_epoch"), "iteration": content.get("count_iter")}
    notes = {name: value for name, value in counts.items() if isinstance(value, int)}
    return Recognised("repmode", network, state, tasks, notes)


def _tasks(names: Any) -> tuple[str, ...]:
    """RepMode sorts its datasets before it numbers them."""
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return ()
    if not all(re.fullmatch(r"[\w .+-]{1,64}", name) for name in names):
        return ()
    return tuple(sorted(set(names)))


def _repmode_network(state: Mapping[str, Any], path: Path) -> dict[str, Any]:
    first = _shape(state, "encoder_block1.conv_more.conv1.expert_conv5x5_conv", 5, path)
    last = _shape(state, "conv_out.expert_conv5x5_conv", 5, path)
    gate = _shape(state, _REPMODE_KEY, 2, path)
    network = {"num_tasks": gate[1], "base_channels": first[0]}
    if (first[1], last[0]) != (1, 1):
        network |= {"in_channels": first[1], "out_channels": last[0]}
    return _checked("repmode", network, path)


def _mediar(state: dict[str, Any], path: Path) -> Recognised:
    for key, shape in _UNUSED_HEAD.items():
        if key in state and tuple(state[key].shape) == shape:
            del state[key]
    blocks = sum(f"decoder.blocks.{k}.conv1.0.weight" in state for k in range(8))
    names = [f"decoder.blocks.{k}.conv1.0.weight" for k in range(blocks)]
    network = {
        "encoder": _encoder(state, path),
        "decoder_channels": [_shape(state, name, 4, path)[0] for name in names],
        "pab_channels": _shape(state, "decoder.center.top_conv.weight", 4, path)[0],
    }
    return Recognised("mediar", _checked("mediar", network, path), state, ("cells",))


def _encoder(state: Mapping[str, Any], path: Path) -> str:
    key = "encoder.patch_embed1.proj.weight"
    if key not in state:
        raise ValueError(
            f"{path.name} is a MEDIAR with an encoder that its weights do not name. Give the "
            "folder with its card.json; of bare weights, only the encoders mit_b0 to mit_b5 are "
            "recognised."
        )
    counts = [0, 0, 0, 0]
    for name in state:
        found = re.match(r"encoder\.block([1-4])\.(\d{1,3})\.", name)
        if found:
            level = int(found[1]) - 1
            counts[level] = max(counts[level], int(found[2]) + 1)
    if tuple(counts) == (2, 2, 2, 2) and _shape(state, key, 4, path)[0] == 32:
        return "mit_b0"
    for name, blocks in _BLOCKS.items():
        if blocks == tuple(counts):
            return name
    raise ValueError(
        f"{path.name} has an encoder with {counts} blocks in its levels; mit_b0 to mit_b5 have "
        "other numbers. The file is incomplete or of another network."
    )


def _shape(state: Mapping[str, Any], key: str, axes: int, path: Path) -> tuple[int, ...]:
    shape = tuple(state[key].shape) if key in state else ()
    if len(shape) != axes:
        words = f"is of shape {shape}" if key in state else "is missing"
        raise ValueError(f"{path.name} is incomplete or of another network: '{key}' {words}.")
    return shape


def _checked(family: str, network: dict[str, Any], path: Path) -> dict[str, Any]:
    """Refuse arguments of a network that cannot be; a forged shape must not fill the memory."""
    try:
        check_arguments(family, network)
    except ValueError as error:
        raise ValueError(f"{path.name} is of a network that cannot be: {error}.") from error
    return network
