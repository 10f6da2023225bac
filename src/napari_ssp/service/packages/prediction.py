"""Images from BioImage.IO packages: of stacks, or of planes one by one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.progress import Progress, Steps
from napari_ssp.service.packages.run import PackageRun, resample_grid
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.results import StructurePrediction
from napari_ssp.service.structures.plan import PredictionPlan, plan_prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import PredictRequest


def predict_package_steps(
    request: PredictRequest, models: ModelCache, plan: PredictionPlan | None = None
) -> Steps[StructurePrediction]:
    """Predict the images that a package makes, in memory.

    Parameters
    ----------
    request : PredictRequest
        What to predict; the tasks are the names of the package's output channels.
    models : ModelCache
        Where networks come from.
    plan : PredictionPlan or None
        What the request means, where that was found out already.

    Yields
    ------
    Progress
        Between two batches of windows and between two stages.

    Returns
    -------
    StructurePrediction
        One image per task, on the input's own grid.
    """
    began = time.monotonic()
    yield Progress("reading the image")
    plan = plan or plan_prediction(request)
    yield Progress(f"loading {plan.card.name}")
    flat = len(plan.card.axes) == 2
    run = PackageRun(plan.card, request, models)
    found = yield from (_planes if flat else _stack)(run, plan)
    images = {name: found[plan.tasks[k]] for k, name in enumerate(request.tasks)}
    record = describe_run(
        request.provenance(), plan.card, str(run.device), time.monotonic() - began
    )
    has_planes = "z" in plan.image.axes
    return StructurePrediction(
        images=images if has_planes else {name: image[0] for name, image in images.items()},
        axes="zyx" if has_planes else "yx",
        voxel_size=plan.voxel_size,
        **plan.place,
        warnings=plan.warnings,
        provenance=record,
    )


def _stack(run: PackageRun, plan: PredictionPlan) -> Steps[NDArray[np.float32]]:
    """Compute outputs (C, Z, Y, X) of a stack; the whole stack decides its levels."""
    image = plan.image
    whole = np.stack([image.plane(plan.time, z, plan.channel) for z in range(image.sizes["z"])])
    part = _part(run.prepared(whole), plan)
    found = yield from run.compute_outputs(resample_grid(part, plan.network_shape, 3))
    return resample_grid(found, plan.shape, 1)


def _planes(run: PackageRun, plan: PredictionPlan) -> Steps[NDArray[np.float32]]:
    """Compute outputs (C, Z, Y, X) of planes, each by itself."""
    (first, last), *_ = plan.box
    done = []
    for z in range(first, last):
        plane = run.prepared(plan.image.plane(plan.time, z, plan.channel))
        part = _part(plane[:, None], plan, 0)
        seen = resample_grid(part, (1, *plan.network_shape[1:]), 3)[:, 0]
        found = yield from run.compute_outputs(seen)
        done.append(resample_grid(found[:, None], (1, *plan.shape[1:]), 1))
    return np.concatenate(done, axis=1)


def _part(
    values: NDArray[np.float32], plan: PredictionPlan, plane: int | None = None
) -> NDArray[np.float32]:
    """Cut the box of the plan out of (C, Z, Y, X), or out of one plane."""
    depth, rows, columns = (slice(*ends) for ends in plan.box)
    if plane is not None:
        depth = slice(plane, plane + 1)
    return np.ascontiguousarray(values[:, depth, rows, columns])
