"""What a trained Word2Vec says about texts: the probability of a word given the words around it.

Hierarchical softmax is a distribution: P(o | h) = product over the inner nodes n from the root to o of
sigma(+-h . c_n). Negative sampling is not, but at its optimum h . c_o = log(P(o | h) / (k q(o))) with the noise
q ~ count ** ns_exponent (Levy and Goldberg, "Neural word embedding as implicit matrix factorization", NeurIPS 2014),
so P(o | h) = q(o) exp(h . c_o) / Z(h), with Z summed over the whole vocabulary. Windows are of full size and no word
is left out here: subsampling is a matter of training.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, logsumexp
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

_BLOCK = 1 << 24
"""Numbers in the largest array that is made on the way: 64 MiB of float32."""

_Score: TypeAlias = Callable[[NDArray[np.intp], NDArray[np.int32]], NDArray[np.float64]]
"""Gives h . c_n of some inputs (by number) and one inner node each."""


@dataclass
class WordModel:
    """A trained model as arrays: `noise` for negative sampling, `tree` for hierarchical softmax; the other is None."""

    vectors: NDArray[np.float32]
    """(V, d)"""
    context_vectors: NDArray[np.float32]
    """(V, d), or (V - 1, d) for the inner nodes of the tree"""
    noise: NDArray[np.float64] | None
    """Log of the probability of each word as a negative, (V,)."""
    tree: tuple[NDArray[np.int32], NDArray[np.int32]] | None
    """Links of leaves (V,) and inner nodes (V - 1,): 2 * parent + code, -1 for the root."""
    n_threads: int

    def log_probability(
        self, H: NDArray[np.float32], words: NDArray[np.int32], log_z: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return log P(words[i] | H[i]) for inputs H (n, d); log Z of each may be given if it is known."""
        if self.tree is not None:
            return self._walk(words, lambda rows, nodes: _row_dot(H[rows], self.context_vectors[nodes]))
        assert self.noise is not None
        scores = _row_dot(H, self.context_vectors[words]) + self.noise[words]
        return scores - (self.log_normalizers(H) if log_z is None else log_z)

    def log_probabilities(self, h: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return log P of every word given one input (d,)."""
        scores = (self.context_vectors @ h).astype(np.float64)
        if self.tree is not None:
            return self._walk(np.arange(len(self.vectors), dtype=np.int32), lambda _, nodes: scores[nodes])
        assert self.noise is not None
        scores += self.noise
        return scores - logsumexp(scores)

    def log_normalizers(self, H: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return log Z of each input of H (n, d)."""
        assert self.noise is not None
        noise, log_z = self.noise.astype(np.float32), np.empty(len(H))
        with threadpool_limits(self.n_threads, user_api="blas"):
            for block in _blocks(len(H), _BLOCK // len(noise)):
                scores = H[block] @ self.context_vectors.T
                scores += noise
                largest = scores.max(axis=1, keepdims=True)
                scores -= largest
                np.exp(scores, out=scores)
                log_z[block] = largest[:, 0] + np.log(scores.sum(axis=1, dtype=np.float64))
        return log_z

    def _walk(self, words: NDArray[np.int32], score: _Score) -> NDArray[np.float64]:
        """Go from the leaves of `words` to the root, all a level at a time, and add up log sigma at each node."""
        assert self.tree is not None
        leaves, inner = self.tree
        total, active, links = np.zeros(len(words)), np.arange(len(words)), leaves[words]
        while len(active):
            nodes, codes = links >> 1, links & 1
            x = score(active, nodes)
            total[active] += log_expit(np.where(codes == 0, x, -x))
            links = inner[nodes]
            active, links = active[links >= 0], links[links >= 0]
        return total

    # ---- texts: ids (n,) of their known words one after the other; text k is ids[indptr[k] : indptr[k + 1]] ----

    def skipgram_likelihood(self, ids: NDArray[np.int32], indptr: NDArray[np.int64], window: int) -> tuple[float, int]:
        """Return the sum of log P(centre | context word) over all pairs, and how many there are."""
        log_z = None
        if self.tree is None:  # once for each distinct word
            log_z = np.empty(len(self.vectors))
            present = np.unique(ids)
            log_z[present] = self.log_normalizers(self.vectors[present])
        text = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        total, n_pairs = 0.0, 0
        for distance in range(1, min(window, len(ids) - 1) + 1):
            near = np.flatnonzero(text[:-distance] == text[distance:])
            left, right = ids[near], ids[near + distance]
            for context, centre in ((left, right), (right, left)):
                for block in _blocks(len(centre), _BLOCK // (4 * self.vectors.shape[1])):
                    known = None if log_z is None else log_z[context[block]]
                    total += self.log_probability(self.vectors[context[block]], centre[block], known).sum()
            n_pairs += 2 * len(near)
        return float(total), n_pairs

    def cbow_likelihood(
        self, ids: NDArray[np.int32], indptr: NDArray[np.int64], window: int, *, mean: bool
    ) -> tuple[float, int]:
        """Return the sum of log P(centre | window) over all windows that are not empty, and how many there are."""
        text = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        total, n_windows = 0.0, 0
        for block in _blocks(len(ids), _BLOCK // (4 * self.vectors.shape[1])):
            place = np.arange(block.start, block.stop)
            H = np.zeros((len(place), self.vectors.shape[1]), dtype=np.float32)
            count = np.zeros(len(place), dtype=np.int64)
            reach = min(window, len(ids) - 1)
            for distance in (*range(-reach, 0), *range(1, reach + 1)):
                other = place + distance
                rows = np.flatnonzero((other >= 0) & (other < len(ids)))
                rows = rows[text[place[rows]] == text[other[rows]]]
                H[rows] += self.vectors[ids[other[rows]]]
                count[rows] += 1
            rows = np.flatnonzero(count)
            H = H[rows]
            if mean:
                H /= count[rows, None].astype(np.float32)
            total += self.log_probability(H, ids[place[rows]]).sum()
            n_windows += len(rows)
        return float(total), n_windows


def _row_dot(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ij,ij->i", a, b), dtype=np.float64)


def _blocks(n: int, size: int) -> Iterator[slice]:
    size = max(size, 1)
    return (slice(first, min(first + size, n)) for first in range(0, n, size))
