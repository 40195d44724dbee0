"""Seq2Seq: recurrent encoder and decoder with attention, from one sequence to another.

`_recurrent_network.py` is the network, `_pairs.py` and `_base.py` are what it shares with other estimators.
"""

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from mlcore.nn.training._trained import Shapes
from mlcore.seq._pairs import BasePairEstimator
from mlcore.seq._recurrent_attention import ATTENTIONS
from mlcore.seq._recurrent_network import CELLS, RecurrentNetwork, recurrent_shapes
from mlcore.seq._vocabulary import BEGIN, PAD, UNKNOWN


class Seq2Seq(BasePairEstimator):
    """From one sequence to another by recurrent networks with attention [1]_ [2]_ [3]_.

    An encoder reads the source, from both ends, and its last states start a decoder, which writes the target, one token
    after the other, and after each step looks at what the encoder made of the source. `fit` takes texts, makes tokens
    of them and trains; `predict` writes texts, by beam search. Beside :class:`TransformerSeq2Seq` it has fewer settings
    that matter and learns short tasks in fewer steps.

    Parameters
    ----------
    cell : {"rnn", "gru", "lstm"}, default="lstm"
        Elman's network, gated recurrent units, or long short-term memory.
    embedding_size : int, default=256
        Features of a token, 1 to 65,536.
    hidden_size : int, default=512
        Features of a state, in each direction; 1 to 65,536.
    n_layers : int, default=1
        Of the encoder, and of the decoder; 1 to 1,000.
    bidirectional : bool, default=True
        Whether the encoder reads from the end as well.
    attention : {"additive", "dot", "general"} or None, default="additive"
        How the state h of the decoder is compared with a row m of the source: ``w . tanh(W h + V m)`` [2]_, ``h . m``,
        or ``h . W m`` [3]_. None: the decoder does not look, and has to remember. The decoder looks with the state
        after its step, as in [3]_, so that training is one call for whole sentences; [2]_ looks with the one before.
    teacher_forcing : float, default=1.0
        How likely each step of training reads the token of the target, [0, 1]; else it reads the token that the
        network finds most likely itself (scheduled sampling [4]_). Below 1 training goes step by step and takes several
        times longer.
    input_feeding : bool, default=False
        Whether each step of the decoder reads what attention made of the one before, beside the token [3]_. Training
        then goes step by step as well.
    dropout : float, default=0.2
        Share of what is dropped while training: of embeddings, between layers, and of what the output layer reads,
        [0, 1).
    label_smoothing : float, default=0.1
        Share of the probability that targets spread over all tokens while training, [0, 1).
    max_epochs : int or None, default=None
        Times to go through the pairs. None: 30, of small data as many as make 600 steps, at most 300.
    batch_tokens : int or "auto", default="auto"
        Tokens of a batch: of each pair its longer side counts. "auto": a fiftieth of all, from 64 to 4096.
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
        Whether training stops when validation pairs gain no more, and the weights of the best epoch are kept. "auto":
        where `X_val` is given. True: `validation_fraction` is set aside if it is not.
    validation_fraction : float, default=0.1
        Share of the pairs to set aside for ``early_stopping=True``.
    n_iter_no_change : int, default=10
        Epochs without a gain before training stops.
    tol : float, default=1e-4
        The least gain that counts, as a share of the entropy of the tokens, or of 100 BLEU.
    scoring : {"loss", "bleu"}, default="loss"
        What validation pairs are scored by: the cross-entropy, or BLEU of greedy search, which takes longer.
    warm_start : bool, default=False
        Whether fit goes on with the network and the vocabularies of the last fit, for `max_epochs` more epochs, with a
        new optimizer and its warm-up.
    checkpoint : str, path or None, default=None
        File to write after each epoch, for ``fit(..., resume=True)``.
    tokenizer : {"word", "char", "bpe", "wordpiece"}, SubwordTokenizer, tokenizers.Tokenizer, callable or None, \
            default="word"
        How texts become tokens. "word": words and punctuation marks, joined to readable text again. "char": letters.
        "bpe", "wordpiece": subwords, learned from the texts (:class:`mlcore.text.SubwordTokenizer`, which needs the
        extra "nlp"). An object: its pieces, without its markers. A callable returns the tokens of a text, which
        predictions join with spaces; it is in no file. None: entries are sequences of tokens already, of str or of int.
    lowercase : bool, default=False
        Whether texts are turned into lower case first; predictions are in lower case then.
    min_count : int, default=1
        Tokens that occur less often are unknown; of "bpe" and "wordpiece" pairs of pieces that are seen less often are
        not joined. With 1 nothing is unknown in training, and the network does not learn what to do with words that
        are.
    max_vocab : int or None, default=None
        Most tokens of a vocabulary, the most frequent ones, four markers included; None: no limit, for "bpe" and
        "wordpiece" 8000.
    share_vocabulary : bool or None, default=None
        Whether sources and targets have one vocabulary and one embedding. None: where a tokenizer of subwords serves
        both, or half of the tokens of the smaller vocabulary are in the larger one.
    beam_size : int, default=5
        Hypotheses that `predict` keeps at each step, at most 10,000; 1 is greedy search.
    length_penalty : float, default=1.0
        Hypotheses are compared by the sum of log p divided by ``length ** length_penalty``: 0 prefers short ones, the
        larger the longer.
    max_length : int, default=256
        Most tokens of a source or target; what is longer is cut there, with a warning.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, of dropout and of the order of the pairs.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar with tokens per second and the loss; 2: a line an epoch through
        ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    module_ : mlcore.seq.RecurrentNetwork
        The network.
    source_vocabulary_, target_vocabulary_ : list of str
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
    TransformerSeq2Seq : Attention alone.

    References
    ----------
    .. [1] I. Sutskever, O. Vinyals, Q. Le, "Sequence to sequence learning with neural networks", NIPS 2014.
    .. [2] D. Bahdanau, K. Cho, Y. Bengio, "Neural machine translation by jointly learning to align and translate",
       ICLR 2015.
    .. [3] M.-T. Luong, H. Pham, C. Manning, "Effective approaches to attention-based neural machine translation",
       EMNLP 2015.
    .. [4] S. Bengio et al., "Scheduled sampling for sequence prediction with recurrent neural networks", NIPS 2015.

    Examples
    --------
    >>> from mlcore import Seq2Seq
    >>> days, months = ["first", "second", "third"], ["May", "June", "July"]
    >>> sources = [f"the {day} of {month}" for day in days for month in months]
    >>> targets = [f"{d}.{m}." for d in (1, 2, 3) for m in (5, 6, 7)]
    >>> model = Seq2Seq(embedding_size=16, hidden_size=32, max_epochs=60, learning_rate=0.01, random_state=0)
    >>> model.fit(sources, targets).predict(["the third of June"])
    ['3.6.']
    """

    _network_params: ClassVar[tuple[str, ...]] = (
        *("cell", "embedding_size", "hidden_size", "n_layers"),
        *("bidirectional", "attention", "input_feeding"),
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BasePairEstimator._parameter_constraints,
        "cell": [StrOptions(set(CELLS))],
        "embedding_size": [Interval(Integral, 1, 1 << 16, closed="both")],
        "hidden_size": [Interval(Integral, 1, 1 << 16, closed="both")],
        "n_layers": [Interval(Integral, 1, 1000, closed="both")],
        "bidirectional": ["boolean"],
        "attention": [StrOptions(set(ATTENTIONS)), None],
        "teacher_forcing": [Interval(Real, 0, 1, closed="both")],
        "input_feeding": ["boolean"],
    }

    def __init__(
        self,
        cell: str = "lstm",
        embedding_size: int = 256,
        hidden_size: int = 512,
        n_layers: int = 1,
        bidirectional: bool = True,
        attention: str | None = "additive",
        teacher_forcing: float = 1.0,
        input_feeding: bool = False,
        dropout: float = 0.2,
        *,
        label_smoothing: float = 0.1,
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
        scoring: str = "loss",
        warm_start: bool = False,
        checkpoint: Any = None,
        tokenizer: Any = "word",
        lowercase: bool = False,
        min_count: int = 1,
        max_vocab: int | None = None,
        share_vocabulary: bool | None = None,
        beam_size: int = 5,
        length_penalty: float = 1.0,
        max_length: int = 256,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.cell = cell
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.bidirectional = bidirectional
        self.attention = attention
        self.teacher_forcing = teacher_forcing
        self.input_feeding = input_feeding
        self.dropout = dropout
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
        self.scoring = scoring
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.tokenizer = tokenizer
        self.lowercase = lowercase
        self.min_count = min_count
        self.max_vocab = max_vocab
        self.share_vocabulary = share_vocabulary
        self.beam_size = beam_size
        self.length_penalty = length_penalty
        self.max_length = max_length
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_network(self) -> None:
        if self.input_feeding and self.attention is None:
            name = type(self).__name__
            raise ValueError(f"input_feeding=True of {name} feeds what attention has found: attention must not be None")

    def _sizes(self) -> dict[str, Any]:
        return {
            "cell": self.cell,
            "embedding_size": int(self.embedding_size),
            "hidden_size": int(self.hidden_size),
            "n_layers": int(self.n_layers),
            "bidirectional": bool(self.bidirectional),
            "attention": self.attention,
            "input_feeding": bool(self.input_feeding),
        }

    def _make_network(self, n_tokens: int, n_source_tokens: int | None) -> RecurrentNetwork:
        return RecurrentNetwork(
            n_tokens,
            n_source_tokens,
            **self._sizes(),
            teacher_forcing=float(self.teacher_forcing),
            dropout=float(self.dropout),
            label_smoothing=float(self.label_smoothing),
            never=(PAD, UNKNOWN, BEGIN),
        )

    def _network_shapes(self, n_tokens: int, n_source_tokens: int | None) -> Shapes:
        return recurrent_shapes(n_tokens, n_source_tokens, **self._sizes())
