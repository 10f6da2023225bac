"""Types of the entries of a card, with what they must be; cards come from other people, too."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, Strict, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError, core_schema

from napari_ssp.registry.bioimage.operations import check_operations

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
#: Names that new models may have.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: What no file may have in its name, on one system or another.
_NO_FILE_NAME = re.compile(
    r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]|[. ]$|^[. ]|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)',
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: Longest text of an entry, and most entries of a list.
_LONGEST_TEXT, _MOST = 2**16, 1024


@dataclass(frozen=True)
class Must:
    """Mark of a type: what an entry must be, in words, and a test beside that of its type."""

    be: str
    test: Callable[[Any], bool] = lambda _: True

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.no_info_wrap_validator_function(self._check, handler(source))

    def _check(self, value: Any, handler: Any) -> Any:
        try:
            made = handler(value)
            is_right = self.test(made)
        except ValidationError:
            is_right = False
        if not is_right:
            raise PydanticCustomError("must", "must be {be}", {"be": self.be})
        return made


#: Not a text, not a yes or no; whole ones stay whole.
_Number = Annotated[int, Strict()] | Annotated[float, Strict()]
_Whole = Annotated[int, Strict()]
#: Pixels along an axis, or from one length that is possible to the next; 0: there is no other.
_Length = Annotated[_Whole, Field(ge=0, le=8192)]
#: A length or a factor; neither 0 nor infinite nor near them.
_Size = Annotated[_Number, Field(ge=1e-4, le=1e4)]
#: Pixels of a window, at most: small images are padded to it.
_LARGEST_WINDOW = 2**26


def _is_file_name(text: str) -> bool:
    """Whether a name can be that of a file, also where Windows or macOS read it."""
    return 0 < len(text.encode(errors="replace")) <= 200 and _NO_FILE_NAME.search(text) is None


def _are_names(names: tuple[str, ...]) -> bool:
    plain = all(0 < len(name) <= 200 and not _CONTROL.search(name) for name in names)
    return plain and len(names) <= _MOST and len(set(names)) == len(names)


def _is_short(entries: Any) -> bool:
    return len(entries) <= _MOST and all(len(str(entry)) <= _LONGEST_TEXT for entry in entries)


def _are_model_names(names: tuple[str, ...]) -> bool:
    return len(names) <= _MOST and all(map(_is_file_name, names))


Text = Annotated[str, Must("text", lambda text: len(text) <= _LONGEST_TEXT)]
Axes = Annotated[str, Must("yx or zyx", lambda axes: axes in ("yx", "zyx"))]
Names = Annotated[
    tuple[str, ...], Must(f"a list of up to {_MOST} names of printable letters", _are_names)
]
Members = Annotated[tuple[str, ...], Must("a list of names of models", _are_model_names)]
Addresses = Annotated[tuple[str, ...], Must("a list of addresses", _is_short)]
Entries = Annotated[dict[str, Any], Must("named entries", lambda entries: len(entries) <= _MOST)]
Texts = Annotated[
    dict[str, str],
    Must("names with text", lambda texts: _is_short(texts) and _is_short(texts.values())),
]
Figures = Annotated[dict[str, _Number], Must("names with numbers", _is_short)]
Statistics = Annotated[
    dict[str, tuple[_Number, _Number]],
    Must("names with a mean and a standard deviation", _is_short),
]
Count = Annotated[_Whole, Must("a whole number from 0", lambda count: count >= 0)]
Ascending = Annotated[
    tuple[_Number, ...], Must("ascending numbers", lambda values: list(values) == sorted(values))
]
Share = Annotated[_Number, Must("0 to 0.9", lambda share: 0 <= share <= 0.9)]
Margin = Annotated[_Whole, Must("0 to 256 pixels", lambda pixels: 0 <= pixels <= 256)]
Size = Annotated[_Size, Must("a number above 0")]
VoxelSize = Annotated[tuple[_Size, _Size, _Size] | None, Must("z y x in µm")]
Window = Annotated[
    tuple[_Whole, ...],
    Must("whole numbers"),
    Must("numbers above 0", lambda window: min(window, default=0) > 0),
    Must(f"at most {_LARGEST_WINDOW} pixels", lambda window: math.prod(window) <= _LARGEST_WINDOW),
]
#: What another program loads cannot come from a card, which could name any file.
Family = Annotated[Text, Must("of a network that is kept here", lambda name: name != "cellpose")]


def check_name(name: str) -> str:
    """Return a model's name that can be the name of a folder.

    Raises
    ------
    ValueError
        When it cannot.
    """
    if not _NAME.fullmatch(name) or not _is_file_name(name):
        shown = _CONTROL.sub("?", name)[:80]
        raise ValueError(
            f"'{shown}' cannot be the name of a model: use up to 64 letters, digits, '-', '_' and "
            "'.', beginning with a letter or digit, and none that Windows keeps for devices (con, "
            "nul, com1, ...). Give another name."
        )
    return name


def check_stored_name(name: str) -> str:
    """Return a card's name that no file system takes for something else; errors as `check_name`."""
    if not _is_file_name(name):
        shown = _CONTROL.sub("?", name)[:80]
        raise ValueError(
            f"'{shown}' cannot be the name of a model: it holds letters, or is a word, that no "
            "file can have in its name on all systems"
        )
    return name


FileName = Annotated[Text, AfterValidator(check_name)]
ModelName = Annotated[Text, AfterValidator(check_stored_name)]


@dataclass(frozen=True)
class PackageNetwork:
    """Entries of the network of a package."""

    format: Annotated[Literal["onnx", "torchscript"], Must("onnx or torchscript")]
    input_channels: Annotated[Literal[1, 3], Must("1 or 3")]
    sizes: Annotated[
        list[tuple[_Length, _Length]],
        Must("pairs of whole numbers", lambda sizes: all(least > 0 for least, _ in sizes)),
    ]
    output: Annotated[
        Literal["flows", "probability", "image"], Must("one of flows, probability, image")
    ]
    preprocessing: Annotated[
        Any, AfterValidator(lambda steps: check_operations(steps, "preprocessing"))
    ] = None
    postprocessing: Annotated[
        Any, AfterValidator(lambda steps: check_operations(steps, "postprocessing"))
    ] = None


_WRONG = {
    "missing": "is missing",
    "unexpected_keyword_argument": "is not known",
    "dataclass_type": "must be named entries",
}


def read_entries(kind: type[T], content: Any) -> T:
    """Make a dataclass of what a file says; entries that it does not know are left out.

    Raises
    ------
    ValueError
        With the first entry that is wrong.
    """
    try:
        return _adapter(kind).validate_python(content)  # type: ignore[no-any-return, arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":
        raise first["ctx"]["error"]
    if not first["loc"]:
        raise ValueError("it is no list of named entries")
    words = _WRONG.get(first["type"], first["msg"])
    raise ValueError(f"its entry '{' '.join(map(str, first['loc']))}' {words}")


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
