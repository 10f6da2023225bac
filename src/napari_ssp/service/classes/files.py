"""Files of examples: JSON with all that was measured, or a CSV that names objects."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_ssp.atomic import is_taken, write_text
from napari_ssp.io.objects.notes import EXAMPLES_SUFFIX
from napari_ssp.io.objects.tables import read_rows
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.classes.examples import Example, Examples, ObjectClass
from napari_ssp.service.measuring import digest_labels
from napari_ssp.service.requests import Request
from napari_ssp.service.review.beside import FilesBeside
from napari_ssp.service.review.decisions import ObjectKey, object_key

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage

_FILES = FilesBeside("napari-ssp classes of objects", EXAMPLES_SUFFIX, "classes")


@dataclass(frozen=True, eq=False)
class FindExamplesRequest(Request["Examples"]):
    """Find the examples that were given of labels earlier; empty where there are none.

    Attributes
    ----------
    labels : MicroscopyImage
        The labels; read only where no file lies beside theirs.
    path : pathlib.Path or None
        Their file.
    scene : str or None
        Which image of it.
    """

    labels: MicroscopyImage
    path: Path | None = None
    scene: str | None = None


@dataclass(frozen=True, eq=False)
class KeepExamplesRequest(Request["Path"]):
    """Keep examples; the result is the file.

    Attributes
    ----------
    labels, path, scene
        As of `FindExamplesRequest`.
    examples : Examples
        All of them.
    """

    labels: MicroscopyImage
    path: Path | None
    scene: str | None
    examples: Examples


@dataclass(frozen=True, eq=False)
class LearnExamplesRequest(Request["Examples"]):
    """Read a file of examples for labels; those of another image only teach.

    Attributes
    ----------
    path : pathlib.Path
        As `read_examples` takes it.
    labels : MicroscopyImage
        The labels.
    """

    path: Path
    labels: MicroscopyImage


def find_steps(request: FindExamplesRequest) -> Steps[Examples]:
    """Read the examples of labels.

    Raises
    ------
    ValueError
        When the file holds none.
    """
    yield Progress("looking for examples")
    found = _FILES.find(request.labels, request.path, request.scene)
    if found is None:
        return Examples()
    try:
        # Where it lies says whose it is, also after the labels were edited.
        return replace(read_examples(found), digest=None)
    except ValueError as error:
        raise ValueError(f"{error} Move it away, or the next example replaces it.") from error


def learn_steps(request: LearnExamplesRequest) -> Steps[Examples]:
    """Read a file of examples.

    Raises
    ------
    ValueError
        When it holds none.
    """
    yield Progress("reading examples")
    return read_examples(request.path).of_labels(digest_labels(request.labels))


def keep_steps(request: KeepExamplesRequest) -> Steps[Path]:
    """Write examples beside the labels' file, and by their digest while that may change.

    Raises
    ------
    OSError
        When they cannot be written.
    """
    yield Progress("keeping examples")
    examples = replace(request.examples, digest=digest_labels(request.labels))
    return _FILES.write(request.labels, request.path, request.scene, _content(examples))


def check_examples_target(path: Path) -> None:
    """Refuse to write examples over anything but a file of examples.

    Raises
    ------
    FileExistsError
        If something else has that name.
    """
    if not is_taken(path) or not path.stat().st_size:
        return
    try:
        _FILES.read(path)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileExistsError(
            f"'{path}' exists and is no file of examples, so it was left as it is. Give another "
            "name."
        ) from error


def write_examples(path: Path, examples: Examples, name: str) -> None:
    """Write a file of examples.

    Parameters
    ----------
    path : pathlib.Path
        Replaced where it exists.
    examples : Examples
        With the digest of the labels whose objects they are.
    name : str
        Of the labels.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    write_text(path, _FILES.text(name, _content(examples)))


def read_examples(path: Path) -> Examples:
    """Read a file of examples.

    Parameters
    ----------
    path : pathlib.Path
        JSON as the Classes dock keeps it; or a CSV with the columns label and class, and t and z
        where ids repeat, about the labels at hand.

    Raises
    ------
    ValueError
        When it holds none, or says two classes of one object.
    """
    if path.suffix.lower() == ".csv":
        return _read_table(path)
    try:
        content = _FILES.read(path)
        classes = tuple(ObjectClass(**each) for each in content["classes"])
        rows = tuple(map(_example, content["examples"]))
        _check_names([each.name for each in classes], rows)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"'{path}' holds no examples of classes ({error}). Give a file that the Classes dock "
            "or 'napari-ssp classify' has written, or a CSV with the columns label and class."
        ) from error
    return Examples(classes, rows, content.get("digest"))


def _read_table(path: Path) -> Examples:
    given: dict[ObjectKey, str] = {}
    for line, row in read_rows(path):
        name = row.get("class", "").strip()
        try:
            key = object_key({axis: row[axis] or 0 for axis in ("label", "t", "z") if axis in row})
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"Line {line} of '{path}' names no object ({error}). Give the columns label and "
                "class, and t and z where ids repeat."
            ) from error
        if not name:
            continue
        other = given.setdefault(key, name)
        if other != name:
            raise ValueError(
                f"Line {line} of '{path}' says that object {key} is '{name}', but it was '{other}' "
                "before. Leave one of the lines there."
            )
    if not given:
        raise ValueError(
            f"'{path}' holds no examples, because no line has both a label and a class. Give the "
            "columns label and class, and at least one such line."
        )
    examples = Examples()
    for name in dict.fromkeys(given.values()):
        examples = examples.add_class(name)
    return replace(examples, rows=tuple(Example(name, key) for key, name in given.items()))


def _content(examples: Examples) -> dict[str, Any]:
    return {
        "digest": examples.digest,
        "classes": [asdict(each) for each in examples.classes],
        "examples": [_row(row) for row in examples.rows],
    }


def _row(row: Example) -> dict[str, Any]:
    where = {} if row.key is None else row.key._asdict()
    # JSON knows neither nan nor infinity.
    values = {n: value if math.isfinite(value) else None for n, value in row.values.items()}
    return {"class": row.class_name, **where, "values": values}


def _example(row: dict[str, Any]) -> Example:
    values = {
        str(name): math.nan if value is None else float(value)
        for name, value in row["values"].items()
    }
    return Example(row["class"], object_key(row) if "label" in row else None, values)


def _check_names(names: list[str], rows: tuple[Example, ...]) -> None:
    unknown = sorted({str(row.class_name) for row in rows} - set(names))
    if unknown or len(set(names)) < len(names):
        raise ValueError(f"its classes are {names}, its examples have also {unknown}")
    given = {(row.key, row.class_name) for row in rows if row.key is not None}
    twice = [key for key, count in Counter(key for key, _ in given).items() if count > 1]
    if twice:
        raise ValueError(f"object {twice[0]} has several classes")
