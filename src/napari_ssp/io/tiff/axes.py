"""Conversion of tifffile's axis letters to ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.image import AXES, guess_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

DROPPED = "-"
_SAMPLES = "S"
_COLOUR_SAMPLES = (3, 4)


def name_axes(axes: str, shape: Sequence[int], colour: bool) -> tuple[str, bool]:
    """Name each axis of a TIFF series by our letters.

    Axes of length 1 are dropped, except y and x. Samples ("S") of a colour image become colours,
    other samples channels. TIFF files may hold axes that nobody named ("I", "Q" and rarer letters):
    one such axis is read as z, or as t where z is taken; two are t and z where the channels are
    known, and guessed as for a bare array where they are not.

    Parameters
    ----------
    axes : str
        tifffile's letters.
    shape : sequence of int
        Length of each axis.
    colour : bool
        Whether the file says that its samples are colours.

    Returns
    -------
    letters : str
        One of "tczyx" per axis, or "-" for an axis to drop.
    rgb : bool
        Whether "c" holds 3 or 4 colours.

    Raises
    ------
    ValueError
        If there are more unknown axes than can be guessed, or channels beside colours.
    """
    known = [DROPPED if n == 1 and a not in "YX" else a for a, n in zip(axes, shape, strict=True)]
    rgb = colour and _is_colour(known, shape)
    if _SAMPLES in known:
        if "C" in known:
            raise ValueError(
                f"The file has channels and colour samples (axes '{axes}', shape {tuple(shape)}), "
                "and only one of the two can be shown. Save it with the colours as channels."
            )
        known[known.index(_SAMPLES)] = "C"
    unknown = [i for i, a in enumerate(known) if a != DROPPED and a.lower() not in AXES]
    for index, letter in zip(unknown, _guesses(known, unknown, axes, shape), strict=True):
        known[index] = letter
    return "".join(known).lower(), rgb


def arrange(array: Any, letters: str, rgb: bool) -> tuple[Any, str]:
    """Drop the axes that `name_axes` drops, and put colours last.

    Parameters
    ----------
    array : numpy or dask array
        One axis per letter.
    letters : str
        As `name_axes` returns them.
    rgb : bool
        Whether "c" holds colours.

    Returns
    -------
    array : numpy or dask array
        A view of the array.
    axes : str
        The letters that are left, in order.
    """
    kept = array[tuple(0 if letter == DROPPED else slice(None) for letter in letters)]
    axes = letters.replace(DROPPED, "")
    if not rgb:
        return kept, axes
    colours = axes.index("c")
    order = [i for i in range(len(axes)) if i != colours] + [colours]
    return kept.transpose(order), "".join(axes[i] for i in order)


def _is_colour(known: list[str], shape: Sequence[int]) -> bool:
    # tifffile's own metadata may name the samples of a colour image "C".
    if _SAMPLES in known:
        return shape[known.index(_SAMPLES)] in _COLOUR_SAMPLES
    return known[-1] == "C" and shape[-1] in _COLOUR_SAMPLES


def _guesses(known: list[str], unknown: list[int], axes: str, shape: Sequence[int]) -> str:
    free = "".join(letter for letter in "ZT" if letter not in known)
    if len(unknown) <= min(1, len(free)):
        return free[: len(unknown)]
    if len(unknown) == 2 == len(free) and "C" in known:
        return "TZ"
    if len(unknown) == 2 == len(free):
        lengths = [shape[i] for i in unknown]
        sides = [n for a, n in zip(known, shape, strict=True) if a in "YX"]
        # As floats, so that a narrow image is not taken for colours: the file said it has none.
        return guess_axes([*lengths, *sides], float)[:2].upper()
    names = ", ".join(f"{axes[i]} ({shape[i]})" for i in unknown)
    raise ValueError(
        f"The file has axes '{axes}' of lengths {tuple(shape)}, and nothing says what {names} are. "
        "Save it as an ImageJ hyperstack or an OME-TIFF, which name their axes."
    )
