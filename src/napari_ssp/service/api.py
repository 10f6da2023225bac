"""Functions for scripts: one call, one result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.progress import run
from napari_ssp.service.models import ModelCache
from napari_ssp.service.pipelines import steps_of
from napari_ssp.service.requests import SegmentRequest

if TYPE_CHECKING:
    from napari_ssp.service.results import Segmentation

_MODELS = ModelCache()


def segment(image: Any, model: str = "mediar-starter", **options: Any) -> Segmentation:
    """Segment cells or nuclei and wait for the result.

    Parameters
    ----------
    image : array, MicroscopyImage, str or pathlib.Path
        2D grey (Y, X), colours (Y, X, 3), or a stack; an array, an image or a file.
    model : str
        Name of a model, or a model's folder.
    **options
        The other fields of :class:`napari_ssp.SegmentRequest`: ``axes``, ``voxel_size``,
        ``channel``, ``device``, ``tta``, ``cell_threshold``, ``flow_threshold``, ``min_size`` ...

    Returns
    -------
    Segmentation
        ``labels`` uint32 (Y, X), ``flows`` float32 (2, Y, X), ``cell_probability`` float32 (Y, X);
        with leading t and z axes for stacks.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        When the image, the model or an option cannot be used; the message says why.
    """
    result: Segmentation = run(steps_of(SegmentRequest(image, model, **options), _MODELS)())
    return result
