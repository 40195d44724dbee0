"""Where training starts: weights and tokenizer of a folder or of a fitted estimator, or new ones."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sklearn.utils.validation import check_is_fitted

from mlcore.nn import init
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule
from mlcore.seq.bert.network._model import BertModel
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer

SMALL: dict[str, Any] = {
    "vocab_size": 8000,
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 512,
}
"""Sizes of a network that starts from scratch, where they are not given."""

_ENTRIES = {entry.name for entry in dataclasses.fields(BertConfig)} - {"other"}


def start_of(model: Any, owner: str) -> tuple[BertModel, BertTokenizer]:
    """Return the encoder and the tokenizer that training starts from.

    Parameters
    ----------
    model : path-like, or fitted estimator
        A folder as Hugging Face has it, or an estimator of :mod:`mlcore.seq.bert`.
    owner : str
        Who asks, for messages.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder, or a file in it, is missing or no BERT, or tokenizer and network do not fit.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is an estimator of other things.
    """
    if isinstance(model, str | os.PathLike):
        found, tokenizer = BertModel.from_pretrained(model, new_head=True), BertTokenizer.from_pretrained(model)
    else:
        check_is_fitted(model)
        module = getattr(model, "module_", None)
        encoder, tokens = getattr(module, "bert", module), getattr(model, "tokenizer_", None)
        if not isinstance(encoder, BertModel) or not isinstance(tokens, BertTokenizer):
            raise TypeError(f"model of {owner} must be an estimator of mlcore.seq.bert, got a {type(model).__name__}")
        found, tokenizer = encoder, tokens
    check_tokenizer(tokenizer, found.config)
    return found, tokenizer


def check_tokenizer(tokenizer: BertTokenizer, config: BertConfig) -> None:
    """Raise ValueError where a network has no vectors for some tokens."""
    if len(tokenizer) > config.vocab_size:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} tokens, its network vectors for vocab_size={config.vocab_size}"
        )


def new_start(
    config: BertConfig | Mapping[str, Any] | None,
    texts: Iterable[str],
    owner: str,
    *,
    lowercase: bool,
    max_length: int,
    tokenizer: BertTokenizer | None = None,
) -> tuple[BertConfig, BertTokenizer]:
    """Return the config of a new network, and its tokenizer, which is learned from texts unless it is given.

    Raises
    ------
    ValueError
        If an entry of `config` is unknown or out of range.
    """
    if not isinstance(config, BertConfig):
        given = dict(config or {})
        if unknown := [name for name in given if name not in _ENTRIES]:
            raise ValueError(f"config of {owner} must have entries of BertConfig, got {unknown[0]!r:.80}")
        config = BertConfig.from_dict({**SMALL, "max_position_embeddings": max_length, **given})
        if "initializer_range" not in given:  # its default is for BERT base; smaller networks stall with it
            config = dataclasses.replace(config, initializer_range=config.hidden_size**-0.5)
    if tokenizer is None:
        tokenizer = BertTokenizer.train(texts, config.vocab_size, lowercase=lowercase)
    return dataclasses.replace(config, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad), tokenizer


def with_encoder(make: Callable[[], PretrainedModule], found: BertModel) -> PretrainedModule:
    """Return a new network with the encoder of another; a head, and a pooler that the other has not, are drawn.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    with init.skipped():  # to draw all weights takes longer than to copy them
        network = make()
    missing, unexpected = network.bert.load_state_dict(found.state_dict(), strict=False)
    if odd := [name for name in (*missing, *unexpected) if not name.startswith("pooler.")]:
        raise ValueError(f"weights of model do not fit the network: {', '.join(odd[:5])}")
    for name, parameter in network.named_parameters():
        if not name.startswith("bert.") or name.removeprefix("bert.") in missing:
            if parameter.ndim > 1:
                init.normal_(parameter, std=network.config.initializer_range)
            else:
                init.zeros_(parameter)
    return network
