"""A scheduler in this process, and its workers, which are jobs of a queue (dask-jobqueue)."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dask
from dask_jobqueue import LSFCluster, PBSCluster, SLURMCluster
from distributed.security import Security

from napari_ssp.service.compute.bundle import write_pem
from napari_ssp.service.compute.serving import CONFIG, THREADS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from napari_ssp.service.compute.bundle import Identity
    from napari_ssp.service.compute.queues.cluster_file import ClusterFile

_CLUSTERS: dict[str, Any] = {"slurm": SLURMCluster, "pbs": PBSCluster, "lsf": LSFCluster}
_PROTOCOL = "tls://"
#: Files of what workers prove themselves with, and of whom they believe.
_WORKER_PROOF, _AUTHORITY = "worker.pem", "authority.pem"
#: A worker does one request at a time with all cores; its memory is the queue's to limit.
_WORKER = (
    *("--nthreads", "1", "--memory-limit", "0", "--no-dashboard"),
    *("--preload", "napari_ssp.service.compute.warming"),
)
#: How each scheduler is asked for a graphics card; PBS takes it with the other resources.
_GPU = {"slurm": ["--gres=gpu:1"], "lsf": ['-gpu "num=1"'], "pbs": []}

#: A job for each request that waits, whatever it may take; those that idle end after five minutes.
_ADAPT = {"interval": "1s", "wait_count": 300, "target_duration": "10ms"}


async def serve_jobs(
    file: ClusterFile, identity: Identity, announce: Callable[[str], None], end: asyncio.Event
) -> None:
    """Run a scheduler and its jobs until an event.

    Parameters
    ----------
    file : ClusterFile
        What is asked for.
    identity : Identity
        What scheduler and workers prove themselves with; workers find it in the file's folder.
    announce : callable
        Gets the address as soon as jobs are taken, which may be long before one of them starts.
    end : asyncio.Event
        When it is set, all jobs are cancelled.

    Raises
    ------
    RuntimeError
        When the queue refuses a job; the message ends with its words.
    """
    folder = file.make_folder()
    # A folder for each start: certificates go with it.
    with dask.config.set(CONFIG), TemporaryDirectory(prefix="start-", dir=folder) as own:
        (Path(own) / _AUTHORITY).write_text(identity.authority, encoding="utf-8")
        write_pem(Path(own) / _WORKER_PROOF, identity)
        cluster = _CLUSTERS[file.scheduler](
            **_job_options(file, folder),
            security=_make_security(Path(own), identity),
            protocol=_PROTOCOL,
            scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            asynchronous=True,
        )
        try:
            await cluster
            cluster.scale(file.minimum)
            await cluster  # raises what the queue says
            cluster.adapt(minimum=file.minimum, maximum=file.workers, **_ADAPT)
            announce(cluster.scheduler_address)
            await end.wait()
        finally:
            with suppress(AssertionError):  # which dask has for a job that was never accepted
                await cluster.close()


def write_job_script(file: ClusterFile) -> str:
    """Script of a job, with words in capitals for what is known when it is submitted."""
    folder = file.make_folder()
    job = _CLUSTERS[file.scheduler].job_cls(
        f"{_PROTOCOL}SCHEDULER",
        "WORKER",
        security=_make_security(folder / "START"),
        protocol=_PROTOCOL,
        **_job_options(file, folder),
    )
    return str(job.job_script())


def _make_security(folder: Path, identity: Identity | None = None) -> Security:
    """Make settings of connections for workers, by their files; with an identity, for all."""
    proof = str(folder / _WORKER_PROOF)
    known = {} if identity is None else {"cert": identity.certificate, "key": identity.key}
    roles = {f"tls_{r}_{part}": v for r in ("client", "scheduler") for part, v in known.items()}
    return Security(
        require_encryption=True,
        tls_ca_file=str(folder / _AUTHORITY),
        tls_worker_cert=proof,
        tls_worker_key=proof,
        **roles,
    )


def _job_options(file: ClusterFile, folder: Path) -> dict[str, Any]:
    threads = [f"export {name}={file.cores}" for name in THREADS]
    own: dict[str, Any] = {"account": file.account, "walltime": file.walltime}
    if file.scheduler == "lsf":
        own = {"project": file.account, "walltime": file.walltime.rpartition(":")[0]}
    elif file.scheduler == "pbs" and file.gpu:
        memory = file.memory.replace(" ", "")
        own["resource_spec"] = f"select=1:ncpus={file.cores}:mem={memory}:ngpus=1"
    return {
        **own,
        "job_name": "napari-ssp",
        "queue": file.queue,
        "cores": file.cores,
        "processes": 1,
        "memory": file.memory,
        "interface": file.interface,
        "log_directory": str(folder),
        "python": shlex.quote(file.python or sys.executable),
        "worker_extra_args": list(_WORKER),
        "job_extra_directives": [*(_GPU[file.scheduler] if file.gpu else ()), *file.directives],
        "job_script_prologue": [*threads, *_exported_config(), *file.prologue],
    }


def _exported_config() -> list[str]:
    """Dask's settings of a worker as lines of shell: a job starts without this process's."""
    return [
        f"export DASK_{key.upper().replace('.', '__').replace('-', '_')}={shlex.quote(repr(value))}"
        for key, value in CONFIG.items()
        if not key.startswith("distributed.scheduler.")
    ]
