"""First layer of an encoder, changed so that it takes images in [0, 1] as they are."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence


@torch.no_grad()
def take_unit_range(encoder: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
    """Fold ``(x - mean) / std`` into the layer that reads the image.

    What it gives stays the same but for the rim, where a padded zero now is black and no longer the
    mean.

    Parameters
    ----------
    encoder : torch.nn.Module
        Its first convolution has a bias or batch normalisation behind it; changed in place.
    mean, std : sequence of float
        Of each channel, as the weights were trained with.

    Raises
    ------
    ValueError
        When no single layer reads the image, or none can take up the mean.
    """
    layers = [m for m in encoder.modules() if next(m.parameters(recurse=False), None) is not None]
    readers = [
        (layer, following)
        for layer, following in pairwise(layers)
        if isinstance(layer, nn.Conv2d) and layer.in_channels == len(mean)
    ]
    if len(readers) != 1:
        raise ValueError(_UNFIT)
    reader, following = readers[0]
    reader.weight.div_(torch.tensor(std).view(1, -1, 1, 1))
    constant = (reader.weight * torch.tensor(mean).view(1, -1, 1, 1)).sum((1, 2, 3))
    if reader.bias is not None:
        reader.bias.sub_(constant)
    elif isinstance(following, nn.BatchNorm2d) and following.running_mean is not None:
        following.running_mean.add_(constant)
    else:
        raise ValueError(_UNFIT)


_UNFIT = (
    "The first layer of this encoder cannot be changed so that it takes images in [0, 1]. Choose "
    "another encoder, such as tu-resnet18d or tu-tf_efficientnet_lite0."
)
