"""Limits of what a network may be made of; cards and requests are checked by them before torch.

An encoder's name is looked up in a closed list: some libraries take other names for an address and
ask a server, with the user's own token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.networks.encoders import ENCODERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: The widest of each, by the name of the argument; published networks are far below.
_MOST = {
    "decoder_channels": 2048,
    "pab_channels": 2048,
    "base_channels": 128,
    "num_tasks": 1024,
    "in_channels": 64,
    "out_channels": 64,
    "channels": 512,
    "size": 1024,
    "width": 1024,
    "depth": 24,
    "heads": 64,
}
#: Side of a patch that a vision transformer takes as one.
PATCH = 16
#: Blocks of a decoder: as many as an encoder has levels.
_LEVELS = (3, 5)
#: Levels of a critic, and the diameters of objects that it may see.
_CRITIC_LEVELS, _DIAMETERS = (2, 6), (4, 128)
#: A structure with an expert of its own costs nearly as much as the network: with the channels of
#: the published one there can be 15, with the most channels none.
_MOST_KERNELS = 128**2


def check_encoder(name: Any) -> None:
    """Refuse an encoder that is not in the list.

    Raises
    ------
    ValueError
        With the name.
    """
    if not isinstance(name, str) or name not in ENCODERS:
        raise ValueError(
            f"'{str(name)[:80]}' is no name of an encoder that is known here; known are mit_b0 to "
            f"mit_b5, resnet18, tu-resnet18d and {len(ENCODERS) - 8} more"
        )


def check_mediar(
    encoder: str = "mit_b5",
    decoder_channels: Sequence[int] = (1024, 512, 256, 128, 64),
    pab_channels: int = 256,
    in_channels: int = 3,
) -> None:
    """Refuse arguments of a `MediarFormer` that cannot be, with a ValueError.

    Parameters
    ----------
    encoder, decoder_channels, pab_channels, in_channels
        As of the class.
    """
    check_encoder(encoder)
    if not isinstance(decoder_channels, list | tuple):
        raise ValueError(f"its decoder_channels are {str(decoder_channels)[:40]}; give a list")
    for value in decoder_channels:
        _check_count("decoder_channels", value)
    least, most = _LEVELS
    if not least <= len(decoder_channels) <= most:
        raise ValueError(
            f"its decoder has {len(decoder_channels)} blocks; {least} to {most} are possible"
        )
    if decoder_channels[-1] < 2:
        raise ValueError("the last of its decoder_channels is 1; at least 2 are needed")
    _check_count("pab_channels", pab_channels)
    _check_count("in_channels", in_channels)


def check_repmode(
    num_tasks: int = 12,
    base_channels: int = 32,
    in_channels: int = 1,
    out_channels: int = 1,
    own_experts: Sequence[int] = (),
) -> None:
    """Refuse arguments of a `RepMode` that cannot be, with a ValueError.

    Parameters
    ----------
    num_tasks, base_channels, in_channels, out_channels, own_experts
        As of the class.
    """
    _check_count("num_tasks", num_tasks)
    _check_count("base_channels", base_channels)
    _check_count("in_channels", in_channels)
    _check_count("out_channels", out_channels)
    if not isinstance(own_experts, list | tuple):
        raise ValueError(f"its own_experts are {str(own_experts)[:40]}; give a list")
    if base_channels**2 * (1 + len(own_experts)) > _MOST_KERNELS:
        raise ValueError(
            f"its {len(own_experts)} own_experts would each take as much memory as a network of "
            f"{base_channels} base_channels: refused"
        )
    is_known = [_is_whole(task) and 0 <= task < num_tasks for task in own_experts]
    if not all(is_known) or len(set(own_experts)) < len(own_experts):
        raise ValueError(f"its own_experts {list(own_experts)} are not {num_tasks} tasks' numbers")


def check_critic(
    in_channels: int = 9,
    channels: Sequence[int] = (16, 32, 64, 96),
    object_diameter: float = 12.0,
    agreement: bool = False,
) -> None:
    """Refuse arguments of a `DenseCritic` that cannot be, with a ValueError.

    Parameters
    ----------
    in_channels, channels, object_diameter, agreement
        As of the class.
    """
    _check_count("in_channels", in_channels)
    least, most = _CRITIC_LEVELS
    if not isinstance(channels, list | tuple) or not least <= len(channels) <= most:
        raise ValueError(f"its channels are {str(channels)[:40]}; give a list of {least} to {most}")
    for value in channels:
        _check_count("channels", value)
    is_number = isinstance(object_diameter, int | float) and not isinstance(object_diameter, bool)
    if not is_number or not _DIAMETERS[0] <= object_diameter <= _DIAMETERS[1]:
        raise ValueError(
            f"its object_diameter is {str(object_diameter)[:40]}; {_DIAMETERS[0]} to "
            f"{_DIAMETERS[1]} pixels are possible"
        )
    if not isinstance(agreement, bool):
        raise ValueError(f"its agreement is {str(agreement)[:40]}; true and false are possible")


def check_student(
    architecture: str = "vit", size: int = 224, width: int = 768, depth: int = 12, heads: int = 12
) -> None:
    """Refuse arguments of a `Student` that cannot be, with a ValueError."""
    _check_architecture(architecture, ("vit", "swin"))
    _check_sizes(size, width, depth, heads)
    if architecture == "swin" and (size % 32 or size == 32):
        raise ValueError(f"its size is {size}; that of 'swin' is a multiple of 32 from 64")
    if architecture == "swin" and width % 12:
        raise ValueError(f"its width is {width}; that of 'swin' is a multiple of 12")


def check_teacher(
    architecture: str = "critic", size: int = 224, width: int = 16, depth: int = 4, heads: int = 12
) -> None:
    """Refuse arguments of a `Teacher` that cannot be, with a ValueError."""
    _check_architecture(architecture, ("critic", "vit"))
    _check_sizes(size, width, depth, 1 if architecture == "critic" else heads)
    if architecture == "critic" and (
        2 * 2**depth > size or width * 2 ** (depth - 1) > _MOST["width"]
    ):
        raise ValueError(
            f"its depth of {depth} levels is too much for a size of {size} and a width of {width}"
        )


def _check_architecture(name: Any, known: Sequence[str]) -> None:
    if name not in known:
        raise ValueError(f"its architecture is '{str(name)[:40]}'; known are {', '.join(known)}")


def _check_sizes(size: int, width: int, depth: int, heads: int) -> None:
    _check_count("size", size)
    _check_count("width", width)
    _check_count("depth", depth)
    _check_count("heads", heads)
    if size % PATCH:
        raise ValueError(f"its size is {size}; a multiple of {PATCH} pixels is needed")
    if width % heads:
        raise ValueError(f"its width of {width} cannot be divided among {heads} heads")


_CHECKS: dict[str, Callable[..., None]] = {
    "mediar": check_mediar,
    "repmode": check_repmode,
    "student": check_student,
    "teacher": check_teacher,
    "critic": check_critic,
}


def check_arguments(family: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments of a family's networks that cannot be; other families are left alone.

    Raises
    ------
    ValueError
        With the first argument that is wrong.
    """
    check = _CHECKS.get(family)
    if check is None:
        return
    try:
        check(**arguments)
    except TypeError as error:  # an argument that there is not
        raise ValueError(str(error)) from error


def _check_count(name: str, value: Any) -> None:
    if not _is_whole(value) or not 0 < value <= _MOST[name]:
        raise ValueError(f"its {name} is {str(value)[:40]}; 1 to {_MOST[name]} are possible")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
