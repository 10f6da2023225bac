"""Images and labels of a training, read and normalised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.io import read_image
from napari_ssp.training.data import LabelledImage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.service.pairs import Pair


def load_pairs(pairs: Sequence[Pair]) -> list[LabelledImage]:
    """Read and normalise all pairs.

    Raises
    ------
    ValueError
        When images cannot be read or do not fit their labels; all of them are listed.
    """
    loaded, problems = [], []
    for pair in pairs:
        try:
            plane, labels = read_image(pair.image).plane(), read_image(pair.labels).plane()
            loaded.append(LabelledImage.from_planes(pair.name, plane, labels))
        except (OSError, ValueError, TypeError) as error:
            problems.append(f"{pair.image.name}: {error}")
    if problems:
        raise ValueError(
            f"{len(problems)} of {len(pairs)} training pairs cannot be used:\n  "
            + "\n  ".join(problems)
        )
    return loaded
