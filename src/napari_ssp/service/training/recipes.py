"""Configurations of training that come with the package: JSON with some fields of a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_ssp.service.training.request_files import read_values

_FOLDER = Path(__file__).resolve().parent / "published"


def recipe_names(task: str = "segmentation") -> tuple[str, ...]:
    """Names of the shipped configurations of a task."""
    return tuple(sorted(path.stem for path in _folder(task).glob("*.json")))


def read_recipe(name: str, task: str = "segmentation") -> dict[str, Any]:
    """Values of a configuration.

    Parameters
    ----------
    name : str
        Name of a shipped one, or a JSON file such as the ``request.json`` of a run.
    task : str
        What it is for.

    Raises
    ------
    FileNotFoundError, ValueError
        When there is no such configuration, or it is none.
    """
    if name in recipe_names(task):
        return read_values(_folder(task) / f"{name}.json")
    if not Path(name).is_file():
        raise FileNotFoundError(
            f"There is no configuration '{name}'. Give a JSON file, or one of: "
            f"{', '.join(recipe_names(task))}."
        )
    return read_values(Path(name))


def _folder(task: str) -> Path:
    return _FOLDER if task == "segmentation" else _FOLDER / task
