"""Weights as safetensors files, which other libraries read too."""

import os
from pathlib import Path

from mlcore._files import read_tensors, replacing, write_tensors
from mlcore.nn.layers._module import IncompatibleKeys, Module


def save_weights(module: Module, path: str | os.PathLike[str]) -> None:
    """Write all parameters and buffers to a safetensors file, under the names of :meth:`Module.state_dict`.

    An interrupted save leaves an older file as it was.

    Parameters
    ----------
    module : Module
        What to save.
    path : str or path-like
        Where to.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    with replacing(Path(path)) as (file,):
        write_tensors(file, module.state_dict(), {"format": "mlcore.nn"})


def load_weights(module: Module, path: str | os.PathLike[str], strict: bool = True) -> IncompatibleKeys:
    """Read what :func:`save_weights`, or another writer of safetensors, has written. No code from the file is run.

    Parameters
    ----------
    module : Module
        Gets the values.
    path : str or path-like
        The file.
    strict : bool, default=True
        Whether names that are missing or unexpected are errors.

    Returns
    -------
    IncompatibleKeys
        Which names were missing and unexpected, as :meth:`Module.load_state_dict`.

    Raises
    ------
    ValueError
        If the file is damaged, or does not fit: the message names what is missing, unexpected or of another shape.
    OSError
        If there is no such file or it cannot be read.
    """
    _, tensors = read_tensors(Path(path), is_mapped=False)
    return module.load_state_dict(tensors, strict=strict)
