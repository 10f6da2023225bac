"""The description of a model."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path  # noqa: TC003 - pydantic reads the types
from typing import Any, ClassVar

from napari_ssp.atomic import write_text
from napari_ssp.networks.arguments import check_arguments
from napari_ssp.registry.card_checks import (
    Addresses,
    Ascending,
    Axes,
    Count,
    Entries,
    Family,
    Figures,
    FileName,
    Margin,
    Members,
    ModelName,
    Names,
    PackageNetwork,
    Share,
    Size,
    Statistics,
    Text,
    Texts,
    VoxelSize,
    Window,
    read_entries,
)

CARD_FILE = "card.json"
WEIGHTS_FILE = "weights.safetensors"
#: Family of models whose network is a file that is run as it is: of BioImage.IO packages.
PACKAGE = "package"
#: Family of the model that an installed cellpose brings and runs.
CELLPOSE = "cellpose"
#: Families of networks that see one mask of all objects, and that predict a mask's loss.
STUDENT, TEACHER = "student", "teacher"
#: Family of networks that say where labels are wrong.
CRITIC = "critic"
#: What the numbers of such a network mean.
FLOWS, PROBABILITY, IMAGE = "flows", "probability", "image"
#: What models make of an image: labelled objects, other images, or errors of its labels.
OBJECTS, IMAGES, ERRORS = "objects", "images", "errors"
LONGEST_CARD = 2**20
_LATER_ENTRIES = {
    "margin": 0,
    "largest_window": None,
    "overlap": 0.6,
    "encoder_weights": None,
    "calibration": None,
    "fallback": None,
    "base": None,
    "reviews": (),
    "from_planes": (),
}
#: What families make that find no objects.
_MAKES = {"repmode": IMAGES, TEACHER: ERRORS, CRITIC: ERRORS}
_NETWORK_FILES = {"onnx": "weights.onnx", "torchscript": "weights.pt"}


@dataclass(frozen=True)
class Remote:
    """File on a server that a model is made from.

    Attributes
    ----------
    name : str
        Name of the file.
    urls : tuple of str
        Addresses of the same file, tried in this order; a path where a catalogue is a folder.
    page : str
        Where the user finds it in a browser.
    sha256, md5 : str
        Digest in hexadecimal; one of them is needed.
    size : int or None
        Length in bytes, or None when unknown.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    name: FileName
    urls: Addresses
    page: Text = ""
    sha256: Text = ""
    md5: Text = ""
    size: Count | None = None


@dataclass(frozen=True)
class EncoderWeights:
    """Pretrained weights that a network's encoder began its training with.

    Attributes
    ----------
    source : str
        Package with its version, address, or name of the file.
    sha256 : str
        Digest of the file, in hexadecimal.
    licence, page : str
        Of the weights, and where they are described.
    """

    source: Text
    sha256: Text
    licence: Text = ""
    page: Text = ""


@dataclass(frozen=True)
class CriticCalibration:
    """What objects with known truth say of a critic's predicted errors.

    Attributes
    ----------
    count : int
        Objects that it was calibrated on.
    wrong : tuple of float
        Predicted errors of those that were wrong at an IoU of 0.5, ascending.
    images : str
        Which images they were of.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    count: Count
    wrong: Ascending = ()
    images: Text = ""


@dataclass(frozen=True)
class ModelCard:
    """Frozen description of a model.

    Attributes
    ----------
    name : str
        Name that users type.
    family : str
        Architecture: ``"mediar"``, ``"repmode"``, ``"critic"``, ``"student"`` or ``"teacher"``; or
        ``"package"``, a network in a file.
    network : dict
        Keyword arguments of the network's class; of a package, what is done before and after it.
    sha256 : str
        Digest of the weights file, in hexadecimal.
    axes : str
        Axes of the input, e.g. ``"yx"``.
    window : tuple of int
        Tile shape of the sliding window, in pixels, one number per axis.
    largest_window : tuple of int or None
        Lengths up to which a window may grow, so that planes need fewer pixels computed and small
        ones are seen whole; None keeps to ``window``.
    overlap : float
        Share of a window that the next one covers, too, where nothing else is asked for.
    margin : int
        Mirrored pixels along y and x around a stack that structures are predicted from, so that no
        pixel of it lies at a rim that the network pads with zeros; 0 is the original RepMode.
    zoom : float
        Magnification of the image before the network sees it; results come back on its own grid.
    object_diameter : float or None
        Typical diameter of the objects, in pixels of what the network sees; None when unknown.
    voxel_size : tuple of float or None
        (z, y, x) in µm that the model expects, None where it takes any.
    tasks : tuple of str
        Names of what the model predicts; append only, a position is a task's id.
    task_descriptions : dict
        Name of a task to one line about the structure, for the user who chooses.
    target_statistics : dict
        Name of a task to (mean, standard deviation) of its measured training targets, where those
        were raw; a prediction times the deviation plus the mean is in measured units.
    from_planes : tuple of str
        Names of the tasks of a network of stacks that were learned from single planes: a plane is
        enough for these.
    description, licence, citation, training_data : str
        For the reader.
    figures : dict
        Measured quality: what was measured to its value.
    origin : str
        Where the model came from: a file that was imported, an address.
    encoder_weights : EncoderWeights or None
        What the encoder began with; None where that was random, or nobody said it.
    calibration : CriticCalibration or None
        Of a critic, by which objects can be accepted; None where it was not calibrated.
    fallback : str or None
        Name of the model to take for images that this one fails on.
    base : str or None
        Name of the model that this one was trained further from.
    reviews : tuple of str
        Of a critic, names of the models whose results it learned to judge.
    parameters : int
        How many numbers were learned; 0 where that is not stated.
    members : tuple of str
        Names of the models whose outputs an ensemble averages. It has no weights of its own; its
        digest is that of its members' digests.
    remote : Remote or None
        File to download the model from.
    folder : pathlib.Path or None
        Where the card was read; not part of the file.
    """

    name: ModelName
    family: Family
    network: Entries
    sha256: Text
    axes: Axes = "yx"
    window: Window = (512, 512)
    largest_window: Window | None = None
    overlap: Share = 0.6
    margin: Margin = 0
    zoom: Size = 1.0
    object_diameter: Size | None = None
    voxel_size: VoxelSize = None
    tasks: Names = ("cells",)
    task_descriptions: Texts = field(default_factory=dict)
    target_statistics: Statistics = field(default_factory=dict)
    from_planes: Names = ()
    description: Text = ""
    licence: Text = ""
    citation: Text = ""
    training_data: Text = ""
    figures: Figures = field(default_factory=dict)
    origin: Text = ""
    encoder_weights: EncoderWeights | None = None
    calibration: CriticCalibration | None = None
    fallback: ModelName | None = None
    base: ModelName | None = None
    reviews: Members = ()
    parameters: Count = 0
    members: Members = ()
    remote: Remote | None = None
    folder: Path | None = field(default=None, compare=False)

    @property
    def weights(self) -> Path:
        """Weights file beside the card."""
        if self.folder is None:
            raise ValueError(f"The card of '{self.name}' was not read from a folder of a model.")
        return self.folder / self.weights_file

    @property
    def weights_file(self) -> str:
        """Name of that file."""
        if self.family == PACKAGE:
            return _NETWORK_FILES[self.network["format"]]
        return WEIGHTS_FILE

    @property
    def makes(self) -> str:
        """What the model makes of an image: ``"objects"``, ``"images"`` or ``"errors"``."""
        if self.family == PACKAGE:
            return IMAGES if self.network["output"] == IMAGE else OBJECTS
        return _MAKES.get(self.family, OBJECTS)

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
            if path.stat().st_size > LONGEST_CARD:
                raise ValueError(f"it is longer than {LONGEST_CARD // 2**20} MB")
            return cls.from_content(json.loads(path.read_text(encoding="utf-8")), folder)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path} is not a valid model card: {error}.") from error

    @classmethod
    def from_content(cls, content: Any, folder: Path | None = None) -> ModelCard:
        """Make a card of what its file says; entries that this version does not know are left out.

        Raises
        ------
        ValueError, TypeError
            When an entry is missing or of another kind.
        """
        if isinstance(content, dict):
            content = {name: value for name, value in content.items() if name != "folder"}
        card = read_entries(cls, content)
        if card.family == PACKAGE:
            read_entries(PackageNetwork, card.network)
        _check_network(card)
        if card.remote is not None and not (card.remote.sha256 or card.remote.md5):
            raise ValueError("its entry 'remote sha256' must be a digest")
        return replace(card, folder=folder)

    def write(self, folder: Path) -> None:
        """Write the card into a model folder."""
        write_text(folder / CARD_FILE, self.text())

    def text(self) -> str:
        """Content of the card's file."""
        content = {key: value for key, value in asdict(self).items() if key != "folder"}
        for name, default in _LATER_ENTRIES.items():  # as in cards that know of none
            if content[name] == default:
                del content[name]
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _check_network(card: ModelCard) -> None:
    """Refuse a card whose network cannot be, or not for its axes and its tasks."""
    try:
        check_arguments(card.family, card.network)
    except ValueError as error:
        raise ValueError(
            f"the card of '{card.name}' has network arguments that do not fit: {error}"
        ) from error
    for window in (card.window, card.largest_window or card.window):
        if len(window) != len(card.axes):
            raise ValueError(f"its window {window} is not one number for each of '{card.axes}'")
    known = card.network.get("num_tasks", len(card.tasks))
    if card.family == "repmode" and len(card.tasks) > known:
        raise ValueError(f"it names {len(card.tasks)} tasks, and its network has {known}")
