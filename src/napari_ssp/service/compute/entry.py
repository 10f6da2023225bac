"""The entry to a server: a handshake of TLS that says in a sentence why it was refused."""

from __future__ import annotations

import socket
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from napari_ssp.service.compute.bundle import write_pem

if TYPE_CHECKING:
    from napari_ssp.service.compute.bundle import Bundle, Identity

#: Name in the certificate of each server, whatever its address.
SERVER_NAME = "server.napari-ssp"
_RENEW = "Ask who runs the server for a new client bundle ('napari-ssp serve --renew' makes one)."
#: What the server says of a client's certificate, as OpenSSL words it.
_REFUSALS = {
    "UNKNOWN_CA": "the certificate was made by another authority, not for this server",
    "DECRYPT_ERROR": "the certificate was made by another authority, not for this server",
    "BAD_CERTIFICATE": "the certificate was made by another authority, not for this server",
    "CERTIFICATE_EXPIRED": "the certificate has expired",
}
_EXPIRED = 10  # OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED


def check_entry(bundle: Bundle, patience: float = 10.0) -> None:
    """Knock at a server, and wait until it speaks.

    Parameters
    ----------
    bundle : Bundle
        Where it is, and what to prove oneself with.
    patience : float
        Seconds to wait.

    Raises
    ------
    PermissionError
        When there is no certificate to show, the server refuses it, or its own is not to be
        believed.
    ConnectionError
        When nobody answers.
    """
    parts = urlsplit(bundle.address)
    place = (str(parts.hostname), int(parts.port or 0))
    if parts.scheme != "tcp" and bundle.identity is None:
        raise PermissionError(
            f"The server at {bundle.address} lets in only who has its client bundle, and no "
            f"certificate was given. {_RENEW}"
        )
    try:
        with socket.create_connection(place, patience) as plain:
            if bundle.identity is None:
                return
            context = _context(bundle.identity)
            with context.wrap_socket(plain, server_hostname=SERVER_NAME) as secured:
                secured.recv(1)  # a refusal comes after the handshake, or else the server's hello
    except ssl.SSLError as error:
        raise PermissionError(_explain(bundle, error)) from error
    except OSError as error:
        raise ConnectionError(
            f"No server answers at {bundle.address} ({error.strerror or error}). Start it there "
            "with 'napari-ssp serve', and check that no firewall is in between."
        ) from error


def _context(identity: Identity) -> ssl.SSLContext:
    """Make of an identity what a client needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=identity.authority)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "client.pem"
        write_pem(path, identity)
        context.load_cert_chain(path)
    return context


def _explain(bundle: Bundle, error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _EXPIRED:
            reason = f"Its certificate has expired. {_RENEW}"
        else:
            reason = f"It is not the server that the client bundle was made for. {_RENEW}"
        return f"The server at {bundle.address} was not believed. {reason}"
    for word, reason in _REFUSALS.items():
        if word in (error.reason or ""):
            return f"The server at {bundle.address} refused the connection: {reason}. {_RENEW}"
    return (
        f"No encrypted connection to {bundle.address} could be made ({error.reason or error}). "
        "Check that the address is that of a 'napari-ssp serve' of this version."
    )
