"""Libraries and kernels that the first result waits for, made ready on threads beforehand."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from napari_ssp.engine import prepare_torch
from napari_ssp.progress import Ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

#: In the order in which they are needed; each takes a second or two.
_SEGMENTATION = (
    "torch",
    "napari_ssp.networks.encoder_library",
    "napari_ssp.service.segmentation.steps",
)
_PREDICTION = ("torch", "napari_ssp.service.structures.steps", "napari_ssp.networks.repmode")


def _load(modules: tuple[str, ...]) -> Iterator[None]:
    prepare_torch()  # before anything imports triton
    for name in modules:
        import_module(name)
        yield


def _load_for_segmentation() -> Iterator[None]:
    yield from _load(_SEGMENTATION)


def _compile() -> Iterator[None]:
    from napari_ssp.service.segmentation.kernels import compile_kernels  # loads numba

    yield from compile_kernels()


def _prepare_segmentation() -> Iterator[None]:
    yield from _load_for_segmentation()
    KERNELS.begin()


def _prepare_prediction() -> Iterator[None]:
    yield from _load(_PREDICTION)


#: What is said where nothing else can be done meanwhile.
COMPILING = "compiling the tracking of flows, on this computer's first run"

#: torch and what the networks that segment are made of.
SEGMENTATION_LIBRARIES = Ahead(_load_for_segmentation)
#: Compiled code that makes labels of flows; compiling takes long on a computer's first run.
KERNELS = Ahead(_compile)
#: All that a segmentation waits for, one after the other, so that a viewer stays quick.
SEGMENTATION = Ahead(_prepare_segmentation)
#: What a prediction of structures waits for.
PREDICTION = Ahead(_prepare_prediction)
