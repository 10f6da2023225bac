"""Libraries and kernels that the first result waits for, made ready on threads beforehand."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from napari_ssp.engine import prepare_torch
from napari_ssp.progress import Ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

#: In the order in which they are needed; each takes one or two seconds.
_MODULES = (
    "torch",
    "torchvision",
    "segmentation_models_pytorch",
    "napari_ssp.service.segmentation.steps",
)


def _load_libraries() -> Iterator[None]:
    prepare_torch()  # before anything imports triton
    for name in _MODULES:
        import_module(name)
        yield


def _compile_kernels() -> Iterator[None]:
    from napari_ssp.flows.compiling import compile_kernels  # loads numba

    yield from compile_kernels()


#: torch and the libraries of its networks.
LIBRARIES = Ahead(_load_libraries)
#: Compiled code that makes labels of flows; compiling takes long on a computer's first run.
KERNELS = Ahead(_compile_kernels)
