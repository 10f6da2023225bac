"""The error of a connection that broke."""

from __future__ import annotations


class LostError(ConnectionError):
    """The connection broke while somebody waited; what was asked for may be asked again."""
