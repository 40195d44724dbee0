"""Tokens: from what users have, texts or sequences of tokens, to ids, and back.

A way to split makes tokens of the entries of a column and joins them again; a :class:`Vocabulary` numbers the tokens.
The pieces of a tokenizer of subwords are tokens too, known by its numbers: those that training has not seen are
unknown, and their rows of the network are not there.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from mlcore._state import Dict, Nothing, OneOf, Spec, Text, check_entries
from mlcore.seq._inputs import Token, read_sequences, read_texts
from mlcore.seq._packed import Packed
from mlcore.seq._vocabulary import BEGIN, END, MARKERS, Vocabulary
from mlcore.text._subword_models import least_vocab_size
from mlcore.text._subword_tokenizer import SubwordTokenizer
from mlcore.text._words import join_words, split_words

SUBWORDS = ("bpe", "wordpiece")
"""Tokenizers that are trained."""

MAX_SUBWORDS = 8000
"""Of these, where `max_vocab` does not say."""


class Splitter(Protocol):
    """A way to split."""

    def split(self, items: Any, who: str) -> list[Sequence[Token]]:
        """Return the tokens of each entry of a column of users."""

    def join(self, tokens: list[Any]) -> Any:
        """Return the entry of some tokens."""

    def show(self, token: Token) -> str:
        """Return a token as people read it."""


class Texts:
    """Texts, cut by a function.

    Parameters
    ----------
    split, join : callable
        From a text to its tokens, and back.
    lowercase : bool
        Whether texts are turned into lower case before.
    """

    def __init__(
        self, split: Callable[[str], Any], join: Callable[[list[str]], str] = " ".join, *, lowercase: bool = False
    ) -> None:
        self._split, self.join, self._lowercase = split, join, lowercase

    def split(self, items: Any, who: str) -> list[Sequence[Token]]:
        texts = (text.lower() if self._lowercase else text for text in read_texts(items, who))
        tokens: list[Sequence[Token]] = [self._split(text) for text in texts]
        if self._split is not split_words:
            for found in tokens:
                if not isinstance(found, list | tuple) or not all(isinstance(token, str) for token in found):
                    raise TypeError(f"the tokenizer must return a list of str for each text, got {found!r:.80}")
        return tokens

    def show(self, token: Token) -> str:
        return str(token)


class Sequences:
    """Sequences of tokens as they are."""

    def split(self, items: Any, who: str) -> list[Sequence[Token]]:
        return list(read_sequences(items, who))

    def join(self, tokens: list[Any]) -> Any:
        return tokens

    def show(self, token: Token) -> str:
        return str(token)


class Subwords:
    """Texts, cut into subwords; tokens are their numbers.

    Parameters
    ----------
    tokenizer : SubwordTokenizer
    lowercase : bool
        Whether texts are turned into lower case before.
    """

    def __init__(self, tokenizer: SubwordTokenizer, *, lowercase: bool = False) -> None:
        self.tokenizer, self._lowercase = tokenizer, lowercase

    def split(self, items: Any, who: str) -> list[Sequence[Token]]:
        texts = lowered(read_texts(items, who), self._lowercase)
        try:
            found = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        except Exception as error:
            if type(error) is not Exception:  # which the package raises itself
                raise
            raise ValueError(f"the tokenizer cannot cut {who}: {error!s:.200}") from error
        return [encoded.ids.tolist() for encoded in found]  # type: ignore[union-attr]

    def join(self, tokens: list[Any]) -> str:
        return self.tokenizer.decode(tokens).strip()

    def show(self, token: Token) -> str:
        return self.tokenizer.id_to_token(int(token)) or ""


def lowered(texts: Iterable[str], lowercase: bool) -> list[str]:
    """Return texts in lower case, or as they are."""
    return [text.lower() for text in texts] if lowercase else list(texts)


class Tokens:
    """The tokens of sources or of targets.

    Parameters
    ----------
    splitter : Splitter
    vocabulary : Vocabulary
    """

    def __init__(self, splitter: Splitter, vocabulary: Vocabulary) -> None:
        self.splitter, self.vocabulary = splitter, vocabulary

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, items: Any, who: str) -> list[list[int]]:
        """Return the ids of each entry of a column of users, without markers."""
        return [self.vocabulary.encode(tokens) for tokens in self.splitter.split(items, who)]

    def decode(self, ids: Iterable[int]) -> Any:
        """Return the entry of some ids: a text, or a list of tokens. Markers are left out."""
        return self.splitter.join(self.vocabulary.decode(ids))

    def shown(self) -> list[str]:
        """Return all tokens as people read them, in the order of their ids."""
        return [*MARKERS, *map(self.splitter.show, self.vocabulary.tokens)]

    _state_spec: ClassVar[Spec] = {
        "tokenizer": OneOf(Nothing(), Text()),
        "vocabulary": Dict(Vocabulary._state_spec),
    }

    def state_dict(self) -> dict[str, Any]:
        """Return the vocabulary and, of subwords, the tokenizer, as plain values."""
        is_subwords = isinstance(self.splitter, Subwords)
        json = self.splitter.tokenizer.__getstate__()["json"] if is_subwords else None  # type: ignore[attr-defined]
        return {"tokenizer": json, "vocabulary": self.vocabulary.state_dict()}

    @classmethod
    def of_state(cls, state: dict[str, Any], tokenizer: Any, *, lowercase: bool) -> Self:
        """Make them of what :meth:`state_dict` returned, and of the parameters of the estimator.

        Raises
        ------
        ValueError
            If it is not that.
        """
        check_entries(cls._state_spec, state, cls.__name__)
        vocabulary, json = Vocabulary.of_state(state["vocabulary"]), state["tokenizer"]
        is_subwords = tokenizer in SUBWORDS or is_subword_tokenizer(tokenizer)
        if is_subwords != (json is not None):
            raise ValueError("a vocabulary of subwords needs their tokenizer, any other must have none")
        is_numbers = bool(vocabulary.tokens) and not isinstance(vocabulary.tokens[0], str)
        if is_subwords:
            subwords = tokenizer_of_json(json)
            numbers = np.asarray(vocabulary.tokens or [0])
            if not is_numbers and vocabulary.tokens:
                raise ValueError("a vocabulary of subwords must hold their numbers")
            if numbers.min() < 0 or numbers.max() >= max(subwords.vocab_size, 1):
                raise ValueError(f"subwords must be numbers below {subwords.vocab_size}, got {numbers.max()}")
            return cls(Subwords(subwords, lowercase=lowercase), vocabulary)
        if is_numbers and tokenizer is not None:
            raise ValueError("a vocabulary of words must hold texts")
        return cls(splitter_of(tokenizer, lowercase=lowercase), vocabulary)


def is_subword_tokenizer(tokenizer: Any) -> bool:
    """Whether a parameter `tokenizer` is an object that cuts texts into subwords."""
    return isinstance(tokenizer, SubwordTokenizer) or type(tokenizer).__module__.split(".")[0] == "tokenizers"


def tokenizer_of_json(text: str) -> SubwordTokenizer:
    """Return the tokenizer of a file ``tokenizer.json``. Raises ValueError if the text is none."""
    tokenizer = SubwordTokenizer.__new__(SubwordTokenizer)
    try:
        tokenizer._set_json(text)
    except ImportError:
        raise
    except BaseException as error:  # the package raises Exception itself, and its panics are no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        raise ValueError(f"the tokenizer cannot be read: {error!s:.200}") from error
    return tokenizer


def splitter_of(tokenizer: Any, *, lowercase: bool) -> Splitter:
    """Return the way to split of a parameter `tokenizer` that needs no training."""
    if tokenizer is None:
        return Sequences()
    if tokenizer == "word":
        return Texts(split_words, join_words, lowercase=lowercase)
    if tokenizer == "char":
        return Texts(list, "".join, lowercase=lowercase)
    if isinstance(tokenizer, SubwordTokenizer):
        return Subwords(tokenizer, lowercase=lowercase)
    if is_subword_tokenizer(tokenizer):
        return Subwords(SubwordTokenizer(tokenizer), lowercase=lowercase)
    return Texts(tokenizer, lowercase=lowercase)


def learn_tokens(
    columns: Sequence[Any],
    names: Sequence[str],
    tokenizer: Any,
    *,
    lowercase: bool,
    min_count: int,
    max_vocab: int | None,
    share: bool | None,
) -> tuple[list[Tokens], list[list[list[int]]]]:
    """Learn the tokens of one column, or of sources and targets.

    Parameters
    ----------
    columns : sequence of columns of users
    names : sequence of str
        What each is, for messages.
    tokenizer, lowercase, min_count, max_vocab
        Parameters of the estimators.
    share : bool or None
        Whether all columns have one vocabulary; None: where subwords serve both, or half of the tokens of the smaller
        vocabulary are in the larger one.

    Returns
    -------
    tokens : list of Tokens
        Of each column; the same object where they share it.
    ids : list of lists of lists of int
        The entries of each column.
    """
    if tokenizer in SUBWORDS:
        texts = [lowered(read_texts(column, name), lowercase) for column, name in zip(columns, names, strict=True)]
        groups = [texts] if share is not False else [[column] for column in texts]
        size, least = MAX_SUBWORDS if max_vocab is None else max_vocab, least_vocab_size(tokenizer)
        if size < least:
            raise ValueError(f"max_vocab must be >= {least} with tokenizer={tokenizer!r}, got {size}")
        trained = [
            Subwords(
                SubwordTokenizer.train(chain(*group), kind=tokenizer, vocab_size=size, min_frequency=min_count),
                lowercase=lowercase,
            )
            for group in groups
        ]
        splitters: list[Splitter] = [trained[0]] * len(columns) if share is not False else [*trained]
        min_count, max_vocab, share = 1, None, share is not False  # the trainer has kept to them
        columns = texts
    else:
        splitters = [splitter_of(tokenizer, lowercase=lowercase)] * len(columns)
    pairs = list(zip(splitters, columns, names, strict=True))
    split = [splitter.split(column, name) for splitter, column, name in pairs]
    learned = [Vocabulary.learn(entries, min_count=min_count, max_vocab=max_vocab) for entries in split]
    if share is None:
        share = is_subword_tokenizer(tokenizer) or _overlap([set(v.tokens) for v in learned])
    if share and len(columns) > 1:
        if len({type(token) for v in learned for token in v.tokens[:1]}) > 1:
            raise TypeError(f"{' and '.join(names)} share a vocabulary, and must be all str or all int")
        both = [entry for entries in split for entry in entries]
        tokens = [Tokens(splitters[0], Vocabulary.learn(both, min_count=min_count, max_vocab=max_vocab))] * len(columns)
    else:
        tokens = [Tokens(splitter, vocabulary) for splitter, vocabulary in zip(splitters, learned, strict=True)]
    for t, entries, name in zip(tokens, split, names, strict=True):
        if not t.vocabulary.tokens and any(map(len, entries)):
            raise ValueError(f"no token of {name} occurs min_count={min_count} times: all of them would be unknown")
    return tokens, [[t.vocabulary.encode(entry) for entry in entries] for t, entries in zip(tokens, split, strict=True)]


def _overlap(vocabularies: list[set[Token]]) -> bool:
    """Whether half of the tokens of the smaller vocabulary are in the larger one."""
    smaller, *others = sorted(vocabularies, key=len)
    return bool(smaller) and all(2 * len(smaller & other) >= len(smaller) for other in others)


def pack_sources(ids: Sequence[Sequence[int]]) -> Packed:
    """Pack entries, each with an end."""
    return Packed.of([[*entry, END] for entry in ids])


def pack_targets(ids: Sequence[Sequence[int]], whole: Sequence[bool] | None = None) -> Packed:
    """Pack entries, each with a begin and, unless it was cut, an end."""
    if whole is None:
        return Packed.of([[BEGIN, *entry, END] for entry in ids])
    ends: list[list[int]] = [[END] if is_whole else [] for is_whole in whole]
    return Packed.of([[BEGIN, *entry, *end] for entry, end in zip(ids, ends, strict=True)])
