"""Pick the build of the C++ core that fits this CPU.

The core is compiled once per ISA level, into the extension modules ``_core_generic``, ``_core_v2``, ``_core_v3`` and
``_core_v4`` (the levels of the x86-64 psABI; v3 has AVX2, v4 AVX-512). A package holds one or several of them. The
highest that the CPU supports is loaded, or the one that the environment variable ``MLCORE_ISA`` names; one that is not
built, or that the CPU lacks, raises ``ImportError``: it is never replaced by another one in silence.

What the CPU supports is told by ``_cpu``, an extension compiled for the plain baseline: unlike a reading of
``/proc/cpuinfo`` it needs no such file and no list of flags, and it also asks whether the operating system saves the
wide registers.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mlcore import _cpu

__all__ = ["CPU_LEVEL", "LEVELS", "built_levels", "core", "isa_level", "supported_levels"]

LEVELS = ("generic", "v2", "v3", "v4")
"""All levels there are, lowest first."""

CPU_LEVEL: str = _cpu.level
"""The highest level that this CPU supports."""


def supported_levels() -> tuple[str, ...]:
    """Levels that this CPU can run, lowest first, built or not."""
    return LEVELS[: LEVELS.index(CPU_LEVEL) + 1]


def built_levels() -> tuple[str, ...]:
    """Levels that this package was built with, lowest first."""
    return tuple(level for level in LEVELS if find_spec(f"mlcore._core_{level}") is not None)


def _choose_level(forced: str) -> str:
    """Return the level to load: `forced`, or the best one if that is empty. Raises ImportError."""
    built, supported = built_levels(), supported_levels()
    state = f"levels built: {', '.join(built) or 'none'}; this CPU supports: {', '.join(supported)}"
    if forced:
        if forced not in LEVELS:
            raise ImportError(f"MLCORE_ISA must be one of {', '.join(LEVELS)}, got {forced!r} ({state})")
        if forced not in supported:
            raise ImportError(f"MLCORE_ISA={forced}: this CPU does not support it ({state})")
        if forced not in built:
            raise ImportError(f"MLCORE_ISA={forced}: this package was built without it ({state})")
        return forced
    usable = [level for level in supported if level in built]
    if not usable:
        raise ImportError(f"mlcore has no build of its core for this CPU ({state}); build it here: pip install .")
    return usable[-1]


_level = _choose_level(os.environ.get("MLCORE_ISA", ""))

if TYPE_CHECKING:
    from mlcore import _core as core
else:
    core = import_module(f"mlcore._core_{_level}")


def isa_level() -> str:
    """Level of the core that is loaded."""
    return _level
