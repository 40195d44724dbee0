"""BertClassifier: labels of texts."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length

from mlcore._state import Array, Flag, Labels, Sizes, Spec
from mlcore._tables import Floats
from mlcore._validation import class_factors, encode_labels, known_codes, read_labels, row_weights, with_factors
from mlcore.nn import functional as F
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor
from mlcore.seq.bert.finetuning._batches import Rows
from mlcore.seq.bert.finetuning._class_labels import (
    NEXT_TO_NOTHING,
    reachable,
    take_class_labels,
    with_class_labels,
    with_reach,
)
from mlcore.seq.bert.finetuning._label_sets import holds_sets, read_label_sets, read_sets
from mlcore.seq.bert.finetuning._sequence import BaseSequenceEstimator
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule


class BertClassifier(ClassifierMixin, BaseSequenceEstimator):  # type: ignore[misc]
    """Labels of texts, or of pairs of texts, by fine-tuning BERT [1]_.

    A new layer reads what the network has made of the first token, and both are trained together.

    Parameters
    ----------
    model : path-like, fitted estimator or None, default=None
        Where to start from: a folder of Hugging Face's (config.json, model.safetensors, and tokenizer.json or
        vocab.txt; nothing is downloaded), a fitted :class:`BertPretrainer`, :class:`BertEncoder` or any fine-tuned
        estimator, whose encoder and tokenizer are taken; the head is new. None: a network from scratch, with a
        vocabulary of WordPiece learned from the texts.
    config : BertConfig, dict or None, default=None
        Sizes of a network from scratch, as entries of a config.json; `vocab_size` is the most tokens of the vocabulary
        there. What is not given: hidden_size 128, num_hidden_layers 2, num_attention_heads 2, intermediate_size 512,
        vocab_size 8000, positions for `max_length`, and the defaults of :class:`BertConfig`.
    lowercase : bool, default=True
        Whether a vocabulary from scratch is of lower-case texts without accents.
    freeze : int, "embeddings" or "all", default=0
        How many layers, from the lowest on, keep their weights, together with the embeddings; 0: none. "embeddings":
        those alone. "all": all layers; pooler and head alone learn. What is frozen has no dropout.
    dropout : float or None, default=None
        Dropout rate while training, in the network and before the head, [0, 1). None: what the config
        says, 0.1 as a rule.
    label_smoothing : float, default=0.0
        Share of the probability that targets spread over all classes while training, [0, 1).
    max_length : int, default=512
        Most tokens of a text or pair, three markers included, and at most the positions of the network; what is longer
        is cut there, with a warning.
    max_epochs : int or None, default=None
        Passes through the texts. None: 3, of small data as many as make 300 steps, at most 20; from scratch 30,
        600 and 300.
    batch_size : int, default=32
        Texts of a batch, which are of like length.
    batch_tokens : int or None, default=None
        Tokens of a batch, instead of `batch_size`: batches of long texts have fewer of them then.
    accumulate : int, default=1
        Batches that make one step together, with the gradient that they would have as one batch.
    learning_rate : float or None, default=None
        Of AdamW, at its peak. None: 5e-5, from scratch 5e-4.
    layer_decay : float, default=1.0
        Each layer has this times the rate of the layer above it, (0, 1]: the head the full one, the embeddings the
        smallest.
    weight_decay : float, default=0.01
        Of AdamW; not of norms and biases.
    warmup_ratio : float, default=0.1
        Share of all steps in which the learning rate rises linearly, [0, 1); then it falls linearly to 0.
    max_norm : float or None, default=1.0
        Gradients of all weights together are scaled down to this Euclidean norm at most; None: they are not.
    early_stopping : bool or "auto", default="auto"
        Whether training stops when validation texts improve no more, and the weights of the best epoch are kept.
        "auto": where `X_val` is given. True: `validation_fraction` is set aside if it is not.
    validation_fraction : float, default=0.1
        Share of the texts to set aside for ``early_stopping=True``.
    n_iter_no_change : int, default=3
        Epochs without an improvement before training stops (often called patience).
    tol : float, default=1e-4
        The least improvement that counts, as a share of the loss of a constant prediction, or of a score of 1.
    scoring : {"loss", "score"}, default="loss"
        What validation texts are compared by: the loss, or the accuracy, with `multilabel` of all labels of a text.
    class_weight : dict, "balanced" or None, default=None
        Factor on the weights of each class, as a dict from label to factor; "balanced": such that all classes have the
        same sum of weights. A factor of 0 takes the rows of a class out of the fit. With `multilabel` it is a factor on
        the loss of the texts that have the label; "balanced": such that they weigh as much as those that have it not.
    multilabel : bool, default=False
        Whether a text may have several labels, or none: `y` is an indicator, or holds collections of labels.
    warm_start : bool, default=False
        Whether fit goes on with the network of the last fit, for `max_epochs` more epochs, with a new optimizer and its
        warm-up.
    checkpoint : str, path or None, default=None
        File to write after each epoch, for ``fit(..., resume=True)``.
    dtype : {"float32", "bfloat16", "int8"}, default="float32"
        Of the products of the encoder in predictions; training and the head are in float32.
    random_state : int, RandomState or None, default=None
        Seed of new weights, of dropout, of the order of the texts and of those that are set aside.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar with texts per second and the loss; 2: a line an epoch through
        ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        All labels of y, sorted. A class whose texts all weigh nothing gets next to no probability; if one class alone
        has weight, it is always predicted, and nothing is trained.
    class_weight_ : array of shape (n_classes,)
        Factor on the weights of each class.
    class_prior_ : array of shape (n_classes,)
        Shares of the classes in the weights of all texts; with `multilabel` of the texts with each label.
    module_ : BertForSequenceClassification
        The network; its outputs are log-odds, up to a constant a text.
    tokenizer_ : BertTokenizer
        Texts to tokens.
    history_ : History
        Losses and more of each epoch; :func:`mlcore.plotting.plot_history` draws it.
    loss_curve_ : array of shape (n_iter_,)
        Training loss of each epoch: ``history_["loss"]``.
    n_iter_ : int
        Epochs done.

    See Also
    --------
    BertRegressor : The same for numbers.
    BertTokenClassifier : Labels of words.

    Notes
    -----
    A file of :func:`mlcore.save` holds neither paths nor other estimators: `model` and `checkpoint` of what is loaded
    are None, and `fit` starts from scratch unless `model` is set again, or `warm_start`.

    References
    ----------
    .. [1] J. Devlin, M.-W. Chang, K. Lee, K. Toutanova, "BERT: Pre-training of deep bidirectional transformers for
       language understanding", NAACL 2019.

    Examples
    --------
    >>> from mlcore import BertClassifier
    >>> texts = [f"{a} {b}" for a in ("what a good", "quite a bad", "such a poor") for b in ("film", "book")] * 5
    >>> y = ["+" if "good" in text else "-" for text in texts]
    >>> small = {"hidden_size": 32, "num_hidden_layers": 1}  # from scratch; else model="folder/of/weights"
    >>> model = BertClassifier(config=small, batch_size=8, learning_rate=5e-3, max_epochs=10, random_state=0)
    >>> model.fit(texts, y).predict(["a good book", "a poor film"]).tolist()
    ['+', '-']
    """

    _private_state: tuple[str, ...] = (*BaseSequenceEstimator._private_state, "_is_multilabel", "_is_indicator")
    _state_spec: ClassVar[Spec] = {
        "classes_": Labels(),
        "class_weight_": Array("f8", ("n_classes",), low=0, is_finite=True),
        "class_prior_": Array("f8", ("n_classes",), low=0, high=1, is_finite=True),
        "_is_multilabel": Flag(),
        "_is_indicator": Flag(),
        **BaseSequenceEstimator._state_spec,
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSequenceEstimator._parameter_constraints,
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "multilabel": ["boolean"],
    }
    classes_: NDArray[Any]
    class_weight_: Floats
    class_prior_: Floats
    _is_multilabel: bool  # of the fit, whatever the parameter is now
    _is_indicator: bool  # whether labels came as an indicator, and are predicted so

    def __init__(
        self,
        model: Any = None,
        *,
        config: Any = None,
        lowercase: bool = True,
        freeze: int | str = 0,
        dropout: float | None = None,
        label_smoothing: float = 0.0,
        max_length: int = 512,
        max_epochs: int | None = None,
        batch_size: int = 32,
        batch_tokens: int | None = None,
        accumulate: int = 1,
        learning_rate: float | None = None,
        layer_decay: float = 1.0,
        weight_decay: float = 0.01,
        warmup_ratio: float = 0.1,
        max_norm: float | None = 1.0,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        tol: float = 1e-4,
        scoring: str = "loss",
        class_weight: Any = None,
        multilabel: bool = False,
        warm_start: bool = False,
        checkpoint: Any = None,
        dtype: str = "float32",
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.config = config
        self.lowercase = lowercase
        self.freeze = freeze
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.max_length = max_length
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.batch_tokens = batch_tokens
        self.accumulate = accumulate
        self.learning_rate = learning_rate
        self.layer_decay = layer_decay
        self.weight_decay = weight_decay
        self.warmup_ratio = warmup_ratio
        self.max_norm = max_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.scoring = scoring
        self.class_weight = class_weight
        self.multilabel = multilabel
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # ---- targets ----

    def _read_target(self, y: Any, examples: list[Any], *, reset: bool, name: str) -> NDArray[Any]:  # noqa: ARG002
        owner = type(self).__name__
        if reset:
            self._is_multilabel = bool(self.multilabel)
        if self._is_multilabel:
            known = None if reset else self.classes_
            classes, target, is_indicator = read_label_sets(y, owner, name, known)
            if reset:
                self.classes_, self._is_indicator = classes, is_indicator
            return target
        self._is_indicator = False
        if holds_sets(y):
            raise ValueError(
                f"{name} of {owner} must hold one label a text, got an indicator or collections of labels: "
                "multilabel=True takes them"
            )
        labels = read_labels(y, owner, name)
        if reset:
            self.classes_, codes = encode_labels(labels, owner)
        else:
            codes = known_codes(labels, self.classes_, name)
        return codes.astype(np.int64)

    def _class_weights(self, target: NDArray[Any], weight: Floats | None, *, fits: bool) -> Floats | None:
        owner = type(self).__name__
        if self._is_multilabel:
            if fits:
                self.class_weight_ = self._label_factors(target, weight)
            return weight
        if fits:
            codes = target.astype(np.int32)
            factors = class_factors(self.class_weight, self.classes_, codes, weight, owner)
            self.class_weight_ = np.ones(len(self.classes_)) if factors is None else factors
        if self.class_weight is None:
            return weight
        return with_factors(weight, self.class_weight_, target, owner, "sample_weight" if fits else "sample_weight_val")

    def _label_factors(self, target: NDArray[Any], weight: Floats | None) -> Floats:
        """Return the factor on the loss of texts that have each label."""
        every = np.arange(len(self.classes_), dtype=np.int32)
        if self.class_weight == "balanced":
            share = np.average(target, axis=0, weights=weight)
            return np.where((share > 0) & (share < 1), (1 - share) / np.where(share > 0, share, 1), 1.0)
        factors = class_factors(self.class_weight, self.classes_, every, None, type(self).__name__)
        return np.ones(len(every)) if factors is None else factors

    def _strata(self, target: NDArray[Any]) -> NDArray[Any] | None:
        return None if self._is_multilabel else target

    def _measure(self, target: NDArray[Any], weight: Floats | None, *, reset: bool) -> None:
        if self._is_multilabel:
            shares = np.average(target, axis=0, weights=weight).astype(np.float64)
        else:
            shares = np.bincount(target, weights=weight, minlength=len(self.classes_)).astype(np.float64)
            shares /= shares.sum()
        # A class that was there before does not become impossible because it is missing now.
        self.class_prior_ = shares if reset else (shares + self.class_prior_) / 2

    def _is_settled(self) -> bool:
        return not self._is_multilabel and bool((self.class_prior_ > 0).sum() == 1)

    def _head_config(self, config: BertConfig) -> BertConfig:
        kind = "multi_label_classification" if self._is_multilabel else "single_label_classification"
        return with_class_labels(config, self.classes_, kind)

    # ---- loss ----

    def _loss(self, outputs: Tensor, batch: Any, *, training: bool) -> tuple[Tensor, float]:
        _, target, weight = batch
        smoothing = float(self.label_smoothing) if training else 0.0
        if self._is_multilabel:
            goal = target if smoothing == 0 else (1 - smoothing) * target + np.float32(smoothing / 2)
            factor = self.class_weight_.astype(np.float32)
            entries = F.binary_cross_entropy_with_logits(outputs, goal, reduction="none", pos_weight=factor)
            losses = entries.mean(1)
        else:
            losses = F.cross_entropy(outputs, target, reduction="none", label_smoothing=smoothing)
        return (losses * weight).mean(), len(weight)

    def _score_of(self, network: Module, examples: list[Any], target: Any, rows: Rows) -> float:  # noqa: ARG002
        return float(np.average(self._is_right(self._outputs_of_rows(network, rows), target), weights=rows.targets[1]))

    def _is_right(self, outputs: Floats, target: NDArray[Any]) -> NDArray[np.bool_]:
        """Return whether each text gets its label, or all its labels and no other."""
        if self._is_multilabel:
            return np.asarray(((outputs > 0) == (target > 0)).all(axis=1))
        return np.asarray(self._reachable(outputs).argmax(axis=1) == target)

    def _entropy(self, rows: Rows) -> float:  # noqa: ARG002
        p = self.class_prior_
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = np.nan_to_num(-p * np.log(p))
            if self._is_multilabel:
                return float((parts + np.nan_to_num(-(1 - p) * np.log1p(-p))).mean())
        return float(parts.sum())

    def _constant(self) -> Floats:
        least, p = np.exp(-NEXT_TO_NOTHING), self.class_prior_
        if self._is_multilabel:
            with np.errstate(divide="ignore"):
                odds = np.log(np.maximum(self.class_weight_ * p, least)) - np.log(np.maximum(1 - p, least))
            return np.asarray(odds)
        return np.asarray(np.log(np.maximum(p, least)))

    # ---- outputs ----

    def _log_odds(self, X: Any) -> Floats:
        return self._reachable(self._outputs(X))

    def _reachable(self, outputs: Floats) -> Floats:
        return outputs if self._is_multilabel else reachable(outputs, self.class_prior_)

    def decision_function(self, X: Any) -> Floats:
        """Return log-odds: of ``classes_[1]`` for two classes, of each label with `multilabel`, else of each class.

        Parameters
        ----------
        X : iterable of str or of pairs, as in `fit`
            Texts, or pairs of them.

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_classes) for more than two classes, and with `multilabel`
        """
        outputs = self._log_odds(X)
        if len(self.classes_) == 2 and not self._is_multilabel:
            return np.asarray(outputs[:, 1] - outputs[:, 0])
        return outputs

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class.

        Parameters
        ----------
        X : iterable of str or of pairs, as in `fit`
            Texts, or pairs of them.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Columns in the order of `classes_`; rows sum to 1, but with `multilabel`, where each is a probability of
            its own.
        """
        outputs = self._log_odds(X)
        return np.asarray(expit(outputs) if self._is_multilabel else softmax(outputs, axis=1))

    def predict_log_proba(self, X: Any) -> Floats:
        """Return the logarithm of the probability of each class; it is finite however small that is.

        Parameters
        ----------
        X
            As for :meth:`predict_proba`.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        outputs = self._log_odds(X)
        return np.asarray(log_expit(outputs) if self._is_multilabel else log_softmax(outputs, axis=1))

    def predict(self, X: Any) -> Any:
        """Return the most likely class of each text; with `multilabel` all labels that are likelier than not.

        Parameters
        ----------
        X : iterable of str or of pairs, as in `fit`
            Texts, or pairs of them.

        Returns
        -------
        array of shape (n_samples,)
            Labels, of the type that fit was given. With `multilabel` as fit was given them: an indicator of shape
            (n_samples, n_classes), int64, or a list of tuples of labels.
        """
        outputs = self._log_odds(X)
        if not self._is_multilabel:
            return self.classes_[outputs.argmax(axis=1)]
        if self._is_indicator:
            return (outputs > 0).astype(np.int64)
        return [tuple(self.classes_[row > 0].tolist()) for row in outputs]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the share of texts whose label, with `multilabel` whose labels, are all right.

        Parameters
        ----------
        X : iterable of str or of pairs, as in `fit`
            Texts, or pairs of them.
        y : as in `fit`
            Their labels; one that is not among `classes_` is never right.
        sample_weight : array of shape (n_samples,) or None, default=None
            Weights of the texts.

        Returns
        -------
        float
        """
        predicted = self.predict(X)
        if not self._is_multilabel:
            return float(accuracy_score(y, predicted, sample_weight=sample_weight))
        name = type(self).__name__
        if self._is_indicator:
            target = read_label_sets(y, name, "y", self.classes_)[1]
            check_consistent_length(predicted, target)
            is_right = (predicted == target).all(axis=1)
        else:
            sets = read_sets(y, name, "y")
            check_consistent_length(predicted, sets)
            is_right = np.array([set(found) == set(known) for found, known in zip(predicted, sets, strict=True)], bool)
        return float(np.average(is_right, weights=row_weights(sample_weight, is_right, name)))

    # ---- folders and files ----

    def _take_labels(self, module: PretrainedModule) -> None:
        config, name = module.config, type(self).__name__
        if config.n_labels < 2 or config.problem_type == "regression":
            raise ValueError(f"{name} reads networks of two classes or more, this one is of {config.n_labels} numbers")
        self.classes_ = take_class_labels(module)
        self._is_multilabel = config.problem_type == "multi_label_classification"
        self.multilabel, self._is_indicator, self._takes_pairs = self._is_multilabel, False, None
        n = config.n_labels
        self.class_weight_ = np.ones(n)
        self.class_prior_ = np.full(n, 0.5 if self._is_multilabel else 1 / n)
        module.config = self._head_config(config)

    def _to_export(self) -> PretrainedModule:
        return self.module_ if self._is_multilabel else with_reach(self.module_, self.class_prior_)

    def _check_config(self, config: BertConfig, state: dict[str, Any], sizes: Sizes) -> None:
        if config.n_labels != sizes["n_classes"]:
            raise ValueError(f"the network has {config.n_labels} outputs, classes_ {sizes['n_classes']}")
        if not state["_is_multilabel"] and not state["class_prior_"].any():
            raise ValueError("class_prior_ leaves no class")
