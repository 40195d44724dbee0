"""The tokenizers of the package `tokenizers` that SubwordTokenizer makes: of a vocabulary of BERT, and by training."""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from mlcore.text._subwords import check_count

PAD, UNKNOWN, BEGIN, END, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The markers of BERT, which trained tokenizers have too."""

_REPEATED = 1 << 12
"""Words of a text of which the trainer is told how often a word was seen."""

_LONGEST_WORD = 100
"""Letters of a word at most: BERT reads longer ones as [UNK]."""

PADS = (PAD, "<pad>", "<|padding|>")
"""What the token that fills up rows is called in files that do not say."""


def package() -> Any:
    """Return the package `tokenizers` with its parts."""
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError("SubwordTokenizer needs the package 'tokenizers': pip install 'mlcore-cpp[nlp]'") from error
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: F401

    return tokenizers


def _of_bert(model: Any, *, lowercase: bool, strip_accents: bool | None) -> Any:
    """Return a tokenizer with the steps of BERT around a model of WordPiece."""
    parts = package()
    tokenizer = parts.Tokenizer(model)
    tokenizer.normalizer = parts.normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=strip_accents, lowercase=lowercase
    )
    tokenizer.pre_tokenizer = parts.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = parts.decoders.WordPiece()
    return tokenizer


def _add_markers(tokenizer: Any) -> None:
    """Let a tokenizer put [CLS] before a text and [SEP] after each."""
    tokenizer.post_processor = package().processors.TemplateProcessing(
        single=f"{BEGIN}:0 $A:0 {END}:0",
        pair=f"{BEGIN}:0 $A:0 {END}:0 $B:1 {END}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (BEGIN, END)],
    )


def of_vocabulary(path: Path, *, lowercase: bool, strip_accents: bool | None) -> Any:
    """Return the tokenizer of a file ``vocab.txt`` of BERT. Raises ValueError if it is none."""
    parts = package()
    try:
        tokens = path.read_bytes().decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}") from error
    tokens = [token.removesuffix("\r") for token in tokens]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    if len(vocabulary) < len(tokens):
        twice = next(token for number, token in enumerate(tokens) if vocabulary[token] != number)
        raise ValueError(f"{path} must hold each token once, got {twice!r:.80} twice")
    if missing := [token for token in (UNKNOWN, BEGIN, END) if token not in vocabulary]:
        raise ValueError(f"{path} is no vocabulary of BERT: it has no {' and no '.join(missing)}")
    model = parts.models.WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=_LONGEST_WORD)
    tokenizer = _of_bert(model, lowercase=lowercase, strip_accents=strip_accents)
    tokenizer.add_special_tokens([token for token in SPECIAL_TOKENS if token in vocabulary])
    _add_markers(tokenizer)
    return tokenizer


def least_vocab_size(kind: str, n_markers: int = len(SPECIAL_TOKENS)) -> int:
    """Return how many tokens a trained tokenizer has at least: the markers, and of "bpe" all bytes."""
    return n_markers + (256 if kind == "bpe" else 0)


def trained(
    texts: Iterator[str],
    kind: str,
    *,
    vocab_size: int,
    min_frequency: int,
    lowercase: bool,
    special_tokens: Sequence[str],
) -> Any:
    """Return a tokenizer that is trained on texts. Raises ValueError for no text, or a parameter out of range."""
    parts = package()
    if kind not in ("bpe", "wordpiece"):
        raise ValueError(f"kind of train must be 'bpe' or 'wordpiece', got {kind!r}")
    check_count("vocab_size of train", vocab_size)
    check_count("min_frequency of train", min_frequency)
    markers = list(dict.fromkeys([*SPECIAL_TOKENS, *special_tokens]))
    least = least_vocab_size(kind, len(markers))
    if vocab_size < least:
        raise ValueError(f"vocab_size of train must be >= {least}, the markers and the bytes, got {vocab_size}")
    options: dict[str, Any] = {
        "vocab_size": int(vocab_size),
        "min_frequency": int(min_frequency),
        "special_tokens": markers,
        "show_progress": False,
    }
    if kind == "bpe":
        tokenizer = parts.Tokenizer(parts.models.BPE())
        if lowercase:
            tokenizer.normalizer = parts.normalizers.Lowercase()
        tokenizer.pre_tokenizer = parts.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = parts.decoders.ByteLevel()
        alphabet = sorted(parts.pre_tokenizers.ByteLevel.alphabet())
        trainer = parts.trainers.BpeTrainer(initial_alphabet=alphabet, **options)
    else:
        tokenizer = _of_bert(parts.models.WordPiece(unk_token=UNKNOWN), lowercase=lowercase, strip_accents=None)
        trainer = parts.trainers.WordPieceTrainer(**{**options, "vocab_size": len(markers)})  # to count words
    first = next(texts, None)
    if first is None:
        raise ValueError("texts of train must hold one text at least, got none")
    tokenizer.train_from_iterator(chain([first], texts), trainer)
    if kind == "wordpiece":
        tokenizer.model = _word_pieces(_counts_of(trainer), **options)
        tokenizer.add_special_tokens(markers)
    _add_markers(tokenizer)
    return tokenizer


def _counts_of(trainer: Any) -> dict[str, int]:
    """Return how often a trainer has seen each word, in alphabetical order."""
    counts: dict[str, int] = json.loads(trainer.__getstate__())["WordPieceTrainer"]["bpe_trainer"]["words"]
    return dict(sorted(counts.items()))


def _word_pieces(counts: dict[str, int], *, special_tokens: list[str], **options: Any) -> Any:
    """Return a model of WordPiece that is the same whenever it is learned from the same words.

    The trainer numbers letters within words in the order of a hash table, which is drawn by chance, and of pairs that
    are seen equally often it joins the one with the lower numbers. Here those letters are given to it as markers, which
    it numbers first. Words that are too long to be cut into pieces later are no help, and take long to learn from.
    """
    parts = package()
    counts = {word: count for word, count in counts.items() if len(word) <= _LONGEST_WORD}
    letters = sorted({f"##{letter}" for word in counts for letter in word[1:]})
    tokenizer = parts.Tokenizer(parts.models.WordPiece(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = parts.pre_tokenizers.WhitespaceSplit()
    trainer = parts.trainers.WordPieceTrainer(special_tokens=[*special_tokens, *letters], **options)
    tokenizer.train_from_iterator(_repeated(counts), trainer)
    return parts.models.WordPiece(tokenizer.get_vocab(), unk_token=UNKNOWN, max_input_chars_per_word=_LONGEST_WORD)


def _repeated(counts: dict[str, int]) -> Iterator[str]:
    """Yield texts in which each word stands as often as was counted."""
    for word, count in counts.items():
        for done in range(0, count, _REPEATED):
            yield f"{word} " * min(count - done, _REPEATED)
