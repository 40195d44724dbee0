"""TransformerSeq2Seq: the Transformer of Vaswani et al., from one sequence to another.

`_transformer_network.py` is the network, `_pairs.py` and `_base.py` are what it shares with other estimators.
"""

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from mlcore.nn.training._trained import Shapes
from mlcore.seq._pairs import BasePairEstimator
from mlcore.seq._transformer_network import POSITIONS, TransformerNetwork, transformer_shapes
from mlcore.seq._vocabulary import BEGIN, PAD, UNKNOWN

TRANSFORMER_CONSTRAINTS: dict[str, list[Any]] = {
    "d_model": [Interval(Integral, 1, 1 << 16, closed="both")],
    "n_heads": [Interval(Integral, 1, 1 << 16, closed="both")],
    "n_layers": [Interval(Integral, 1, 1000, closed="both")],
    "dim_feedforward": [Interval(Integral, 1, 1 << 20, closed="both")],
    "attention_dropout": [Interval(Real, 0, 1, closed="left"), None],
    "activation_dropout": [Interval(Real, 0, 1, closed="left"), None],
    "norm_first": ["boolean"],
    "positions": [StrOptions(set(POSITIONS))],
    "tied_embeddings": ["boolean"],
}
"""What the parameters of the network may be."""


class TransformerParameters:
    """The parameters of the network, as options of it."""

    _network_params: ClassVar[tuple[str, ...]] = (
        *("d_model", "n_heads", "n_layers", "dim_feedforward"),
        *("norm_first", "positions", "tied_embeddings"),
    )
    d_model: int
    n_heads: int
    n_layers: int
    dim_feedforward: int
    dropout: float
    attention_dropout: float | None
    activation_dropout: float | None
    norm_first: bool
    positions: str
    tied_embeddings: bool
    label_smoothing: float
    max_length: int

    def _check_network(self) -> None:
        name = type(self).__name__
        if self.d_model % self.n_heads:
            raise ValueError(f"n_heads={self.n_heads} of {name} must divide d_model={self.d_model}")
        if self.positions == "rotary" and self.d_model // self.n_heads % 2:
            raise ValueError(
                f"positions='rotary' of {name} needs an even number of features a head, got "
                f"{self.d_model // self.n_heads}"
            )

    def _sizes(self) -> dict[str, Any]:
        return {
            "d_model": int(self.d_model),
            "n_layers": int(self.n_layers),
            "dim_feedforward": int(self.dim_feedforward),
            "norm_first": bool(self.norm_first),
            "positions": self.positions,
            "max_positions": int(self.max_length) + 1,
            "tied_embeddings": bool(self.tied_embeddings),
        }

    def _options(self) -> dict[str, Any]:
        return {
            **self._sizes(),
            "n_heads": int(self.n_heads),
            "dropout": float(self.dropout),
            "attention_dropout": self.attention_dropout,
            "activation_dropout": self.activation_dropout,
            "label_smoothing": float(self.label_smoothing),
            "never": (PAD, UNKNOWN, BEGIN),
        }

    def _most_positions(self) -> int:
        """Return how many tokens can be written."""
        return int(self.max_length) if self.positions == "learned" else 2**31 - 2


class TransformerSeq2Seq(TransformerParameters, BasePairEstimator):
    """From one sequence to another by a Transformer [1]_: translation, spelling, dates written another way.

    An encoder reads the source, a decoder writes the target, one token after the other, and looks at all of the source
    for each. `fit` takes texts, makes tokens of them and trains; `predict` writes texts, by beam search.

    Parameters
    ----------
    d_model : int, default=256
        Features of each token, 1 to 65,536.
    n_heads : int, default=4
        Heads of attention; divides `d_model`.
    n_layers : int, default=4
        Blocks of the encoder, and of the decoder; 1 to 1,000.
    dim_feedforward : int, default=1024
        Features between the two layers of the position-wise network.
    dropout : float, default=0.1
        Share of what is dropped while training: of embeddings, attention weights, what the activation gives and the
        output of each part, [0, 1). 0.3 suits some ten thousand pairs.
    attention_dropout : float or None, default=None
        Of the attention weights; None: `dropout`. fairseq's recipes for small data have 0 here and below.
    activation_dropout : float or None, default=None
        Of what the activation of the position-wise network gives; None: `dropout`.
    norm_first : bool, default=False
        Layer norm before each part instead of after it: trains deeper networks, and needs less warm-up.
    positions : {"sinusoidal", "learned", "rotary"}, default="sinusoidal"
        How positions are told: added sines and cosines, added rows that are learned, or rotations of queries and keys
        of self-attention. Learned ones end at `max_length`.
    tied_embeddings : bool, default=True
        Whether the output layer has the weights of the embedding of targets.
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
        File to write after each epoch, for ``fit(..., resume=True)``. :func:`mlcore.save` leaves it out.
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
    module_ : mlcore.seq.TransformerNetwork
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
    TransformerLM : The decoder alone, as a language model.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NIPS 2017.

    Examples
    --------
    >>> from mlcore import TransformerSeq2Seq
    >>> days, months = ["first", "second", "third"], ["May", "June", "July"]
    >>> sources = [f"the {day} of {month}" for day in days for month in months]
    >>> targets = [f"{d}/{m}" for d in (1, 2, 3) for m in (5, 6, 7)]
    >>> small = {"d_model": 32, "n_layers": 1, "dim_feedforward": 64, "learning_rate": 5e-3, "random_state": 0}
    >>> TransformerSeq2Seq(**small, max_epochs=60).fit(sources, targets).predict(["the third of June"])
    ['3/6']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BasePairEstimator._parameter_constraints,
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
        norm_first: bool = False,
        positions: str = "sinusoidal",
        tied_embeddings: bool = True,
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

    def _make_network(self, n_tokens: int, n_source_tokens: int | None) -> TransformerNetwork:
        return TransformerNetwork(n_tokens, n_source_tokens, **self._options())

    def _network_shapes(self, n_tokens: int, n_source_tokens: int | None) -> Shapes:
        return transformer_shapes(n_tokens, n_source_tokens, has_encoder=True, **self._sizes())
