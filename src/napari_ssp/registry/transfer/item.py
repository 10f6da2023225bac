"""A file to download, and how long to go on when the network does not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path


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
        Failures in a row, without a byte between, after which to give up.
    first_wait, longest_wait : float
        Seconds before the second attempt; each further wait is twice as long.
    connect, silence : float
        Seconds to wait for a connection, and for the next bytes.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 30.0
    connect: float = 15.0
    silence: float = 60.0
