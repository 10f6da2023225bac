"""Compilation of the inner loops by numba: once per machine, without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def jit(function: Function) -> Function:
    """Compile a loop that releases the lock and is kept on disk for the next process."""
    choices: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    choices["no_cfunc_wrapper"] = True  # compiled for nobody
    try:
        return cast("Function", numba.njit(cache=True, **choices)(function))
    except RuntimeError:
        # No folder to keep it in, as in a container without a home: each process compiles anew.
        return cast("Function", numba.njit(**choices)(function))
