"""Requests as JSON: paths as text, tuples as lists, and back by the fields' types."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self


class JsonRequest:
    """A frozen request that is kept as JSON, in a run's folder and in configuration files."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values of all fields."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make a request from what `to_dict` gave, or from a configuration file.

        Raises
        ------
        ValueError
            When a name is none of the fields; all such names are listed.
        """
        kinds = {item.name: str(item.type) for item in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - set(kinds))
        if unknown:
            raise ValueError(
                f"{cls.__name__} has no {', '.join(unknown)}. It takes {', '.join(kinds)}."
            )
        return cls(**{name: _typed(value, kinds[name]) for name, value in values.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _typed(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if "tuple" in kind:
        return tuple(Path(part) if "Path" in kind else part for part in value)
    return Path(value) if "Path" in kind else value
