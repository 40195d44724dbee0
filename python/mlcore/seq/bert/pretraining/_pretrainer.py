"""BertPretrainer: a BERT that learns from text alone."""

import os
from numbers import Integral, Real
from typing import Any, ClassVar, Self

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, effective_n_jobs, fitting, seed_from
from mlcore._validation import split_rows
from mlcore.nn._runtime import Generator, random_stream, threads
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.pretraining._documents import read_documents, warn_of_repeated
from mlcore.seq.bert.pretraining._loss import measures
from mlcore.seq.bert.pretraining._training import Pretraining
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer


class BertPretrainer(Pretraining):
    """Pre-training of BERT [1]_: masked words, and whether a sentence follows, are predicted from the text.

    Fine-tuned estimators and :class:`BertEncoder` take the fitted estimator as `model`.

    Parameters
    ----------
    model : path-like, fitted estimator or None, default=None
        What to go on from: a folder of Hugging Face's (config.json, model.safetensors, and tokenizer.json or vocab.txt;
        nothing is downloaded), or an estimator of :mod:`mlcore.seq.bert`. None: a new network.
    config : BertConfig, dict or None, default=None
        Sizes of a new network, as entries of a config.json; `vocab_size` is the most tokens of a vocabulary that is
        learned. What is not given: hidden_size 256, num_hidden_layers 4, num_attention_heads 4, intermediate_size
        1024, vocab_size 8000, positions for `max_length`, and the defaults of :class:`BertConfig`.
    tokenizer : BertTokenizer, SubwordTokenizer, tokenizers.Tokenizer or None, default=None
        Of a new network, with ``[CLS]``, ``[SEP]``, ``[MASK]`` and ``[UNK]``. None: WordPiece, learned from the texts.
    lowercase : bool, default=True
        Whether a tokenizer that is learned turns texts into lower case without accents.
    mlm_probability : float, default=0.15
        Share of the tokens, or of the words, that are to be predicted, (0, 1). Of these 80 % are masked, 10 % are
        replaced by any token and 10 % stay as they are.
    whole_word : bool, default=False
        Whether the pieces of a word are masked together.
    next_sentence : bool or "auto", default="auto"
        Whether sequences are pairs of texts, half of them neighbours, and the network also predicts which. It needs
        documents of several sentences. "auto": where at least half of the documents have several. False: sequences are
        parts of a document each.
    max_length : int, default=128
        Most tokens of a sequence, markers included, at least 8 and at most the positions of the network. Sequences are
        filled with whole sentences; sentences of more than half of it are divided.
    max_epochs : int or None, default=None
        Passes through the documents. None: 10, of small data as many as make 1,000 steps, at most 100.
    max_steps : int or None, default=None
        Steps of the optimizer, instead of `max_epochs`; the last epoch may end early.
    batch_tokens : int or "auto", default="auto"
        Tokens of a batch. "auto": a fiftieth of all, from 256 to 4096.
    accumulate : int, default=1
        Batches that make one step together.
    learning_rate : float, default=5e-4
        Of AdamW (0.9, 0.999, 1e-6), at its peak: it rises linearly for the first steps, then falls linearly to 0.
    warmup_ratio : float, default=0.1
        Share of the steps in which it rises, [0, 1).
    weight_decay : float, default=0.01
        Of all weights but those of norms, and biases.
    max_norm : float or None, default=1.0
        Gradients of all weights together are scaled down to this Euclidean norm at most; None: they are not.
    dropout : float or None, default=None
        Dropout rate while training, in the network and of the attention weights, [0, 1). None: what the
        config says, 0.1 as a rule.
    early_stopping : bool or "auto", default="auto"
        Whether training stops when validation documents improve no more, and the weights of the best epoch are kept.
        "auto": where `X_val` is given. True: `validation_fraction` is set aside if it is not.
    validation_fraction : float, default=0.1
        Share of the documents to set aside for ``early_stopping=True``.
    n_iter_no_change : int, default=10
        Epochs without an improvement before training stops (often called patience).
    tol : float, default=1e-4
        The least improvement that counts, as a share of the entropy of the tokens.
    warm_start : bool, default=False
        Whether fit goes on with the network and the tokenizer of the last fit, with a new optimizer and its warm-up.
    checkpoint : str, path or None, default=None
        File to write after each epoch, for ``fit(..., resume=True)``. :func:`mlcore.save` leaves it out.
    checkpoint_every : int or None, default=None
        Steps between two of them, instead of epochs.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, of dropout, and of pairs, masks and order, which are drawn again each epoch.
    n_jobs : int or None, default=None
        Threads, in fit and score. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar with tokens per second and the loss; 2: a line an epoch through
        ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    module_ : BertForPreTraining or BertForMaskedLM
        The network: the first where it predicts next sentences.
    tokenizer_ : BertTokenizer
        What cuts texts.
    history_ : History
        Of each epoch the training loss, of the masked tokens and, with pairs, of the next sentence together; with
        validation documents also ``validation_loss``, ``validation_masked_loss``, ``validation_masked_accuracy``, and
        with pairs ``validation_next_sentence_accuracy``.
    loss_curve_ : array of shape (n_iter_,)
        Training loss of each epoch.
    n_iter_ : int
        Epochs done.

    See Also
    --------
    BertClassifier : Fine-tuning; takes this estimator, or the folder that it saves, as `model`.
    TransformerLM : A language model that writes.

    References
    ----------
    .. [1] J. Devlin, M.-W. Chang, K. Lee and K. Toutanova, "BERT: Pre-training of deep bidirectional transformers for
       language understanding", NAACL 2019.

    Examples
    --------
    >>> from mlcore.seq.bert import BertPretrainer
    >>> animals, verbs, places = ("cat", "dog", "fox"), ("sits", "runs", "eats", "hides"), ("tree", "barn", "pond")
    >>> facts = [(a, v, p) for a in animals for v in verbs for p in places]
    >>> documents = [[f"the {a} {v} at the {p}", f"then it {v} near the {p}, says the {a}"] for a, v, p in facts]
    >>> sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    >>> model = BertPretrainer(config=sizes, max_steps=150, learning_rate=5e-3, random_state=0).fit(documents)
    >>> model.score(documents) > -2  # log p of masked tokens
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "model": [str, os.PathLike, HasMethods(["fit"]), None],
        "config": [dict, BertConfig, None],
        "tokenizer": [BertTokenizer, HasMethods(["encode_batch", "id_to_token"]), None],
        "lowercase": ["boolean"],
        "mlm_probability": [Interval(Real, 0, 1, closed="neither")],
        "whole_word": ["boolean"],
        "next_sentence": [StrOptions({"auto"}), "boolean"],
        "max_length": [Interval(Integral, 8, 2**31 - 2, closed="both")],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "max_steps": [Interval(Integral, 1, None, closed="left"), None],
        "batch_tokens": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "accumulate": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "warmup_ratio": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "dropout": [Interval(Real, 0, 1, closed="left"), None],
        "early_stopping": [StrOptions({"auto"}), "boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "checkpoint": [str, os.PathLike, None],
        "checkpoint_every": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model: Any = None,
        *,
        config: Any = None,
        tokenizer: Any = None,
        lowercase: bool = True,
        mlm_probability: float = 0.15,
        whole_word: bool = False,
        next_sentence: bool | str = "auto",
        max_length: int = 128,
        max_epochs: int | None = None,
        max_steps: int | None = None,
        batch_tokens: int | str = "auto",
        accumulate: int = 1,
        learning_rate: float = 5e-4,
        warmup_ratio: float = 0.1,
        weight_decay: float = 0.01,
        max_norm: float | None = 1.0,
        dropout: float | None = None,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        checkpoint: Any = None,
        checkpoint_every: int | None = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.config = config
        self.tokenizer = tokenizer
        self.lowercase = lowercase
        self.mlm_probability = mlm_probability
        self.whole_word = whole_word
        self.next_sentence = next_sentence
        self.max_length = max_length
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.batch_tokens = batch_tokens
        self.accumulate = accumulate
        self.learning_rate = learning_rate
        self.warmup_ratio = warmup_ratio
        self.weight_decay = weight_decay
        self.max_norm = max_norm
        self.dropout = dropout
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def _validate_params(self) -> None:
        super()._validate_params()
        name = type(self).__name__
        if self.max_epochs is not None and self.max_steps is not None:
            raise ValueError(f"of max_epochs and max_steps of {name} one must be None")
        if self.model is not None and (self.config is not None or self.tokenizer is not None):
            raise ValueError(f"config and tokenizer of {name} are for a new network: with a model both must be None")
        if self.checkpoint_every is not None and self.checkpoint is None:
            raise ValueError(f"checkpoint_every of {name} needs a checkpoint")

    # ---- fit ----

    def fit(self, X: Any, y: Any = None, *, X_val: Any = None, resume: bool = False) -> Self:  # noqa: ARG002
        """Learn from documents.

        Parameters
        ----------
        X : iterable of n_documents str, or of lists of str
            A list, a generator, an open text file, or a column of NumPy, pandas, polars or Arrow. A document is a list
            of its sentences in order, or one text, which is split at the ends of lines and of sentences. Of a file
            each line is a document: split its text where blank lines lie between documents.
        y : object, default=None
            Ignored, for scikit-learn.
        X_val : as X, default=None
            Documents to validate with after each epoch, with the same pairs and masks each time.
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
            If a parameter is out of range, there is no text, one is missing, no token of them is known to the
            tokenizer, or pairs of sentences are asked for that the documents do not have.
        TypeError
            If documents are neither texts nor lists of texts.
        mlcore.nn.NonFiniteError
            If training diverges to numbers that are not finite.

        Warns
        -----
        UserWarning
            If much of the text is sentences that were there before.
        sklearn.exceptions.ConvergenceWarning
            If training did not get below the loss of the frequencies of the tokens: nothing was learned of how words
            go together.
        """
        self._validate_params()
        continuing = bool(self.warm_start) and hasattr(self, "module_")
        with fitting(self, continuing=continuing):
            self._fit(X, X_val, continuing=continuing, resume=resume)
        return self

    def _fit(self, X: Any, X_val: Any, *, continuing: bool, resume: bool) -> None:
        name = type(self).__name__
        documents = read_documents(X, f"X of {name}")
        held = None if X_val is None else read_documents(X_val, f"X_val of {name}")
        warn_of_repeated(documents, f"X of {name}")
        generator = Generator(seed_from(self.random_state))
        if held is None and self.early_stopping is True:
            kept, rest = split_rows(len(documents), self.validation_fraction, generator.next_seed())
            documents, held = [documents[i] for i in kept], [documents[i] for i in rest]
        with threads(effective_n_jobs(self.n_jobs)), random_stream(generator):
            network, corpus = self._network(documents, f"X of {name}", continuing=continuing)
            validation = None if held is None else self._corpus(held, network.config, f"X_val of {name}")
            self._train(network, corpus, validation, generator, continuing=continuing, resume=resume)

    # ---- how good ----

    def evaluate(self, X: Any) -> dict[str, float]:
        """Return how well masked tokens and next sentences of documents are predicted.

        Parameters
        ----------
        X : as in `fit`
            Documents. The same ones get the same masks and pairs each time.

        Returns
        -------
        dict of str to float
            "loss", "masked_loss" (mean of -log p of the masked tokens), "masked_accuracy" and, where the network
            predicts next sentences, "next_sentence_loss" and "next_sentence_accuracy".

        Raises
        ------
        ValueError, TypeError
            As for `fit`.
        """
        check_is_fitted(self)
        who = f"X of {type(self).__name__}"
        corpus = self._corpus(read_documents(X, who), self.module_.config, who)
        with threads(effective_n_jobs(self.n_jobs)):
            return measures(self.module_, self._held(corpus, self.module_))

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002
        """Return the mean of log p over the masked tokens of documents; higher is better.

        Parameters
        ----------
        X : as in `fit`
            Documents.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        float
            In nats, at most 0.
        """
        return -self.evaluate(X)["masked_loss"]

    # ---- folders and files ----

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write network and tokenizer as Hugging Face has them.

        Parameters
        ----------
        folder : str or path-like
            Made if it is not there. It gets config.json, model.safetensors, tokenizer.json and tokenizer_config.json,
            which `transformers`, :class:`BertEncoder` and the fine-tuned estimators read.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        check_is_fitted(self)
        self.module_.save_pretrained(folder)
        self.tokenizer_.save_pretrained(folder, max_length=self.module_.config.max_position_embeddings)
