"""The network, the tokenizer and the options that a :class:`BertEncoder` begins with."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from mlcore.nn import init
from mlcore.nn.training._trained import Shapes
from mlcore.seq.bert._start import check_tokenizer
from mlcore.seq.bert._state import encoder_shapes, pretraining_shapes
from mlcore.seq.bert.encoder._sentences import SentenceOptions, read_options
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule
from mlcore.seq.bert.network._model import BertModel
from mlcore.seq.bert.network._pretraining_heads import BertForMaskedLM, BertForPreTraining
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer

_WORDS, _SENTENCES, _POOLER = "cls.predictions.bias", "cls.seq_relationship.weight", "pooler.dense.weight"
"""Weights that tell whether there are the heads of pre-training, and a pooler."""


def network_of(config: BertConfig, names: Collection[str]) -> PretrainedModule:
    """Return a new network with what weights of these names are for: heads of pre-training, a pooler."""
    if _has(names, _WORDS):
        return (BertForPreTraining if _has(names, _SENTENCES) else BertForMaskedLM)(config)
    return BertModel(config, add_pooling_layer=_has(names, _POOLER))


def network_shapes(config: BertConfig, names: Collection[str]) -> Shapes:
    """Return the shapes of the weights of `network_of`, without making it."""
    if not _has(names, _WORDS):
        return encoder_shapes(config, prefix="", add_pooling_layer=_has(names, _POOLER))
    return pretraining_shapes(config, sentences=_has(names, _SENTENCES))


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
        module = PretrainedModule._read(options.folder, network_of, False, {})
        tokenizer = BertTokenizer.from_pretrained(options.folder)
        if options.lowercase:
            tokenizer = tokenizer.lowercased()
    else:
        options = SentenceOptions(Path())
        module, tokenizer = _copy_of(model, owner)
    check_tokenizer(tokenizer, module.config)
    return module, tokenizer, options


def _copy_of(model: Any, owner: str) -> tuple[PretrainedModule, BertTokenizer]:
    """Return the network of a fitted estimator, without heads that are of no use here."""
    check_is_fitted(model)
    found, tokenizer = getattr(model, "module_", None), getattr(model, "tokenizer_", None)
    if not isinstance(found, PretrainedModule) or not isinstance(tokenizer, BertTokenizer):
        raise TypeError(f"model of {owner} must be an estimator of mlcore.seq.bert, got a {type(model).__name__}")
    kept: Any = found if _has(found.state_dict(), _WORDS) else getattr(found, "bert", found)
    with init.skipped():
        module = network_of(found.config, kept.state_dict())
    module.load_state_dict(kept.state_dict())
    return module.eval(), tokenizer


def _has(names: Collection[str], name: str) -> bool:
    return name in names or f"bert.{name}" in names
