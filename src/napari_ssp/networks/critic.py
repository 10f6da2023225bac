"""DenseCritic: a small U-Net that says where labels are wrong, and heads for objects and images."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from napari_ssp.networks.arguments import check_critic

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Maps that the network makes: the five kinds of error, a pixel that is wrong in any way, and
#: 1 - IoU of the object that a pixel belongs to.
MAPS = ("missed", "extra", "merged", "split", "boundary", "wrong", "object")
#: Numbers that describe an object and an image to the heads.
OBJECT_FEATURES, IMAGE_FEATURES = 18, 8
#: Further ones of an object, where the outputs of the network that made the labels are known.
AGREEMENT_FEATURES = 3
_HIDDEN = 16


class DenseCritic(nn.Module):
    """Network that predicts the errors of labels from the image and the labels alone.

    Parameters
    ----------
    in_channels : int
        Channels of the input: the image and what is derived from the labels.
    channels : sequence of int
        Channels of the levels, finest first; each level halves the resolution.
    object_diameter : float
        Diameter of typical objects, in pixels of what the network sees.
    agreement : bool
        Whether it has a head for objects of which is known, too, how well they agree with the
        outputs of the network that made them, as `napari_ssp.flows.measure_agreement` says.

    Attributes
    ----------
    stride : int
        Height and width of the input are multiples of it.
    object_head, image_head : FeatureHead
        Of objects, by what the labels and the image say of them, and of whole images.
    agreement_head : FeatureHead or None
        Of objects, by these features followed by the agreement.

    Raises
    ------
    ValueError
        When a number is out of its limits.
    """

    def __init__(
        self,
        in_channels: int = 9,
        channels: Sequence[int] = (16, 32, 64, 96),
        object_diameter: float = 12.0,
        agreement: bool = False,
    ) -> None:
        check_critic(in_channels, channels, object_diameter, agreement)
        super().__init__()
        self.object_diameter = float(object_diameter)
        self.stride = 2 ** (len(channels) - 1)
        steps = list(pairwise(channels))
        self.first = _block(in_channels, channels[0])
        self.down = nn.ModuleList(_block(fine, coarse) for fine, coarse in steps)
        self.up = nn.ModuleList(_block(fine + coarse, fine) for fine, coarse in steps)
        self.last = nn.Conv2d(channels[0], len(MAPS), kernel_size=1)
        self.object_head = FeatureHead(OBJECT_FEATURES)
        self.image_head = FeatureHead(IMAGE_FEATURES)
        features = OBJECT_FEATURES + AGREEMENT_FEATURES
        self.agreement_head = FeatureHead(features) if agreement else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Predict the logits of the maps of errors.

        Parameters
        ----------
        x : torch.Tensor
            Float (N, in_channels, Y, X); Y and X multiples of ``stride``.

        Returns
        -------
        torch.Tensor
            Float (N, 7, Y, X), one map for each of `MAPS`.

        Raises
        ------
        ValueError
            When Y or X is not a multiple of ``stride``.
        """
        if x.shape[-2] % self.stride or x.shape[-1] % self.stride:
            raise ValueError(
                f"DenseCritic needs a height and width that are multiples of {self.stride}, got "
                f"{x.shape[-2]} x {x.shape[-1]}; pad the image or predict it in windows."
            )
        levels = [self.first(x)]
        for block in self.down:
            levels.append(block(nn.functional.max_pool2d(levels[-1], 2)))
        found = levels.pop()
        for block in reversed(self.up):
            found = nn.functional.interpolate(found, scale_factor=2, mode="nearest")
            found = block(torch.cat([levels.pop(), found], dim=1))
        return cast("torch.Tensor", self.last(found))


class FeatureHead(nn.Module):
    """Predicts an error, from 0 to 1, from a few numbers that it first brings to unit variance.

    Parameters
    ----------
    features : int
        Numbers that describe one object or image.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.layers = nn.Sequential(nn.Linear(features, _HIDDEN), nn.Tanh(), nn.Linear(_HIDDEN, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (N,) of the errors of N objects or images, features (N, F)."""
        return cast("torch.Tensor", self.layers((features - self.mean) / self.deviation)[:, 0])


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for count in (in_channels, out_channels):
        layers += [
            nn.Conv2d(count, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
