"""Results of jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from napari_ssp.image import MicroscopyImage
from napari_ssp.place import add_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

#: How a warning begins where an image without contrast gave no objects.
NOTHING_TO_SEE = "No objects can be found in the image"
#: How a warning begins where the grey range comes from few regions.
COVER_LITTLE = "Cells cover little of"
#: How the sentence begins that says which magnification was chosen for the objects of a volume.
MAGNIFIED = "The stack was magnified"
#: How the sentence begins that says that the chosen model failed.
FELL_BACK = "Another model was taken"


class Plan(Protocol):
    """What a request means for its data, found before any work.

    Attributes
    ----------
    summary : str
        One line for the user.
    warnings : tuple of str
        What the user should know before trusting the result.
    """

    @property
    def summary(self) -> str: ...  # noqa: D102
    @property
    def warnings(self) -> tuple[str, ...]: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Objects found in an image.

    Attributes
    ----------
    labels : numpy.ndarray
        Uint32, one axis per letter of ``axes``; 0 is background, ids are unique over all planes. As
        flows and probability, a large one is mapped from a temporary file and read as it is used.
    flows : numpy.ndarray
        Float32 (2, ...): flow_y, flow_x in the network's scale (5 times unit vectors). Of volumes
        (3, ...): flow_z, flow_y, flow_x on the image's own grid.
    cell_probability : numpy.ndarray
        Float32 (...), in [0, 1].
    axes : str
        Axes of the labels: ``"yx"``, ``"zyx"``, ``"tyx"`` or ``"tzyx"``.
    voxel_size : tuple of float or None
        (z, y, x) in µm.
    origin : tuple of int
        (t, z, y, x) of the first pixel in the full image, when only a part of it was segmented.
    provenance : dict
        JSON-ready: request, model with sha256, versions, device, duration in seconds.
    position : tuple of float
        Where the full image lies, as `MicroscopyImage.position`.
    full_axes : str
        Axes of the full image, when only a part of it was taken; else empty.
    predicted : MicroscopyImage or None
        The structure that was segmented, where it was predicted first.
    table : dict of str to numpy.ndarray or None
        Measured objects, where a structure was predicted first: as `measure_objects` returns them,
        intensities are those of the prediction.
    count : int or None
        How many objects there are, where it is known without a look at all labels.
    warnings : tuple of str
        What the user should know before trusting the result.
    edits : tuple
        Edits by hand that were made again in the labels, as `Refinement.steps` gives them.
    """

    labels: NDArray[np.uint32]
    flows: NDArray[np.float32]
    cell_probability: NDArray[np.float32]
    axes: str = "yx"
    voxel_size: tuple[float, float, float] | None = None
    origin: tuple[int, int, int, int] = (0, 0, 0, 0)
    provenance: dict[str, Any] = field(default_factory=dict)
    count: int | None = None
    warnings: tuple[str, ...] = ()
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    full_axes: str = ""
    predicted: MicroscopyImage | None = None
    table: dict[str, NDArray[Any]] | None = None
    edits: tuple[Any, ...] = ()

    @property
    def num_objects(self) -> int:
        """How many objects there are."""
        return int(self.labels.max(initial=0)) if self.count is None else self.count

    def image(
        self, pixels: Any, name: str = "labels", channels: Sequence[str] = ()
    ) -> MicroscopyImage:
        """Wrap labels, or another array of the result, as an image at its place.

        Parameters
        ----------
        pixels : array
            Axes as ``axes``, with an axis of channels in front where these have names.
        name : str
            What to call the image.
        channels : sequence of str
            Names of channels.

        Returns
        -------
        MicroscopyImage
            With axes of length 1 for "t" and "z" of the image that only one plane was taken of.
        """
        return _placed(self, pixels, name, channels)


@dataclass(frozen=True, eq=False)
class StructurePrediction:
    """Fluorescent structures predicted from a stack.

    Attributes
    ----------
    images : dict of str to array
        Float32 (Z, Y, X), or (Y, X) of a plane, by task, on the input's own grid; a large result is
        a memory map.
    axes : str
        Axes of each image: ``"zyx"``, or ``"yx"``.
    voxel_size : tuple of float or None
        (z, y, x) in µm, the input's.
    origin : tuple of int
        (t, z, y, x) of the first voxel in the full image, when only a part of it was predicted.
    position : tuple of float
        Where the full image lies, as `MicroscopyImage.position`.
    full_axes : str
        Axes of the full image, when only a part of it was taken; else empty.
    warnings : tuple of str
        What the user should know before trusting the result.
    provenance : dict
        JSON-ready: request, model with sha256, versions, device, duration in seconds.
    spread : dict of str to array
        As ``images``, the standard deviation of the predictions of four mirrored views, where it
        was asked for. It says where the network contradicts itself, not how large an error is.
    """

    images: dict[str, NDArray[np.float32]]
    axes: str = "zyx"
    voxel_size: tuple[float, float, float] | None = None
    origin: tuple[int, int, int, int] = (0, 0, 0, 0)
    warnings: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    full_axes: str = ""
    spread: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def image(
        self, pixels: Any, name: str = "prediction", channels: Sequence[str] = ()
    ) -> MicroscopyImage:
        """Wrap predicted images at their place, as `Segmentation.image` does."""
        return _placed(self, pixels, name, channels)


def _placed(
    result: Segmentation | StructurePrediction, pixels: Any, name: str, channels: Sequence[str]
) -> MicroscopyImage:
    found = MicroscopyImage(
        pixels,
        "c" * bool(channels) + result.axes,
        result.voxel_size,
        tuple(channels),
        name,
        origin=result.origin,
        position=result.position,
        full_axes=result.full_axes,
    )
    return add_axes(found)


@dataclass(frozen=True)
class DataSize:
    """How much a training learns from and scores, as far as headers tell.

    Attributes
    ----------
    shapes : tuple of tuple of int
        (Y, X) or (Z, Y, X) of what is learned from; empty while that is not known.
    scored : float
        Pixels or voxels that the network sees when all validation images are scored; 0 while that
        is not known.
    """

    shapes: tuple[tuple[int, ...], ...] = ()
    scored: float = 0.0

    def together(self, other: DataSize) -> DataSize:
        """Size of both; how much of it is scored is that of what is known."""
        return DataSize((*self.shapes, *other.shapes), self.scored + other.scored)


@dataclass(frozen=True)
class TrainingPlan:
    """What a training would do, found from names and headers of its files.

    Attributes
    ----------
    summary : str
        One line for the user.
    warnings : tuple of str
        What the user should know before starting, such as files that are skipped.
    training, validation, replay : tuple of str
        Names of the images that are learned from, scored, and mixed in.
    strip : bool
        Whether the validation part is a strip of each training image.
    size : DataSize
        How much that is.
    base, files : Any
        Card of the base model, and the files that were found, for the training itself.
    """

    summary: str
    warnings: tuple[str, ...] = ()
    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    replay: tuple[str, ...] = ()
    strip: bool = False
    size: DataSize = DataSize()
    base: Any = field(default=None, compare=False, repr=False)
    files: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class TrainedModel:
    """A model that training made.

    Attributes
    ----------
    name : str
        Its name.
    folder : pathlib.Path
        Where card and weights are: the run's folder.
    metrics : dict
        Scores of its weights, the best of the run, on the validation images; empty without any.
    base_metrics : dict
        Scores of the base model on the same images; empty without a base.
    is_better : bool or None
        Whether it beats its base; None where there was nothing to compare, or fewer than 20
        objects.
    installed : bool
        Whether it is now among the installed models, under its name.
    warnings : tuple of str
        What the plan warned of, and what came up on the way.
    sentence : str
        What happened, with both numbers, for the user.
    """

    name: str
    folder: Any
    metrics: dict[str, float] = field(default_factory=dict)
    base_metrics: dict[str, float] = field(default_factory=dict)
    is_better: bool | None = None
    installed: bool = False
    sentence: str = ""
    warnings: tuple[str, ...] = ()
