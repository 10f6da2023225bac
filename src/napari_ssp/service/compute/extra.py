"""The libraries of the extras 'distributed' and 'cluster', asked for only to compute elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def needs_extra(extra: str = "distributed") -> Iterator[None]:
    """Say how to install what an import in this block lacks, with an ImportError."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f"To compute anywhere but in this process, '{error.name}' is needed, which is not "
            f"installed. Install it with: pip install 'napari-ssp[{extra}]'"
        ) from error
