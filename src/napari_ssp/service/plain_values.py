"""Values of a request as plain Python: what came from numpy or a script is converted or refused."""

from __future__ import annotations

from dataclasses import fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import Field


def settle(request: Any) -> None:
    """Give a new request's fields values of their own types, which JSON can hold.

    Parameters
    ----------
    request : dataclass
        Fields with a label are looked at; the others stay as they are.

    Raises
    ------
    TypeError
        When a value is of another kind, with the field's label.
    ValueError
        When a field of several numbers has another count of them.
    """
    for item in fields(request):
        if "label" in item.metadata:
            value = _plain(item, getattr(request, item.name))
            object.__setattr__(request, item.name, value)


def _plain(item: Field[Any], value: Any) -> Any:
    kind, label = str(item.type), item.metadata["label"]
    if value is None and "None" in kind:
        return None
    if "parts" in item.metadata:
        return _numbers(value, label, item.metadata["parts"], "float" not in kind)
    if kind.startswith("bool"):
        return bool(value)
    if kind.startswith(("int", "float")):
        return _number(value, label, kind.startswith("int"))
    return _text(value, label)


def _numbers(value: Any, label: str, parts: str, whole: bool) -> tuple[float, ...]:
    count = len(parts.split())
    several = hasattr(value, "__len__") and not isinstance(value, str | bytes)
    if not several or len(value) != count:
        raise ValueError(f"{label} must be {count} numbers, {parts.lower()}; got {value!r}.")
    return tuple(_number(number, label, whole) for number in value)


def _number(value: Any, label: str, whole: bool) -> float:
    if not isinstance(value, Real):
        raise TypeError(f"{label} must be a number, got {value!r}.")
    number = float(value)
    if not whole:
        return number
    if not number.is_integer():
        raise TypeError(f"{label} must be a whole number, got {value!r}.")
    return int(value) if isinstance(value, Integral) else int(number)


def _text(value: Any, label: str) -> str:
    if value is None or isinstance(value, int | float):
        raise TypeError(f"{label} must be a text, got {value!r}.")
    return "".join(value) if isinstance(value, tuple | list) else str(value)
