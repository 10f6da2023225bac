"""Words about the numbers that a network computes in, for plans."""

from __future__ import annotations

from napari_ssp.engine import has_bfloat16, resolve_device

_EMULATED = (
    "This computer has no instructions for bfloat16 and only emulates it, which takes two to eight "
    "times as long as float32. Choose the precision 'auto' or 'float32'."
)


def describe_precision(precision: str) -> str:
    """Fact of a plan's summary; empty where the device decides, which is float32 on a CPU."""
    return "" if precision == "auto" else f"in {precision}"


def warn_emulated(precision: str, device: str) -> tuple[str, ...]:
    """Warn of bfloat16 where it is slower than float32; torch is loaded for nothing else.

    Raises
    ------
    ValueError
        When bfloat16 was chosen for a device that is not there.
    """
    if precision != "bfloat16":
        return ()
    found = resolve_device(device)
    known = found.type in ("cpu", "cuda")  # Apple's cards do not say
    return (_EMULATED,) if known and not has_bfloat16(found) else ()
