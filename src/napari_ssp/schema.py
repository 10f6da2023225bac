"""Checked dataclasses: pydantic checks their values by type and limit, and errors are sentences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial, wraps
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import pydantic
from annotated_types import Ge, Le
from pydantic import Field
from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # To a type checker a checked dataclass is a dataclass.
    from dataclasses import dataclass as checked_dataclass

    from pydantic.fields import FieldInfo

__all__ = [
    "FieldDescription",
    "OneOf",
    "Unchecked",
    "checked_dataclass",
    "choice",
    "describe_fields",
    "flatten",
    "restore",
    "same_choice",
]

T = TypeVar("T")
_CONFIG = pydantic.ConfigDict(arbitrary_types_allowed=True, extra="forbid", allow_inf_nan=False)


def choice(
    default: Any,
    label: str,
    help: str,
    *,
    min: float | None = None,
    max: float | None = None,
    parts: str = "",
    kw_only: bool = True,
) -> Any:
    """Field that forms and the command line can show: a label, a help text, limits.

    Parameters
    ----------
    default : Any
        Its value where none is given.
    label, help : str
        For people.
    min, max : float or None
        Limits of a number, both allowed.
    parts : str
        Names of several numbers, e.g. ``"Z Y X"``.
    kw_only : bool
        Whether it is given by name only.
    """
    words: Any = {"title": label, "description": help, "json_schema_extra": {"parts": parts}}
    return Field(default=default, ge=min, le=max, kw_only=kw_only, **words)


def same_choice(kind: type[Any], name: str, **changes: Any) -> Any:
    """Field as another checked dataclass has it; what differs is given as for `choice`."""
    item = describe_fields(kind)[name]
    same = {key: getattr(item, key) for key in ("default", "label", "help", "min", "max", "parts")}
    return choice(**same | changes)


@dataclass(frozen=True)
class OneOf:
    """Mark of a text that is one of some words: ``Annotated[str, OneOf(words)]``."""

    words: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if value not in self.words:
            raise PydanticCustomError("one_of", "{words}", {"words": ", ".join(self.words)})
        return value


class Unchecked:
    """Mark of a value of any type, which stays as it is: ``Annotated[NDArray, Unchecked()]``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.any_schema()


@dataclass(frozen=True)
class FieldDescription:
    """One field of a checked dataclass, as forms and the command line show it.

    Attributes
    ----------
    name, label, help : str
        Of the field; label and help are empty where people do not see it.
    kind : type
        Of its value, or of each of several: ``int``, ``float``, ``bool``, ``str``, …
    default : Any
        None where there is none.
    min, max : float or None
        Limits of a number.
    parts : str
        Names of several numbers.
    choices : tuple of str
        Words that a text may be; empty for all.
    """

    name: str
    label: str
    help: str
    kind: type[Any]
    default: Any
    min: Any = None
    max: Any = None
    parts: str = ""
    choices: tuple[str, ...] = ()


def describe_fields(kind: type[Any]) -> dict[str, FieldDescription]:
    """Fields of a checked dataclass by name; those of a group stand in the group's place."""
    found: dict[str, FieldDescription] = {}
    for name, info in _fields(kind).items():
        group = _group(info)
        found |= describe_fields(group) if group else {name: _describe(name, info)}
    return found


def flatten(value: Any) -> dict[str, Any]:
    """JSON-ready values of a checked dataclass by name; those of a group stand in its place."""
    content = pydantic.TypeAdapter(type(value)).dump_python(value, mode="json", warnings=False)
    return _merge(type(value), content)


def restore(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make a checked dataclass of what `flatten` gave.

    Raises
    ------
    ValueError
        When a name is none of the fields, or a value is not allowed; all such names are listed.
    """
    known = describe_fields(kind)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(
            f"{kind.__name__} has no {', '.join(unknown)}. It takes {', '.join(known)}."
        )
    return kind(**values)


def _fields(kind: Any) -> dict[str, FieldInfo]:
    return kind.__pydantic_fields__  # type: ignore[no-any-return]


def _group(info: FieldInfo) -> type[Any] | None:
    """Class of a field that is a checked dataclass itself."""
    kind: Any = info.annotation
    return kind if hasattr(kind, "__pydantic_fields__") else None


def _describe(name: str, info: FieldInfo) -> FieldDescription:
    limits: dict[str, Any] = {}
    for mark in info.metadata:
        if isinstance(mark, Ge):
            limits["min"] = mark.ge
        elif isinstance(mark, Le):
            limits["max"] = mark.le
        elif isinstance(mark, OneOf):
            limits["choices"] = mark.words
    extra = info.json_schema_extra
    parts = str(extra.get("parts", "")) if isinstance(extra, dict) else ""
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    words = (info.title or "", info.description or "")
    return FieldDescription(name, *words, _scalar(info.annotation), default, parts=parts, **limits)


def _scalar(annotation: Any) -> Any:
    """Type of a value or, where there are several, of each."""
    inner = [part for part in get_args(annotation) if part not in (NoneType, Ellipsis)]
    return _scalar(inner[0]) if inner else annotation


def _merge(kind: type[Any], content: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, info in _fields(kind).items():
        group = _group(info)
        found |= _merge(group, content[name]) if group else {name: content[name]}
    return found


def _gather(kind: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Put values that were given by name in their group's place into the group."""
    for name, info in _fields(kind).items():
        group = _group(info)
        own = (
            {key: values.pop(key) for key in describe_fields(group) if key in values}
            if group
            else {}
        )
        if own:
            known = values.get(name, info.get_default(call_default_factory=True))
            values[name] = replace(known, **own)
    return values


def _refuse_text(cls: Any, value: Any, handler: Any) -> Any:
    """Refuse a text where a number is wanted, which pydantic would read."""
    found = handler(value)
    several = isinstance(value, list | tuple) and isinstance(found, tuple)
    for given, made in zip(value, found, strict=True) if several else [(value, found)]:
        if isinstance(given, str) and isinstance(made, int | float):
            raise PydanticCustomError("number", "{given}", {"given": given})
    return found


def _explain(kind: type[Any], error: pydantic.ValidationError) -> Exception:
    """Make an error with the field's label, the value and what is wanted of the first one."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":  # of a __post_init__
        return first["ctx"]["error"]  # type: ignore[no-any-return]
    where, known = first["loc"], describe_fields(kind)
    item = known.get(str(where[0])) if where else None
    if item is None or (first["type"] == "missing" and len(where) == 1):
        return TypeError(f"{kind.__name__}: {first['msg']} ({'.'.join(map(str, where))}).")
    return _sentence(item, first)


def _sentence(item: FieldDescription, first: Any) -> Exception:
    label, reason, value = item.label or item.name, first["type"], first["input"]
    if reason in ("greater_than_equal", "less_than_equal", "finite_number"):
        low, high = item.min, item.max
        wanted = f"at least {low}" if high is None else f"between {low} and {high}"
        if reason == "finite_number" and high is None:
            wanted = "a finite number" if low is None else f"a finite number, at least {low}"
        return ValueError(f"{label} must be {wanted}, got {value}.")
    if reason == "one_of":
        return ValueError(f"{label} must be one of {first['ctx']['words']}, got '{value}'.")
    if item.parts and reason in ("tuple_type", "too_long", "missing"):
        names = item.parts.lower()
        return ValueError(f"{label} must be {len(names.split())} numbers, {names}; got {value!r}.")
    if reason == "number":
        value = first["ctx"]["given"]
    return TypeError(f"{label} must be {_WANTED.get(reason, first['msg'])}, got {value!r}.")


_WANTED = {
    "int_from_float": "a whole number",
    **dict.fromkeys(
        ("number", "int_type", "float_type", "int_parsing", "float_parsing"), "a number"
    ),
    "string_type": "a text",
    **dict.fromkeys(("bool_type", "bool_parsing"), "yes or no"),
    "path_type": "a path",
    "tuple_type": "a list",
    "dict_type": "named values",
}


if not TYPE_CHECKING:

    def checked_dataclass(cls: Any = None, /, **options: Any) -> Any:
        """Make a dataclass whose values are checked; the options are those of `dataclass`.

        Numbers of numpy become Python's, lists tuples and texts paths where the fields say so.
        A field may be a checked dataclass itself, a group: its values may be given in its place.
        Errors are a TypeError for a value of another kind, else a ValueError.
        """
        if cls is None:
            return partial(checked_dataclass, **options)
        cls._refuse_text = pydantic.field_validator("*", mode="wrap")(_refuse_text)
        made = pydantic.dataclasses.dataclass(config=_CONFIG, **options)(cls)
        made.__init__ = _with_sentences(made.__init__)
        return made


def _with_sentences(init: Callable[..., None]) -> Callable[..., None]:
    @wraps(init)
    def __init__(self: Any, /, *args: Any, **values: Any) -> None:
        try:
            init(self, *args, **_gather(type(self), values))
        except pydantic.ValidationError as error:
            raise _explain(type(self), error) from None

    return __init__
