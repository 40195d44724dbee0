"""Checkpoints of a training run: all that is needed to go on bit for bit, in one safetensors file.

The file is written beside its place and moved there when it is whole, so that a kill at any moment leaves a whole
checkpoint: the new one or the one before. Nothing in it is executed, and a checksum finds damage.
"""

import json
import os
from pathlib import Path
from typing import Any

from mlcore._files import Decoder, Encoder, checksum, library_version, read_tensors, replacing, write_tensors
from mlcore.nn._nested import mapped
from mlcore.nn.tensor import Tensor

FORMAT_VERSION = 1
_KEY, _CHECKSUM = "mlcore_checkpoint", "mlcore_crc32"


def write_checkpoint(path: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write nested dicts, lists and tuples of numbers, strings, arrays and tensors."""
    encode = Encoder("a checkpoint")
    header = {
        "format_version": FORMAT_VERSION,
        "library_version": library_version(),
        "state": encode(_pack(state), "the state"),
    }
    text = json.dumps(header, allow_nan=False)
    with replacing(Path(path)) as (file,):
        write_tensors(file, encode.tensors, {_KEY: text, _CHECKSUM: checksum(text, encode.tensors)})


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what :func:`write_checkpoint` wrote.

    Raises
    ------
    ValueError
        If the file is damaged, no checkpoint, or of a newer mlcore.
    OSError
        If it cannot be read.
    """
    path = Path(path)
    metadata, tensors = read_tensors(path, is_mapped=False)
    if _KEY not in metadata:
        raise ValueError(f"{path} is no checkpoint of a Trainer")
    text = metadata[_KEY]
    try:
        header = json.loads(text)
        version = header["format_version"]
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise ValueError(f"it is a checkpoint of format {version}, this mlcore reads up to {FORMAT_VERSION}")
        if metadata.get(_CHECKSUM) != checksum(text, tensors):
            raise ValueError("its checksum does not match")
        state: dict[str, Any] = _unpack(Decoder(tensors)(header["state"]))
        if not isinstance(state, dict):
            raise TypeError(f"its state is a {type(state).__name__}")
    except MemoryError:
        raise
    except Exception as error:  # what is made of values of other types
        raise ValueError(f"{path} is damaged: {error}") from error
    return state


def _pack(state: Any) -> Any:
    """Put marked arrays in the place of tensors."""
    return mapped(state, lambda value: {"tensor of mlcore": value.data} if isinstance(value, Tensor) else value)


def _unpack(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"tensor of mlcore"}:
            return Tensor(value["tensor of mlcore"])
        return {key: _unpack(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_unpack(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return value
