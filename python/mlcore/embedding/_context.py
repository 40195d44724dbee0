"""What a trained Word2Vec predicts: the word in the middle of others, and the likelihood of texts."""

from abc import abstractmethod
from collections.abc import Iterable
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from mlcore._base import effective_n_jobs
from mlcore._native import core
from mlcore.embedding._likelihood import WordModel


class ContextPredictions:
    """Predictions of a fitted Word2Vec."""

    algorithm: str
    cbow_mean: bool
    n_jobs: int | None
    ns_exponent: float
    window: int
    context_vectors_: NDArray[np.float32]
    vectors_: NDArray[np.float32]
    word_counts_: NDArray[np.int64]
    words_: list[str]

    @abstractmethod
    def _encode(self, X: Any) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return known words of texts as ids (n,), and where each text begins and the last ends (n_texts + 1,)."""

    @abstractmethod
    def _get_vocabulary(self) -> "core.embedding.Vocabulary":
        """Return the words as the core looks them up."""

    @abstractmethod
    def _tree(self) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
        """Return the links of the tree of hierarchical softmax, None for negative sampling."""

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002
        """Return the mean log-likelihood of words given the words near them; higher is better.

        Windows are of full size, no frequent word is left out and unknown words are ignored. For ``loss="hs"`` it is
        the exact likelihood of the model. A model of negative sampling knows no probabilities, but at its optimum
        ``h . c = log(p / (negative * q))`` with the noise q [1]_: so the likelihood is ``log softmax(h . c + log q)``,
        summed over the whole vocabulary. That takes some time: vocabulary times distinct words (skip-gram), or times
        words (CBOW).

        Parameters
        ----------
        X : iterable of texts
            As in `transform`.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        float
            Mean over all pairs of near words (skip-gram) or all windows (CBOW); 0 would be certainty, ``-log(n_words)``
            is that of a blind guess.

        Raises
        ------
        TypeError
            If `X` is a lone string, or holds something that is no text.
        ValueError
            If no text has two known words.

        References
        ----------
        .. [1] O. Levy and Y. Goldberg, "Neural word embedding as implicit matrix factorization", NeurIPS 2014.
        """
        check_is_fitted(self)
        self._validate_params()  # type: ignore[attr-defined]
        ids, indptr = self._encode(X)
        model, window = self._word_model(), int(self.window)
        if self.algorithm == "skipgram":
            total, n = model.skipgram_likelihood(ids, indptr, window)
        else:
            total, n = model.cbow_likelihood(ids, indptr, window, mean=bool(self.cbow_mean))
        if n == 0:
            raise ValueError(f"score of {type(self).__name__} needs a text with at least two known words")
        return total / n

    def predict_context(self, words: Iterable[str], topn: int | None = 10) -> list[tuple[str, float]]:
        """Return the words most likely in the middle of the given ones.

        Parameters
        ----------
        words : iterable of str
            Words of a window, in any order.
        topn : int or None, default=10
            How many to return; None: all.

        Returns
        -------
        list of (str, float)
            Words and their probabilities (see `score`), the largest first. Skip-gram has no model for several words
            together; their mean is taken, as in CBOW.

        Raises
        ------
        KeyError
            If a word is not known; the message names it.
        TypeError
            If `words` is a lone string, or holds something that is no string.
        ValueError
            If `words` is empty, or `topn` is less than 1.
        """
        check_is_fitted(self)
        self._validate_params()  # type: ignore[attr-defined]
        if isinstance(words, (str, bytes)):
            raise TypeError(f"words of predict_context must be a list of words, got {words!r}")
        if topn is not None and index(topn) < 1:
            raise ValueError(f"topn of predict_context must be at least 1 or None, got {topn}")
        words = list(words)
        if not words:
            raise ValueError("words of predict_context must hold at least one word, got none")
        for word in words:
            if not isinstance(word, str):
                raise TypeError(f"words of predict_context must be str, got {word!r}")
        ids = self._get_vocabulary().ids(words)
        for word, known in zip(words, ids >= 0, strict=True):
            if not known:
                raise KeyError(f"word {word!r} is not in the vocabulary")
        h = self.vectors_[ids].sum(axis=0)
        if self.algorithm == "skipgram" or self.cbow_mean:
            h /= np.float32(len(ids))
        log_p = self._word_model().log_probabilities(h)
        best = np.argsort(-log_p, kind="stable")[:topn]
        return [(self.words_[i], float(np.exp(log_p[i]))) for i in best]

    def _word_model(self) -> WordModel:
        noise = None
        if self._tree() is None:
            noise = float(self.ns_exponent) * np.log(self.word_counts_)
            noise -= np.logaddexp.reduce(noise)
        return WordModel(self.vectors_, self.context_vectors_, noise, self._tree(), effective_n_jobs(self.n_jobs))
