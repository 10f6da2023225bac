"""The model that makes the blocks of a result, as it was decided once for all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.registry import find_card
from napari_ssp.service.blocks.unfinished import DAMAGE

if TYPE_CHECKING:
    from napari_ssp.service.blocks.unfinished import Unfinished
    from napari_ssp.service.requests import SegmentRequest

# Its entry in the ledger.
_STEP, _KEY = "model", "all"


@dataclass(frozen=True)
class Decision:
    """Which model does all blocks.

    Attributes
    ----------
    model, sha256 : str
        Its name, and the digest of its weights.
    instead_of : dict or None
        What the provenance says of the model that it stands in for; None where that one is kept.
    warning : str
        What the user should know about it; may be empty.
    """

    model: str
    sha256: str
    instead_of: dict[str, Any] | None
    warning: str

    def request(self, request: SegmentRequest) -> SegmentRequest:
        """Request whose blocks are made."""
        if self.instead_of is None:
            return request
        return replace(request, model=self.model, fallback=False)

    def note(self, unfinished: Unfinished) -> None:
        """Keep it in the ledger, for who goes on."""
        unfinished.save(_STEP, _KEY, np.zeros(0), **vars(self))

    def check(self, unfinished: Unfinished) -> None:
        """Refuse to go on with other weights, with a ValueError."""
        if self.instead_of is not None and find_card(self.model).sha256 != self.sha256:
            raise ValueError(
                f"'{unfinished.folder}' was begun with '{self.model}', whose weights are others "
                "now, so it cannot go on. Begin again with --overwrite."
            )


def find_decision(unfinished: Unfinished) -> Decision | None:
    """Read what was decided; None where nothing was."""
    try:
        return Decision(**unfinished.facts(_STEP, _KEY))
    except DAMAGE:
        return None
