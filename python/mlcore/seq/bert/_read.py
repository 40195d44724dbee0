"""The network, the tokenizer and the options that a :class:`BertEncoder` begins with."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from mlcore.seq.bert._config import BertConfig
from mlcore.seq.bert._folder import CONFIG, PretrainedModule, _read_json, _read_weights
from mlcore.seq.bert._model import BertModel
from mlcore.seq.bert._pretraining_heads import BertForMaskedLM
from mlcore.seq.bert._sentences import SentenceOptions, read_options
from mlcore.seq.bert._state import Shapes, encoder_shapes, linear_shapes
from mlcore.seq.bert._tokenizer import BertTokenizer

_WORDS, _POOLER = "cls.predictions.bias", "pooler.dense.weight"
"""Weights that tell whether there is a head of masked words, and a pooler."""


def network_of(config: BertConfig, names: Collection[str]) -> PretrainedModule:
    """Return a new network: with the head of masked words or the pooler, if weights of these names have it."""
    if _has(names, _WORDS):
        return BertForMaskedLM(config)
    return BertModel(config, add_pooling_layer=_has(names, _POOLER))


def network_shapes(config: BertConfig, names: Collection[str]) -> Shapes:
    """Return the shapes of the weights of `network_of`, without making it."""
    if not _has(names, _WORDS):
        return encoder_shapes(config, prefix="", add_pooling_layer=_has(names, _POOLER))
    d, n_tokens = config.hidden_size, config.vocab_size
    shapes = encoder_shapes(config, add_pooling_layer=False)
    shapes |= linear_shapes("cls.predictions.transform.dense", d, d)
    shapes |= {f"cls.predictions.transform.LayerNorm.{part}": (d,) for part in ("weight", "bias")}
    shapes |= {_WORDS: (n_tokens,)}
    if not config.tie_word_embeddings:
        shapes |= {"cls.predictions.decoder.weight": (n_tokens, d)}
    return shapes


def read_start(model: Any, owner: str) -> tuple[PretrainedModule, BertTokenizer, SentenceOptions]:
    """Return the network, the tokenizer and the options of a folder or of a fitted estimator.

    Parameters
    ----------
    model : path-like or estimator
    owner : str
        Who asks, for messages.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError, sklearn.exceptions.NotFittedError
        If it is none, or a file is missing or damaged.
    """
    if model is None:
        raise ValueError(f"model of {owner} must be a folder or a fitted estimator with a BERT, got None")
    if isinstance(model, str | os.PathLike):
        options = read_options(Path(model))
        module, tokenizer = _read_network(options.folder), BertTokenizer.from_folder(options.folder)
        if options.lowercase:
            tokenizer = tokenizer.lowercased()
    else:
        options = SentenceOptions(Path())
        module, tokenizer = _network_of_estimator(model, owner)
    if len(tokenizer) > module.config.vocab_size:
        raise ValueError(
            f"the tokenizer of model has {len(tokenizer)} tokens, its network vectors of {module.config.vocab_size}"
        )
    return module, tokenizer, options


def _read_network(folder: Path) -> PretrainedModule:
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: weights are read from a folder, not downloaded")
    config = _read_json(folder / CONFIG)
    names = _read_weights(folder)[1]
    if _has(names, _WORDS):
        return BertForMaskedLM.from_pretrained(folder)
    if _has(names, _POOLER):
        return BertModel.from_pretrained(folder)
    path, tensors = _read_weights(folder)
    module = BertModel(BertConfig.from_dict(config), add_pooling_layer=False)
    module._take(tensors, path, False)
    return module.eval()


def _network_of_estimator(model: Any, owner: str) -> tuple[PretrainedModule, BertTokenizer]:
    """Return a copy of the network of a fitted estimator, without the heads that are of no use here."""
    check_is_fitted(model)
    found, tokenizer = getattr(model, "module_", None), getattr(model, "tokenizer_", None)
    if not isinstance(found, PretrainedModule) or not isinstance(tokenizer, BertTokenizer):
        raise TypeError(f"model of {owner} must be an estimator with a BERT, got a {type(model).__name__}")
    state = dict(found.state_dict())
    if not _has(state, _WORDS):
        state = dict(getattr(found, "bert", found).state_dict())
    module = network_of(found.config, state)
    wanted = {name for name, _ in module.named_parameters()}
    module.load_state_dict({name: values for name, values in state.items() if name in wanted})
    return module.eval(), tokenizer


def _has(names: Collection[str], name: str) -> bool:
    return name in names or f"bert.{name}" in names
