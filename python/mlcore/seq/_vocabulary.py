"""Vocabulary: numbers of tokens, the markers among them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mlcore._state import Array, ListOf, OneOf, Spec, Text, check_entries
from mlcore.seq._inputs import Token

PAD, UNKNOWN, BEGIN, END = range(4)
"""Padding, what is in no vocabulary, the begin and the end of a sequence."""

MARKERS = ("<pad>", "<unk>", "<s>", "</s>")
"""How they are shown."""


class Vocabulary:
    """Tokens, all str or all int, numbered from 4 on; below are the markers.

    Parameters
    ----------
    tokens : sequence of str or of int
        Each once.
    """

    _state_spec: ClassVar[Spec] = {"tokens": OneOf(Array("i8", ("n_tokens",)), ListOf(Text()))}

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = list(tokens)
        self._ids = {token: i for i, token in enumerate(self.tokens, len(MARKERS))}
        if len(self._ids) < len(self.tokens):
            raise ValueError("a vocabulary must hold each token once")

    @classmethod
    def learn(cls, sequences: Iterable[Iterable[Token]], *, min_count: int = 1, max_vocab: int | None = None) -> Self:
        """Number the tokens of some sequences, the most frequent ones first, then in ascending order.

        Parameters
        ----------
        sequences : iterable of iterables of tokens
        min_count : int, default=1
            Tokens that occur less often are left out.
        max_vocab : int or None, default=None
            Most tokens, markers included.
        """
        counts = Counter(chain.from_iterable(sequences))
        frequent = [(-count, token) for token, count in counts.items() if count >= min_count]
        most = None if max_vocab is None else max(max_vocab - len(MARKERS), 0)
        return cls([token for _, token in sorted(frequent)[:most]])

    def __len__(self) -> int:
        return len(MARKERS) + len(self.tokens)

    def encode(self, tokens: Iterable[Token]) -> list[int]:
        """Return the number of each token; of one that is not known, that of the unknown."""
        ids = self._ids
        return [ids.get(token, UNKNOWN) for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[Token]:
        """Return the tokens of numbers; markers are left out."""
        return [self.tokens[i - len(MARKERS)] for i in ids if i >= len(MARKERS)]

    def state_dict(self) -> dict[str, Any]:
        """Return the tokens."""
        is_numbers = bool(self.tokens) and not isinstance(self.tokens[0], str)
        return {"tokens": np.array(self.tokens, np.int64) if is_numbers else list(self.tokens)}

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> Self:
        """Make one of what :meth:`state_dict` returned. Raises ValueError if it is not that."""
        check_entries(cls._state_spec, state, cls.__name__)
        tokens: NDArray[Any] | list[str] = state["tokens"]
        return cls(tokens.tolist() if isinstance(tokens, np.ndarray) else tokens)
