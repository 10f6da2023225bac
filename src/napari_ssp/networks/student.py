"""Student: a network that sees where an image shows what was annotated, as one mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from napari_ssp.networks.arguments import PATCH, check_student
from napari_ssp.networks.transformers import without_cross_attention

if TYPE_CHECKING:
    import torch


class Student(nn.Module):
    """Student of Knowledge Expansion via Error Distribution Prediction.

    The state-dict keys are those of MONAI's networks, after ``network.``.

    Parameters
    ----------
    architecture : str
        ``"vit"``: MONAI's ViTAutoEnc with patches of 16 pixels; ``"swin"``: its SwinUNETR, version
        2, the system's later one.
    size : int
        Height and width of the images in pixels, 224 as published; a multiple of 16, of
        ``"swin"`` of 32.
    width, depth, heads : int
        Numbers of a patch, transformer blocks and attention heads. Of ``"swin"`` those of the first
        level, for each level, and of the first level; it was published with 24, 2 and 3.

    Raises
    ------
    ValueError
        When the architecture is unknown, or the numbers do not go together.

    References
    ----------
    A. Dosovitskiy et al.: An Image is Worth 16x16 Words. arXiv:2010.11929 (2020).
    A. Hatamizadeh et al.: Swin UNETR. arXiv:2201.01266 (2022).
    """

    def __init__(
        self,
        architecture: str = "vit",
        size: int = 224,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
    ) -> None:
        check_student(architecture, size, width, depth, heads)
        super().__init__()
        make = _auto_encoder if architecture == "vit" else _swin_unetr
        self.network = make(size, width, depth, heads)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Predict the logit of being inside.

        Parameters
        ----------
        image : torch.Tensor
            Float (N, C, Y, X) in [0, 1], Y and X equal to ``size``; colours are averaged.

        Returns
        -------
        torch.Tensor
            Float (N, 1, Y, X).
        """
        found = self.network(image.mean(dim=1, keepdim=True))
        logits: torch.Tensor = found[0] if isinstance(found, tuple) else found
        return logits


def _auto_encoder(size: int, width: int, depth: int, heads: int) -> nn.Module:
    from monai.networks.nets import ViTAutoEnc  # seconds to load, so only where it is needed

    network = ViTAutoEnc(
        in_channels=1,
        img_size=size,
        patch_size=PATCH,
        hidden_size=width,
        mlp_dim=4 * width,
        num_layers=depth,
        num_heads=heads,
        spatial_dims=2,
    )
    return without_cross_attention(network)


def _swin_unetr(size: int, width: int, depth: int, heads: int) -> nn.Module:
    from monai.networks.nets import SwinUNETR

    options: dict[str, Any] = {
        "depths": (depth,) * 4,
        "num_heads": tuple(heads * 2**level for level in range(4)),
        "feature_size": width,
        "use_v2": True,
        "spatial_dims": 2,
    }
    network: nn.Module = SwinUNETR(in_channels=1, out_channels=1, **options)
    return network
