"""Imports without torch's compiler, which takes as long to load as all the rest of torch."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial, wraps
from importlib import import_module
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The compiler, and the module of it that torchvision takes a function from.
_COMPILER, _TOOLS = "torch._dynamo", "torch._dynamo.utils"


@contextmanager
def compiler_left_out() -> Iterator[None]:
    """Let libraries be imported that name the compiler, but need it only where they are compiled.

    timm keeps a function from being compiled, and torchvision asks for what the compiler takes;
    each loads the compiler when it is called. Whatever else is asked of it loads it at once.
    """
    if _COMPILER in sys.modules:
        yield
        return
    compiler, tools = _StandIn(_COMPILER), _StandIn(_TOOLS)
    compiler.disable = _disable
    tools.is_compile_supported = _is_compile_supported
    sys.modules.update({_COMPILER: compiler, _TOOLS: tools})
    try:
        yield
    finally:
        _take_away()


class _StandIn(ModuleType):
    """Module that is loaded when something is asked of it that its stand-in does not have."""

    disable: Callable[..., Any]
    is_compile_supported: Callable[..., Any]

    def __getattr__(self, name: str) -> Any:
        # Each import looks at the one, and inspect at the others; where modules are, is not asked.
        if name.startswith("__") and (name, self.__name__) != ("__path__", _COMPILER):
            raise AttributeError(name)
        _take_away()
        return getattr(import_module(self.__name__), name)


def _take_away() -> None:
    for name in (_COMPILER, _TOOLS):
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]


def _disable(function: Any = None, recursive: bool = True, **choices: Any) -> Any:
    """Keep a function from being compiled, as the compiler does it, when it is first called."""
    if function is None:
        return partial(_disable, recursive=recursive, **choices)
    if not isinstance(function, FunctionType):
        _take_away()
        return import_module(_COMPILER).disable(function, recursive, **choices)

    @wraps(function)
    def called(*args: Any, **named: Any) -> Any:
        kept = import_module(_COMPILER).disable(function, recursive, **choices)
        return kept(*args, **named)

    return called


def _is_compile_supported(*args: Any) -> Any:
    return import_module(_TOOLS).is_compile_supported(*args)
