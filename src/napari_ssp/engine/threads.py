"""Number of torch's threads while steps are done."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from napari_ssp.engine.device import prepare_torch
from napari_ssp.threads import own_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.progress import Result, Steps


def limit_threads(start: Callable[[], Steps[Result]]) -> Steps[Result]:
    """Do steps with as many threads of the CPU as was chosen; then torch has those it began with.

    Parameters
    ----------
    start : callable
        Makes the steps, which compute with torch on the thread that goes through them.

    Yields
    ------
    Progress
        Of the steps.

    Returns
    -------
    object
        What the steps return.
    """
    wanted = own_threads()
    if not wanted:
        return (yield from start())
    prepare_torch()
    import torch

    automatic = _automatic()
    torch.set_num_threads(wanted)
    try:
        return (yield from start())
    finally:
        torch.set_num_threads(automatic)


@cache
def _automatic() -> int:
    """Count the threads that torch has before the first limit: another run's are no measure."""
    import torch

    return torch.get_num_threads()
