"""The cluster file: which queue workers are asked of, and what each of them gets."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Annotated, Any

from napari_ssp.schema import OneOf, checked_dataclass, choice, restore
from napari_ssp.service.compute.bundle import server_folder

#: End of the name of a cluster file.
CLUSTER_SUFFIX = ".toml"
#: Schedulers, and the command by which each is given a job.
COMMANDS = {"slurm": "sbatch", "pbs": "qsub", "lsf": "bsub"}
#: Workers that one process keeps busy.
MOST_WORKERS = 256

_LARGEST = 2**20
_WALLTIME = re.compile(r"\d+:\d\d:\d\d")
_MEMORY = re.compile(r"\d+(\.\d+)? ?[KMGT]i?B", re.IGNORECASE)


@checked_dataclass(frozen=True, kw_only=True)
class ClusterFile:
    """What a cluster file says. A job is one worker: one process, which does one request at a time.

    Attributes
    ----------
    scheduler : str
        "slurm", "pbs" or "lsf".
    queue, account : str or None
        Queue (partition) and account (project); None leaves them to the cluster.
    walltime : str
        Longest time of a job, "04:00:00"; a job that ends is followed by another.
    cores : int
        Cores of a job.
    memory : str
        Memory of a job, e.g. "32 GB".
    gpu : bool
        Whether a job gets a graphics card.
    workers, minimum : int
        Jobs at most, and how many are kept while there is nothing to do.
    directives : tuple of str
        Further directives of the job script, without "#SBATCH", "#PBS" or "#BSUB".
    prologue : tuple of str
        Lines of shell before the worker starts, e.g. "module load cuda".
    python : str or None
        Python of the nodes; None is the one that runs here.
    interface : str or None
        Network between the nodes and this computer, e.g. "ib0".
    folder : str or None
        Folder that the nodes see, too, for certificates and logs; None is one in the home folder.
    """

    scheduler: Annotated[str, OneOf(tuple(COMMANDS))]
    queue: str | None = None
    account: str | None = None
    walltime: str = "04:00:00"
    cores: int = choice(8, "cores", "Cores of a job", min=1, max=1024)
    memory: str = "32 GB"
    gpu: bool = False
    workers: int = choice(1, "workers", "Jobs at most", min=1, max=MOST_WORKERS)
    minimum: int = choice(1, "minimum", "Jobs that are kept", min=1, max=MOST_WORKERS)
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    python: str | None = None
    interface: str | None = None
    folder: str | None = None

    def __post_init__(self) -> None:
        """Refuse what the scheduler would refuse, or read in another way."""
        _check(self.walltime, _WALLTIME, "walltime", "04:00:00")
        _check(self.memory, _MEMORY, "memory", "32 GB")
        if self.minimum > self.workers:
            raise ValueError(
                f"minimum is {self.minimum}, but there are {self.workers} workers at most. Give a "
                "smaller minimum, or more workers."
            )
        for name in ("queue", "account", "interface", "folder"):
            value = getattr(self, name)
            if value is not None and (not value or re.search(r"[\s'\"]", value)):
                raise ValueError(f"{name} is {value!r}: give a name without spaces and quotes.")
        for line in (*self.directives, *self.prologue):
            if "\n" in line:
                raise ValueError(f"{line!r} has several lines. Give each as a text of its own.")

    @classmethod
    def read(cls, path: Path) -> ClusterFile:
        """Read a cluster file.

        Raises
        ------
        ValueError
            With the name of the file, and what is wrong with it.
        OSError
            When it cannot be read.
        """
        try:
            return restore(cls, _parse(path))
        except (TypeError, ValueError) as error:
            raise ValueError(f"The cluster file '{path}' cannot be used. {error}") from error

    def check_command(self) -> None:
        """Refuse a computer that cannot give jobs to the scheduler, with a ValueError."""
        command = COMMANDS[self.scheduler]
        if shutil.which(command) is None:
            raise ValueError(
                f"The command '{command}' of {self.scheduler.upper()} is not on this computer. "
                "Start napari-ssp on a login node of the cluster, or compute elsewhere."
            )

    def make_folder(self) -> Path:
        """Make the folder for certificates and logs, which its owner alone may look into."""
        folder = Path(self.folder).expanduser() if self.folder else server_folder() / "jobs"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder


def _parse(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST:
        raise ValueError("It has more than 1 MiB.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError("It is no text in UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"It is no TOML: {error}.") from error


def _check(value: str, pattern: re.Pattern[str], name: str, example: str) -> None:
    if not pattern.fullmatch(value):
        raise ValueError(f"{name} is '{value}': write it as {example}.")
