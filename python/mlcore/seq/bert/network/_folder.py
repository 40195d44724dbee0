"""Folders as `transformers` writes and reads them: `config.json` and `model.safetensors`.

Names in files differ by age and by what has written them: with or without `bert.` before the encoder, `gamma` and
`beta` for weight and bias of a layer norm, buffers of numbers 0, 1, 2 ... among the weights, and of tensors that are
tied one name or both. All are read; nothing is downloaded, and no code of a folder is run.
"""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlcore._files import read_tensors, replacing, write_tensors
from mlcore.nn import init
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import no_grad
from mlcore.seq.bert.network._config import CONFIG, BertConfig, config_text, read_config, read_json

WEIGHTS, INDEX, PICKLED = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
)

NETWORKS = (
    "BertModel",
    "BertForPreTraining",
    "BertForMaskedLM",
    "BertForNextSentencePrediction",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "BertForQuestionAnswering",
)
"""Names under `architectures` of a config, whose weights are known here."""

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
        return cls._read(Path(folder), lambda values, _: cls(values), new_head, config)

    @classmethod
    def _read(
        cls,
        folder: Path,
        make: Callable[[BertConfig, Collection[str]], Self],
        new_head: bool,
        entries: dict[str, Any],
    ) -> Self:
        """Read a folder; `make` returns the network for a config and the names of the tensors that are there."""
        config = BertConfig.from_pretrained(folder, **entries)
        path, tensors = _read_weights(folder)
        try:
            given = _with_our_names(tensors, config.tie_word_embeddings)
            _check_sizes(given, config)
            with init.skipped():
                module = make(config, given.keys())
            module._take(given, new_head)
        except ValueError as error:
            raise ValueError(f"{path} does not fit {cls.__name__}: {error}") from error
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
            config_file.write(config_text(config))
            write_tensors(weights_file, self._given(), {"format": "pt"})

    def _given(self) -> Tensors:
        """Return the tensors of a file."""
        tensors: Tensors = dict(self.state_dict())
        if f"{DECODER}weight" in tensors:  # not tied: transformers reads the bias of the decoder
            tensors[f"{DECODER}bias"] = tensors[_BIAS]
        return tensors

    def _take(self, given: Tensors, new_head: bool) -> None:
        """Load tensors under the names of the encoder alone, or raise ValueError."""
        own = {name.removeprefix(_PREFIX): parameter for name, parameter in self.named_parameters()}
        new: set[str] = set()
        for part in _PARTS:
            names = [name for name in own if name.startswith(part)]
            if not names:  # of another kind of network
                given = {name: tensor for name, tensor in given.items() if not name.startswith(part)}
            elif new_head and any(name not in given or given[name].shape != own[name].shape for name in names):
                new.update(names)
        missing = [name for name in own if name not in given and name not in new]
        unexpected = [name for name in given if name not in own]
        problems = [f"unexpected: {_listed(unexpected)}"] * bool(unexpected)
        if missing:
            hint = " (new_head=True makes new ones)" * all(name.startswith(_PARTS) for name in missing)
            problems.append(f"missing: {_listed(missing)}{hint}")
        read = [name for name in own if name in given and name not in new]
        problems += [
            f"{name} has shape {given[name].shape}, by {CONFIG} it is {own[name].shape}"
            for name in read
            if given[name].shape != own[name].shape
        ]
        problems += [
            f"{name} has the type {given[name].dtype}, which is not that of a weight"
            for name in read
            if given[name].dtype.kind != "f"
        ]
        if problems:
            raise ValueError("; ".join(problems))
        with no_grad(), np.errstate(over="ignore"):
            for name in read:
                own[name].copy_(given[name])
                if not np.isfinite(own[name].data).all():  # all vectors would be NaN
                    raise ValueError(f"{name} has NaN, infinity, or numbers beyond float32")
        for name in new:
            if own[name].ndim == 2:
                init.normal_(own[name], std=self.config.initializer_range)
            elif name.endswith("LayerNorm.weight"):
                init.ones_(own[name])
            else:
                init.zeros_(own[name])


def _check_sizes(given: Tensors, config: BertConfig) -> None:
    """Raise ValueError unless the largest tensors are as the config says, before memory is asked for by its word."""
    d = config.hidden_size
    sizes = {
        "word": config.vocab_size,
        "position": config.max_position_embeddings,
        "token_type": config.type_vocab_size,
    }
    shapes = {f"embeddings.{name}_embeddings.weight": (n, d) for name, n in sizes.items()}
    for i in range(config.num_hidden_layers):
        shapes[f"encoder.layer.{i}.intermediate.dense.weight"] = (config.intermediate_size, d)
    missing = [name for name in shapes if name not in given]
    problems = [f"missing: {_listed(missing)}"] * bool(missing)
    for name, shape in shapes.items():
        if name in given and given[name].shape != shape:
            problems.append(f"{name} has shape {given[name].shape}, by {CONFIG} it is {shape}")
    if problems:
        raise ValueError("; ".join(problems[:8]))


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


def networks_of(folder: str | os.PathLike[str]) -> list[str]:
    """Return which of `NETWORKS` a folder says that its weights are of; none where it does not say, or names another.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder, or it has no config or a damaged one.
    """
    names = read_config(Path(folder)).get("architectures")
    return names if isinstance(names, list) and all(name in NETWORKS for name in names) else []


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
    places = read_json(index).get("weight_map")
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
