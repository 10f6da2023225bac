"""Build sdist and wheel into ``dist`` and try the wheel as its users get it: ``make package``.

The wheel is built from the sdist, checked with twine and npe2, and installed without Qt into an
empty environment, where the command segments a sample. Downloads PyTorch (about 3 GB).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
_TOOLS = ["build>=1.2", "twine>=6.1", "uv>=0.5"]
_SAMPLE = "from napari_ssp.io.samples import sample_path; print(sample_path('fluorescent_nuclei'))"


def main() -> None:
    """Build, check and try the package; the first step that fails ends it."""
    with tempfile.TemporaryDirectory(prefix="napari-ssp-package-") as folder:
        tools = Path(folder) / "tools"
        venv.create(tools, with_pip=True)
        run(program(tools, "python"), "-m", "pip", "install", "-q", *_TOOLS)
        wheel = build(tools)
        install(tools, bare := Path(folder) / "bare", wheel)
        try_command(bare, Path(folder))
    print(f"{wheel.name} and its sdist are in {DIST}")


def build(tools: Path) -> Path:
    """Make ``dist`` anew, check it, and return the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(program(tools, "pyproject-build"), "-o", str(DIST), str(ROOT))
    run(program(tools, "twine"), "check", "--strict", *map(str, sorted(DIST.iterdir())))
    return next(DIST.glob("*.whl"))


def install(tools: Path, bare: Path, wheel: Path) -> None:
    """Put the wheel into an environment that holds nothing else, and check its manifest."""
    venv.create(bare)
    uv = [program(tools, "uv"), "pip", "install", "-q", "--python", program(bare, "python")]
    run(*uv, str(wheel))
    qt = "import importlib.util as u; assert not any(map(u.find_spec, ('PyQt6', 'napari')))"
    run(program(bare, "python"), "-P", "-c", qt)
    run(*uv, "npe2>=0.9")
    run(program(bare, "npe2"), "validate", "napari-ssp")


def try_command(bare: Path, folder: Path) -> None:
    """Segment a sample as a user would, and look at what came out."""
    sample = run(program(bare, "python"), "-P", "-c", _SAMPLE).strip()
    report, labels = folder / "report.json", folder / "labels"
    command = (program(bare, "napari-ssp"), "segment", sample, "-o", str(labels))
    print(run(*command, "--json", str(report)))
    print(report.read_text(encoding="utf-8"))
    if not list(labels.glob("*.tif*")):
        sys.exit(f"The command reported success, but {labels} holds no labels.")


def program(environment: Path, name: str) -> str:
    """Path of a program in a virtual environment."""
    folder = environment / ("Scripts" if os.name == "nt" else "bin")
    return str(folder / (f"{name}.exe" if os.name == "nt" else name))


def run(*command: str) -> str:
    """Run a program and return what it printed; end where it fails."""
    print("$", *command, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}\n'{' '.join(command)}' failed.")
    return done.stdout


if __name__ == "__main__":
    main()
