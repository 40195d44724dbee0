"""Where training starts: weights and tokenizer of a folder or of a fitted estimator, or new ones."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.utils.validation import check_is_fitted

from mlcore.nn.layers._module import Module
from mlcore.seq.bert._config import BertConfig
from mlcore.seq.bert._model import BertModel
from mlcore.seq.bert._tokenizer import BertTokenizer

SMALL: dict[str, Any] = {
    "vocab_size": 8000,
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 512,
}
"""Sizes of a network that starts from scratch, where they are not given."""


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
        found, tokenizer = BertModel.from_pretrained(model, new_head=True), BertTokenizer.from_folder(model)
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
    config: BertConfig | Mapping[str, Any] | None, texts: Iterable[str], *, lowercase: bool, max_length: int
) -> tuple[BertConfig, BertTokenizer]:
    """Return the config of a new network, and a tokenizer that is learned from texts."""
    if isinstance(config, BertConfig):
        config = config.to_dict()
    sizes = {**SMALL, "max_position_embeddings": max_length, **(config or {})}
    tokenizer = BertTokenizer.train(texts, int(sizes["vocab_size"]), lowercase=lowercase)
    return BertConfig.from_dict({**sizes, "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad}), tokenizer


def copy_encoder(found: BertModel, network: Module) -> None:
    """Give the encoder of a new network the weights of another; a pooler that only one of them has is left out.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    missing, unexpected = network.bert.load_state_dict(found.state_dict(), strict=False)
    if odd := [name for name in (*missing, *unexpected) if not name.startswith("pooler.")]:
        raise ValueError(f"weights of model do not fit the network: {', '.join(odd[:5])}")
