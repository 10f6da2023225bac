"""The twelve structures of the Allen Institute's label-free collection, as RepMode names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Name to one line for the user who chooses.
ALLEN_STRUCTURES = {
    "alpha_tubulin": "Microtubules (alpha tubulin): the filaments that span the cell, and spindles",
    "beta_actin": "Actin filaments (beta actin): the cell's cortex, its edges and contacts",
    "desmoplakin": "Desmosomes (desmoplakin): small spots where neighbouring cells are riveted",
    "dna": "DNA (dye): nuclei, and chromosomes of cells that divide",
    "fibrillarin": "Nucleoli, their dense fibrillar part (fibrillarin): spots in each nucleus",
    "lamin_b1": "Nuclear envelope (lamin B1): the outline of each nucleus",
    "membrane_caax_63x": "Plasma membrane (CAAX tag), taken with a 63x lens: outlines of cells",
    "myosin_iib": "Actomyosin bundles (non-muscle myosin IIB): the cell's cortex and stress fibres",
    "sec61_beta": "Endoplasmic reticulum (Sec61 beta): a net, densest around the nucleus",
    "st6gal1": "Golgi apparatus (sialyltransferase 1): a compact body beside the nucleus",
    "tom20": "Mitochondria (Tom20): threads and grains through the cell",
    "zo1": "Tight junctions (ZO-1): thin lines between neighbouring cells, near their top",
}
#: (z, y, x) in µm to which RepMode resamples the collection.
ALLEN_VOXEL_SIZE = (0.29, 0.29, 0.29)


def are_allen(tasks: Iterable[str]) -> bool:
    """Whether all names are of the collection."""
    names = set(tasks)
    return bool(names) and names <= set(ALLEN_STRUCTURES)
