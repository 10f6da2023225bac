"""The model of an installed cellpose, which keeps and loads its weights itself."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from napari_ssp.registry.card import CELLPOSE, ModelCard

#: Older ones have other arguments.
_FIRST = 4


def cellpose_cards() -> list[ModelCard]:
    """Card of the default model of cellpose 4 or later; none where it is not installed."""
    if find_spec("cellpose") is None:
        return []
    try:
        found = version("cellpose")
    except PackageNotFoundError:
        return []
    if not found.partition(".")[0].isdigit() or int(found.partition(".")[0]) < _FIRST:
        return []
    return [
        ModelCard(
            name="cellpose",
            family=CELLPOSE,
            network={},
            sha256="",
            description=f"The default model of the installed cellpose {found}, run by cellpose. It "
            "fetches its weights (about 1 GB) from the network when it runs for the first time.",
            licence="cellpose's: trained on data under CC-BY-NC",
            citation="Pachitariu, Rariden, Stringer: Cellpose-SAM, bioRxiv (2025)",
            origin=f"cellpose {found}",
        )
    ]
