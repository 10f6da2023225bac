"""Choice of who opens image files in napari: this plugin, or whom napari asks for.

The choice is a setting of the plugin, which napari shows in its Preferences. It is carried out in
napari's own setting for readers; what that held before is kept in a file, and comes back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari.settings import get_plugin_settings, get_settings
from npe2 import PluginManager

from napari_ssp.atomic import write_text
from napari_ssp.registry import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = "napari-ssp"
#: Values of the setting, as the manifest lists them.
NOT_ASKED, OURS, AS_BEFORE = "not asked yet", PLUGIN, "as before"


def follow_preferences() -> None:
    """Carry the choice out, now and whenever it changes."""
    settings = _settings()
    if settings is not None:
        settings.events.opened_with.connect(_carry_out)
        _carry_out()


def choice() -> str:
    """Say the present choice; as before where napari does not know the plugin's settings."""
    settings = _settings()
    return AS_BEFORE if settings is None else str(settings.opened_with)


def choose(value: str) -> None:
    """Set who opens image files, which napari remembers.

    Parameters
    ----------
    value : str
        `OURS` or `AS_BEFORE`.
    """
    settings = _settings()
    if settings is not None:
        settings.opened_with = value


def patterns() -> tuple[str, ...]:
    """Names of files that the plugin reads with all that is in them, as napari matches them.

    Folders end with a slash there, and capital letters are others.
    """
    readers = PluginManager.instance().get_manifest(PLUGIN).contributions.readers or []
    found = [
        pattern + "/" * reader.accepts_directories
        for reader in readers
        for pattern in reader.filename_patterns
        if pattern.startswith("*.")  # not those of single files of other programs
    ]
    return tuple(dict.fromkeys(name for p in found for name in (p, p.upper())))


def reader_of(path: Path) -> str:
    """Name of the plugin that opens a file: this one, or napari's own where it takes none such."""
    readers = PluginManager.instance().iter_compatible_readers([str(path)])
    return PLUGIN if any(reader.plugin_name == PLUGIN for reader in readers) else "napari"


def _settings() -> Any:
    """Find the settings of the plugin; None where napari has not discovered it."""
    return getattr(get_plugin_settings().get(PLUGIN), "files", None)


def _kept() -> Path:
    return cache_folder() / "readers-before.json"


def _carry_out(event: object = None) -> None:
    is_ours, kept = choice() == OURS, _kept()
    if is_ours and not kept.exists():
        _take_over(kept)
    elif not is_ours and kept.exists():
        _give_back(kept)


def _take_over(kept: Path) -> None:
    plugins = get_settings().plugins
    readers, ours = dict(plugins.extension2reader), patterns()
    before = {p: readers.get(p) for p in ours if readers.get(p) != PLUGIN}
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_text(kept, json.dumps(before, indent=2))
    plugins.extension2reader = readers | dict.fromkeys(ours, PLUGIN)


def _give_back(kept: Path) -> None:
    """Put back what was there, except where somebody chose another reader meanwhile."""
    plugins = get_settings().plugins
    readers = dict(plugins.extension2reader)
    for pattern, reader in _read(kept).items():
        if readers.get(pattern) == PLUGIN:
            del readers[pattern]
            if reader is not None:
                readers[pattern] = reader
    plugins.extension2reader = readers
    kept.unlink()


def _read(kept: Path) -> dict[str, str | None]:
    """Read what was kept; of a damaged file as much as is needed to let go."""
    try:
        found = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    return found if isinstance(found, dict) else dict.fromkeys(patterns())
