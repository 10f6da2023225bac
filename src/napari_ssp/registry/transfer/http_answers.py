"""Answers of a server: the file, something that may pass, or something else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from napari_ssp.registry.transfer.drive_confirmation import find_confirmed_address

if TYPE_CHECKING:
    from requests import Response

    from napari_ssp.registry.transfer.item import Download

#: Longest page that is read for what it asks.
_LONGEST_PAGE = 2**19
_RETRIED = (408, 425, 429, 500, 502, 503, 504)
_PAGE_STARTS = (b"<!doctype html", b"<html")


class TransientError(Exception):
    """Something that may pass: a lost connection, a busy server."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class ElsewhereError(Exception):
    """A page that asks for a confirmation; the file is at another address.

    Parameters
    ----------
    url : str
        That address.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


def check_answer(item: Download, response: Response) -> None:
    """Refuse an answer that is not the file, by its head.

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file, or the server does not give it.
    ElsewhereError
        If it is a page that asks for a confirmation, as Google Drive does for large files.
    TransientError
        If it may be better next time.
    ValueError
        If it is something else, or not encrypted although it should be.
    """
    status, said = response.status_code, f"{response.status_code} {response.reason}"
    if urlsplit(item.url).scheme == "https" and urlsplit(response.url).scheme != "https":
        raise ValueError(f"{item.url} leads to {response.url}, which is not encrypted: refused.")
    if status in _RETRIED:
        after = response.headers.get("Retry-After", "")
        raise TransientError(f"the server says {said}", float(after) if after.isdigit() else 0.0)
    if status in (404, 410):
        raise FileNotFoundError(f"{item.url} does not exist ({said}). Check the address.")
    if status in (401, 403):
        raise PermissionError(
            f"{item.url} is refused ({said}). Log in to the site in a browser and download it "
            f"there, to {item.path}, if you may."
        )
    if status not in (200, 206, 416):
        raise ValueError(
            f"{item.url}: the server says {said}, which is no file. Check the address."
        )
    packed = response.headers.get("Content-Encoding", "identity").lower()
    if packed != "identity" and item.path.suffix not in (".gz", ".tgz"):
        raise ValueError(f"{item.url} is sent packed ({packed}), which was not asked for: refused.")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml") and status != 416:
        page = response.raw.read(_LONGEST_PAGE, decode_content=True).decode("utf-8", "replace")
        confirmed = find_confirmed_address(page, response.url)
        raise ElsewhereError(confirmed) if confirmed else _page(item, page)


def check_start(item: Download, chunk: bytes) -> None:
    """Refuse a file by its first bytes.

    Raises
    ------
    ValueError
        If it is a web page, or of another format than expected.
    """
    if chunk[:64].lstrip().lower().startswith(_PAGE_STARTS):
        raise _page(item)
    if item.start and not chunk.startswith(item.start[: len(chunk)]):
        raise ValueError(
            f"{item.url} begins with {chunk[:12]!r}, but {item.path.name} begins with "
            f"{item.start!r}: it is another file. Check the address."
        )


def _page(item: Download, text: str = "") -> ValueError:
    if "too many users" in text.lower() or "quota exceeded" in text.lower():
        return ValueError(
            f"{item.url} was downloaded by too many people today, so Google Drive does not give it "
            "now. Try again tomorrow, or open the address in a browser where you are logged in."
        )
    return ValueError(
        f"{item.url} gave a web page instead of {item.path.name}: a log-in page of the site or of "
        "the network, or an error page. Open the address in a browser and see what it asks for."
    )


def file_version(response: Response) -> str:
    """Give the mark of the file's version, or its date; a weak mark says nothing about bytes."""
    tag = response.headers.get("ETag", "")
    return response.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
