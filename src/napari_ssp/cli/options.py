"""Command-line options made from the fields of requests, so that both always agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def request_options(request: type[Any], *names: str) -> Callable[[Function], Function]:
    """Decorate a command with options for the named fields of a request class."""
    by_name = {item.name: item for item in fields(request)}

    def decorate(function: Function) -> Function:
        for name in reversed(names):
            function = _option(by_name[name])(function)
        return function

    return decorate


def _option(item: Field[Any]) -> Callable[[Function], Function]:
    flag, default, words = "--" + item.name.replace("_", "-"), item.default, item.metadata["help"]
    if isinstance(default, bool):
        flag = f"{flag}/--no-{item.name.replace('_', '-')}"
        return click.option(flag, default=default, show_default=True, help=words)
    parts = item.metadata.get("parts", "")
    if parts:
        number = float if "float" in str(item.type) else int
        return click.option(flag, nargs=len(parts.split()), type=number, metavar=parts, help=words)
    kind = _kind(item)
    return click.option(flag, default=default, type=kind, show_default=True, help=words)


def _kind(item: Field[Any]) -> Any:
    low, high = item.metadata.get("min"), item.metadata.get("max")
    if "int" in str(item.type) and low is None and high is None:
        return click.INT
    if "float" in str(item.type):
        return click.FloatRange(low, high)
    if "int" in str(item.type):
        return click.IntRange(low, high)
    return click.STRING
