"""Choices of a training on structures, in groups: the new structure, the stacks, the time."""

from __future__ import annotations

from typing import Annotated

from napari_ssp.schema import OneOf, checked_dataclass, choice

#: How structures are trained, and how a 2D target was made from its stack.
RECIPES, PROJECTIONS = ("repmode", "few-images"), ("max", "mean")


@checked_dataclass(frozen=True)
class NewStructure:
    """Start of a structure that the base does not know.

    Attributes
    ----------
    like : str or None
        Structure of the base that a new one begins as; None takes the one whose prediction is
        closest to the new pairs.
    own_expert : bool
        Whether a new structure gets an expert of its own in each convolution, besides its gates.
    """

    like: str | None = choice(
        None, "Begins as", "Known structure that a new one begins as [default: the most similar]"
    )
    own_expert: bool = choice(
        True, "Own expert", "Give a new structure an expert of its own, not only gates"
    )


@checked_dataclass(frozen=True)
class Stacks:
    """What is known of the stacks, and how a network learns them."""

    recipe: Annotated[str, OneOf(RECIPES)] = choice(
        "repmode", "Recipe", "repmode: as published; few-images: stronger augmentation, cosine"
    )
    projection: Annotated[str, OneOf(PROJECTIONS)] = choice(
        "max", "Projection", "How a 2D target was made from its stack: max, mean"
    )
    voxel_size: tuple[float, float, float] | None = choice(
        None,
        "Voxel size",
        "Voxel size of the stacks in µm: z y x [default: as in the files]",
        parts="Z Y X",
    )
    base_channels: int = choice(
        8, "Channels", "Channels of the first level; 32 is the published network", min=1, max=128
    )


@checked_dataclass(frozen=True)
class StructureSchedule:
    """Duration and speed of a training on structures."""

    minutes: float = choice(30.0, "Minutes", "Training time at most", min=0.01)
    steps: int = choice(1_000_000, "Steps", "Optimiser steps at most", min=1)
    learning_rate: float | None = choice(
        None, "Learning rate", "Highest learning rate [default: the recipe's]", min=1e-7, max=1
    )
    batch_size: int = choice(
        8, "Batch", "Crops in a batch; less needs less memory", min=2, max=4096
    )
    fit_to_time: bool = choice(True, "Fit to time", "Smaller batches and crops on slow computers")
