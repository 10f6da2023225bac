"""Command-line options made from the fields of requests, so that both always agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from napari_ssp.schema import FieldDescription, describe_fields
from napari_ssp.service.compute.places import HELP as COMPUTE_HELP, LOCAL

Function = TypeVar("Function", bound=Callable[..., Any])

compute_option = click.option(
    "--compute", default=LOCAL, show_default=True, metavar="WHERE", help=f"{COMPUTE_HELP}."
)


def request_options(request: type[Any], *names: str) -> Callable[[Function], Function]:
    """Decorate a command with options for the named fields of a request class."""
    known = describe_fields(request)

    def decorate(function: Function) -> Function:
        for name in reversed(names):
            function = _option(known[name])(function)
        return function

    return decorate


def _option(item: FieldDescription) -> Callable[[Function], Function]:
    flag, words = "--" + item.name.replace("_", "-"), item.help
    if item.kind is bool:
        flag = f"{flag}/--no-{flag[2:]}"
        return click.option(flag, default=item.default, show_default=True, help=words)
    if item.parts:
        count = len(item.parts.split())
        return click.option(flag, nargs=count, type=item.kind, metavar=item.parts, help=words)
    return click.option(flag, default=item.default, type=_kind(item), show_default=True, help=words)


def _kind(item: FieldDescription) -> Any:
    if item.kind is float:
        return click.FloatRange(item.min, item.max)
    if item.kind is int:
        limited = item.min is not None or item.max is not None
        return click.IntRange(item.min, item.max) if limited else click.INT
    return click.STRING
