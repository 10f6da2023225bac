from __future__ import annotations

from typing import Any

from napari_ssp.flows.jit import jit


def test_a_loop_runs_where_there_is_no_folder_to_keep_it_in() -> None:
    names: dict[str, Any] = {}
    # numba finds no folder for code that is in no file, as on a machine where none may be written.
    exec(compile("def double(x):\n    return 2 * x", "<nowhere>", "exec"), names)
    assert jit(names["double"])(4) == 8
