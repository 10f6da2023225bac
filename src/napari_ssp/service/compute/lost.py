"""A connection that broke: its error, and what dask would log of it."""

from __future__ import annotations

import logging


class LostError(ConnectionError):
    """The connection broke while somebody waited; what was asked for may be asked again."""


class _NoConnection(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, OSError)


_NO_CONNECTION = _NoConnection()


def leave_out_of_log() -> None:
    """Keep dask's client from printing where a connection broke: the jobs' progress says that."""
    logging.getLogger("distributed.client").addFilter(_NO_CONNECTION)
