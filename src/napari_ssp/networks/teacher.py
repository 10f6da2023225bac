"""Teacher: a network that predicts the loss of a mask from the image and the mask."""

from __future__ import annotations

import torch
from torch import nn

from napari_ssp.networks.arguments import PATCH, check_teacher
from napari_ssp.networks.transformers import without_cross_attention


class Teacher(nn.Module):
    """Teacher of Knowledge Expansion via Error Distribution Prediction.

    The state-dict keys are those of MONAI's networks, after ``network.``.

    Parameters
    ----------
    architecture : str
        ``"critic"``: MONAI's Critic, whose levels halve the image and double the channels;
        ``"vit"``: its ViT with patches of 16 pixels, the system's later one.
    size : int
        Height and width of the images in pixels; a multiple of 16.
    width, depth : int
        Channels of the first level, and levels, 16 and 4 as published; of ``"vit"`` numbers of a
        patch, and transformer blocks, 768 and 12.
    heads : int
        Attention heads of ``"vit"``.

    Raises
    ------
    ValueError
        When the architecture is unknown, or the numbers do not go together.
    """

    def __init__(
        self,
        architecture: str = "critic",
        size: int = 224,
        width: int = 16,
        depth: int = 4,
        heads: int = 12,
    ) -> None:
        check_teacher(architecture, size, width, depth, heads)
        super().__init__()
        is_critic = architecture == "critic"
        self.network = _critic(size, width, depth) if is_critic else _vit(size, width, depth, heads)

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Predict the loss of each mask; not limited to what a loss can be.

        Parameters
        ----------
        image : torch.Tensor
            Float (N, C, Y, X) in [0, 1], Y and X equal to ``size``; colours are averaged.
        mask : torch.Tensor
            Probabilities of being inside, float (N, 1, Y, X) in [0, 1]; no logits.

        Returns
        -------
        torch.Tensor
            Float (N,): one number for each mask.
        """
        found = self.network(torch.cat([image.mean(dim=1, keepdim=True), mask], dim=1))
        losses: torch.Tensor = found[0] if isinstance(found, tuple) else found
        return losses[:, 0]


def _critic(size: int, width: int, depth: int) -> nn.Module:
    from monai.networks.nets import Critic  # seconds to load, so only where it is needed

    network: nn.Module = Critic(
        in_shape=(2, size, size),
        channels=tuple(width * 2**level for level in range(depth)),
        strides=(2,) * depth,
        dropout=0.25,
    )
    return network


def _vit(size: int, width: int, depth: int, heads: int) -> nn.Module:
    from monai.networks.nets import ViT

    network = ViT(
        in_channels=2,
        img_size=size,
        patch_size=PATCH,
        hidden_size=width,
        mlp_dim=4 * width,
        num_layers=depth,
        num_heads=heads,
        classification=True,
        num_classes=1,
        spatial_dims=2,
        post_activation=None,  # MONAI's own choice, tanh, keeps every loss below 1
    )
    return without_cross_attention(network)
