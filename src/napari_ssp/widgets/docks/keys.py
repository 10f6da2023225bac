"""Keys of a dock, which napari lists in its Preferences, where they can be changed."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.settings import get_settings
from napari.utils.action_manager import action_manager

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class DockKeys:
    """Keys of a kind of dock: in each viewer they act on the dock that asked last.

    Parameters
    ----------
    title : str
        What the Preferences call the dock: "Review".
    keys : mapping
        Key, and what it does, by the name of the dock's method.
    """

    def __init__(self, title: str, keys: Mapping[str, tuple[str, str]]) -> None:
        self._title, self._keys = title, keys
        self._registered = False
        #: Docks by their viewers; neither is kept alive.
        self._docks: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()
        #: Keys that were taken from layers.
        self._taken: weakref.WeakKeyDictionary[Any, list[str]] = weakref.WeakKeyDictionary()

    def listen(self, viewer: Any, dock: Any) -> None:
        """Let the keys of a viewer act on a dock from now on; the last one to ask gets them."""
        self._register()
        self._docks[viewer] = weakref.ref(dock)

    def forget(self, viewer: Any, dock: Any) -> None:
        """Let the keys of a viewer do nothing any more, where they acted on this dock."""
        known = self._docks.get(viewer)
        if known is not None and known() is dock:
            del self._docks[viewer]

    def take(self, viewer: Any, layer: Any) -> None:
        """Let the keys come before those of a layer, as long as it is the selected one."""
        keys = {key: method for method in self._keys for key in self._chosen(method)}
        for key, method in keys.items():
            layer.bind_key(key, self._layer_command(method, viewer), overwrite=True)
        self._taken[layer] = list(keys)

    def give_back(self, layer: Any) -> None:
        """Let a layer have its own keys again."""
        for key in self._taken.pop(layer, []):
            layer.bind_key(key, None)

    def key(self, method: str) -> str:
        """Key of a method, as chosen in the Preferences; a dash where there is none."""
        return " or ".join(self._chosen(method)) or "–"

    def words(self, method: str) -> str:
        """Say what a method does and its key, for a tooltip."""
        words = self._keys[method][1]
        return f"{words[:1].upper()}{words[1:]} ({self.key(method)})"

    def _name(self, method: str) -> str:
        return f"napari-ssp:{self._title.lower()}_{method}"

    def _register(self) -> None:
        """Tell napari of the actions, once."""
        if self._registered:
            return
        self._registered = True
        for method, (key, words) in self._keys.items():
            name, command = self._name(method), self._command(method)
            action_manager.register_action(name, command, f"{self._title}: {words}", ViewerModel)
            if name not in get_settings().shortcuts.shortcuts:  # else it is bound as chosen
                action_manager.bind_shortcut(name, key)

    def _chosen(self, method: str) -> list[str]:
        chosen = get_settings().shortcuts.shortcuts.get(self._name(method))
        return [self._keys[method][0]] if chosen is None else [str(key) for key in chosen]

    def _layer_command(self, method: str, viewer: Any) -> Callable[[Any], None]:
        act, known = self._command(method), weakref.ref(viewer)

        def act_for_layer(layer: Any) -> None:
            found = known()
            if found is not None:
                act(found)

        return act_for_layer

    def _command(self, method: str) -> Callable[[ViewerModel], None]:
        def act(viewer: ViewerModel) -> None:
            known = self._docks.get(viewer)
            dock = known() if known is not None else None
            if dock is not None:
                getattr(dock, method)()

        return act
