"""Functions for scripts: one call, one result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import as_labels, read_image, read_label_image
from napari_ssp.progress import run
from napari_ssp.registry.folders import DEFAULT_MODEL
from napari_ssp.service.classes.classifying import ClassifyRequest
from napari_ssp.service.classes.files import read_examples
from napari_ssp.service.compartments.choosing import CELL_MODEL, compartments_request
from napari_ssp.service.model_service import SHARED_MODELS
from napari_ssp.service.pipelines import prepare_steps
from napari_ssp.service.requests import (
    DiameterRequest,
    PredictRequest,
    SegmentRequest,
    SourceRequest,
)
from napari_ssp.service.review.requests import ReviewRequest
from napari_ssp.service.source_image import open_image
from napari_ssp.service.tracking.requests import TrackRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.service.classes.classifying import Classes
    from napari_ssp.service.classes.examples import Examples
    from napari_ssp.service.compartments.requests import Compartments
    from napari_ssp.service.requests import Request
    from napari_ssp.service.results import Segmentation
    from napari_ssp.service.review.requests import Review
    from napari_ssp.service.tracking.requests import Tracks
R = TypeVar("R")
_AXES_OF_MOVIES = {3: "tyx", 4: "tzyx"}


def segment(
    image: Any,
    model: str = DEFAULT_MODEL,
    axes: str | None = None,
    voxel_size: Sequence[float] | None = None,
    device: str = "auto",
    **options: Any,
) -> Segmentation:
    """Segment cells or nuclei and wait for the result.

    Parameters
    ----------
    image : array, MicroscopyImage, str or pathlib.Path
        2D grey (Y, X), colours (Y, X, 3), or a stack; an array, an image or a file.
    model : str
        Name of a model, or a model's folder.
    axes : str or None
        Names of an array's axes out of ``tczyx``; None guesses them.
    voxel_size : sequence of float or None
        (z, y, x) in µm; None takes the image's own.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    **options
        The other fields of :class:`napari_ssp.SegmentRequest`: ``channel``, ``nuclei``, ``tta``,
        ``cell_threshold``, ``flow_threshold``, ``min_size`` ...

    Returns
    -------
    Segmentation
        ``labels`` uint32 (Y, X), ``flows`` float32 (2, Y, X), ``cell_probability`` float32 (Y, X);
        with leading t and z axes for stacks. With ``through``, ``predicted`` and ``table``, too.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        When the image, the model or an option cannot be used; the message says why.
    """
    shared: dict[str, Any] = {"axes": axes, "voxel_size": voxel_size, "device": device}
    request = SegmentRequest(image, model, **shared, **options)
    return _run(request)


def segment_compartments(
    image: Any,
    model: str = CELL_MODEL,
    nuclei_model: str = DEFAULT_MODEL,
    channel: int | None = None,
    nuclei: int | None = None,
    **options: Any,
) -> Compartments:
    """Segment cells and their nuclei, and wait for cells, nuclei and cytoplasm with same numbers.

    Parameters
    ----------
    image : array, MicroscopyImage, str or pathlib.Path
        As for :func:`segment`, with two channels or more.
    model, nuclei_model : str
        Models for cells and for nuclei: names, or folders.
    channel, nuclei : int or None
        Channels with cells and with nuclei, from 0; None chooses by their names, else the first
        one shows cells and the second one nuclei.
    **options
        ``cells_alone``, and fields of :class:`napari_ssp.SegmentRequest` for both; of
        ``diameter``, ``cell_threshold``, ``flow_threshold``, ``min_size`` and ``hole_size`` nuclei
        have their own, e.g. ``nuclei_diameter``.

    Returns
    -------
    Compartments
        ``labels``: uint32 arrays by the names cells, nuclei and cytoplasm; ``table``, the cells
        with counts, sizes and means of their nuclei; ``tally``, how many have none or several.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        When the image, a model or an option cannot be used; the message says why.
    """
    both: dict[str, Any] = {"channel": channel, "nuclei": nuclei}
    return _run(compartments_request(image, model, nuclei_model, **both, **options))


def estimate_diameter(image: Any, model: str = DEFAULT_MODEL, **options: Any) -> float:
    """Estimate the typical diameter of objects, for the ``diameter`` of :func:`segment`.

    Parameters
    ----------
    image : array, MicroscopyImage, str or pathlib.Path
        As for :func:`segment`.
    model : str
        Name of a model, or a model's folder.
    **options
        As for :func:`segment`.

    Returns
    -------
    float
        Diameter in pixels of the image.

    Raises
    ------
    ValueError
        When no objects are found, or the model's card does not say which sizes it knows.
    """
    request = DiameterRequest(SegmentRequest(image, model, **options))
    return _run(request)


def predict_structures(
    stack: Any,
    tasks: Sequence[str],
    model: str = "repmode-starter",
    voxel_size: Sequence[float] | None = None,
    device: str = "auto",
    **options: Any,
) -> dict[str, NDArray[np.float32]]:
    """Predict fluorescent structures from a transmitted-light stack and wait for the result.

    Parameters
    ----------
    stack : array, MicroscopyImage, str or pathlib.Path
        3D (Z, Y, X), possibly with t and c; an array, an image or a file. (Y, X) where the model
        learned all tasks from planes.
    tasks : sequence of str, or str
        Names of structures, as on the model's card.
    model : str
        Name of a model, or a model's folder.
    voxel_size : sequence of float or None
        (z, y, x) in µm; None takes the stack's own, and the model's where the stack has none.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    **options
        The other fields of :class:`napari_ssp.PredictRequest`: ``axes``, ``channel``, ``time``,
        ``z_range``, ``region``, ``precision``, ``overlap`` ...

    Returns
    -------
    dict of str to numpy.ndarray
        Float32 (Z, Y, X), or (Y, X), by task, on the stack's own grid; mean 0 and standard
        deviation 1 are those of the measured fluorescence unless ``measured_units`` is chosen.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        When the stack, the model or an option cannot be used; the message says why.
    """
    shared: dict[str, Any] = {"voxel_size": voxel_size, "device": device}
    request = PredictRequest(stack, tasks, model, **shared, **options)  # type: ignore[arg-type]
    return _run(request).images


def review(
    image: Any,
    labels: Any,
    model: str | None = None,
    device: str = "auto",
    **options: Any,
) -> Review:
    """Predict where labels are wrong, without a truth, and wait for the result.

    Parameters
    ----------
    image : array, MicroscopyImage, str or pathlib.Path
        As for :func:`segment`.
    labels : array, MicroscopyImage, str or pathlib.Path
        Labels of the image, of any origin: 0 is background, -1 is not annotated.
    model : str or None
        Name of a critic, or a critic's folder; None takes the one that learned from results of the
        model that made the labels, where that is known and one is installed, else
        ``critic-starter``.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    **options
        The other fields of :class:`napari_ssp.ReviewRequest`: ``axes``, ``channel``,
        ``made_by``, ``calibration``, ``wrong_share`` ...

    Returns
    -------
    Review
        ``error_map`` float32 (Y, X), with leading t and z axes for stacks; ``table``, the objects
        with the worst first; ``image_error``, of the whole image.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        When image, labels, critic or an option cannot be used; the message says why.
    """
    shared: dict[str, Any] = {"device": device}
    return _run(ReviewRequest(image, labels, model, **shared, **options))


def track(
    labels: Any,
    axes: str | None = None,
    voxel_size: Sequence[float] | None = None,
    **options: Any,
) -> Tracks:
    """Follow the objects of a label movie and wait for the result.

    Parameters
    ----------
    labels : array of int, MicroscopyImage, str or pathlib.Path
        Labels with an axis t; an array is read as (T, Y, X) or (T, Z, Y, X).
    axes : str or None
        Names of the axes out of ``tczyx``, where they are others.
    voxel_size : sequence of float or None
        (z, y, x) in µm; None takes the labels' own.
    **options
        The other fields of :class:`napari_ssp.TrackRequest`: ``linking``, ``max_distance``,
        ``max_gap``, ``divisions`` ...

    Returns
    -------
    Tracks
        ``labels``, in which an object has the number of its track; ``table``, one row per object
        and frame; ``parents``, by track.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError, ModuleNotFoundError
        When the labels or an option cannot be used; the message says why.
    """
    if isinstance(labels, str | Path):
        labels = as_labels(read_label_image(labels), f"file {labels}")
    elif axes is None and not isinstance(labels, MicroscopyImage):
        axes = _AXES_OF_MOVIES.get(np.ndim(labels))
    source: Any = {"image": labels, "axes": axes, "voxel_size": voxel_size}
    return _run(TrackRequest(open_image(SourceRequest(**source)), **options))


def classify(
    labels: Any, examples: Examples | str | Path, image: Any = None, *, planewise: bool = False
) -> Classes:
    """Give all objects the classes of a few examples, and wait for the result.

    Parameters
    ----------
    labels : MicroscopyImage, array, str or pathlib.Path
        Label image, 0 is background.
    examples : Examples, str or pathlib.Path
        Objects whose class is known, or a file of them: what the Classes dock keeps, also of
        another image, or a CSV with the columns label and class.
    image : MicroscopyImage, array, str or pathlib.Path, optional
        Its intensities tell objects apart, too.
    planewise : bool
        Objects of a stack plane by plane, instead of whole volumes.

    Returns
    -------
    Classes
        ``table``, the measured objects with their ``class`` and its probability; ``recognised``,
        the share of examples of each class that are recognised when they are left out.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        When labels, image or examples cannot be used; the message says why.
    """
    if isinstance(labels, str | Path):
        labels = as_labels(read_label_image(Path(labels)), f"file {labels}")
    if isinstance(image, str | Path):
        image = read_image(Path(image))
    if isinstance(examples, str | Path):
        examples = read_examples(Path(examples))
    if not isinstance(labels, MicroscopyImage):
        labels = MicroscopyImage.from_array(labels)
    if not isinstance(image, MicroscopyImage | None):
        image = MicroscopyImage.from_array(image)
    return _run(ClassifyRequest(labels, examples, image, planewise))


def _run(request: Request[R]) -> R:
    return run(prepare_steps(request, SHARED_MODELS)())
