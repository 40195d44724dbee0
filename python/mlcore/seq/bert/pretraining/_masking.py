"""What a masked language model reads and is to predict (Devlin et al., 2019, section 3.1 and appendix A.1).

Of the tokens that are no markers some are chosen, each by a draw of its own. Of those 80 % are read as ``[MASK]``, 10 %
as any token of the vocabulary and 10 % as they are: fine-tuned networks never see ``[MASK]``, so that a network that
knew of nothing else would learn to say nothing about real tokens. With whole words all pieces of a word are chosen
together (Cui et al., "Pre-training with whole word masking for Chinese BERT", 2021).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.seq.bert.network._network import IGNORED

_AS_MASK, _AS_ANY = 0.8, 0.1
"""Shares of the chosen tokens that are read as [MASK], and as any token."""

Ints = NDArray[np.int64]


class Masking(NamedTuple):
    """How tokens are masked."""

    probability: float
    """That a token, or a word, is chosen."""

    mask: int
    """The token [MASK]."""

    n_tokens: int
    """Tokens of the vocabulary."""

    never: tuple[int, ...]
    """Tokens that are not chosen: markers, padding and the unknown."""

    whole_words: bool = False
    """Whether the pieces of a word are chosen together."""

    def apply(
        self, ids: Ints, is_marker: NDArray[np.bool_], words: Ints | None, rng: np.random.Generator
    ) -> tuple[Ints, Ints]:
        """Mask the tokens of a batch.

        Parameters
        ----------
        ids : array (N,)
            Tokens, markers included.
        is_marker : array (N,)
            Where a marker stands. What else is in `never` is chosen only where there is nothing else to choose.
        words : array (N,) or None
            Tokens next to each other with the same number are of one word. Asked for with `whole_words`.
        rng : numpy.random.Generator
            All draws.

        Returns
        -------
        inputs : array (N,)
            What the network reads.
        labels : array (N,)
            The token that was there where one was chosen, at least in one place; -100 elsewhere.
        """
        allowed = ~np.isin(ids, self.never)
        if not allowed.any():
            allowed = ~is_marker
        if not allowed.any():
            raise ValueError("a batch of markers alone has nothing to mask")
        candidates = np.flatnonzero(allowed)
        if self.whole_words:
            assert words is not None
            own = words[candidates]
            begins = np.ones(len(own), bool)
            begins[1:] = (own[1:] != own[:-1]) | (candidates[1:] != candidates[:-1] + 1)
            unit = np.cumsum(begins) - 1
        else:
            unit = np.arange(len(candidates))
        chosen_units = rng.random(int(unit[-1]) + 1) < self.probability
        if not chosen_units.any():
            chosen_units[rng.integers(len(chosen_units))] = True
        chosen = candidates[chosen_units[unit]]
        inputs, labels = ids.copy(), np.full(len(ids), IGNORED, np.int64)
        labels[chosen] = ids[chosen]
        draw = rng.random(len(chosen))
        inputs[chosen[draw < _AS_MASK]] = self.mask
        is_any = (draw >= _AS_MASK) & (draw < _AS_MASK + _AS_ANY)
        inputs[chosen[is_any]] = rng.integers(self.n_tokens, size=int(np.count_nonzero(is_any)))
        return inputs, labels
