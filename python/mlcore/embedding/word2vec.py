"""The estimator. The loop of training is in `_training.py`, probabilities in `_likelihood.py`, the rest in C++.

Left out on purpose: vectors of parts of words (fastText), documents as words (doc2vec), callbacks inside training.
"""

import os
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, StateMixin, effective_n_jobs, fitting, seed_from
from mlcore._native import core
from mlcore._progress import logger
from mlcore._state import Array, Int, ListOf, Number, OneOf, Optional, Sizes, Spec
from mlcore.embedding._context import ContextPredictions
from mlcore.embedding._corpus import batches, check_texts, open_corpus
from mlcore.embedding._training import Task, train
from mlcore.embedding._vocabulary import build_vocabulary, grow_vocabulary
from mlcore.embedding._words import PACKED_WORDS, check_packed, index_words, pack_words, unpack_words
from mlcore.embedding.keyed_vectors import LARGEST, KeyedVectors


class Word2Vec(ContextPredictions, ClassNamePrefixFeaturesOutMixin, TransformerMixin, StateMixin, BaseEstimator):  # type: ignore[misc]
    """Word vectors by word2vec: skip-gram or CBOW, with negative sampling or hierarchical softmax [1]_ [2]_.

    A small model is trained to guess a word from the words near it; words that keep similar company get similar
    vectors. `fit` takes texts, `keyed_vectors_` answers questions about words, and `transform` turns texts into rows
    of numbers for a classifier.

    Training runs without locks on all threads (Hogwild), so results differ a little from run to run unless
    ``n_jobs=1``: then the same data and `random_state` give the same bits (at one ISA level). Windows are trained as
    small matrix products, as pWord2Vec does [3]_.

    Parameters
    ----------
    vector_size : int, default=100
        Length of a vector, 1 to 65536.
    window : int, default=5
        Words on either side of a word that count as near, 1 to 1,000,000. Windows end where a text does.
    algorithm : {"skipgram", "cbow"}, default="skipgram"
        "skipgram": each near word alone guesses the word in the middle. "cbow": all of them together, by the mean or
        sum of their vectors; faster, and worse for rare words.
    loss : {"ns", "hs"}, default="ns"
        "ns", negative sampling: tell the word in the middle from random ones. "hs", hierarchical softmax: find it in a
        Huffman tree of all words.
    negative : int, default=5
        Random words for each true one if ``loss="ns"``, 1 to 10,000. 5 to 20 suit small corpora, 2 to 5 large ones.
    ns_exponent : float, default=0.75
        Random words are drawn with probability proportional to ``count ** ns_exponent``: 1 as they occur in the text, 0
        all alike, negative rare ones first; -10 to 10.
    sample : float, default=1e-3
        Frequent words are left out at random: one with a share f of all words is kept with the probability
        ``sqrt(sample / f) + sample / f``. In [0, 1); 0 keeps all, which is right for small corpora.
    min_count : int, default=5
        Words that occur less often are ignored.
    max_vocab_size : int or None, default=None
        Most words to learn, the most frequent ones (of equally frequent ones those first in the order of their bytes);
        None: no limit. The count of words is exact in any case.
    epochs : int, default=5
        Times to go through the texts.
    alpha : float, default=0.025
        Learning rate at the beginning, > 0. 0.05 is usual for CBOW.
    min_alpha : float, default=1e-4
        Learning rate at the end, >= 0; `alpha` if that is less. It falls in a straight line with the words read.
    cbow_mean : bool, default=True
        ``algorithm="cbow"``: the mean of the near words' vectors, or their sum.
    shrink_windows : bool, default=True
        Draw the size of each window from 1 to `window`, so that nearer words count more; False: always `window`.
    shared_negatives : bool, default=True
        Skip-gram with negative sampling: all near words of a window share its random words, which is several times
        faster and as good; False: draw for each pair of words, as word2vec.c does.
    random_state : int, RandomState or None, default=None
        Seed of the first vectors and of all random choices.
    n_jobs : int or None, default=None
        Threads, in fit and transform. None and -1: all CPUs that this process may use. Only with one of them are the
        vectors the same again, bit for bit.
    verbose : int, default=0
        1: a progress bar with words per second, loss, learning rate and time left; 2: a line with the same an epoch
        through ``logging.getLogger("mlcore")``.
    doc_weights : {"mean", "tfidf"}, default="mean"
        What `transform` makes of the vectors of a text's words: their mean, or a mean in which each occurrence of a
        word counts ``log(n_words_ / count)``, so that rare words say more.

    Attributes
    ----------
    vectors_ : float32 array of shape (n_words, vector_size)
        Vector of each word.
    context_vectors_ : float32 array of shape (n_words, vector_size), or (n_words - 1, vector_size)
        What the vectors are multiplied with: one row a word if ``loss="ns"``, one an inner node of the tree if "hs".
    words_ : list of n_words str
        The words, most frequent first; those that `partial_fit` has added follow, ordered likewise.
    word_counts_ : int64 array of shape (n_words,)
        How often each occurs.
    n_words_ : int
        Words of the texts, repeated and ignored ones included.
    n_iter_ : int
        Epochs done, those of `partial_fit` included.
    loss_curve_ : array of shape (n_iter_,)
        Mean loss of each epoch, lower is better: by pair of words for skip-gram, by window for CBOW. The loss of a
        window is that before its step. It compares runs with equal `loss`, `negative` and `algorithm`.
    keyed_vectors_ : KeyedVectors
        `vectors_` with all that can be asked of words: ``model.keyed_vectors_.most_similar("king")``. The memory is
        shared.
    tree_leaves_, tree_inner_ : int32 arrays of shape (n_words,) and (n_words - 1,)
        Only for ``loss="hs"``: the parent of each word and of each inner node, as ``2 * parent + code`` with the code 0
        or 1; -1 for the root.

    See Also
    --------
    KeyedVectors : Vectors alone, trained here or read from a file.
    Phrases : Joins words that belong together ("new_york") before training.

    Notes
    -----
    Texts are strings or lists of strings. A string is split at white space and nothing else: lower case, punctuation
    and the like are up to you. Texts of any length are used whole. Losses are summed in float64.

    As in word2vec.c, CBOW with ``cbow_mean=True`` gives each near word the gradient of their mean undivided.

    References
    ----------
    .. [1] T. Mikolov, K. Chen, G. Corrado and J. Dean, "Efficient estimation of word representations in vector space",
       ICLR workshop 2013.
    .. [2] T. Mikolov, I. Sutskever, K. Chen, G. Corrado and J. Dean, "Distributed representations of words and phrases
       and their compositionality", NeurIPS 2013.
    .. [3] S. Ji, N. Satish, S. Li and P. Dubey, "Parallelizing word2vec in shared and distributed memory",
       arXiv:1604.04661, 2016.

    Examples
    --------
    >>> from mlcore import Word2Vec
    >>> texts = ["the cat drinks milk", "the dog drinks water", "red and blue paint", "blue and green paint"] * 50
    >>> model = Word2Vec(vector_size=10, min_count=1, sample=0, epochs=20, random_state=0, n_jobs=1).fit(texts)
    >>> model.vectors_.shape
    (11, 10)
    >>> similarity = model.keyed_vectors_.similarity
    >>> bool(similarity("cat", "dog") > similarity("cat", "paint"))
    True
    >>> model.transform(["a cat and a dog", "nothing known"]).shape
    (2, 10)
    """

    _private_state = ("_seed", "_vocabulary", "_keyed_vectors")
    _state_spec: ClassVar[Spec] = {
        "_seed": Int(),
        "vectors_": Array("f4", ("n_words", "vector_size"), low=-float(LARGEST), high=float(LARGEST), is_finite=True),
        "context_vectors_": Array("f4", ("n_outputs", "vector_size"), is_finite=True),
        "words_": PACKED_WORDS,
        "word_counts_": Array("i8", ("n_words",), low=1),
        "n_words_": Int(1),
        "loss_curve_": OneOf(Array("f8", ("n_epochs",)), ListOf(Number())),  # older files have a list
        "tree_leaves_": Optional(Array("i4", ("n_leaves",))),
        "tree_inner_": Optional(Array("i4", ("n_inner",))),
    }
    _seed: int
    vectors_: NDArray[np.float32]
    context_vectors_: NDArray[np.float32]
    words_: list[str]
    word_counts_: NDArray[np.int64]
    n_words_: int
    loss_curve_: NDArray[np.float64]
    tree_leaves_: NDArray[np.int32]
    tree_inner_: NDArray[np.int32]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "vector_size": [Interval(Integral, 1, 65_536, closed="both")],
        "window": [Interval(Integral, 1, 1_000_000, closed="both")],
        "algorithm": [StrOptions({"skipgram", "cbow"})],
        "loss": [StrOptions({"ns", "hs"})],
        "negative": [Interval(Integral, 0, 10_000, closed="both")],
        "ns_exponent": [Interval(Real, -10, 10, closed="both")],
        "sample": [Interval(Real, 0, 1, closed="left")],
        "min_count": [Interval(Integral, 1, 2**62, closed="both")],
        "max_vocab_size": [Interval(Integral, 2, 2**62, closed="both"), None],
        "epochs": [Interval(Integral, 1, 2**62, closed="both")],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "min_alpha": [Interval(Real, 0, None, closed="left")],
        "cbow_mean": ["boolean"],
        "shrink_windows": ["boolean"],
        "shared_negatives": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
        "doc_weights": [StrOptions({"mean", "tfidf"})],
    }

    def __init__(
        self,
        vector_size: int = 100,
        *,
        window: int = 5,
        algorithm: str = "skipgram",
        loss: str = "ns",
        negative: int = 5,
        ns_exponent: float = 0.75,
        sample: float = 1e-3,
        min_count: int = 5,
        max_vocab_size: int | None = None,
        epochs: int = 5,
        alpha: float = 0.025,
        min_alpha: float = 1e-4,
        cbow_mean: bool = True,
        shrink_windows: bool = True,
        shared_negatives: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        doc_weights: str = "mean",
    ) -> None:
        self.vector_size = vector_size
        self.window = window
        self.algorithm = algorithm
        self.loss = loss
        self.negative = negative
        self.ns_exponent = ns_exponent
        self.sample = sample
        self.min_count = min_count
        self.max_vocab_size = max_vocab_size
        self.epochs = epochs
        self.alpha = alpha
        self.min_alpha = min_alpha
        self.cbow_mean = cbow_mean
        self.shrink_windows = shrink_windows
        self.shared_negatives = shared_negatives
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.doc_weights = doc_weights

    # ---- fit ----

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Learn the words of a corpus and their vectors.

        Parameters
        ----------
        X : str, path, list of paths, or iterable of texts
            The corpus. A str or path, or a list of paths (`pathlib.Path`, not str), names files with one text a line:
            plain, ``.gz``, ``.xz`` or ``.bz2``, in UTF-8. Anything else is gone through once: texts are strings, or
            lists of strings that are taken as words as they are. A list of strings is thus a list of texts. Plain files
            are mapped: they must not be cut short while fit runs.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted.

        Raises
        ------
        ValueError
            If a parameter is out of range, the corpus is empty or damaged, fewer than two words reach `min_count`, no
            two known words occur near each other, or training diverges; the message says which.
        TypeError
            If `X` is a generator (it can be read only once), or holds something that is no text.
        OSError
            If a file is missing or cannot be read.
        KeyboardInterrupt
            On Ctrl-C.
        """
        self._validate_params()
        with fitting(self):
            self._fit(X, continuing=False)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Go on training with another corpus; the first call is the same as :meth:`fit`.

        Counts of words are added up. Known words keep their place and vector, words that reach `min_count` in `X` and
        were not known are added (as long as there are fewer than `max_vocab_size`). The learning rate falls from
        `alpha` to `min_alpha` again over `epochs` epochs. With ``loss="hs"`` the trees of old and new words are joined
        under a new root.

        Parameters
        ----------
        X : str, path, list of paths, or iterable of texts
            As in `fit`.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        self
            The estimator. If the call fails or is interrupted, it is left as it was before.

        Raises
        ------
        ValueError
            As in `fit`; or `vector_size` or `loss` have changed since.
        TypeError, OSError, KeyboardInterrupt
            As in `fit`.
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X)
        self._validate_params()
        with fitting(self, continuing=True):
            self._fit(X, continuing=True)
        return self

    def _fit(self, X: Any, *, continuing: bool) -> None:
        name = type(self).__name__
        self._check_parameters(name, continuing=continuing)
        n_threads = effective_n_jobs(self.n_jobs)
        seed = self._seed if continuing else seed_from(self.random_state)
        curve = self.loss_curve_ if continuing else np.empty(0)
        opened = open_corpus(X, n_jobs=n_threads, who=name)
        limits = int(self.min_count), int(self.max_vocab_size or 0)
        if continuing:
            vocabulary = grow_vocabulary(self._get_vocabulary(), opened.table, *limits, who=name)
        else:
            vocabulary = build_vocabulary(opened.table, *limits, who=name)
        corpus = opened.core
        del opened  # it holds the words that are too rare, which may be many more than the others
        corpus.set_vocabulary(vocabulary)
        counts, n_words = vocabulary.counts(), corpus.n_tokens
        if self.verbose >= 2:
            logger.info("%s: %d words of text, vocabulary of %d", name, n_words, len(counts))
        model = core.embedding.Word2VecModel(
            counts,
            vector_size=int(self.vector_size),
            algorithm=self.algorithm,
            loss=self.loss,
            window=int(self.window),
            negative=int(self.negative),
            ns_exponent=float(self.ns_exponent),
            sample=float(self.sample),
            cbow_mean=bool(self.cbow_mean),
            shrink_windows=bool(self.shrink_windows),
            shared_negatives=bool(self.shared_negatives),
            seed=(seed + len(curve)) % 2**64,  # other draws than those of the epochs before
            tree=self._grown_tree(counts) if continuing and self.loss == "hs" else None,
        )
        if continuing:
            model.set_rows(self.vectors_, self.context_vectors_, n_threads=n_threads)
        else:
            model.set_rows(None, None, n_threads=n_threads)
        losses = train(
            Task(
                model=model,
                corpus=corpus,
                epochs=int(self.epochs),
                alpha=float(self.alpha),
                min_alpha=float(min(self.min_alpha, self.alpha)),
                n_threads=n_threads,
                verbose=int(self.verbose),
                name=name,
            )
        )
        tree = model.tree() if self.loss == "hs" else None
        vectors, context_vectors = model.take()
        # The extremes are NaN if any number is. No temporary array of the size of the model.
        if not np.isfinite([f(a) for f in (np.min, np.max) for a in (vectors, context_vectors)]).all():
            raise ValueError(f"training of {name} diverged to infinity: lower alpha, which is {self.alpha}")

        if np.isnan(losses).all():
            raise ValueError(
                f"{name} has learned nothing: in no epoch did two known words occur within a window; lower min_count "
                f"(it is {self.min_count}), or set sample=0 (it is {self.sample}) to leave no frequent words out"
            )
        fitted = {
            "_seed": seed,
            "_vocabulary": vocabulary,
            "vectors_": vectors,
            "context_vectors_": context_vectors,
            "words_": vocabulary.words(),
            "word_counts_": counts,
            "n_words_": n_words + (self.n_words_ if continuing else 0),
            "loss_curve_": np.append(curve, losses),
        }
        if tree is not None:
            fitted["tree_leaves_"], fitted["tree_inner_"] = tree
        self.__dict__.pop("_keyed_vectors", None)
        self.__dict__.update(fitted)

    def _check_parameters(self, name: str, *, continuing: bool) -> None:
        """Check what constraints on single parameters cannot say."""
        if self.loss == "ns" and self.negative < 1:
            raise ValueError(f'negative of {name} must be at least 1 with loss="ns", got {self.negative}')
        if not continuing:
            return
        size = self.vectors_.shape[1]
        if self.vector_size != size:
            raise ValueError(
                f"vector_size of {name} was {size} when training began and must stay so, got {self.vector_size}"
            )
        loss = "hs" if self._tree() is not None else "ns"
        if self.loss != loss:
            raise ValueError(f"loss of {name} was {loss!r} when training began and must stay so, got {self.loss!r}")

    def _grown_tree(self, counts: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        added = counts[len(self.tree_leaves_) :]
        if len(added) == 0:
            return self.tree_leaves_, self.tree_inner_
        return core.embedding.grow_tree(self.tree_leaves_, self.tree_inner_, added)

    # ---- what it is good for ----

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return a vector for each text: the mean of its words' vectors, weighted as `doc_weights` says.

        Parameters
        ----------
        X : iterable of n_samples texts
            Strings or lists of strings, as in `fit`; no files. Unknown words are ignored.

        Returns
        -------
        float32 array of shape (n_samples, vector_size)
            Zeros for a text without known words.

        Raises
        ------
        TypeError
            If `X` is a lone string, or holds something that is no text.
        """
        check_is_fitted(self)
        self._validate_params()
        ids, indptr = self._encode(X)
        weights = np.ones(len(ids), dtype=np.float32)
        if self.doc_weights == "tfidf":
            weights = np.log(self.n_words_ / self.word_counts_).astype(np.float32)[ids]
        text = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        total = np.bincount(text, weights=weights, minlength=len(indptr) - 1)
        weights /= np.where(total > 0, total, 1)[text]
        mixture = csr_array((weights, ids, indptr), shape=(len(indptr) - 1, len(self.vectors_)))
        return np.asarray(mixture @ self.vectors_)

    @property
    def n_iter_(self) -> int:
        """Epochs done, those of `partial_fit` included."""
        check_is_fitted(self)
        return len(self.loss_curve_)

    @property
    def keyed_vectors_(self) -> KeyedVectors:
        """The vectors with all that can be asked of words; shares the memory of `vectors_`."""
        check_is_fitted(self)
        if not hasattr(self, "_keyed_vectors"):
            self.vectors_.flags.writeable = False  # lengths are computed once
            self._keyed_vectors = KeyedVectors(self.words_, self.vectors_, self.word_counts_)
        return self._keyed_vectors

    def _tree(self) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
        return (self.tree_leaves_, self.tree_inner_) if hasattr(self, "tree_leaves_") else None

    def _get_vocabulary(self) -> "core.embedding.Vocabulary":
        if not hasattr(self, "_vocabulary"):  # it is not part of a pickle or a model file
            self._vocabulary = core.embedding.Vocabulary(self.words_, self.word_counts_)
        return self._vocabulary

    def _encode(self, X: Any) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Known words of texts as ids (n,), and where each text begins and the last ends (n_texts + 1,)."""
        name = type(self).__name__
        if isinstance(X, str | os.PathLike):
            raise TypeError(f"X of {name} must be texts to iterate over, got a lone {type(X).__name__}: pass [text]")
        if isinstance(X, bytes):
            raise TypeError(f"X of {name} must be texts to iterate over, got bytes")
        vocabulary = self._get_vocabulary()
        parts = [vocabulary.encode(batch, first) for first, batch in batches(check_texts(X, name))]
        ids = [np.empty(0, dtype=np.int32), *(ids for ids, _ in parts)]
        lengths = [np.diff(indptr) for _, indptr in parts]
        return np.concatenate(ids), np.cumsum(np.concatenate([[0], *lengths]), dtype=np.int64)

    # ---- contract with scikit-learn, pickle and model files ----

    @property
    def _n_features_out(self) -> int:
        return int(self.vectors_.shape[1])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "vectors_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.non_deterministic = self.n_jobs != 1
        return tags

    def _get_state(self) -> dict[str, Any]:
        state = super()._get_state()
        state.pop("_vocabulary", None)
        state.pop("_keyed_vectors", None)
        if "words_" in state:
            state["words_"] = pack_words(self.words_)
        return state

    def _set_state(self, state: dict[str, Any]) -> None:
        if "words_" in state:
            curve = np.asarray(state["loss_curve_"], dtype=np.float64)  # a list in older files
            state = {**state, "words_": unpack_words(*state["words_"]), "loss_curve_": curve}
        super()._set_state(state)

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        n_words = sizes["n_words"]
        n_outputs = n_words
        utf8, offsets = state["words_"]
        check_packed(utf8, offsets, n_words)
        if "tree_leaves_" in state or "tree_inner_" in state:
            n_outputs -= 1
            if "tree_leaves_" not in state or len(state["tree_leaves_"]) != n_words or "tree_inner_" not in state:
                raise ValueError(f"tree_leaves_ and tree_inner_ must be those of {n_words} words")
            core.embedding.check_tree(state["tree_leaves_"], state["tree_inner_"])
        if n_words < 2 or sizes["vector_size"] < 1 or sizes["n_outputs"] != n_outputs:
            raise ValueError(
                f"vectors_ of shape {state['vectors_'].shape} and context_vectors_ of shape "
                f"{state['context_vectors_'].shape} are not those of one model"
            )
        if state["word_counts_"].sum(dtype=np.float64) > 2**62:
            raise ValueError("word_counts_ must have a sum below 2**62")

    def _check_loaded(self, *, is_mapped: bool) -> None:  # noqa: ARG002
        index_words(self.words_)
        self._get_vocabulary()
