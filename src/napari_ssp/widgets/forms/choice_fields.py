"""Fields of what the user chooses: those of a request are stated in the request only."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any


def request_field(request_type: Any, name: str) -> Any:
    """Field with the default, label, help and limits that the request has."""
    item = request_type.__dataclass_fields__[name]
    return field(default=item.default, metadata=item.metadata)


def own_field(default: Any, label: str, help: str) -> Any:
    """Field that the request does not have, or that people see under another name."""
    return field(default=default, metadata={"label": label, "help": help})


def request_values(choices: Any, request_type: Any) -> dict[str, Any]:
    """Values of the choices that are fields of the request too, by name."""
    known = {item.name for item in fields(request_type)}
    return {
        item.name: getattr(choices, item.name) for item in fields(choices) if item.name in known
    }
