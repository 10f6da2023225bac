"""Workers that are jobs of a queue: cluster files, job scripts, and a stand-in of a queue."""

from __future__ import annotations

import os
import signal
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from napari_ssp.cli import main
from napari_ssp.service import ModelService, SegmentRequest
from napari_ssp.service.compute.places import find_place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("dask_jobqueue")

#: What stands in for a queue: a job is a process of this computer, its number that of the process.
_SUBMIT = """import pathlib, shutil, subprocess, sys
folder = pathlib.Path(__file__).parent
lines = pathlib.Path(sys.argv[1]).read_text().splitlines()
if "#SBATCH -p closed" in lines:
    sys.exit("sbatch: error: invalid partition specified: closed")
shutil.copy(sys.argv[1], script := folder / "job.sh")
log = (folder / "job.log").open("a")
job = subprocess.Popen(["bash", script], stdout=log, stderr=log, start_new_session=True)
print("Submitted batch job", job.pid)
"""
_CANCEL = """import os, pathlib, signal, sys
(pathlib.Path(__file__).parent / "cancelled").write_text(sys.argv[1])
os.killpg(int(sys.argv[1]), signal.SIGTERM)
"""
_FILE = """scheduler = "slurm"
queue = "{queue}"
cores = 1
memory = "4 GB"
walltime = "00:10:00"
interface = "lo"
folder = "{folder}"
"""


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder with the commands of a queue, on the path."""
    folder = tmp_path / "queue"
    folder.mkdir()
    for name, text in (("sbatch", _SUBMIT), ("scancel", _CANCEL)):
        program = folder / name
        program.write_text(f"#!{sys.executable}\n{text}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    yield folder
    if (folder / "cancelled").is_file():
        with suppress(ProcessLookupError):
            os.killpg(int((folder / "cancelled").read_text()), signal.SIGKILL)


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="a queue's login node is a Linux")
def test_a_request_is_done_by_a_job_and_the_job_ends_with_the_service(
    queue: Path, finding_model: Path, tmp_path: Path
) -> None:
    path = _write(tmp_path, _FILE.format(queue="short", folder=tmp_path / "shared"))
    image = tmp_path / "cells.tif"
    tifffile.imwrite(image, np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8))
    request = SegmentRequest(image, str(finding_model), cell_threshold=0.3, flow_threshold=0.0)
    with ModelService(path) as service:
        assert service.count_places() == 1
        found = service.submit(request).result(90)
        (own,) = (tmp_path / "shared").glob("start-*")
        modes = {file.name: file.stat().st_mode & 0o777 for file in (own, own / "worker.pem")}
        assert modes == {own.name: 0o700, "worker.pem": 0o600}
    with ModelService() as here:
        expected = here.submit(request).result(60)
    assert expected.num_objects > 2
    np.testing.assert_array_equal(found.labels, expected.labels)
    script = (queue / "job.sh").read_text()
    assert "#SBATCH -p short" in script and "--tls-key" in script and "BEGIN" not in script
    assert int((queue / "cancelled").read_text()) > 0
    assert not own.exists()
    closed = _write(tmp_path, _FILE.format(queue="closed", folder=tmp_path / "shared"))
    words = ["segment", str(image), "-o", str(tmp_path / "out"), "--compute", str(closed)]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 1
    assert "did not start. sbatch: error: invalid partition specified: closed" in refused.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scheduler = 'slurm'\nqeue = 'gpu'", "has no qeue. It takes scheduler, queue"),
        ("scheduler = 'sge'", "must be one of slurm, pbs, lsf, got 'sge'"),
        ("queue = 'gpu'", "scheduler"),
        ("scheduler = 'slurm'\nwalltime = '4h'", "walltime is '4h': write it as 04:00:00"),
        ("scheduler = 'slurm'\nmemory = 'much'", "memory is 'much': write it as 32 GB"),
        ("scheduler = 'slurm'\ncores = 0", "cores must be between 1 and 1024, got 0"),
        ("scheduler = 'slurm'\ncores = '8'", "cores must be a number"),
        ("scheduler = 'slurm'\nminimum = 3", "minimum is 3, but there are 1 workers at most"),
        ("scheduler = 'slurm'\nqueue = 'a b'", "give a name without spaces"),
        (
            "scheduler = 'slurm'\nprologue = [\"a\\nb\"]",
            "has several lines",
        ),
        ("scheduler = ", "It is no TOML"),
    ],
)
def test_another_cluster_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(ValueError, match="cannot be used") as said:
        find_place(path)
    assert str(said.value).startswith(f"The cluster file '{path}' ")
    assert message in str(said.value)


def test_without_the_queues_commands_nothing_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="The command 'bsub' of LSF is not on this computer"):
        ModelService(_write(tmp_path, "scheduler = 'lsf'"))
    (tmp_path / "a.tif").write_bytes(b"never read")
    words = ["segment", str(tmp_path / "a.tif"), "-o", str(tmp_path / "out"), "--compute"]
    refused = CliRunner().invoke(main, [*words, str(tmp_path / "cluster.toml")])
    assert refused.exit_code == 2, refused.output
    assert "The command 'bsub' of LSF is not on this computer" in " ".join(refused.output.split())


def test_the_library_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(ImportError, match=r"pip install 'napari-ssp\[cluster\]'"):
        ModelService(_write(tmp_path, "scheduler = 'lsf'"))


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("slurm", ["#SBATCH -A lab", "#SBATCH -t 04:00:00", "#SBATCH --gres=gpu:1"]),
        ("pbs", ["#PBS -A lab", "#PBS -l select=1:ncpus=8:mem=32GB:ngpus=1"]),
        ("lsf", ['#BSUB -P "lab"', "#BSUB -W 04:00", '#BSUB -gpu "num=1"']),
    ],
)
def test_the_job_script_can_be_read_before(
    scheduler: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SSP_SERVER", str(tmp_path))
    more = "account = 'lab'\ngpu = true\ndirectives = ['--odd']\nprologue = ['module load cuda']"
    done = CliRunner().invoke(
        main, ["compute-script", str(_write(tmp_path, f"scheduler = '{scheduler}'\n{more}"))]
    )
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert set(expected) <= set(lines)
    assert any(line.endswith(" --odd") for line in lines)
    command = lines[-1]
    assert lines[-2] == "module load cuda"
    assert "export OMP_NUM_THREADS=8" in lines
    assert command.index("--nthreads 8") < command.index("--nthreads 1")  # the last one counts
    assert "tls://SCHEDULER --name WORKER" in command
    assert f"--tls-key {tmp_path}/jobs/START/worker.pem" in command
