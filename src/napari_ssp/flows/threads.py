"""Threads that run numba kernels, which release the GIL, over the cores of the CPU."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.threads import count_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def spread(work: Callable[[NDArray[np.int64]], Any], cost: NDArray[np.float64]) -> None:
    """Call ``work`` with index arrays that together cover ``cost`` and cost about the same.

    Parameters
    ----------
    work : callable
        Takes an int64 array of indices; calls run at the same time, in threads.
    cost : numpy.ndarray
        Float (n,), the expected cost of every item.
    """
    count = min(count_threads(), len(cost))
    if count <= 1 or float(cost.sum()) < 1e6:
        work(np.arange(len(cost)))
        return
    order = np.argsort(-cost, kind="stable")
    # Contiguous as the range above: for other arrays numba would compile the kernels once more.
    parts = [np.ascontiguousarray(order[k::count]) for k in range(count)]
    with ThreadPoolExecutor(count) as pool:
        for _ in pool.map(work, parts):
            pass
