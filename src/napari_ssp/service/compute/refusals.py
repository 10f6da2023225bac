"""The server's log of who was not let in, in sentences."""

from __future__ import annotations

import logging

#: The logger and the words in which dask says that a handshake failed.
_LOGGER, _WORDS = "distributed.comm.tcp", "TLS handshake failed"
_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it showed no certificate",
    "certificate has expired": "its certificate has expired",
    "unable to get local issuer": "its certificate was made by another authority",
    "self-signed certificate": "its certificate was made by another authority",
    "self signed certificate": "its certificate was made by another authority",
    "certificate signature failure": "its certificate was made by another authority",
    "ALERT_CERTIFICATE_EXPIRED": "it says that this server's certificate has expired",
    "ALERT_UNKNOWN_CA": "it does not believe this server: it has another server's bundle",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
}


class _Sentences(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if _WORDS in str(record.msg) and isinstance(record.args, tuple) and len(record.args) == 3:
            _, place, error = record.args
            known = (reason for word, reason in _REASONS.items() if word in str(error))
            reason = next(known, f"the handshake failed ({error})")
            record.msg, record.args = "Refused a client at %s: %s.", (_where(place), reason)
        return True


class _NoPage(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return "dashboard" not in record.getMessage()


def tell_refusals() -> None:
    """Word what dask logs of handshakes that failed; it names a page that is not served."""
    logging.getLogger(_LOGGER).addFilter(_Sentences())
    logging.getLogger("distributed.scheduler").addFilter(_NoPage())


def _where(place: object) -> str:
    return ":".join(map(str, place[:2])) if isinstance(place, tuple) else str(place)
