"""A file to download, and how long to go on when the network does not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path


#: Bytes of a file at most whose length neither its list nor its server states.
UNSTATED_LIMIT = 16 * 2**30


@dataclass(frozen=True)
class Download:
    """One file to download.

    Attributes
    ----------
    url : str
        Where it is; http or https.
    path : pathlib.Path
        Its final name. Folders are made.
    sha256, md5 : str
        Digest in hexadecimal, or empty when unknown.
    size : int or None
        Length in bytes, or None when unknown.
    start : bytes
        What such a file begins with, e.g. the mark of its format, or empty.
    longest : int or None
        Bytes at most, whatever the server states. None sets no limit to what is stated, and that of
        `UNSTATED_LIMIT` to what is not.

    Raises
    ------
    ValueError
        If the address or a digest cannot be one.
    """

    url: str
    path: Path
    sha256: str = ""
    md5: str = ""
    size: int | None = None
    start: bytes = b""
    longest: int | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"'{self.url}' is not an address that begins with https:// or http://."
            )
        for kind, length in (("sha256", 64), ("md5", 32)):
            digest = getattr(self, kind)
            if digest and not re.fullmatch(f"[0-9a-fA-F]{{{length}}}", digest):
                raise ValueError(
                    f"'{digest}' is not a {kind} digest: it has {length} hexadecimal digits. Check "
                    f"the list that it came from ({self.path.name})."
                )


@dataclass(frozen=True)
class RetryPolicy:
    """How long to go on when the network does not.

    Attributes
    ----------
    attempts : int
        Failures in a row after which to give up; `progress` bytes between them begin a new row.
    first_wait, longest_wait : float
        Seconds before the second attempt; each further wait is twice as long.
    reach : float
        Seconds within which a server is found, at the beginning; asking again does not help then.
    connect, silence : float
        Seconds to wait for a connection, and for the next bytes.
    progress : int
        Bytes that are to come within each `silence`; what comes more slowly is a failure.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 30.0
    reach: float = 4.0
    connect: float = 15.0
    silence: float = 60.0
    progress: int = 2**16
