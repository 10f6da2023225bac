"""Keys of a review, which napari lists in its Preferences, where they can be changed."""

from __future__ import annotations

import weakref
from functools import cache
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.settings import get_settings
from napari.utils.action_manager import action_manager

if TYPE_CHECKING:
    from collections.abc import Callable

#: Key, and what is said of it, by the name of the dock's method.
KEYS = {
    "show_next": ("J", "Review: next object of the list"),
    "show_previous": ("K", "Review: previous object of the list"),
    "accept": ("Y", "Review: accept the object and go on"),
    "reject": ("N", "Review: reject the object and go on"),
    "edit": ("Shift-E", "Review: edit the object"),
}
_PREFIX = "napari-ssp:review_"
#: Docks by their viewers; neither is kept alive.
_DOCKS: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


def listen(viewer: Any, dock: Any) -> None:
    """Let the keys of a viewer act on a dock from now on; the last one to ask gets them."""
    _register()
    _DOCKS[viewer] = weakref.ref(dock)


def forget(viewer: Any, dock: Any) -> None:
    """Let the keys of a viewer do nothing any more, where they acted on this dock."""
    known = _DOCKS.get(viewer)
    if known is not None and known() is dock:
        del _DOCKS[viewer]


def key_words(method: str) -> str:
    """Key of a method as a button's tooltip says it, as chosen in the Preferences."""
    chosen = get_settings().shortcuts.shortcuts.get(_PREFIX + method)
    keys = [str(key) for key in chosen] if chosen is not None else [KEYS[method][0]]
    return f"{KEYS[method][1].removeprefix('Review: ').capitalize()} ({' or '.join(keys) or '–'})"


@cache
def _register() -> None:
    """Tell napari of the actions, once."""
    for method, (key, words) in KEYS.items():
        name = _PREFIX + method
        action_manager.register_action(name, _command(method), words, ViewerModel)
        if name not in get_settings().shortcuts.shortcuts:  # else napari has bound what is chosen
            action_manager.bind_shortcut(name, key)


def _command(method: str) -> Callable[[ViewerModel], None]:
    def act(viewer: ViewerModel) -> None:
        known = _DOCKS.get(viewer)
        dock = known() if known is not None else None
        if dock is not None:
            getattr(dock, method)()

    return act
