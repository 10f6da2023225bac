"""Images of a TIFF file: which of its series they are, and what its OME-XML says of each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_ssp.io.errors import damage_error
from napari_ssp.io.tiff.ome import OmeImage, parse_ome
from napari_ssp.io.tiff.positions import list_positions
from napari_ssp.io.tiff.slides import without_pictures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_ssp.io.tiff.sets import FileSet

_LOOSE = "I"
#: Series of tifffile whose pages nothing but their shape holds together.
_PLAIN = ("shaped", "generic", "uniform")


@dataclass(frozen=True)
class Entry:
    """One image of a file.

    Attributes
    ----------
    series : tuple of int
        Its series; several are its planes, none where all of its files are missing.
    ome : OmeImage
        What OME-XML says of it.
    missing : tuple of pathlib.Path
        Files that hold planes of it and are not there.
    name : str
        By which it is told from the others of the file.
    position : mapping
        Which of the positions that lie in its series, by `list_positions`.
    """

    series: tuple[int, ...]
    ome: OmeImage = field(default_factory=OmeImage)
    missing: tuple[Path, ...] = ()
    name: str = ""
    position: Mapping[str, int] = field(default_factory=dict)

    def doubts(self, tif: Any, path: Path) -> tuple[str, ...]:
        """Say what a user should know of how the image was put together."""
        if len(self.series) > 1:
            count = sum(len(tif.series[number].pages) for number in self.series)
            return (
                f"'{path.name}' holds {count} pages of one shape, and nothing says what "
                "they are: taken as a stack along z. Name the axes (e.g. tyx) if they are time "
                "points; save images that do not belong together as files of their own.",
            )
        pages = list(tif.series[self.series[0]].pages)
        empty = sum(page is None for page in pages)
        if not empty:
            return ()
        names = ", ".join(f"'{file.name}'" for file in self.missing[:5])
        verb = "is" if len(self.missing) == 1 else "are"
        cause = f"{names} {verb} not there" if names else "the file does not hold them"
        return (f"{empty} of {len(pages)} planes of '{path.name}' are 0, because {cause}.",)


def find_entries(tif: Any, files: FileSet) -> list[Entry]:
    """List the images of a file.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    files : FileSet
        It, and those that belong to it.

    Returns
    -------
    list of Entry
        At least one. Pages of one shape that were appended one by one are one image.

    Raises
    ------
    OSError
        If there is no image in it.
    """
    usable = [i for i, s in enumerate(tif.series) if s.dtype is not None and s.size]
    described = parse_ome(files.root)
    kept = set(without_pictures(tif, usable))
    entries = [
        entry
        for entry in _described(tif, usable, described, files)
        if not entry.series or entry.series[0] in kept
    ]
    if not entries:
        raise damage_error(files.master, "there is no image in it")
    if not described and _is_stack([tif.series[i] for i in usable]):
        return [Entry(tuple(usable))]
    return [part for entry in entries for part in _by_position(tif, entry)]


def _by_position(tif: Any, entry: Entry) -> list[Entry]:
    if not entry.series:
        return [entry]
    places = list_positions(tif.series[entry.series[0]])
    return [replace(entry, position=place) for place in places]


def _described(
    tif: Any, usable: Sequence[int], described: Sequence[OmeImage], files: FileSet
) -> list[Entry]:
    """Match series to Image elements, of which tifffile leaves those without pixels out."""
    entries, rest = [], list(usable)
    for number, ome in enumerate(described):
        missing = files.missing(number)
        gone = bool(missing) and len(missing) == len(files.by_image[number])
        is_next = bool(rest) and (tif.series[rest[0]].name or "") == ome.name
        if is_next and not gone:
            entries.append(Entry((rest.pop(0),), ome, missing))
        elif missing:
            entries.append(Entry((), ome, missing))
    if not rest:
        return entries
    in_order = [*described, *[OmeImage()] * len(tif.series)]
    return [Entry((i,), in_order[i]) for i in usable]


def _is_stack(series: Sequence[Any]) -> bool:
    alike = {(p.shape, p.dtype, p.axes, p.photometric) for p in (s.keyframe for s in series)}
    plain = all(s.kind in _PLAIN and not s.name and len(s.levels) == 1 for s in series)
    # tifffile puts those together that are compressed alike; what was written as a stack stays one.
    loose = all(len(s.pages) == 1 or s.axes.startswith(_LOOSE) for s in series)
    whole = all(s.shape[s.ndim - len(s.keyframe.shape) :] == s.keyframe.shape for s in series)
    return len(series) > 1 and plain and loose and whole and len(alike) == 1
