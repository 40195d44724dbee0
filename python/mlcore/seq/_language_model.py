"""TransformerLM: a language model, the decoder of the Transformer alone."""

import math
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from mlcore._base import effective_n_jobs, fitting, seed_from
from mlcore._warnings import warn
from mlcore.nn._runtime import Generator, threads
from mlcore.nn.tensor import no_grad
from mlcore.nn.training._trained import Shapes
from mlcore.seq._base import BaseSequenceEstimator
from mlcore.seq._generation import Search, beam_of
from mlcore.seq._network import SequenceNetwork
from mlcore.seq._packed import Packed
from mlcore.seq._tokens import learn_tokens
from mlcore.seq._training import batches_of
from mlcore.seq._transformer import TRANSFORMER_CONSTRAINTS, TransformerParameters
from mlcore.seq._transformer_network import TransformerLMNetwork, transformer_shapes
from mlcore.seq._vocabulary import BEGIN, END

_SCORED = 8192
"""Tokens that go through the network at once."""


class TransformerLM(TransformerParameters, BaseSequenceEstimator):
    """A causal language model by a Transformer [1]_ [2]_: the probability of each token after those before it.

    `fit` takes texts, `generate` goes on with texts that are begun, `perplexity` says how well texts are foreseen.

    Parameters
    ----------
    d_model : int, default=256
        Features of each token, 1 to 65,536.
    n_heads : int, default=4
        Heads of attention; divides `d_model`.
    n_layers : int, default=4
        Blocks, 1 to 1,000.
    dim_feedforward : int, default=1024
        Features between the two layers of the position-wise network.
    dropout : float, default=0.1
        Share of what is dropped while training: of embeddings, attention weights, what the activation gives and the
        output of each part, [0, 1).
    attention_dropout : float or None, default=None
        Of the attention weights; None: `dropout`. fairseq's recipes for small data have 0 here and below.
    activation_dropout : float or None, default=None
        Of what the activation of the position-wise network gives; None: `dropout`.
    norm_first : bool, default=True
        Layer norm before each part instead of after it.
    positions : {"sinusoidal", "learned", "rotary"}, default="rotary"
        How positions are told: added sines and cosines, added rows that are learned, or rotations of queries and keys.
    tied_embeddings : bool, default=True
        Whether the output layer has the weights of the embedding.
    label_smoothing : float, default=0.0
        Share of the probability that is spread over all tokens while training, [0, 1). It makes perplexity worse.
    max_epochs : int or None, default=None
        Times to go through the texts. None: 30, of small data as many as make 600 steps, at most 300.
    batch_tokens : int or "auto", default="auto"
        Tokens of a batch. "auto": a fiftieth of all, from 64 to 4096.
    accumulate : int, default=1
        Batches that make one step together, with the gradient that they would have as one batch.
    learning_rate : float, default=1e-3
        Of Adam (0.9, 0.98, 1e-9), at its peak: it rises for `warmup_steps` steps, then falls with one over the root of
        the number of steps.
    warmup_steps : int or None, default=None
        None: a tenth of all steps, at most 4000.
    max_norm : float or None, default=1.0
        Gradients of all weights together are scaled down to this Euclidean norm at most; None: they are not.
    average_last : int or None, default=None
        The network at the end has the mean of the weights after each of the last so many epochs. None: a fifth of
        all epochs, at most 5. 1: no average.
    early_stopping : bool or "auto", default="auto"
        Whether training stops when validation texts gain no more, and the weights of the best epoch are kept. "auto":
        where `X_val` is given. True: `validation_fraction` is set aside if it is not.
    validation_fraction : float, default=0.1
        Share of the texts to set aside for ``early_stopping=True``.
    n_iter_no_change : int, default=10
        Epochs without a gain before training stops.
    tol : float, default=1e-4
        The least gain that counts, as a share of the entropy of the tokens.
    warm_start : bool, default=False
        Whether fit goes on with the network and the vocabulary of the last fit, for `max_epochs` more epochs, with a
        new optimizer and its warm-up.
    checkpoint : str, path or None, default=None
        File to write after each epoch, for ``fit(..., resume=True)``. :func:`mlcore.save` leaves it out.
    tokenizer : {"word", "char", "bpe", "wordpiece"}, SubwordTokenizer, tokenizers.Tokenizer, callable or None, \
            default="word"
        How texts become tokens: as of :class:`TransformerSeq2Seq`.
    lowercase : bool, default=False
        Whether texts are turned into lower case first.
    min_count : int, default=1
        Tokens that occur less often are unknown; of "bpe" and "wordpiece" pairs of pieces that are seen less often are
        not joined.
    max_vocab : int or None, default=None
        Most tokens of the vocabulary, the most frequent ones, four markers included; None: no limit, for "bpe" and
        "wordpiece" 8000.
    max_length : int, default=256
        Most tokens that the network sees at once. Longer texts are trained on, and scored, in pieces of so many.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, of dropout and of the order of the texts.
    n_jobs : int or None, default=None
        Threads, in fit and generate. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar with tokens per second and the loss; 2: a line an epoch through
        ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    module_ : mlcore.seq.TransformerLMNetwork
        The network.
    vocabulary_ : list of str
        Tokens by their ids, four markers first.
    history_ : History
        Losses, and what else was recorded in each epoch. The training loss has label smoothing in it and is of the
        network as it was at each step; that of validation has not, and is of the averaged weights.
    loss_curve_ : array of shape (n_iter_,)
        Training loss of each epoch.
    n_iter_ : int
        Epochs done.
    is_quantized_ : bool
        Whether weights of int8 write: see :meth:`quantize`.

    See Also
    --------
    TransformerSeq2Seq : From one sequence to another.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NIPS 2017.
    .. [2] A. Radford et al., "Improving language understanding by generative pre-training", 2018.

    Examples
    --------
    >>> from mlcore import TransformerLM
    >>> texts = ["the cat drinks milk", "the dog drinks water", "the bird eats seeds"] * 20
    >>> small = {"d_model": 32, "n_layers": 1, "dim_feedforward": 64, "learning_rate": 5e-3, "random_state": 0}
    >>> model = TransformerLM(**small, max_epochs=10).fit(texts)
    >>> model.generate(["the dog"], sampling="greedy")
    ['the dog drinks water']
    >>> model.perplexity(["the bird eats seeds"]) < model.perplexity(["seeds eats the bird"])
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSequenceEstimator._parameter_constraints,
        **TRANSFORMER_CONSTRAINTS,
    }

    def __init__(
        self,
        d_model: int = 256,
        n_heads: int = 4,
        n_layers: int = 4,
        dim_feedforward: int = 1024,
        dropout: float = 0.1,
        *,
        attention_dropout: float | None = None,
        activation_dropout: float | None = None,
        norm_first: bool = True,
        positions: str = "rotary",
        tied_embeddings: bool = True,
        label_smoothing: float = 0.0,
        max_epochs: int | None = None,
        batch_tokens: int | str = "auto",
        accumulate: int = 1,
        learning_rate: float = 1e-3,
        warmup_steps: int | None = None,
        max_norm: float | None = 1.0,
        average_last: int | None = None,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        checkpoint: Any = None,
        tokenizer: Any = "word",
        lowercase: bool = False,
        min_count: int = 1,
        max_vocab: int | None = None,
        max_length: int = 256,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.d_model = d_model
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.dim_feedforward = dim_feedforward
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.activation_dropout = activation_dropout
        self.norm_first = norm_first
        self.positions = positions
        self.tied_embeddings = tied_embeddings
        self.label_smoothing = label_smoothing
        self.max_epochs = max_epochs
        self.batch_tokens = batch_tokens
        self.accumulate = accumulate
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps
        self.max_norm = max_norm
        self.average_last = average_last
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.tokenizer = tokenizer
        self.lowercase = lowercase
        self.min_count = min_count
        self.max_vocab = max_vocab
        self.max_length = max_length
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _make_network(self, n_tokens: int, n_source_tokens: int | None) -> SequenceNetwork:
        assert n_source_tokens is None
        return TransformerLMNetwork(n_tokens, **self._options())

    def _network_shapes(self, n_tokens: int, n_source_tokens: int | None) -> Shapes:
        if n_source_tokens is not None:
            raise ValueError("a language model has one vocabulary")
        return transformer_shapes(n_tokens, None, has_encoder=False, **self._sizes())

    # ---- fit ----

    def fit(self, X: Any, y: Any = None, *, X_val: Any = None, resume: bool = False) -> Self:  # noqa: ARG002
        """Learn from texts.

        Parameters
        ----------
        X : iterable of n_texts str, or of sequences of tokens with ``tokenizer=None``
            A list, a generator, or a column of NumPy, pandas, polars or Arrow.
        y : object, default=None
            Ignored, for scikit-learn.
        X_val : as X, default=None
            Texts to validate with after each epoch.
        resume : bool, default=False
            Go on from `checkpoint`, if there is that file. With the same data and parameters the result is the same,
            bit for bit, as that of a fit that was never interrupted.

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted; with
            `warm_start`, as it was before.

        Raises
        ------
        ValueError
            If a parameter is out of range, there is no text, or one is missing.
        TypeError
            If entries are no texts, or with ``tokenizer=None`` no sequences of tokens.
        mlcore.nn.NonFiniteError
            If training diverges to numbers that are not finite.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If training did not get below the loss of the frequencies of the tokens; the network writes by them then.
        """
        self._validate_params()
        continuing = self._continues()
        with fitting(self, continuing=continuing):
            self._fit(X, X_val, continuing=continuing, resume=resume)
        return self

    def _fit(self, X: Any, X_val: Any, *, continuing: bool, resume: bool) -> None:
        name = type(self).__name__
        if continuing:
            ids = self._target.encode(X, f"X of {name}")
        else:
            (self._target,), (ids,) = learn_tokens(
                [X],
                [f"X of {name}"],
                self.tokenizer,
                lowercase=bool(self.lowercase),
                min_count=int(self.min_count),
                max_vocab=self.max_vocab,
                share=False,
            )
            self._source = self._target
        if not ids:
            raise ValueError(f"X of {name} must hold a text or more, got none")
        generator = Generator(seed_from(self.random_state))
        kept, held = self._split(len(ids), X_val is not None, generator.next_seed())
        training, validation = [ids[i] for i in kept], [ids[i] for i in held]
        if X_val is not None:
            validation = self._target.encode(X_val, f"X_val of {name}")
            if not validation:
                raise ValueError(f"X_val of {name} must hold a text or more, got none")
        self._longest = max(map(len, training))
        pairs = (None, self._pieces(training)[0])
        self._train(
            pairs,
            (None, self._pieces(validation)[0]) if validation else None,
            generator,
            continuing=continuing,
            resume=resume,
        )

    def _pieces(self, ids: list[list[int]]) -> tuple[Packed, NDArray[np.intp]]:
        """Cut texts with begin and end into pieces of `max_length` tokens to be foreseen; return whose they are.

        Each piece begins with the last token of the one before.
        """
        step = int(self.max_length)
        pieces, owners = [], []
        for row, entry in enumerate(ids):
            tokens = [BEGIN, *entry, END]
            for start in range(0, len(tokens) - 1, step):
                pieces.append(tokens[start : start + step + 1])
                owners.append(row)
        return Packed.of(pieces), np.array(owners, np.intp)

    # ---- writing ----

    def generate(
        self,
        X: Any = ("",),
        *,
        n_best: int = 1,
        beam_size: int | None = None,
        length_penalty: float = 1.0,
        max_length: int | None = None,
        sampling: str = "sample",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        early_stopping: bool | str = False,
        return_scores: bool = False,
        random_state: Any = None,
    ) -> Any:
        """Go on with texts that are begun.

        What is written does not depend on the other texts.

        Parameters
        ----------
        X : as in `fit`, default=("",)
            Prompts: how texts begin; empty ones leave it all to the model. Of one that leaves no room within
            `max_length` the last tokens are read, with a warning.
        n_best : int, default=1
            Texts for each prompt, the best first; at most `beam_size` in a beam search, samples in sampling.
        beam_size : int or None, default=None
            Hypotheses that a beam search keeps at each step, at most 10,000; None: 5.
        length_penalty : float, default=1.0
            Hypotheses are compared by the sum of log p divided by ``length ** length_penalty``, the end token counted:
            0 prefers short ones, the larger the longer.
        max_length : int or None, default=None
            Most tokens of a text, its prompt included; None: `max_length` of the estimator, which is the most.
        sampling : {"sample", "greedy", "beam"}, default="sample"
            Tokens drawn by their probabilities; the most probable token at each step; beam search.
        temperature : float, default=1.0
            Of "sample": logits are divided by it; below 1 likely tokens are drawn even more often.
        top_k : int or None, default=None
            Of "sample": draw from the so many most probable tokens alone.
        top_p : float or None, default=None
            Of "sample": draw from the most probable tokens that together have this probability.
        early_stopping : bool or "never", default=False
            When a beam search is done: True, as soon as there are `beam_size` finished hypotheses; False, when no
            better one is likely; "never", when none is possible.
        return_scores : bool, default=False
            Whether the scores are returned too.
        random_state : int, RandomState or None, default=None
            Seed of "sample".

        Returns
        -------
        texts : list of n_texts str, or of lists of str with `n_best` above 1
            The prompt and what follows. With ``tokenizer=None`` lists of tokens in the place of str.
        scores : array of shape (n_texts,), or list of arrays with `n_best` above 1
            With `return_scores`: of what follows the sum of log p, divided as `length_penalty` says.

        Raises
        ------
        ValueError
            If a parameter is out of range.
        TypeError
            If texts are not what `fit` takes.
        """
        check_is_fitted(self)
        name = type(self).__name__
        most = int(self.max_length)
        longest = most if max_length is None else max_length
        search = Search(
            n_best,
            beam_of(beam_size, 5, sampling),
            length_penalty,
            longest,
            sampling,
            temperature,
            top_k,
            top_p,
            early_stopping,
            random_state,
        )
        search.check(f"generate of {name}")
        if longest > most:
            raise ValueError(f"max_length of generate must be at most {most}, what {name} was made for")
        ids = self._target.encode(X, f"X of {name}")
        n_long = sum(len(entry) >= longest for entry in ids)
        if n_long:
            warn(
                f"{n_long} of {len(ids)} prompts leave no room within max_length={longest} tokens: of each the last "
                f"{longest - 1} are read",
                UserWarning,
            )
        read = [[BEGIN, *entry][-longest:] if len(entry) >= longest else [BEGIN, *entry] for entry in ids]
        begin = np.array([entry[-1] for entry in read], np.int64)
        rooms = np.array([max(1, longest + 1 - len(entry)) for entry in read], np.int64)
        found = self._write(Packed.of(read), begin, rooms, search)
        texts: list[Any] = [
            [self._target.decode([*entry, *w.ids]) for w in written] for entry, written in zip(ids, found, strict=True)
        ]
        scores: Any = [np.array([w.score for w in written]) for written in found]
        if n_best == 1:
            texts, scores = [written[0] for written in texts], np.array([s[0] for s in scores], np.float64)
        return (texts, scores) if return_scores else texts

    # ---- how good ----

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithm of the probability of each text.

        Parameters
        ----------
        X : as in `fit`
            Texts. Unknown tokens count as one token.

        Returns
        -------
        array of shape (n_texts,)
            Sum of log p of its tokens, the end among them.
        """
        return self._log_probabilities(X)[0]

    def _log_probabilities(self, X: Any) -> tuple[NDArray[np.float64], int]:
        check_is_fitted(self)
        ids = self._target.encode(X, f"X of {type(self).__name__}")
        sums = np.zeros(len(ids))
        if not ids:
            return sums, 0
        pieces, owners = self._pieces(ids)
        with threads(effective_n_jobs(self.n_jobs)), no_grad():
            batches = batches_of((None, pieces), _SCORED, shuffle=False)
            for rows in batches.order(0):
                target = pieces.take(rows)
                np.subtract.at(sums, owners[rows], self.module_.negative_log_likelihoods(target))
        return sums, len(pieces.ids) - len(owners)

    def perplexity(self, X: Any) -> float:
        """Return the perplexity of texts, as if they were one.

        Parameters
        ----------
        X : as in `fit`
            Texts.

        Returns
        -------
        float
            exp of the mean of -log p over all tokens, the ends of texts among them; 1 is perfect foresight. It compares
            models with the same tokens.
        """
        return math.exp(min(-self.score(X), 700.0))

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002
        """Return the mean of log p over all tokens of texts, the ends among them; higher is better.

        Parameters
        ----------
        X : as in `fit`
            Texts.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        float
            In nats, at most 0.
        """
        sums, n_tokens = self._log_probabilities(X)
        if not n_tokens:
            raise ValueError(f"X of {type(self).__name__} must hold a text or more, got none")
        return float(sums.sum()) / n_tokens

    def quantize(self, X: Any = None) -> dict[str, float]:
        """Write with weights of int8 from now on: less memory to read for each token, and nearly the same texts.

        The network itself, and a file of the estimator, keep their float32; :meth:`fit` goes back to it, and scores are
        always of float32.

        Parameters
        ----------
        X : as in `fit`, default=None
            How texts begin, to compare on.

        Returns
        -------
        dict of str to float
            With `X`: "agreement", the share of tokens, until the first that differs, that greedy search goes on with as
            float32 does.
        """
        check_is_fitted(self)
        if X is None:
            self.is_quantized_ = True
            return {}
        prompts = self._read(X, f"X of {type(self).__name__}")
        before, written = self.is_quantized_, []
        try:
            for is_quantized in (False, True):
                self.is_quantized_ = is_quantized
                texts = self.generate(prompts, sampling="greedy")
                written.append(self._target.encode(texts, "texts"))
        except BaseException:
            self.is_quantized_ = before
            raise
        return {"agreement": _share_of_common_begins(*written)}

    @property
    def vocabulary_(self) -> list[str]:
        """Tokens as people read them, by their ids; the markers first."""
        return self._target.shown()


def _share_of_common_begins(these: list[list[int]], others: list[list[int]]) -> float:
    n_same = n = 0
    for a, b in zip(these, others, strict=True):
        same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        n_same, n = n_same + same, n + max(len(a), len(b))
    return n_same / n if n else 1.0
