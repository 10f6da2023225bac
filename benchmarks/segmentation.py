"""A segmentation stage by stage: this project, MEDIAR-like settings in MONAI, cellpose's flow code.

    python benchmarks/segmentation.py --peers FOLDER            # the starter model, on two threads
    python benchmarks/segmentation.py --published --device cuda # two mit_b5, three views
    python benchmarks/segmentation.py --cpu-time                # one thread, processor's seconds

One image of 1024 x 1024 pixels, at magnification 1, with 1200 cells. Windows of 512 with overlap
0.6 as in MEDIAR; MONAI's ``sliding_window_inference`` runs the same networks in float32 with
MEDIAR's batch of 4, one view and one model after the other. FOLDER holds cellpose, see
benchmarks/flows.py. What MEDIAR itself needs to normalise was recorded, not run here. Runs of a row
alternate and the figures are medians; memory is what a process of its own takes beyond the loaded
network and image, on a graphics card what torch allocates there. The last row is the service from
picture to labels; on CUDA all of it stays on the card. ``--published`` is untrained: its windows
take as long as with weights, but what it finds is noise.
"""

from __future__ import annotations

import argparse
import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flows import (
    THREADS,
    cell,
    crowded_cells,
    measured_apart,
    medians,
    memory,
    network_like,
    peer_dynamics,
)

import numpy as np  # isort: skip  (after the number of threads is set)

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE, CELLS = 1024, 1200
WINDOW, OVERLAP = (512, 512), 0.6
#: Seconds of the original for one 1024 x 1024 RGB image of 16 bits, recorded on two cores.
MEDIAR_NORMALISES = 4.3


class Stage(NamedTuple):
    """One row: what we do, and what the peer does; None where there is none to run."""

    name: str
    ours: Callable[[], Any]
    peer: Callable[[], Any] | None
    peer_name: str


class Prepared:
    """Where the service gets its network from: it is there already."""

    def __init__(self, network: Any) -> None:
        self._network = network

    def get(self, *asked: Any) -> Any:
        """Network for any card, device and number format."""
        return self._network


class Bench:
    """Inputs and networks, made when first needed."""

    def __init__(self, options: argparse.Namespace) -> None:
        import torch

        from napari_ssp.engine import compute_dtype, resolve_device

        torch.set_num_threads(THREADS)
        self.options = options
        self.device = resolve_device(options.device)
        self.dtype = compute_dtype(options.precision, self.device)
        labels = crowded_cells(SIDE, CELLS)
        self.flows, self.probability = network_like(labels)
        noise = np.random.default_rng(0).integers(0, 9000, (SIDE, SIDE, 3))
        self.picture = ((labels > 0)[..., None] * 40_000 + noise).astype(np.uint16)

    def networks(self) -> list[Any]:
        """Float32 networks on the device: the starter, or two of the published size."""
        import torch

        from napari_ssp.networks import MediarFormer
        from napari_ssp.registry import load_model

        if not self.options.published:
            return [load_model("mediar-starter", self.device)]
        torch.manual_seed(0)
        return [MediarFormer().eval().to(self.device) for _ in range(2)]

    def stages(self, peers: bool = True) -> list[Stage]:
        """All rows of the table."""
        import torch

        from napari_ssp.engine import MEDIAR_VIEWS, normalise
        from napari_ssp.flows import flows_to_labels

        image = normalise(self.picture)
        networks = self.networks()
        ours = self._prepared(networks)
        theirs = partial(self._monai, networks, image)
        dynamics = peer_dynamics(self.options.peers) if peers else None
        logit = np.log(self.probability / (1 - self.probability))
        follow = None
        if dynamics is not None:
            follow = partial(
                dynamics.resize_and_compute_masks, self.flows, logit, device=self.device
            )
        count = f"{len(networks)} model{'s' * (len(networks) > 1)}"
        device = str(self.device)
        # On a card they are there already, as after the windows.
        outputs = [
            torch.from_numpy(part).to(self.device) for part in (self.flows, self.probability)
        ]
        label = partial(flows_to_labels, *outputs, device=device)
        return [
            Stage("normalise 16-bit RGB", partial(normalise, self.picture), None, ""),
            Stage(
                f"windows, {count}, 1 view",
                partial(self._ours, ours, image, MEDIAR_VIEWS[:1]),
                partial(theirs, MEDIAR_VIEWS[:1]),
                "MONAI",
            ),
            Stage(
                f"windows, {count}, 3 views",
                partial(self._ours, ours, image, MEDIAR_VIEWS),
                partial(theirs, MEDIAR_VIEWS),
                "MONAI",
            ),
            Stage(f"flows to labels, {CELLS} cells", label, follow, "cellpose"),
            Stage("picture to labels, 3 views", partial(self._all, ours), None, ""),
        ]

    def _prepared(self, networks: list[Any]) -> Any:
        """Copy the networks in the form in which the service keeps them."""
        import copy

        import torch

        from napari_ssp.engine import average_networks

        copies = [copy.deepcopy(network).to(self.dtype) for network in networks]
        copies = [network.to(memory_format=torch.channels_last) for network in copies]
        return average_networks(copies, self.dtype)

    def _ours(self, network: Any, image: Any, views: Any) -> Any:
        from napari_ssp.engine import TileSettings, floored_gaussian_window, predict_tiles
        from napari_ssp.progress import run

        settings = TileSettings(WINDOW, OVERLAP, 0, self.device, floored_gaussian_window, views)
        return run(predict_tiles(network, image, settings))

    def _all(self, network: Any) -> Any:
        """Run the service itself, at magnification 1 as the rows above."""
        from napari_ssp import MicroscopyImage, SegmentRequest
        from napari_ssp.progress import run
        from napari_ssp.registry import find_card
        from napari_ssp.service.segmentation.steps import segment_steps

        request = SegmentRequest(
            MicroscopyImage.from_array(self.picture, "yxc"),
            diameter=find_card("mediar-starter").object_diameter,
            tta=True,
            overlap=OVERLAP,
            device=str(self.device),
            precision=self.options.precision,
        )
        return run(segment_steps(request, Prepared(network)))

    def _monai(self, networks: list[Any], image: Any, views: Any) -> Any:
        import torch
        from monai.inferers.utils import sliding_window_inference

        pixels, total = torch.from_numpy(image)[None], 0
        with torch.inference_mode():
            for network in networks:
                for view in views:
                    seen = view.apply(pixels)
                    found = sliding_window_inference(
                        seen,
                        WINDOW,
                        4,
                        network,
                        OVERLAP,
                        mode="gaussian",
                        sw_device=self.device,
                        device="cpu",
                    )
                    total = total + view.undo(found[0])
        return (total / (len(networks) * len(views))).numpy()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", help="folder with cellpose in it")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto", help="ours: auto, float32 or bfloat16")
    parser.add_argument("--published", action="store_true", help="two untrained mit_b5 networks")
    parser.add_argument("--cpu-time", action="store_true", help="one thread, processor's seconds")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    bench = Bench(options)
    if options.child:
        index, who = options.child.split()
        stage = bench.stages(peers=who == "peer")[int(index)]
        print(json.dumps(memory(getattr(stage, who), bench.device)))
        return
    where = f"{os.cpu_count()} cores, {THREADS} threads, load {os.getloadavg()[0]:.1f}"
    print(f"{where}; {bench.device}, ours in {str(bench.dtype).removeprefix('torch.')}")
    print(f"{'':32}{'ours':>20}   {'peer':>20}")
    rows = []
    for index, stage in enumerate(bench.stages()):
        ours, peer = medians(stage.ours, stage.peer, repeats=options.repeats)
        sides = ["ours", *(["peer"] if stage.peer else [])]
        taken = {who: measured_apart(__file__, index, who) for who in sides}
        name = stage.peer_name
        if index == 0:
            peer, name = MEDIAR_NORMALISES, "MEDIAR, recorded"
        line = f"{stage.name:32}{cell(ours, taken['ours'])}   {cell(peer, taken.get('peer'))}"
        faster = f"{name} not there" if name else "no peer"
        if peer and ours:
            faster = f"{peer / ours:6.1f} x {name}"
        print(f"{line} {faster:>16}, load {os.getloadavg()[0]:.1f}", flush=True)
        rows.append({"stage": stage.name, "ours": ours, name: peer, "MB": taken})
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
