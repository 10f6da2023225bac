"""Sets of files that hold OME-TIFF images together."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from napari_ssp.io.tiff.opening import open_tiff
from napari_ssp.io.xml import children, parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_NAMED = 5


@dataclass(frozen=True)
class FileSet:
    """The files that the OME-XML of one of them names.

    Attributes
    ----------
    master : pathlib.Path
        The file that was given, or the TIFF that describes it.
    xml : str or None
        The document, where it is not the file's own as it stands.
    files : tuple of pathlib.Path
        All files with pixels, in the order in which the document names them; at least one.
    by_image : tuple of tuples of pathlib.Path
        Those of each Image element.
    root : xml.etree.ElementTree.Element or None
        The document that counts; None where there is none, or it is damaged.
    """

    master: Path
    xml: str | None
    files: tuple[Path, ...]
    by_image: tuple[tuple[Path, ...], ...] = ()
    root: ElementTree.Element | None = None

    def missing(self, image: int) -> tuple[Path, ...]:
        """Files of an Image element that are not there."""
        named = self.by_image[image] if image < len(self.by_image) else ()
        return tuple(file for file in named if not file.exists())


def find_set(root: ElementTree.Element | None, path: Path) -> FileSet:
    """Find the files that belong to a TIFF; of most it is the only one.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element or None
        Its OME-XML, as `open_tiff` gives it.
    path : pathlib.Path
        Its path.

    Raises
    ------
    FileNotFoundError
        If it leaves its description to a file that is not there.
    """
    if root is None:
        return FileSet(path, None, (path,))
    binary = next(children(root, "BinaryOnly"), None)
    if binary is None:
        return _named_files(root, path, None)
    companion = path.parent / Path(binary.get("MetadataFile", "")).name
    if not companion.is_file():
        raise FileNotFoundError(
            f"'{path}' leaves its description to '{companion.name}', which is not beside it. Copy "
            "the whole set of files into one folder, or export it as one OME-TIFF."
        )
    return _of_companion(companion, path)


def missing_error(path: Path, missing: tuple[Path, ...]) -> FileNotFoundError:
    """Build the error for a set of which files are not there."""
    names = ", ".join(f"'{file.name}'" for file in missing[:_MOST_NAMED])
    more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    verb = "is" if len(missing) == 1 else "are"
    return FileNotFoundError(
        f"'{path}' belongs to a set of files, of which {names}{more} {verb} not there. Copy the "
        f"whole set into '{path.parent}'; or let the planes of what is missing be 0 (--missing "
        "zeros)."
    )


@contextmanager
def opened_set(path: Path) -> Iterator[tuple[Any, FileSet]]:
    """Open a TIFF, or the file that describes it, with all files of its set.

    Raises
    ------
    FileNotFoundError
        As `find_set`.
    tifffile.TiffFileError
        If it is no TIFF.
    """
    with _silent_about_missing_files():
        with open_tiff(path) as (tif, root):
            found = find_set(root, path)
            if found.master == path and found.xml is None:
                yield tif, found
                return
        with open_tiff(found.master, found.xml) as (tif, _):
            yield tif, found


@contextmanager
def _silent_about_missing_files() -> Iterator[None]:
    """Keep tifffile from saying on the terminal what an error or a warning says of the image."""

    def is_other(record: logging.LogRecord) -> bool:
        return "failed to read" not in record.getMessage()

    logger = logging.getLogger("tifffile")
    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def _of_companion(companion: Path, path: Path) -> FileSet:
    with companion.open("rb") as file:
        is_text = file.read(5).lstrip(b"\xef\xbb\xbf").startswith(b"<")
    if not is_text:
        with open_tiff(companion) as (_, root):
            if root is not None:
                return _named_files(root, companion, None)
    else:
        xml = companion.read_text(encoding="utf-8-sig", errors="replace")
        root = parse_xml(xml)
        if root is not None:
            # Its identifier is the text's; the TIFF that is opened with it has another one.
            root.attrib.pop("UUID", None)
            return _named_files(root, path, ElementTree.tostring(root, encoding="unicode"))
    raise FileNotFoundError(
        f"'{path}' leaves its description to '{companion.name}', which cannot be read as one. Copy "
        "that file again, or export the set as one OME-TIFF."
    )


def _named_files(root: ElementTree.Element, path: Path, xml: str | None) -> FileSet:
    own = root.get("UUID")
    images = [_names(image) for image in children(root, "Image")]
    named = dict.fromkeys(pair for names in images for pair in names)
    if xml is None and own is None and len(named) == 1 and not _is_there(path, *named):
        # A file that names only itself, and was given another name.
        xml = _without_names(root)
        return FileSet(path, xml, (path,), tuple((path,) for _ in images), root)

    def place(uuid: str, name: str) -> Path:
        return path if uuid == own or name.lower() == path.name.lower() else path.parent / name

    by_image = tuple(tuple(dict.fromkeys(place(*pair) for pair in names)) for names in images)
    files = tuple(dict.fromkeys(file for names in by_image for file in names))
    return FileSet(path, xml, files or (path,), by_image, root)


def _names(image: ElementTree.Element) -> list[tuple[str, str]]:
    """List identifier and name of each file that an Image element takes planes from."""
    found: dict[tuple[str, str], None] = {}
    for pixels in children(image, "Pixels"):
        for data in children(pixels, "TiffData"):
            for uuid in children(data, "UUID"):
                found[(uuid.text or "").strip(), uuid.get("FileName", "")] = None
    return [(uuid, name) for uuid, name in found if name]


def _is_there(path: Path, pair: tuple[str, str]) -> bool:
    return (path.parent / pair[1]).exists()


def _without_names(root: ElementTree.Element) -> str:
    for image in children(root, "Image"):
        for pixels in children(image, "Pixels"):
            for data in children(pixels, "TiffData"):
                for uuid in list(children(data, "UUID")):
                    data.remove(uuid)
    return ElementTree.tostring(root, encoding="unicode")
