"""The certificates of this user's server, which last from start to start."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from napari_ssp.service.compute.bundle import Identity, read_private, write_private
from napari_ssp.service.compute.certificates import DAYS, find_expiry, make_identities

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "server.json"
_NAMES = ("server", "client")


def keep_identities(
    folder: Path, renew: bool = False, days: float = DAYS
) -> tuple[Identity, Identity]:
    """Identities of a server and of its clients, made when there are none yet.

    Parameters
    ----------
    folder : pathlib.Path
        Where they are kept; its owner alone may look into it.
    renew : bool
        Make others: bundles that were given away before open nothing any more.
    days : float
        How long new ones are good for.

    Raises
    ------
    ValueError
        When those that are kept are damaged, or have expired.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(folder, 0o700)
    path = folder / _FILE
    if path.is_file() and not renew:
        content = read_private(path)
        try:
            server, client = (Identity(**content[name]) for name in _NAMES)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"'{path}' is damaged. Make new certificates with 'napari-ssp serve --renew'; "
                "client bundles that were given away must then be given again."
            ) from error
        _check_expiry(server)
        return server, client
    server, client = make_identities(days)
    write_private(path, {"server": asdict(server), "client": asdict(client)})
    return server, client


def _check_expiry(server: Identity) -> None:
    end = find_expiry(server.certificate)
    if end <= datetime.now(UTC):
        raise ValueError(
            f"The server's certificates have expired on {end:%Y-%m-%d}. Make new ones with "
            "'napari-ssp serve --renew', and give the new client bundle to all who use the server."
        )
