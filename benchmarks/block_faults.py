"""Deaths and damage amid a segmentation by blocks: each run ends, with the undisturbed labels.

    python benchmarks/block_faults.py                     # ten workers, ten schedulers, ten blocks
    python benchmarks/block_faults.py --times 3 --seed 5

A small plane of coins and a small network, so that a run takes seconds. A worker, or the scheduler
with all workers, is ended by ``kill -9`` at a random moment of a run; a run that fails goes on as
``--resume`` does. For damage a run is left at a random moment, one byte of one of its finished
pieces is changed, and it goes on. The seed says how many pieces are finished then.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from blocks import find_workers, make_model, make_plane

from napari_ssp import ModelService, SegmentRequest
from napari_ssp.io import read_image
from napari_ssp.service.blocks.running import Goal, segment_by_blocks
from napari_ssp.service.blocks.unfinished import unfinished_folder

if TYPE_CHECKING:
    from collections.abc import Callable

#: Steps whose pieces are files of their own.
STEPS = ("range", "network", "objects", "check", "clean", "choose")


def main() -> None:
    """Print a line for each run, and how many were equal."""
    options = _options()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name, ModelService(options.compute) as service:
        folder = Path(name)
        plane = make_plane([], 1, options.side, folder)
        choices = make_model(folder, window=128) | {"tile": options.tile, "device": "cpu"}
        request = SegmentRequest(plane, overlap=0.25, precision="float32", **choices)
        trial = Trial(service, request, folder)
        pieces = trial.follow("undisturbed")
        print(
            f"undisturbed: {pieces} pieces, {trial.read('undisturbed').max()} objects", flush=True
        )
        for kind, disturb in (("worker", kill_worker), ("scheduler", kill_scheduler)):
            equal = 0
            for number in range(options.times):
                equal += trial.disturb(f"{kind}-{number}", chance.randrange(pieces), disturb)
            print(f"{kind} killed: {equal} of {options.times} equal", flush=True)
        damaged = (trial.damage(f"damage-{n}", chance, pieces) for n in range(options.times))
        print(f"block damaged: {sum(damaged)} of {options.times} equal", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=10, help="runs of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=256, help="pixels along y and x")
    parser.add_argument("--tile", type=int, default=64, help="side of the blocks")
    parser.add_argument("--compute", default="processes:2")
    return parser.parse_args()


def kill_worker() -> None:
    """End one worker."""
    os.kill(find_workers()[0].pid, signal.SIGKILL)


def kill_scheduler() -> None:
    """End the scheduler; its workers end with it."""
    os.kill(find_workers()[0].ppid(), signal.SIGKILL)


@dataclass(frozen=True)
class Trial:
    """Runs of one request, each into a result of its own."""

    service: ModelService
    request: SegmentRequest
    folder: Path

    def follow(
        self, name: str, resume: bool = False, look: Callable[[int, str], bool] = lambda *_: True
    ) -> int:
        """Run as long as ``look``, told of finished pieces and the stage, is true; count pieces."""
        goal = Goal(self.folder / f"{name}.zarr", resume=resume)
        before = done = 0
        stage = ""
        for step in segment_by_blocks(self.service, self.request, goal):
            if step.stage != stage:
                before, done, stage = before + done, 0, step.stage
            done = step.done if stage.endswith("blocks") else 0
            if not look(before + done, stage):
                break
        return before + done

    def disturb(self, name: str, moment: int, kill: Callable[[], None]) -> bool:
        """Kill when so many pieces are finished; whether the labels are equal in the end."""
        killed: list[str] = []

        def look(pieces: int, stage: str) -> bool:
            if pieces >= moment and stage.endswith("blocks") and not killed:
                killed.append(stage)
                kill()
            return True

        began, times = time.monotonic(), 0
        while True:
            try:
                self.follow(name, times > 0, look)
                break
            except (OSError, RuntimeError) as error:
                print(f"  {name} ended ({error}); resumed", file=sys.stderr, flush=True)
                times += 1
        assert killed
        return self._tell(f"{name}: {killed[0]}, resumed {times} times", began)

    def damage(self, name: str, chance: random.Random, pieces: int) -> bool:
        """Leave a run, change a byte of a piece, and go on."""
        began, moment = time.monotonic(), chance.randrange(2, pieces)
        self.follow(name, look=lambda done, _: done < moment)
        folder = unfinished_folder(self.folder / f"{name}.zarr")
        kept = [path for step in STEPS for path in sorted((folder / step).glob("[!.]*.npy"))]
        path = chance.choice(kept)
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        self.follow(name, resume=True)
        return self._tell(f"{name}: {path.relative_to(folder)} of {len(kept)} files", began)

    def read(self, name: str) -> Any:
        """Labels of a finished run."""
        return np.asarray(read_image(self.folder / f"{name}.zarr").data)

    def _tell(self, line: str, began: float) -> bool:
        name = line.partition(":")[0]
        equal = np.array_equal(self.read(name), self.read("undisturbed"))
        words = "equal" if equal else "NOT EQUAL"
        print(f"  {line}, {words}, {time.monotonic() - began:.0f} s", flush=True)
        return equal


if __name__ == "__main__":
    main()
