"""Requests: one frozen value per action, the same for docks, command line and provenance."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, PlainSerializer

from napari_ssp.image import MicroscopyImage, check_voxel_size
from napari_ssp.io.scene import MISSING
from napari_ssp.registry.folders import DEFAULT_MODEL
from napari_ssp.schema import OneOf, Unchecked, checked_dataclass, choice, flatten
from napari_ssp.service.results import Segmentation, StructurePrediction

R = TypeVar("R")


class Request(Generic[R]):
    """What the service can be asked for; a frozen value. ``R`` is what its job returns."""


#: Number formats of a prediction; automatic is the fastest that is safe on the device.
PRECISIONS = ("auto", "float32", "bfloat16")
#: What becomes of a stack or time series: planes alone, linked by overlap, or 3D objects.
STACKS = ("planes", "linked", "volume")

#: Where the grey range of a plane comes from; automatic is by region where cells are few.
NORMALISATIONS = ("auto", "image", "region")

#: A word of `PRECISIONS`.
Precision = Annotated[str, OneOf(PRECISIONS)]
#: A model by its name or its folder.
ModelName = Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, Path) else v)]


def _describe(image: Any) -> dict[str, Any] | str:
    if isinstance(image, str | Path):
        return str(image)
    shape, dtype = list(image.shape), str(image.dtype)
    if isinstance(image, MicroscopyImage):
        return {"name": image.name, "axes": image.axes, "shape": shape, "dtype": dtype}
    return {"name": "array", "shape": shape, "dtype": dtype}


def _join(letters: Any) -> Any:
    return "".join(letters) if isinstance(letters, tuple | list) else letters


def as_text(name: Any) -> Any:
    """Read a whole number as a name, for a field that is validated so."""
    return str(name) if isinstance(name, int) and not isinstance(name, bool) else name


def _alone(names: Any) -> Any:
    return (names,) if isinstance(names, str) else names


#: An image itself, an array, or the path of a file; a request says of it what it is.
Source = Annotated[
    MicroscopyImage | NDArray[Any] | str | Path, Unchecked(), PlainSerializer(_describe)
]


@checked_dataclass(frozen=True, eq=False, kw_only=True)
class SourceRequest:
    """What all requests that read an image have in common.

    Attributes
    ----------
    image : MicroscopyImage, array or path
        What to work on.
    scene : str or None
        Which image of a file that holds several: its name, or its number from 0; None takes the
        first, and says so. Of an image that is given itself, which one of its file it is.
    missing : str
        Of a set of files that is not complete: ``"refuse"``, or ``"zeros"`` for planes of 0.
    axes : str or None
        Names of an array's axes out of ``tczyx``; None guesses them.
    voxel_size : tuple of float or None
        (z, y, x) in µm; None takes the image's own.
    channel : int or None
        Channel to work on; None chooses one.

    Raises
    ------
    TypeError
        When a value is of another kind than its field.
    ValueError
        When a value is out of its limits.
    """

    image: Source = field(kw_only=False)
    scene: Annotated[str | None, BeforeValidator(as_text)] = choice(
        None, "Scene", "Image of a file with several: its name, or its number from 0"
    )
    missing: Annotated[str, OneOf(MISSING)] = choice(
        "refuse", "Missing files", "Where files of a set are missing: refuse, or zeros"
    )
    axes: Annotated[str | None, BeforeValidator(_join)] = choice(
        None, "Axes", "Names of the image's axes out of tczyx"
    )
    voxel_size: tuple[float, float, float] | None = choice(
        None, "Voxel size", "Voxel size in µm: z y x", parts="Z Y X"
    )
    channel: int | None = choice(None, "Channel", "Channel, from 0", min=0)

    def __post_init__(self) -> None:
        """Refuse a voxel that is no voxel, and take lists of numbers for an image."""
        if isinstance(self.image, list | tuple):
            object.__setattr__(self, "image", np.asarray(self.image))
        check_voxel_size(self.voxel_size)

    def provenance(self) -> dict[str, Any]:
        """JSON-ready values; images are given by name, shape, axes and data type."""
        return flatten(self)


@checked_dataclass(frozen=True, eq=False, kw_only=True)
class ImageRequest(SourceRequest):
    """What requests that make images or objects of the pixels of an image have in common.

    Attributes
    ----------
    image, scene, missing, axes, voxel_size, channel
        As in :class:`SourceRequest`.
    region : tuple of int or None
        (y0, y1, x0, x1) in pixels to work on; None takes the whole planes.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    precision : str
        ``"auto"``, ``"float32"`` or ``"bfloat16"``; automatic is bfloat16 on CUDA only.
    overlap : float
        Share of a window that its neighbours cover too, from 0 to below 1.
    batch_size : int
        Windows that go through the network together.
    """

    region: tuple[int, int, int, int] | None = choice(
        None,
        "Region",
        "Part of the planes, in pixels from 0: first row, last + 1, first column, last + 1",
        parts="Y0 Y1 X0 X1",
    )
    device: str = choice("auto", "Device", "Where the network runs: auto, cpu, cuda, mps")
    precision: Precision = choice(
        "auto", "Precision", "Numbers that the network computes in: auto, float32, bfloat16"
    )
    overlap: float = choice(
        0.5, "Overlap", "Share of a window that its neighbours cover too", min=0.0, max=0.9
    )
    batch_size: int = choice(
        1, "Batch", "Windows that go through the network together", min=1, max=256
    )


@checked_dataclass(frozen=True, eq=False)
class SegmentRequest(ImageRequest, Request[Segmentation]):
    """Segment cells or nuclei in an image.

    Attributes
    ----------
    image, scene, missing, axes, voxel_size, region, device, precision
        As in :class:`ImageRequest`.
    overlap : float or None
        Share of a window that its neighbours cover too; None takes the model's.
    model : str
        Name of a model, or a model's folder; several, joined by ``+``, are averaged.
    fallback : bool
        Where the model fails, take the one that its card names: when nothing is found, or more than
        15 % of what it takes for cells is left without an object. Of large planes from file to
        file one block decides. Not for volumes, averaged models, and other thresholds than the
        usual ones.
    channel : int or None
        Channel to segment; None means the colours of an RGB image, else the first channel.
    nuclei : int or None
        Channel that shows the nuclei of the cells in ``channel``, for models that learned to use
        it: the network sees the cells as its first colour and the nuclei as its second, each with
        its own range of grey values. None leaves it out; not possible with ``through``.
    plane : tuple of int or None
        (t, z) of the only plane to segment; None segments all planes, each by itself.
    diameter : float or None
        Typical diameter of the objects in pixels of the image, which is then magnified so that
        they have the size that the model knows best; None takes the model's magnification, or the
        voxel size where the model and the image have one, and estimates it in a volume.
    tta : bool
        Average the image and its two mirror images, as MEDIAR does; three times the work.
    eightfold : bool
        Average all eight mirror images and quarter turns, MEDIAR's three among them.
    batch_size : int
        Windows that go through the network together, of all views; 0 takes as many as the free
        memory of a graphics card holds, and one on a processor.
    normalise : str
        Which grey values are stretched to the range that MEDIAR sees: ``"image"``, percentiles 0 to
        99.5 of the whole plane, as MEDIAR does; ``"region"``, the upper percentile of only those
        blocks of 64 pixels that show more than noise, one range for the whole plane; ``"auto"``,
        the whole plane except where its upper percentile lies in the noise or near it, because
        cells cover about one percent or less. Packages and cellpose normalise in their own way.
    cell_threshold, flow_threshold : float
        See :func:`napari_ssp.flows.flows_to_labels`.
    min_size : int
        Smallest object, in pixels; of 3D objects the ball that has so many in its middle plane.
    hole_size : int or None
        Holes of fewer pixels are filled; None takes ``min_size``.
    stacks : str
        ``"planes"``: each plane by itself; ``"linked"``: an object keeps its number from plane to
        plane and from time point to time point where it overlaps itself; ``"volume"``: 3D objects,
        from the flows that the network sees in planes of all three orientations.
    link_overlap : float
        Smallest intersection over union of an object in two planes or time points that are linked.
    tile : int or None
        Side, in pixels, of the blocks that a plane is done in when it is larger; None takes 2048
        for planes of more than 16 megapixels.
    through : str or None
        Structure that is first predicted from the image, a stack of transmitted light, and then
        segmented in its place; the result has the prediction and a table of the objects as well.
        ``channel``, ``axes``, ``voxel_size`` and ``region`` are those of the stack.
    through_model : str
        Model that predicts it: its name, or its folder.
    """

    model: ModelName = choice(
        DEFAULT_MODEL, "Model", "Name of a model, or a model's folder", kw_only=False
    )
    _: KW_ONLY
    fallback: bool = choice(
        True, "Fall back", "Where the model fails, take the one that its card names for it"
    )
    channel: int | None = choice(
        None, "Channel", "Channel to segment, from 0 [default: colours, or the first]", min=0
    )
    nuclei: int | None = choice(
        None,
        "Nuclei",
        "Channel with the nuclei of the cells, from 0, for models that learned to use it",
        min=0,
    )
    plane: tuple[int, int] | None = choice(
        None, "Plane", "Only this plane: time point and z, from 0", parts="T Z"
    )
    diameter: float | None = choice(
        None, "Diameter", "Typical diameter of the objects, in pixels", min=1.0, max=100_000.0
    )
    tta: bool = choice(
        False, "Mirror averaging", "Average the image with its mirror images: better, 3 x slower"
    )
    eightfold: bool = choice(
        False, "Eightfold averaging", "Average quarter turns and all mirror images: 8 x slower"
    )
    overlap: float | None = choice(  # type: ignore[assignment]
        None,
        "Overlap",
        "Share of a window that its neighbours cover too [default: the model's]",
        min=0.0,
        max=0.9,
    )
    batch_size: int = choice(
        0, "Batch", "Windows that go through the network together; 0: what fits", min=0, max=256
    )
    normalise: Annotated[str, OneOf(NORMALISATIONS)] = choice(
        "auto",
        "Normalise",
        "Grey values by the whole image, or by region where cells are few: auto, image, region",
    )
    cell_threshold: float = choice(
        0.5, "Cell threshold", "Pixels with a higher cell probability count", min=0.0, max=1.0
    )
    flow_threshold: float = choice(
        0.4, "Flow threshold", "Largest flow error of an object; 0 keeps all", min=0.0, max=3.0
    )
    min_size: int = choice(16, "Minimum size", "Smallest object, in pixels", min=0, max=1_000_000)
    hole_size: int | None = choice(
        None,
        "Fill holes",
        "Holes of fewer pixels are filled [default: the minimum size]",
        min=0,
        max=1_000_000,
    )
    stacks: Annotated[str, OneOf(STACKS)] = choice(
        "planes",
        "Stacks",
        "Stack or time series: planes (one by one), linked (overlap), volume (3D, experimental)",
    )
    link_overlap: float = choice(
        0.25, "Link overlap", "Smallest overlap (IoU) of linked objects", min=0.01, max=1.0
    )
    tile: int | None = choice(
        None, "Tile", "Side of the blocks of a large plane [default: 2048 above 16 Mpx]", min=64
    )
    through: str | None = choice(
        None, "Through", "Structure to predict from transmitted light first, e.g. dapi"
    )
    through_model: ModelName = choice(
        "repmode-starter", "Structure model", "Model that predicts the structure of --through"
    )

    def __post_init__(self) -> None:
        """Refuse a channel beside one that is predicted first."""
        super().__post_init__()
        if self.through is not None and self.nuclei is not None:
            raise ValueError(
                f"Nuclei in channel {self.nuclei} cannot be used together with '{self.through}', "
                "which is predicted first and segmented alone. Leave one of them out."
            )


@dataclass(frozen=True)
class DiameterRequest(Request[float]):
    """Estimate the typical diameter of objects, for `SegmentRequest.diameter`.

    Attributes
    ----------
    segment : SegmentRequest
        What is to be segmented. Of its planes the middle one counts, of a large one the middle.

    Raises
    ------
    ValueError
        When a structure is to be predicted first: the objects are not in the image.
    """

    segment: SegmentRequest

    def __post_init__(self) -> None:
        """Refuse an image that does not show the objects themselves."""
        if self.segment.through is not None:
            raise ValueError(
                "The diameter is estimated in the image that is segmented: predict "
                f"'{self.segment.through}' first, and estimate it there, or give the diameter."
            )


@dataclass(frozen=True)
class BlockRequest(Request[None]):
    """Make one piece of a segmentation that is done by blocks, from file to file.

    Attributes
    ----------
    segment : SegmentRequest
        What is segmented; its image is a path that the worker sees.
    folder : pathlib.Path
        Where pieces are kept, seen by the worker under the same name.
    step, key : str
        Which piece it is.
    """

    segment: SegmentRequest
    folder: Path
    step: str
    key: str


@checked_dataclass(frozen=True, eq=False)
class PredictRequest(ImageRequest, Request[StructurePrediction]):
    """Predict fluorescent structures from a transmitted-light stack.

    Attributes
    ----------
    image, scene, missing, axes, region, device, precision, overlap, batch_size
        As in :class:`ImageRequest`; the image is a stack, with axes z, y, x and possibly t and c.
    tasks : tuple of str
        Names of structures as on the model's card; at least one.
    model : str
        Name of a model, or a model's folder.
    voxel_size : tuple of float or None
        (z, y, x) in µm; None takes the image's own, and the model's where the image has none.
    channel : int or None
        Channel with the transmitted light; None means the first.
    time : int
        Time point to predict.
    z_range : tuple of int or None
        (first, last + 1) planes to predict; None takes all.
    measured_units : bool
        Give results in the units of the measured fluorescence that the model was trained on,
        instead of its mean 0 and standard deviation 1.
    spread : bool
        Predict mirror images of the stack, too, and say by how much they differ: the standard
        deviation of four views. The prediction itself stays that of the stack as it is.
    """

    tasks: Annotated[tuple[str, ...], BeforeValidator(_alone)] = ()
    model: ModelName = choice(
        "repmode-starter", "Model", "Name of a model, or a model's folder", kw_only=False
    )
    _: KW_ONLY
    channel: int | None = choice(
        None, "Channel", "Channel with the transmitted light, from 0 [default: the first]", min=0
    )
    time: int = choice(0, "Time point", "Time point to predict, from 0", min=0)
    z_range: tuple[int, int] | None = choice(
        None, "Planes", "Planes to predict, from 0: first, last + 1", parts="A B"
    )
    measured_units: bool = choice(
        False,
        "Measured units",
        "Values as the training fluorescence was measured, where the model's card knows them",
    )
    spread: bool = choice(
        False,
        "Spread of views",
        "Also how much predictions of mirrored views differ, where trust is low: 4 x slower",
    )


@checked_dataclass(frozen=True)
class GatesRequest(Request[dict[str, NDArray[np.float32]]]):
    """Look up how much each expert of a RepMode model counts for a structure.

    Attributes
    ----------
    model : str
        Name of a model, or a model's folder.
    task : str
        Name of the structure.
    """

    model: ModelName
    task: str
