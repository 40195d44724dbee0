"""Folders as `transformers` writes and reads them: `config.json` and `model.safetensors`.

Names in files differ by age and by what has written them: with or without `bert.` before the encoder, `gamma` and
`beta` for weight and bias of a layer norm, buffers of numbers 0, 1, 2 ... among the weights, and of tensors that are
tied one name or both. All are read; nothing is downloaded, and no code of a folder is run.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlcore._files import read_tensors, replacing, write_tensors
from mlcore.nn import init
from mlcore.nn.layers._module import Module
from mlcore.seq.bert._config import BertConfig

CONFIG, WEIGHTS, INDEX, PICKLED = (
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
)

_PREFIX = "bert."
_PARTS = ("pooler.", "cls.predictions.", "cls.seq_relationship.", "classifier.", "qa_outputs.")
"""What not every BERT has: a file may hold more of these than the network that reads it."""
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")

_WORDS, _BIAS = "embeddings.word_embeddings.weight", "cls.predictions.bias"
DECODER = "cls.predictions.decoder."
_TIED = {f"{DECODER}weight": _WORDS, f"{DECODER}bias": _BIAS}
"""Names of one tensor: in files may be the first, the second or both."""

Tensors = dict[str, NDArray[Any]]


class PretrainedModule(Module):
    """Base class of the networks that folders hold.

    Parameters
    ----------
    config : BertConfig

    Attributes
    ----------
    config : BertConfig
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        if not isinstance(config, BertConfig):
            raise TypeError(f"config of {type(self).__name__} must be a BertConfig, got {type(config).__name__}")
        self.config = config

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], *, new_head: bool = False, **config: Any) -> Self:
        """Read `config.json` and `model.safetensors` of a folder.

        Parameters
        ----------
        folder : str or path-like
            A folder on this machine: nothing is downloaded.
        new_head : bool, default=False
            Whether the parts after the layers (pooler and head) that the file lacks, or has in another shape, are
            new, as fine-tuning wants it. Without it they are an error, as a new head predicts nothing.
        **config
            Entries of :class:`BertConfig` that replace those of the file, such as ``num_labels=3``.

        Returns
        -------
        PretrainedModule
            The network, float32, in evaluation.

        Raises
        ------
        FileNotFoundError
            If there is no such folder, or it lacks a file.
        ValueError
            If a file is damaged, or its tensors are not those of the network: the message names what is missing,
            unexpected or of another shape.
        """
        place = Path(folder)
        if not place.is_dir():
            raise FileNotFoundError(f"there is no folder {place}: weights are read from a folder, not downloaded")
        values = _read_json(place / CONFIG)
        if "num_labels" in config and "id2label" not in config:
            config["id2label"] = None
        try:
            with init.skipped():
                module = cls(BertConfig.from_dict({**values, **config}))
        except ValueError as error:
            raise ValueError(f"{place / CONFIG}: {error}") from error
        path, tensors = _read_weights(place)
        module._take(tensors, path, new_head)
        return module.eval()

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write `config.json` and `model.safetensors`, which :meth:`from_pretrained` and `transformers` read.

        Parameters
        ----------
        folder : str or path-like
            Made if it is not there. Files are replaced when the new ones are whole: an interrupted save leaves them as
            they were.

        Raises
        ------
        OSError
            If the folder or a file cannot be written.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        config = {**self.config.to_dict(), "architectures": [type(self).__name__], "dtype": "float32"}
        config.pop("torch_dtype", None)
        with replacing(place / CONFIG, place / WEIGHTS) as (config_file, weights_file):
            config_file.write((json.dumps(config, indent=2, sort_keys=True) + "\n").encode())
            write_tensors(weights_file, self._given(), {"format": "pt"})

    def _given(self) -> Tensors:
        """Return the tensors of a file."""
        tensors: Tensors = dict(self.state_dict())
        if f"{DECODER}weight" in tensors:  # not tied: transformers reads the bias of the decoder
            tensors[f"{DECODER}bias"] = tensors[_BIAS]
        return tensors

    def _take(self, tensors: Tensors, path: Path, new_head: bool) -> None:
        """Load tensors of a file, or raise ValueError."""
        own = {name.removeprefix(_PREFIX): name for name, _ in self.named_parameters()}
        shapes = {name.removeprefix(_PREFIX): parameter.shape for name, parameter in self.named_parameters()}
        try:
            given = _with_our_names(tensors, self.config.tie_word_embeddings)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        problems, new = [], set()
        for part in _PARTS:
            names = [name for name in own if name.startswith(part)]
            if not names:  # of another kind of network
                given = {name: tensor for name, tensor in given.items() if not name.startswith(part)}
            elif new_head and any(name not in given or given[name].shape != shapes[name] for name in names):
                new.update(names)
        missing = [own[name] for name in own if name not in given and name not in new]
        if missing:
            is_head = all(name.startswith(_PARTS) for name in own if own[name] in missing)
            hint = " (new_head=True makes new ones, add_pooling_layer=False does without a pooler)" if is_head else ""
            problems.append(f"missing: {_listed(missing)}{hint}")
        unexpected = [name for name in given if name not in own]
        problems += [f"unexpected: {_listed(unexpected)}"] * bool(unexpected)
        state: Tensors = {}
        for name in (name for name in own if name in given and name not in new):
            tensor = given[name]
            if tensor.shape != shapes[name]:
                problems.append(f"{own[name]} has shape {tensor.shape}, by {CONFIG} it is {shapes[name]}")
            elif tensor.dtype.kind != "f":
                problems.append(f"{own[name]} has dtype {tensor.dtype}, which is not that of a weight")
            state[own[name]] = tensor
        if problems:
            raise ValueError(f"{path} does not fit {type(self).__name__}: {'; '.join(problems)}")
        self.load_state_dict(state, strict=False)
        for name, parameter in self.named_parameters():
            if name.removeprefix(_PREFIX) not in new or name.endswith("LayerNorm.weight"):
                continue  # read, or 1
            if parameter.ndim == 2:
                init.normal_(parameter, std=self.config.initializer_range)
            else:
                init.zeros_(parameter)


def _with_our_names(tensors: Tensors, is_tied: bool) -> Tensors:
    """Return tensors under the names of the encoder alone, without prefix, and each of those that are tied once."""
    found: Tensors = {}
    for name, tensor in tensors.items():
        ours = name.removeprefix(_PREFIX)
        if ours in _BUFFERS:
            continue
        for old, new in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):
            ours = ours.removesuffix(old) + new if ours.endswith(old) else ours
        if ours in found:
            raise ValueError(f"{name} is there under two names")
        found[ours] = tensor
    if not is_tied:  # the decoder has both for itself
        if f"{DECODER}bias" in found:
            found[_BIAS] = found.pop(f"{DECODER}bias")
        return found
    for second, first in _TIED.items():
        if second not in found:
            continue
        tensor = found.pop(second)
        if not np.array_equal(found.setdefault(first, tensor), tensor):
            raise ValueError(f"{second} differs from {first}, but {CONFIG} says that they are tied")
    return found


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path.parent} has no {path.name}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold an object of JSON, got {type(values).__name__}")
    return values


def _read_weights(folder: Path) -> tuple[Path, Tensors]:
    """Return the file that names tensors, and the tensors, of one file or of several with an index."""
    path = folder / WEIGHTS
    if path.exists():
        return path, read_tensors(path, is_mapped=True)[1]
    index = folder / INDEX
    if index.exists():
        return index, _read_shards(index)
    if (folder / PICKLED).exists():
        raise FileNotFoundError(
            f"{folder} has no {WEIGHTS}, only {PICKLED}, a pickle, which could run any code: let transformers write "
            f"its weights again by model.save_pretrained(folder)"
        )
    raise FileNotFoundError(f"{folder} has no {WEIGHTS}")


def _read_shards(index: Path) -> Tensors:
    places = _read_json(index).get("weight_map")
    if not isinstance(places, Mapping) or not all(
        isinstance(name, str) and name == Path(name).name for name in places.values()
    ):
        raise ValueError(f"{index} is damaged: weight_map must name a file of the folder for each tensor")
    tensors: Tensors = {}
    for name in sorted(set(places.values())):
        if not (index.parent / name).exists():
            raise FileNotFoundError(f"{index.parent} has no {name}, which {index.name} names")
        tensors.update(read_tensors(index.parent / name, is_mapped=True)[1])
    return tensors


def _listed(names: list[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:8]) + f" and {len(names) - 8} more" * (len(names) > 8)
