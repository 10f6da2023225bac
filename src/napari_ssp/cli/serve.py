"""``napari-ssp serve``: a server that computes for other computers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from napari_ssp.cli.reporting import as_usage_error, fail, say
from napari_ssp.service.compute.bundle import BUNDLE_FILE, Bundle, is_loopback, server_folder
from napari_ssp.service.compute.extra import needs_extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.service.compute.serving import Serving

#: Days before the end of the certificates on which it is said.
_SOON = 30


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Name or address under which clients reach this computer; the default is this one only.",
)
@click.option("--port", default=8786, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="Processes that compute [default: one for each graphics card, or one per eight cores].",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the client bundle to this file.",
)
@click.option("--renew", is_flag=True, help="Make new certificates; bundles given away end.")
@click.option(
    "--no-tls", is_flag=True, help="Neither encrypt nor ask who it is; on this computer only."
)
def serve(
    host: str, port: int, workers: int | None, bundle: Path | None, renew: bool, no_tls: bool
) -> None:
    """Compute for other computers, until Ctrl-C.

    Starts a worker for each graphics card, and writes a client bundle: a file that lets docks
    (Compute), commands (--compute) and scripts in. Who has it may run programs as the user who runs
    this command: give it away as a password.
    """
    with as_usage_error():
        if bundle is not None:
            Bundle.check_target(bundle)
        if host in ("0.0.0.0", "::", ""):
            raise ValueError(
                f"--host {host or repr(host)} says no place. Give the name or the address under "
                "which clients reach this computer."
            )
        if no_tls and not is_loopback(host):
            raise ValueError(
                f"Without TLS everybody who reaches {host} could run programs on this computer. "
                "Leave --no-tls out, or serve on 127.0.0.1."
            )
    with needs_extra():
        from napari_ssp.service.compute.certificates import find_expiry
        from napari_ssp.service.compute.keeping import keep_identities
        from napari_ssp.service.compute.refusals import tell_refusals
        from napari_ssp.service.compute.serving import Serving

    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    tell_refusals()
    _check_free(host, port)
    folder = server_folder()
    with as_usage_error():
        server, client = (None, None) if no_tls else keep_identities(folder, renew)
    targets = [folder / BUNDLE_FILE, *([bundle] if bundle else [])]

    def announce(address: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in targets:
            Bundle(address, client).write(path)
        say(f"Serving at {address}; Ctrl-C ends it.")
        say(f"Client bundle: {targets[-1]} - who has it may run programs here, as you.")
        if client is not None:
            say(_describe_end(find_expiry(client.certificate)))

    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(Serving(host, port, server, workers), announce))
    say("The server has ended.")


def _check_free(host: str, port: int) -> None:
    """End where nobody can listen, before anything is started."""
    try:
        family, kind, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as door:
            if os.name != "nt":  # where it would let two programs listen
                door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(place)
    except OSError as error:
        fail(
            [
                f"Nothing can be served at {host}, port {port}: {error.strerror or error}. Give "
                "another --port, or a --host that is an address of this computer."
            ]
        )


async def _serve(serving: Serving, announce: Callable[[str], None]) -> None:
    from napari_ssp.service.compute.serving import serve as run_server

    end = asyncio.Event()
    with suppress(NotImplementedError):  # on Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    await run_server(serving, announce, end)


def _describe_end(end: datetime) -> str:
    days = (end - datetime.now(UTC)).days
    line = f"Its certificates are good until {end:%Y-%m-%d}"
    if days > _SOON:
        return f"{line}; 'napari-ssp serve --renew' makes new ones."
    return (
        f"{line}, {max(days, 0)} days from now. Make new ones with 'napari-ssp serve --renew', and "
        "give the new client bundle to all who use this server."
    )
