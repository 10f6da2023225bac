"""A zipped OME-Zarr (".ozx", ".ome.zarr.zip"): one file in place of a folder, never unpacked."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

from napari_ssp.atomic import ZARR_MARKERS
from napari_ssp.io.errors import damage_error

if TYPE_CHECKING:
    from pathlib import Path

#: The end of a zipped OME-Zarr's name.
ARCHIVE_SUFFIX = ".ozx"

_START = b"PK\x03\x04"
_NAMES = (ARCHIVE_SUFFIX, ".zip", ".zarr")
_ENCRYPTED = 1
# A block or a description that unfolds to more is a trap; what is stored as it is cannot.
_LARGEST_UNPACKED = 2**30


def is_archive(path: Path) -> bool:
    """Whether a file is a zip, and named as an OME-Zarr or a zip."""
    if path.suffix.lower() not in _NAMES or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_START)) == _START


def find_store(path: Path) -> tuple[Any, str | None]:
    """Find the Zarr in a zip; the file is open as long as the store is in use.

    Parameters
    ----------
    path : pathlib.Path
        The file. The Zarr lies at its top, or in the one folder there.

    Returns
    -------
    store : zarr.storage.ZipStore
        For reading.
    root : str or None
        Where in it the Zarr lies; None at the top.

    Raises
    ------
    OSError
        If it is cut off or damaged, or holds a part that unfolds to more than a GiB.
    ValueError
        If there is no Zarr in it, or more than one, or it has a password.
    """
    from zarr.storage import ZipStore  # takes half a second, and other formats do without it

    root = _find_root(path)
    return ZipStore(path, mode="r"), root or None


def _find_root(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeDecodeError) as error:
        raise damage_error(path, error) from error
    for entry in entries:
        _check(entry, path)
    names = {entry.filename for entry in entries}
    if names & set(ZARR_MARKERS):
        return ""
    tops = sorted({name.partition("/")[0] for name in names})
    roots = [top for top in tops if any(f"{top}/{marker}" in names for marker in ZARR_MARKERS)]
    if len(roots) == 1:
        return roots[0]
    found = f"holds {len(roots)} Zarrs ({', '.join(roots[:5])})" if roots else "holds no Zarr"
    raise ValueError(
        f"'{path}' is a zip that {found}, but one image is needed, its zarr.json at the top. "
        "Unpack it, and give the folder that ends with .zarr."
    )


def _check(entry: zipfile.ZipInfo, path: Path) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise ValueError(f"'{path}' is a zip with a password. Unpack it, and give the folder.")
    if entry.compress_type != zipfile.ZIP_STORED and entry.file_size > _LARGEST_UNPACKED:
        raise damage_error(path, f"'{entry.filename}' unfolds to {entry.file_size} bytes")
