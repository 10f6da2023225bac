"""MEDIAR-Former: a SegFormer encoder and an MA-Net decoder with heads for cells and flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_ssp.networks.arguments import check_mediar

if TYPE_CHECKING:
    from collections.abc import Sequence


class MediarFormer(nn.Module):
    """Network of the NeurIPS 2022 cell segmentation challenge's winner.

    The state-dict keys are those of the published checkpoints.

    Parameters
    ----------
    encoder : str
        Name of an encoder of segmentation_models_pytorch, of those in
        :data:`napari_ssp.networks.encoders.ENCODERS`. The published model has ``"mit_b5"``.
    decoder_channels : sequence of int
        Channels of the decoder blocks, deepest first. Their number is the encoder's depth: five
        for the published model.
    pab_channels : int
        Channels of the position-wise attention block.
    in_channels : int
        Channels of the input image; the transformer encoders take 3 only.

    Raises
    ------
    ValueError
        When the encoder is not in the list, or a number is out of its limits.

    References
    ----------
    G. Lee, S. Kim, J. Kim, S.-Y. Yun: MEDIAR: Harmony of Data-Centric and Model-Centric for
    Multi-Modality Microscopy. arXiv:2212.03465 (2022).
    """

    def __init__(
        self,
        encoder: str = "mit_b5",
        decoder_channels: Sequence[int] = (1024, 512, 256, 128, 64),
        pab_channels: int = 256,
        in_channels: int = 3,
    ) -> None:
        check_mediar(encoder, decoder_channels, pab_channels, in_channels)
        from napari_ssp.networks.encoder_library import smp  # loaded only where it is needed

        super().__init__()
        frame = smp.MAnet(
            encoder_name=encoder,
            encoder_depth=len(decoder_channels),
            encoder_weights=None,
            decoder_channels=tuple(decoder_channels),
            decoder_pab_channels=pab_channels,
            in_channels=in_channels,
            classes=3,
        )
        self.stride = 2 ** len(decoder_channels)
        self.encoder = frame.encoder
        self.decoder = frame.decoder
        _replace_relu(self.decoder)
        self.cellprob_head = _head(decoder_channels[-1], 1)
        self.gradflow_head = _head(decoder_channels[-1], 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Predict flows and the logit of being a cell.

        Parameters
        ----------
        x : torch.Tensor
            Images, float (N, 3, Y, X) in [0, 1]; Y and X multiples of ``stride`` (32 as published).

        Returns
        -------
        torch.Tensor
            Float (N, 3, Y, X): flow_y and flow_x (5 times unit vectors) and the cell logit.

        Raises
        ------
        ValueError
            When Y or X is not a multiple of ``stride``.
        """
        if x.shape[-2] % self.stride or x.shape[-1] % self.stride:
            raise ValueError(
                f"MediarFormer needs a height and width that are multiples of {self.stride}, got "
                f"{x.shape[-2]} x {x.shape[-1]}; pad the image or predict it in windows."
            )
        features = self.decoder(self.encoder(x))
        return torch.cat([self.gradflow_head(features), self.cellprob_head(features)], dim=1)


def _head(in_channels: int, out_channels: int) -> nn.Sequential:
    """Deep head; the published one has half of the decoder's 64 channels inside."""
    hidden = in_channels // 2
    return nn.Sequential(
        nn.Conv2d(in_channels, hidden, kernel_size=3, padding=1),
        nn.Mish(inplace=True),
        nn.BatchNorm2d(hidden),
        nn.Conv2d(hidden, out_channels, kernel_size=3, padding=1),
    )


def _replace_relu(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.ReLU):
            setattr(module, name, nn.Mish(inplace=True))
        else:
            _replace_relu(child)
