"""A screen for machines without one; OpenGL needs it, Qt's offscreen mode draws no canvas."""

from __future__ import annotations

import os
import subprocess
import sys

_MARK = "NAPARI_SSP_VIRTUAL_SCREEN"


def is_needed() -> bool:
    """Tell whether this Linux has no display."""
    if not sys.platform.startswith("linux"):
        return False
    return not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def is_used() -> bool:
    """Tell whether this program was started again on a virtual screen."""
    return _MARK in os.environ


def run_again(width: int = 1600, height: int = 1000) -> int:
    """Run this program again under Xvfb and return its exit code."""
    from pyvirtualdisplay import Display

    with Display(visible=False, size=(width, height), color_depth=24) as display:
        environment = {**os.environ, **display.env(), _MARK: "1", "QT_QPA_PLATFORM": "xcb"}
        return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode
