"""Fields of what the user chooses: those of a request are stated in the request only."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from napari_ssp.schema import describe_fields

#: Of a choice that is none of a request: the same request goes anywhere.
COMPUTE_HELP = (
    "Where the network runs: in this program, in processes beside it, or on a server that "
    "'napari-ssp serve' runs"
)


def request_values(choices: Any, request_type: Any) -> dict[str, Any]:
    """Values of the choices that are fields of the request too, by name."""
    known = describe_fields(request_type)
    return {
        item.name: getattr(choices, item.name) for item in fields(choices) if item.name in known
    }
