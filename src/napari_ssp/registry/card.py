"""The description of a model."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

CARD_FILE = "card.json"
WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True)
class ModelCard:
    """Frozen description of a model.

    Attributes
    ----------
    name : str
        Name that users type.
    family : str
        Architecture: ``"mediar"`` or ``"repmode"``.
    network : dict
        Keyword arguments of the network's class.
    sha256 : str
        Digest of the weights file, in hexadecimal.
    axes : str
        Axes of the input, e.g. ``"yx"``.
    window : tuple of int
        Tile shape of the sliding window, in pixels, one number per axis.
    zoom : float
        Magnification of the image before the network sees it; results come back on its own grid.
    voxel_size : tuple of float or None
        (z, y, x) in µm that the model expects, None where it takes any.
    tasks : tuple of str
        Names of what the model predicts; append only, a position is a task's id.
    task_descriptions : dict
        Name of a task to one line about the structure, for a person who chooses.
    target_statistics : dict
        Name of a task to (mean, standard deviation) of its measured training targets, where those
        were raw; a prediction times the deviation plus the mean is in measured units.
    description, licence, citation, training_data : str
        For the reader.
    figures : dict
        Measured quality: what was measured to its value.
    folder : pathlib.Path or None
        Where the card was read; not part of the file.
    """

    name: str
    family: str
    network: dict[str, Any]
    sha256: str
    axes: str = "yx"
    window: tuple[int, ...] = (512, 512)
    zoom: float = 1.0
    voxel_size: tuple[float, float, float] | None = None
    tasks: tuple[str, ...] = ("cells",)
    task_descriptions: dict[str, str] = field(default_factory=dict)
    target_statistics: dict[str, tuple[float, float]] = field(default_factory=dict)
    description: str = ""
    licence: str = ""
    citation: str = ""
    training_data: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    folder: Path | None = field(default=None, compare=False)

    @property
    def weights(self) -> Path:
        """Weights file beside the card."""
        if self.folder is None:
            raise ValueError(f"The card of '{self.name}' was not read from a folder of a model.")
        return self.folder / WEIGHTS_FILE

    @classmethod
    def read(cls, folder: Path) -> ModelCard:
        """Read the card of a model folder.

        Raises
        ------
        FileNotFoundError
            When the folder holds no card.
        ValueError
            When the card is not valid.
        """
        path = folder / CARD_FILE
        if not path.is_file():
            raise FileNotFoundError(
                f"{folder} is not a model: it holds no {CARD_FILE}. Give a folder written by "
                "'napari-ssp train', or a name listed by 'napari-ssp models list'."
            )
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            known = {item.name for item in fields(cls)} - {"folder"}
            for name in ("window", "tasks", "voxel_size"):
                if content.get(name) is not None:
                    content[name] = tuple(content[name])
            values = {name: value for name, value in content.items() if name in known}
            return cls(**values, folder=folder)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is not a valid model card: {error}.") from error

    def write(self, folder: Path) -> None:
        """Write the card into a model folder."""
        content = {key: value for key, value in asdict(self).items() if key != "folder"}
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / CARD_FILE).write_text(text, encoding="utf-8")
