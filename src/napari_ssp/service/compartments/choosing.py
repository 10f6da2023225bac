"""Choices for cells and nuclei: both segmentations from one set, and what was left open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.registry import PACKAGE, STUDENT
from napari_ssp.registry.folders import DEFAULT_MODEL
from napari_ssp.schema import checked_dataclass, choice, same_choice
from napari_ssp.service.compartments.requests import CompartmentsRequest
from napari_ssp.service.requests import ModelName, SegmentRequest
from napari_ssp.service.segmentation.plan import find_members
from napari_ssp.service.source_image import open_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.image import MicroscopyImage

#: Shipped model for cells that learned to see nuclei in a second channel.
CELL_MODEL = "generalist-starter"
#: In front of the name of a choice for nuclei alone.
NUCLEI = "nuclei_"
#: Choices that cells and nuclei each have of their own; all others hold for both.
OWN = ("model", "diameter", "cell_threshold", "flow_threshold", "min_size", "hole_size")
_same = partial(same_choice, SegmentRequest)
_STAINS_OF_DNA = ("dapi", "hoechst", "nucle", "dna", "draq", "h2b", "sytox", "propidium")
_STAINS_OF_CELLS = ("cell", "cyto", "membrane", "actin", "phalloidin", "wga", "cadherin")


@checked_dataclass(frozen=True)
class NucleiChoices:
    """What is chosen for cells and nuclei other than for a single segmentation.

    Attributes
    ----------
    model, nuclei_model, channel, nuclei, cells_alone
        As of `compartments_request`.
    nuclei_diameter, nuclei_cell_threshold, nuclei_flow_threshold, nuclei_min_size, nuclei_hole_size
        As in `SegmentRequest`, of the nuclei.
    """

    model: ModelName = choice(CELL_MODEL, "Cell model", "Model for the cells: its name, or folder")
    nuclei_model: ModelName = choice(
        DEFAULT_MODEL, "Nuclei model", "Model for the nuclei: its name, or folder"
    )
    channel: int | None = choice(
        None,
        "Cells in",
        "Channel with the cells, from 0 [default: by its name, or the first]",
        min=0,
    )
    nuclei: int | None = choice(
        None,
        "Nuclei in",
        "Channel with the nuclei, from 0 [default: by its name, or the second]",
        min=0,
    )
    cells_alone: bool = choice(
        False,
        "Cells by their channel alone",
        "The model for the cells does not see the nuclei, as if it took one channel",
    )
    nuclei_diameter: float | None = _same(
        "diameter", label="Nuclei diameter", help="Typical diameter of the nuclei, in pixels"
    )
    nuclei_cell_threshold: float = _same(
        "cell_threshold", label="Nuclei threshold", help="As the cell threshold, for the nuclei"
    )
    nuclei_flow_threshold: float = _same(
        "flow_threshold", label="Nuclei flow threshold", help="Largest flow error of a nucleus"
    )
    nuclei_min_size: int = _same(
        "min_size", label="Smallest nucleus", help="Smallest nucleus, in pixels"
    )
    nuclei_hole_size: int | None = _same(
        "hole_size", label="Fill holes of nuclei", help="As the holes of the cells, for the nuclei"
    )


def compartments_request(
    image: Any,
    model: Any = CELL_MODEL,
    nuclei_model: Any = DEFAULT_MODEL,
    *,
    channel: int | None = None,
    nuclei: int | None = None,
    cells_alone: bool = False,
    **options: Any,
) -> CompartmentsRequest:
    """Make a request for cells and nuclei.

    Parameters
    ----------
    image : MicroscopyImage, array or path
        What to work on.
    model, nuclei_model : str or pathlib.Path
        Models for cells and for nuclei.
    channel, nuclei : int or None
        Channels with the cells and with the nuclei, from 0; of what is left open, those that are
        named like a stain of cells and of DNA, else the first other one.
    cells_alone : bool
        Let the model for cells see their channel only. Families that see one channel do in any
        case.
    **options
        Fields of `SegmentRequest`. ``diameter``, ``cell_threshold``, ``flow_threshold``,
        ``min_size`` and ``hole_size`` are those of the cells, and with ``nuclei_`` in front those
        of the nuclei; all others hold for both.

    Raises
    ------
    TypeError
        When there is no such option.
    ValueError
        When the image has a single channel and none was chosen, or a value is not allowed.
    OSError
        When image or model are not there.
    """
    names = [name for name in options if name.startswith(NUCLEI)]
    of_nuclei = {name.removeprefix(NUCLEI): options.pop(name) for name in names}
    if unknown := sorted(set(of_nuclei) - set(OWN)):
        raise TypeError(f"Nuclei have no {', '.join(unknown)} of their own, only {', '.join(OWN)}.")
    shared = {name: value for name, value in options.items() if name not in OWN}
    if channel is None or nuclei is None:
        found = open_image(SegmentRequest(image, **shared))
        channel, nuclei = choose_channels(found, channel, nuclei)
    sees_both = not cells_alone and channel != nuclei and sees_nuclei(str(model))
    seen = nuclei if sees_both else None
    cells = SegmentRequest(image, model, channel=channel, nuclei=seen, **options)
    own = SegmentRequest(cells.image, nuclei_model, channel=nuclei, **shared, **of_nuclei)
    return CompartmentsRequest(cells, own)


def compartments_options(cells: dict[str, Any], nuclei: dict[str, Any]) -> dict[str, Any]:
    """Options by which `compartments_request` makes a request again.

    Parameters
    ----------
    cells, nuclei : dict
        Fields of both segmentations that are not as they are by default.
    """
    own = {NUCLEI + name: nuclei[name] for name in OWN if name in nuclei}
    alone = {} if "nuclei" in cells else {"cells_alone": True}
    return {**cells, "nuclei": nuclei.get("channel", 0), **own, **alone}


def choose_channels(
    image: MicroscopyImage, cells: int | None = None, nuclei: int | None = None
) -> tuple[int, int]:
    """Channels of cells and nuclei, by their names where they tell; what is given stays.

    Raises
    ------
    ValueError
        When there is only one.
    """
    count = image.num_channels
    if count == 1:
        raise ValueError(
            f"'{image.name}' has a single channel, but cells and nuclei are found in two. Give an "
            "image with both; or 0 for both channels, to look for both in this one."
        )
    names = [name.lower() for name in image.channel_names] or [""] * count
    if nuclei is None:
        nuclei = _named(names, _STAINS_OF_DNA, cells)
    if cells is None:
        cells = _named(names, _STAINS_OF_CELLS, nuclei)
    if cells is None:
        cells = _first_but(nuclei)
    return cells, _first_but(cells) if nuclei is None else nuclei


def _first_but(other: int | None) -> int:
    return 1 if other == 0 else 0


def names_dna(name: str) -> bool:
    """Whether a channel or layer is named like a stain of DNA."""
    return any(stain in name.lower() for stain in _STAINS_OF_DNA)


def _named(names: Sequence[str], stains: Sequence[str], but: int | None = None) -> int | None:
    """First channel that is named like a stain, but for one; None without any."""
    found = (c for c, name in enumerate(names) if c != but and any(s in name for s in stains))
    return next(found, None)


def sees_nuclei(model: str) -> bool:
    """Whether a model for cells takes their nuclei as a second channel."""
    return find_members(model)[0].family not in (PACKAGE, STUDENT)
