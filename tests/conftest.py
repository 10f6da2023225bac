"""Fixtures for all tests: shared read-only data, and napari settings kept apart."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ("skip_policy",)

# Two processes on two cores: where the system lets them choose, each keeps to one, with all that it
# starts.
if (_worker := os.environ.get("PYTEST_XDIST_WORKER")) and sys.platform == "linux":
    _cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {_cores[int(_worker.removeprefix("gw")) % len(_cores)]})


# napari's settings and our own cache are kept out of the user's folders. napari reads the first
# place when it is imported, which the conftest of a folder below does before any hook is called.
_SETTINGS = Path(tempfile.mkdtemp(prefix="settings-"))
os.environ["NAPARI_CONFIG"] = str(_SETTINGS / "napari.yaml")
os.environ["NAPARI_SSP_CACHE"] = str(_SETTINGS / "cache")
# The offer of the first dock is tested where it is made, not in whichever test comes first.
(_SETTINGS / "napari-ssp.yaml").write_text("files:\n  opened_with: as before\n")


def pytest_configure(config: pytest.Config) -> None:
    """Remove the settings of the tests at the end, and let all garbage be found."""
    if getattr(config.option, "numprocesses", None):
        # A thread for each process that runs tests. What a test expects holds for any number. It is
        # said before they start: numba, which pytest's plugins load, would give torch its own.
        for kind in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
            os.environ.setdefault(f"{kind}_NUM_THREADS", "1")
    config.add_cleanup(lambda: shutil.rmtree(_SETTINGS, ignore_errors=True))
    config.add_cleanup(gc.unfreeze)


@pytest.fixture(scope="module", autouse=True)
def _what_stays_is_no_garbage() -> None:
    """Let the collections of garbage at each viewer pass by modules, tests and what they keep."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _kernels_are_awaited() -> Iterator[None]:
    """Let compiled code make all labels: the first ones of a new computer are tested apart."""
    from napari_ssp.service.preparing import KERNELS

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KERNELS, "first_steps", KERNELS.steps)
        yield


SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images with licences; absent outside the development machines."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the shared folder 'data' is not beside this checkout")
    return SHARED / "data"


@pytest.fixture(scope="session")
def reference() -> Path:
    """Numbers produced by the original implementations."""
    return Path(__file__).resolve().parent / "reference"


@pytest.fixture(scope="session")
def repmode_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint in the words of RepMode's own program."""
    from repmode_tiny import write_checkpoint

    return write_checkpoint(tmp_path_factory.mktemp("repmode") / "repmode_tiny.p")


@pytest.fixture(scope="module")
def windows_seen_once() -> Iterator[None]:
    """Let networks of cells compute each window once: the same image is segmented many times."""
    import torch

    from napari_ssp.networks import MediarFormer

    forward, seen = MediarFormer.forward, dict[str, torch.Tensor]()

    def remembered(network: MediarFormer, windows: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            return forward(network, windows)
        digest = hashlib.sha256(f"{windows.shape} {windows.dtype}".encode())
        *_, weights = network.parameters()
        for values in (windows, weights):
            digest.update(values.float().cpu().numpy().tobytes())
        key = digest.hexdigest()
        if key not in seen:
            seen[key] = forward(network, windows)
        return seen[key].clone()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MediarFormer, "forward", remembered)
        yield


@pytest.fixture(scope="session")
def job_threads() -> int:
    """Threads of torch where a job runs; libraries change the main thread's own number."""
    import torch

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


@pytest.fixture
def old_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the CPU be one of AVX2, where oneDNN still computes in bfloat16, but slowly."""
    import torch

    from napari_ssp.engine import device

    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(device, "_cpu_has_bfloat16", device._cpu_has_bfloat16.__wrapped__)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a real but tiny model without training: milliseconds per window."""
    import torch

    from napari_ssp.registry import ModelCard, save_model
    from napari_ssp.registry.weights import build_network

    torch.manual_seed(0)
    network = {"encoder": "tu-resnet18d", "decoder_channels": [16, 16, 16, 16], "pab_channels": 16}
    card = ModelCard("tiny", "mediar", network, "", window=(64, 64))
    return save_model(build_network(card), card, tmp_path_factory.mktemp("tiny")).weights.parent


@pytest.fixture(scope="session")
def finding_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny model, made to find objects, others in each image; they mean nothing."""
    import torch

    from napari_ssp.registry import find_card, load_model, save_model

    network = load_model(tiny_model)
    weights = dict(network.named_parameters())
    with torch.no_grad():
        weights["gradflow_head.3.weight"] *= 50
        weights["cellprob_head.3.weight"] *= 200
        weights["cellprob_head.3.bias"] += 2.5
    card = replace(find_card(tiny_model), name="finds")
    return save_model(network, card, tmp_path_factory.mktemp("finds")).weights.parent


@pytest.fixture(scope="session")
def tiny_structures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a real but tiny RepMode model without training, with three tasks."""
    import torch

    from napari_ssp.registry import ModelCard, save_model
    from napari_ssp.registry.weights import build_network

    torch.manual_seed(0)
    tasks = ("dna", "lamin_b1", "nucleoli")
    card = ModelCard(
        "tiny-structures",
        "repmode",
        {"num_tasks": len(tasks), "base_channels": 2},
        "",
        axes="zyx",
        window=(16, 32, 32),
        voxel_size=(0.29, 0.29, 0.29),
        tasks=tasks,
        task_descriptions={"dna": "DNA in the nucleus"},
        target_statistics={"dna": (120.0, 30.0)},
    )
    folder = tmp_path_factory.mktemp("tiny-structures")
    return save_model(build_network(card), card, folder).weights.parent


@pytest.fixture(scope="session")
def tiny_critic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a real but tiny critic without training, made to find small objects the worst."""
    size = 14  # the feature that is the logarithm of the size
    return _write_critic(tmp_path_factory.mktemp("critic"), "object_head", size, -1.0)


@pytest.fixture(scope="session")
def comparing_critic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `tiny_critic`; with flows it finds objects of low cell probability the worst."""
    doubt = 18  # 1 - mean cell probability
    return _write_critic(tmp_path_factory.mktemp("comparing"), "agreement_head", doubt, 1.0)


def _write_critic(folder: Path, name: str, feature: int, weight: float) -> Path:
    """Critic with a head of which one feature alone counts."""
    import torch

    from napari_ssp.registry import ModelCard, save_model
    from napari_ssp.registry.weights import build_network

    torch.manual_seed(0)
    network: dict[str, Any] = {"channels": [4, 8], "object_diameter": 14.0}
    if name == "agreement_head":
        network["agreement"] = True
    called = "comparing-critic" if "agreement" in network else "tiny-critic"
    card = ModelCard(called, "critic", network, "", window=(64, 64))
    critic: Any = build_network(card)
    with torch.no_grad():
        layers = getattr(critic, name).layers
        for values in (*critic.object_head.parameters(), *layers.parameters()):
            values.zero_()
        layers[0].weight[0, feature], layers[-1].weight[0, 0] = weight, 3.0
    return save_model(critic, card, folder).weights.parent
