"""Defaults of the commands that come from the user's preferences, and where each came from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from napari_ssp.threads import OPENMP, count_threads, own_threads

if TYPE_CHECKING:
    from napari_ssp.preferences import Preferences

#: Commands that begin with a preferred model, and what it makes.
MODELS = {"segment": "objects", "compartments": "objects", "predict": "images", "review": "errors"}
_COMPUTE = ("device", "precision")
#: Where commands that make an image of each image compute; a training names it for itself.
_PLACE = "compute"
_TRAININGS = ("segmentation", "structures", "teacher", "student", "expansion", "critic")

PREFERRED, BY_DEFAULT = "Preferences", "default"


class Origin(NamedTuple):
    """A value, and the word for where it comes from."""

    value: Any
    source: str


def preferred_defaults(preferences: Preferences) -> dict[str, Any]:
    """Defaults of options by commands, as click's ``default_map``: what somebody has chosen."""
    chosen = preferences.chosen()
    compute = {name: chosen[name] for name in _COMPUTE if name in chosen}
    place = {_PLACE: chosen["where"]} if "where" in chosen else {}
    models = {command: chosen.get(makes) for command, makes in MODELS.items()}
    commands: dict[str, Any] = {
        command: compute | place | ({"model": model} if model else {})
        for command, model in models.items()
    }
    return commands | {"train": dict.fromkeys(_TRAININGS, compute)}


def describe_preferred(context: click.Context) -> str:
    """Name the options of a command that the preferences have set; empty where none."""
    names = [
        f"{option.opts[0]} {context.params[option.name]}"
        for option in context.command.params
        if option.name and context.get_parameter_source(option.name) is ParameterSource.DEFAULT_MAP
    ]
    return f"From napari's Preferences: {', '.join(names)}." if names else ""


def find_origins(group: click.Context) -> dict[str, dict[str, Origin]]:
    """Values of options that nobody gives, by commands, and where they come from."""
    found: dict[str, dict[str, Origin]] = {}
    assert isinstance(group.command, click.Group)
    for name in MODELS:
        command = group.command.get_command(group, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=group)
        options = (
            option for option in command.params if option.name in ("model", _PLACE, *_COMPUTE)
        )
        found[name] = {option.opts[0]: _find_origin(context, option) for option in options}
    return found


def _find_origin(context: click.Context, option: click.Parameter) -> Origin:
    value, source = option.consume_value(context, {})
    variable = f"{context.auto_envvar_prefix}_{option.name}".upper()
    words = {ParameterSource.ENVIRONMENT: variable, ParameterSource.DEFAULT_MAP: PREFERRED}
    return Origin(value, words.get(source, BY_DEFAULT))


def find_threads(group: click.Context) -> Origin:
    """Find the number of threads that runs take, and where it comes from."""
    if chosen := group.params["threads"]:
        given = group.get_parameter_source("threads") is ParameterSource.COMMANDLINE
        return Origin(chosen, "--threads" if given else f"{group.auto_envvar_prefix}_THREADS")
    if preferred := own_threads():
        return Origin(preferred, PREFERRED)
    count = count_threads()
    return Origin(count, OPENMP if os.environ.get(OPENMP) == str(count) else BY_DEFAULT)
