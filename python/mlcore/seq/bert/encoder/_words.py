"""What a masked language model says of the masked places of a text."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.tensor import Tensor, no_grad
from mlcore.seq.bert.network._pretraining_heads import BertForMaskedLM, BertForPreTraining
from mlcore.seq.bert.tokens._batch import BertBatch
from mlcore.seq.bert.tokens._pieces import Pieces
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer
from mlcore.text._subword_models import MASK
from mlcore.text._subwords import check_count, check_text


class FilledMask(NamedTuple):
    """A token for a masked place."""

    token: str
    """As it is written in the vocabulary: "##" before one that goes on with the word."""
    score: float
    """Its probability."""
    text: str
    """The text with it."""


def fill_mask(
    module: Any,
    tokenizer: BertTokenizer,
    vectors_of: Callable[[BertBatch], NDArray[np.float32]],
    text: str,
    top_k: int,
    max_length: int,
) -> list[list[FilledMask]]:
    """Return the `top_k` most probable tokens for each ``[MASK]`` of a text.

    Parameters
    ----------
    module : BertForMaskedLM or BertForPreTraining
    tokenizer : BertTokenizer
    vectors_of : callable
        Gives the vectors (N, d) of the tokens of a batch.
    text : str
    top_k, max_length : int

    Returns
    -------
    list of lists of FilledMask

    Raises
    ------
    TypeError, ValueError
        If the text is no text with a mask among its first `max_length` tokens, `top_k` is out of range, or the network
        has no head for it.
    """
    if not isinstance(module, BertForMaskedLM | BertForPreTraining):
        raise ValueError(
            "fill_mask needs a network with the head of the masked language model (cls.predictions in its weights), "
            "and this one has none: it was made for vectors alone"
        )
    check_count("top_k of fill_mask", top_k)
    parts = check_text(text, "text of fill_mask").split(MASK)
    if tokenizer.mask is None or len(parts) == 1:
        raise ValueError(f"text of fill_mask must hold {MASK} once or more, got {text!r:.80}")
    cut = tokenizer.pieces(parts)
    ids = np.insert(cut.ids, cut.offsets[1:-1], tokenizer.mask)
    batch = tokenizer.join(Pieces(ids, np.array([0, len(ids)])), max_length=max_length).batch
    places = np.flatnonzero(batch.ids == tokenizer.mask)
    if len(places) < len(parts) - 1:
        raise ValueError(f"text of fill_mask has a {MASK} beyond its first {max_length} tokens")
    with no_grad():
        logits = module._logits(Tensor(vectors_of(batch)[places])).numpy().astype(np.float64)
    logits = logits[:, : len(tokenizer)]  # rows of the network that no token has
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, : int(top_k)]
    return [
        [
            FilledMask(token, float(probabilities[i, number]), _filled(parts, i, token))
            for number, token in zip(numbers.tolist(), tokenizer.tokens(numbers), strict=True)
        ]
        for i, numbers in enumerate(best)
    ]


def _filled(parts: list[str], i: int, token: str) -> str:
    """Return the text with a token in the place of its mask number i."""
    before, after = MASK.join(parts[: i + 1]), MASK.join(parts[i + 1 :])
    if token.startswith("##"):
        before, token = before.rstrip(), token[2:]
    return before + token + after
