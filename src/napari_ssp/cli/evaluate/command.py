"""``napari-ssp evaluate``: predictions against the truth."""

from __future__ import annotations

import click

from napari_ssp.cli.evaluate.segmentation import segmentation
from napari_ssp.cli.evaluate.structures import structures


@click.group()
def evaluate() -> None:
    """Score predictions against the truth."""


evaluate.add_command(segmentation)
evaluate.add_command(structures)
