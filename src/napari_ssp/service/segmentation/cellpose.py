"""Segmentation by an installed cellpose, through its public interface."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit

from napari_ssp.engine import compute_dtype, resolve_device
from napari_ssp.engine.store import ArrayStore
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import cellpose_weights, with_cellpose_digest
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.segmentation.linking import link_planes
from napari_ssp.service.segmentation.plan import SegmentPlan, plan_segmentation
from napari_ssp.service.segmentation.run import Stores, add_objects, assemble_planes

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from napari_ssp.registry import ModelCard
    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.results import Segmentation


def segment_cellpose_steps(
    request: SegmentRequest, models: ModelCache, plan: SegmentPlan | None = None
) -> Steps[Segmentation]:
    """Segment an image, in memory, with one of cellpose's models.

    Parameters
    ----------
    request : SegmentRequest
        Diameter, thresholds, smallest size, precision and batch are passed on, and mirror averaging
        as cellpose does it; overlap, size of holes and tiles are cellpose's own. Linked planes are
        linked here, volumes are cellpose's 3D mode. cellpose cannot be stopped within a plane or a
        volume.
    models : ModelCache
        Keeps cellpose's model loaded.
    plan : SegmentPlan or None
        What the request means, where that was found out already.

    Yields
    ------
    Progress
        Before each plane or volume.

    Returns
    -------
    Segmentation
        With cellpose's flows and the probability of its logits.

    Raises
    ------
    FileNotFoundError
        When the weights are to be downloaded first; cellpose never fetches them unasked.
    ValueError
        When the request asks for what is not possible.
    """
    began = time.monotonic()
    yield Progress("reading the image")
    plan = plan or plan_segmentation(request)
    device = resolve_device(request.device)
    yield Progress(f"loading {plan.card.name}")
    # Before it computes: these are the weights that are loaded.
    card = with_cellpose_digest(plan.card)
    dtype = compute_dtype(request.precision, device)
    key = (f"cellpose {card.sha256}", str(device), str(dtype))
    model = models.held(key, lambda: _loaded(card, device, dtype))
    labels = ArrayStore((len(plan.planes), *plan.shape), np.uint32)
    outputs = ArrayStore((3 if plan.volume is None else 4, *labels.shape))
    count = yield from _segmented(model, request, plan, (labels, outputs))
    if request.stacks != "planes":
        count = yield from link_planes(plan, labels, request.link_overlap, count)
    record = describe_run(request.provenance(), card, str(device), time.monotonic() - began)
    record["versions"]["cellpose"] = version("cellpose")
    return assemble_planes(plan, labels.array(editable=True), outputs.array(), record, count)


def _loaded(card: ModelCard, device: torch.device, dtype: torch.dtype) -> Any:
    import torch
    from cellpose.models import CellposeModel

    # A path of a file that is there: of a name, cellpose would fetch the weights.
    return CellposeModel(
        gpu=device.type != "cpu",
        pretrained_model=str(cellpose_weights(card)),
        device=device,
        use_bfloat16=dtype == torch.bfloat16,
    )


def _segmented(
    model: Any, request: SegmentRequest, plan: SegmentPlan, stores: Stores
) -> Steps[int]:
    """Segment each plane or volume; return how many objects there are."""
    labels, outputs = stores
    depth = 1 if plan.volume is None else plan.image.sizes["z"]
    noun = "plane" if plan.volume is None else "volume"
    total, count = len(plan.planes) // depth, 0
    for index in range(total):
        yield Progress(f"cellpose, {noun} {index + 1} of {total}", index, total)
        first = index * depth
        pixels = [_colours(plan, place) for place in plan.planes[first : first + depth]]
        found, output = _evaluated(model, request, plan, np.stack(pixels))
        place = slice(first, first + depth)
        outputs.write((slice(None), place), output)
        count = add_objects(labels, (place,), found, count)
    return count


def _colours(plan: SegmentPlan, place: tuple[int, int]) -> NDArray[Any]:
    """Region of a plane, (Y, X, 3): cells, then nuclei; channels without light are empty."""
    y0, y1, x0, x1 = plan.region
    seen = [plan.image.plane(*place, channel)[y0:y1, x0:x1] for channel in plan.channels]
    if seen[0].ndim == 3:
        return seen[0]
    return np.stack([*seen, *[np.zeros_like(seen[0])] * (3 - len(seen))], axis=-1)


def _evaluated(
    model: Any, request: SegmentRequest, plan: SegmentPlan, pixels: NDArray[Any]
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Labels (Z, Y, X), and flows and probability (3 or 4, Z, Y, X), of planes (Z, Y, X, 3)."""
    solid: dict[str, Any] = {}
    if plan.volume is not None:
        z, y, _ = plan.image.voxel_size or (1.0, 1.0, 1.0)
        solid = {"z_axis": 0, "do_3D": True, "anisotropy": z / y}
    masks, flows, _ = model.eval(
        pixels if solid else pixels[0],
        channel_axis=-1,
        diameter=request.diameter,
        flow_threshold=request.flow_threshold,
        # Of logits there.
        cellprob_threshold=float(np.clip(logit(request.cell_threshold), -20, 20)),
        min_size=request.min_size,
        augment=request.tta,
        batch_size=request.batch_size or 8,
        **solid,
    )
    # cellpose leaves out axes of length 1.
    shape = pixels.shape[:-1]
    vectors = np.asarray(flows[1], np.float32).reshape(3 if solid else 2, *shape)
    probability = expit(np.asarray(flows[2], np.float32)).reshape(1, *shape)
    return np.asarray(masks, np.uint32).reshape(shape), np.concatenate([vectors, probability])
