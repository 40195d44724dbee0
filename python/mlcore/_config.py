"""What this copy of mlcore is and runs on: the first thing to look at when a result or a speed surprises."""

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, overload

from mlcore import _native


def _config() -> dict[str, Any]:
    build = _native.core.build_info()
    config: dict[str, Any] = {
        "mlcore": build["version"],
        "isa_level": _native.isa_level(),
        "isa_levels_built": list(_native.built_levels()),
        "isa_level_cpu": _native.CPU_LEVEL,
        **{key: value for key, value in build.items() if key not in ("version", "isa_level")},
        "python": sys.version.split()[0],
    }
    for name in ("numpy", "scipy", "scikit-learn"):
        try:
            config[name] = version(name)
        except PackageNotFoundError:
            config[name] = "not installed"
    return config


@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dict"]) -> dict[str, Any]: ...
def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Show the version, the ISA level in use, threads, OpenMP runtime, compiler and the libraries below.

    Parameters
    ----------
    mode : {"stdout", "dict"}, default="stdout"
        Print a table, or return a dict instead.

    Returns
    -------
    dict or None
        With ``mode="dict"``: ``mlcore`` (version), ``isa_level`` (loaded), ``isa_levels_built``, ``isa_level_cpu``
        (the highest that the CPU supports), ``int8`` (what products of 8-bit integers are made with: "plain",
        "avx_vnni" or "avx512_vnni"; the environment variable ``MLCORE_INT8=plain`` leaves out the special
        instructions), ``bfloat16`` (likewise: "plain" or "avx512_bf16", and ``MLCORE_BF16=plain``), ``available_cpus``,
        ``openmp``, ``compiler``, and the versions of Python and of the packages below mlcore.

    Raises
    ------
    ValueError
        If `mode` is none of the two.
    """
    if mode not in ("stdout", "dict"):
        raise ValueError(f"mode of show_config must be 'stdout' or 'dict', got {mode!r}")
    config = _config()
    if mode == "dict":
        return config
    for key, value in config.items():
        text = ", ".join(value) if isinstance(value, list) else value
        print(f"{key:<18}{text}")  # noqa: T201 - printing is what it is for
    return None
