"""Whether a long sitting in one viewer stays flat: memory, threads and files.

One napari viewer, half an hour: segment, cancel, refine, predict structures, cancel, measure,
train for a minute, close the docks, open others, remove the layers. After each round the process's
memory, threads and open files are written down; a line through those after the first third tells
how much they grow by the hour.

    python benchmarks/soak.py --minutes 30            # with a display
    xvfb-run -a python benchmarks/soak.py             # without

Bar: threads and files the same in the last round as after the first third, and memory grown by at
most 50 MB there; the exit code says whether it holds.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

BAR = 50.0


class Reading(NamedTuple):
    """State of the process after a round."""

    minutes: float
    megabytes: float
    threads: int
    files: int


def read_process(began: float) -> Reading:
    import psutil

    gc.collect()
    process = psutil.Process()
    return Reading(
        (time.monotonic() - began) / 60,
        process.memory_info().rss / 2**20,
        process.num_threads(),
        process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
    )


def pause(seconds: float) -> None:
    from qtpy.QtTest import QTest

    QTest.qWait(round(1000 * seconds))


def wait(reached: Any, seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError(f"The dock did not get there within {seconds} s.")
        pause(0.05)


def open_dock(viewer: Any, title: str) -> Any:
    return viewer.window.add_plugin_dock_widget("napari-ssp", title)[1]


def run(dock: Any, cancel_after: float | None = None) -> None:
    """Click Run and wait for the end, or cancel it on the way."""
    ended: list[Any] = []
    dock.update_plan()
    dock.done.connect(ended.append)
    wait(dock.panel.run_button.isEnabled)
    dock.panel.run_button.click()
    if cancel_after is None:
        wait(lambda: bool(ended))
    else:
        pause(cancel_after)
        dock.panel.cancel_button.click()
        wait(dock.panel.run_button.isEnabled)
    dock.done.disconnect(ended.append)


def segment(viewer: Any) -> None:
    dock = open_dock(viewer, "Segment")
    viewer.add_image(sample("fluorescent_nuclei"), name="nuclei")
    run(dock, cancel_after=1.0)
    run(dock)
    panel = dock.refining.panel
    for threshold in (0.3, 0.6, 0.5):
        panel.set_value(replace(panel.value(), cell_threshold=threshold))
        pause(1)


def measure(viewer: Any) -> None:
    dock = open_dock(viewer, "Measure objects")
    run(dock)
    dock.table_button.click()


def predict(viewer: Any) -> None:
    dock = open_dock(viewer, "Predict structures")
    viewer.add_image(sample_stack(), name="stack")
    dock.update_plan()
    dock.form.set_value(replace(dock.form.value(), tasks=("dapi",)))
    run(dock, cancel_after=2.0)
    run(dock)


def train(viewer: Any) -> None:
    from napari.layers import Labels

    dock = open_dock(viewer, "Train models")
    labels = next(layer for layer in viewer.layers if isinstance(layer, Labels))
    viewer.add_labels(np.asarray(labels.data), name="mine")
    choices = dock.form.value()
    name = f"soak-{time.monotonic_ns()}"
    dock.form.set_value(replace(choices, name=name, duration=(1.0, "minutes"), crop=128))
    dock.data.add_all()
    run(dock)


def sample(name: str) -> Any:
    from napari_ssp.io.samples import sample_image

    return sample_image(name).plane()[:256, :320]


def sample_stack() -> Any:
    from napari_ssp.io.samples import sample_image

    return np.asarray(sample_image("transmitted_light_neurons").data)[:, :160, :160]


def close_all(viewer: Any) -> None:
    for dock in list(viewer.window.dock_widgets.values()):
        viewer.window.remove_dock_widget(dock)
    viewer.layers.clear()
    pause(1)


def growth(readings: list[Reading]) -> dict[str, float]:
    """Tell what grew from a third of the time to the end; memory by a straight line."""
    late = readings[len(readings) // 3 :]
    minutes, megabytes = np.array([r[:2] for r in late]).T
    slope = np.polyfit(minutes, megabytes, 1)[0] if len(late) > 1 else 0.0
    return {
        "megabytes": float(slope * (minutes[-1] - minutes[0])),
        "threads": late[-1].threads - late[0].threads,
        "files": late[-1].files - late[0].files,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()
    readings: list[Reading] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        os.environ["NAPARI_SSP_CACHE"] = folder
        import napari

        viewer = napari.Viewer()
        began = time.monotonic()
        while time.monotonic() < began + 60 * arguments.minutes:
            for work in (segment, measure, predict, train):
                work(viewer)
            close_all(viewer)
            readings.append(read_process(began))
            print(
                "{:6.1f} min {:7.0f} MB {:3} threads {:3} files".format(*readings[-1]), flush=True
            )
        viewer.close()
    grown = growth(readings)
    print("grown:", {name: round(value, 1) for name, value in grown.items()})
    print("threads:", sorted(thread.name for thread in threading.enumerate()))
    if arguments.json:
        rows = [reading._asdict() for reading in readings]
        arguments.json.write_text(json.dumps({"rounds": rows, "grown": grown}, indent=2) + "\n")
    return 0 if grown["megabytes"] <= BAR and not grown["threads"] and not grown["files"] else 1


if __name__ == "__main__":
    sys.exit(main())
