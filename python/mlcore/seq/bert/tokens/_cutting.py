"""The cutting of texts by the package `tokenizers`: many at once, into arrays.

What the package returns is an object for each text, with a dozen things for each piece; it is turned into arrays
chunk by chunk, so that its memory does not grow with the number of texts.
"""

from collections.abc import Callable, Collection
from itertools import chain
from typing import Any

import numpy as np

from mlcore._base import effective_n_jobs
from mlcore.seq.bert.tokens._order import runs
from mlcore.seq.bert.tokens._pieces import Pieces, offsets_of
from mlcore.text._subword_tokenizer import SubwordTokenizer

KEPT = ("words", "spans")
"""What `keep` may name."""

_CHUNK = 1 << 20
"""Characters that are cut at once: what the package returns takes some 30 bytes for each."""

_FEW = 1 << 12
"""Characters that are not worth the threads of the package."""


def cut(
    subwords: SubwordTokenizer,
    entries: list[Any],
    sizes: list[int],
    *,
    special_tokens: bool,
    keep: Collection[str],
    n_jobs: int | None,
    is_pretokenized: bool = False,
) -> Pieces:
    """Cut texts, or texts that are split into words already, into pieces.

    Parameters
    ----------
    subwords : SubwordTokenizer
    entries : list of str, or of lists of str
    sizes : list of int
        Characters of each.
    special_tokens, keep, n_jobs
        As for :meth:`BertTokenizer.encode`.
    is_pretokenized : bool, default=False
        Whether the entries are lists of words.

    Returns
    -------
    Pieces

    Raises
    ------
    ValueError
        If `keep` names something else, or the tokenizer cannot cut a text.
    """
    if isinstance(keep, str) or not set(keep) <= set(KEPT):
        raise ValueError(f"keep must be a collection of {' and '.join(map(repr, KEPT))}, got {keep!r}")
    lengths, ids, words, spans = [], [], [], []
    is_alone = effective_n_jobs(n_jobs) == 1 or sum(sizes) < _FEW
    for run in runs(np.array(sizes, np.int64) + 1, _CHUNK):
        found = _encodings(subwords, entries[run], special_tokens, bool(keep), is_alone, is_pretokenized)
        numbers = [encoding.ids for encoding in found]
        counts = np.fromiter(map(len, numbers), np.int64, len(numbers))
        n = int(counts.sum())
        lengths.append(counts)
        ids.append(np.fromiter(chain.from_iterable(numbers), np.int64, n))
        if "words" in keep:
            words.append(np.fromiter(chain.from_iterable(encoding.word_ids for encoding in found), np.int64, n))
        if "spans" in keep:
            flat = chain.from_iterable(chain.from_iterable(encoding.offsets for encoding in found))
            spans.append(np.fromiter(flat, np.int64, 2 * n).reshape(-1, 2))
    empty = np.empty(0, np.int64)
    return Pieces(
        np.concatenate([empty, *ids]),
        offsets_of(np.concatenate([empty, *lengths])),
        np.concatenate([empty, *words]) if "words" in keep else None,
        np.concatenate([empty.reshape(0, 2), *spans]) if "spans" in keep else None,
    )


def _encodings(
    subwords: SubwordTokenizer,
    entries: list[Any],
    special_tokens: bool,
    keeps: bool,
    is_alone: bool,
    is_pretokenized: bool,
) -> list[Any]:
    tokenizer = subwords._tokenizer
    options = {"add_special_tokens": False, "is_pretokenized": is_pretokenized}
    try:
        with subwords._lock:
            tokenizer.encode_special_tokens = not special_tokens
            tokenizer.no_truncation()
            if is_alone:
                return [tokenizer.encode(entry, **options) for entry in entries]
            encode: Callable[..., list[Any]] = tokenizer.encode_batch if keeps else tokenizer.encode_batch_fast
            return encode(entries, **options)
    except Exception as error:
        if type(error) is not Exception:  # which the package raises itself
            raise
        raise ValueError(f"the tokenizer cannot cut the texts: {error!s:.200}") from error
