"""The client bundle: one file with a server's address and what a client proves itself with."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from napari_ssp.atomic import atomic_path, check_target

BUNDLE_FILE = "napari-ssp-client.json"
_MARK = "napari-ssp client bundle"
_LONGEST = 2**20


@dataclass(frozen=True)
class Identity:
    """What one side of a connection proves itself with, as PEM.

    Attributes
    ----------
    authority : str
        Certificate of whom it believes.
    certificate, key : str
        Its own certificate, and the private key to that.
    """

    authority: str
    certificate: str
    key: str


@dataclass(frozen=True)
class Bundle:
    """Where a server is, and how to be let in.

    Attributes
    ----------
    address : str
        ``tls://host:port``; ``tcp://`` on this computer only.
    identity : Identity or None
        None where nothing is to be proved.
    """

    address: str
    identity: Identity | None = None

    def write(self, path: Path) -> None:
        """Write it as a file that its owner alone may read."""
        identity = asdict(self.identity) if self.identity else {}
        write_private(path, {"kind": _MARK, "address": self.address, **identity})

    @staticmethod
    def check_target(path: Path) -> None:
        """Refuse a name that cannot be written to, or that holds something else.

        Raises
        ------
        ValueError, OSError
            With the name and what is wrong with it.
        """
        check_target(path, overwrite=True)
        if path.is_file() and read_private(path).get("kind") != _MARK:
            raise ValueError(
                f"'{path}' exists and is no client bundle, so it was left as it is. Give another "
                "name."
            )

    @classmethod
    def read(cls, path: Path) -> Bundle:
        """Read such a file.

        Raises
        ------
        ValueError
            When it is none, or names an address that must not be used.
        OSError
            When it cannot be read.
        """
        content = read_private(path)
        names = ("authority", "certificate", "key")
        words = [content.get(name) for name in ("address", *names)]
        if content.get("kind") != _MARK or not isinstance(words[0], str):
            raise ValueError(
                f"'{path}' is no client bundle. Give the file {BUNDLE_FILE} that 'napari-ssp "
                "serve' has written on the server."
            )
        has_identity = all(isinstance(word, str) and word for word in words[1:])
        identity = Identity(*words[1:]) if has_identity else None  # type: ignore[arg-type]
        check_address(words[0])
        return cls(words[0], identity)


def server_folder() -> Path:
    """Folder of the certificates of this user's server; ``NAPARI_SSP_SERVER`` moves it."""
    chosen = os.environ.get("NAPARI_SSP_SERVER")
    data = platformdirs.user_data_path("napari-ssp", appauthor=False)
    return Path(chosen) if chosen else data / "server"


def known_bundle() -> Bundle | None:
    """Bundle of this user's own server; None where there is none."""
    path = server_folder() / BUNDLE_FILE
    return Bundle.read(path) if path.is_file() else None


def check_address(address: str) -> None:
    """Refuse what is no address of a server, or one to which anybody could listen.

    Raises
    ------
    ValueError
        With the address and what is wrong with it.
    """
    parts = urlsplit(address)
    try:
        is_whole = bool(parts.hostname and parts.port)
    except ValueError:
        is_whole = False
    if parts.scheme not in ("tls", "tcp") or not is_whole:
        raise ValueError(f"'{address}' is no address of a server; one is like tls://host:8786.")
    if parts.scheme == "tcp" and not is_loopback(str(parts.hostname)):
        raise ValueError(
            f"'{address}' is not encrypted, and it is not on this computer: anybody on the network "
            "could read the images and run programs there. Use tls://, with the client bundle that "
            "'napari-ssp serve' has written."
        )


def is_loopback(host: str) -> bool:
    """Whether a host's name means this computer, and nobody else can reach it."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Write a file of JSON that its owner alone may read.

    On Windows the folder decides that: the user's own folders are closed to other users.
    """
    with atomic_path(path, overwrite=True) as temporary:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)


def read_private(path: Path) -> dict[str, Any]:
    """Content of such a file; empty where it is another one."""
    if path.stat().st_size > _LONGEST:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def write_pem(path: Path, identity: Identity) -> None:
    """Write certificate and key as a file that its owner alone may read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(identity.certificate + identity.key)
