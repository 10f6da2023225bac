"""Prepare everything that ``make demo`` and ``make test`` need; a second run changes nothing.

Installs the Qt and OpenGL system libraries where they are missing (Debian family, as root or with
sudo), makes ``.venv`` and installs the package into it in editable mode. Standard library only.
"""

from __future__ import annotations

import ctypes.util
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / ".napari-ssp-bootstrap"

SYSTEM_PACKAGES = (
    "xvfb xauth libegl1 libgl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 "
    "libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 python3-venv"
).split()
SHARED_LIBRARIES = (
    "EGL GL glib-2.0 dbus-1 fontconfig xkbcommon-x11 xcb-cursor xcb-icccm xcb-keysyms xcb-shape"
).split()


def missing_system_parts() -> list[str]:
    """Names of the programs and shared libraries that a napari window needs and that are absent."""
    programs = [name for name in ("Xvfb", "xauth") if shutil.which(name) is None]
    # Debian keeps this part of Python in a package of its own; without it there is no venv.
    programs += ["ensurepip"] if importlib.util.find_spec("ensurepip") is None else []
    return programs + [name for name in SHARED_LIBRARIES if ctypes.util.find_library(name) is None]


def install_system_packages() -> None:
    """Install the system packages, or say the one line that does."""
    missing = missing_system_parts()
    if not sys.platform.startswith("linux") or not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *SYSTEM_PACKAGES]
    # Where nobody can type a password, sudo must not wait for one.
    sudo = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    prefix = [] if os.geteuid() == 0 else sudo
    can_elevate = os.geteuid() == 0 or shutil.which("sudo") is not None
    if shutil.which("apt-get") is None or not can_elevate:
        sys.exit(
            f"Missing system parts: {', '.join(missing)}. Install the equivalents of these Debian "
            f"packages and run the command again:\n  {' '.join(command)}"
        )
    print(f"Installing system libraries for the napari window ({', '.join(missing)}) ...")
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive"]  # sudo drops the environment
    for step in (["apt-get", "update", "-q"], command):
        if subprocess.run([*prefix, *quiet, *step], check=False).returncode != 0:
            sys.exit(f"'{' '.join(step)}' failed. Run it by hand, then run the command again.")


def wanted_stamp() -> str:
    """Digest of what decides the environment's content."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def install_python_packages() -> None:
    """Make ``.venv`` and install the package with its development extra."""
    if STAMP.exists() and STAMP.read_text() == wanted_stamp() and PYTHON.exists():
        return
    if not PYTHON.exists():
        print("Making .venv ...")
        venv.create(VENV, with_pip=True, clear=VENV.exists())
    target = ["-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[dev]"]
    print("Installing Python packages into .venv (several GB at the first run) ...", flush=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    # Compiled once here: where the environment forbids Python to write bytecode, every start would
    # compile all that it imports. pip compiles what it installs by itself.
    uv = [str(PYTHON), "-m", "uv", "pip", "install", "--compile-bytecode", "--python", str(PYTHON)]
    got_uv = subprocess.run([*pip, "install", "-q", "uv"], check=False).returncode == 0
    if not (got_uv and subprocess.run([*uv, *target], check=False).returncode == 0):
        print("uv could not do it; using pip ...", flush=True)
        subprocess.run([*pip, "install", *target], check=True)
    STAMP.write_text(wanted_stamp())


def compile_own_code() -> None:
    """Compile the package, which is installed in place: its files change after the installation."""
    folder = ROOT / "src" / "napari_ssp"
    subprocess.run([str(PYTHON), "-m", "compileall", "-q", str(folder)], check=False)


def main() -> None:
    """Bring the machine and ``.venv`` to the state the other targets expect."""
    if not ((3, 11) <= sys.version_info[:2] <= (3, 13)):
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(
            f"Python {found} was found; napari-ssp needs 3.11 to 3.13. "
            "Run 'make PYTHON=python3.12 ...' with one of these."
        )
    install_system_packages()
    install_python_packages()
    compile_own_code()


if __name__ == "__main__":
    main()
