"""BertRegressor: numbers of texts."""

import copy
import dataclasses
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array

from mlcore._state import Array, Flag, Sizes, Spec
from mlcore._tables import Floats
from mlcore.nn import functional as F
from mlcore.nn.estimators._standardize import Targets
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.seq.bert.finetuning._batches import Rows
from mlcore.seq.bert.finetuning._sequence import BaseSequenceEstimator
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule


class BertRegressor(RegressorMixin, BaseSequenceEstimator):  # type: ignore[misc]
    """Numbers of texts, or of pairs of texts, by fine-tuning BERT [1]_.

    A new layer reads what the network has made of the first token, and both are trained together, by squared error.
    Targets are standardized inside, so that their units do not matter.

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
        What validation texts are compared by: the loss, or R squared.
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
    module_ : BertForSequenceClassification
        The network; its outputs are numbers in units of `target_width_`.
    tokenizer_ : BertTokenizer
        Texts to tokens.
    target_center_, target_width_ : array of shape (n_outputs,)
        Mean and standard deviation of each target.
    history_ : History
        Losses and more of each epoch; :func:`mlcore.plotting.plot_history` draws it.
    loss_curve_ : array of shape (n_iter_,)
        Training loss of each epoch, in standardized units: ``history_["loss"]``.
    n_iter_ : int
        Epochs done.

    See Also
    --------
    BertClassifier : The same for classes.

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
    >>> from mlcore import BertRegressor
    >>> texts = [f"{a} and {b}" for a in ("low", "high") for b in ("low", "high")] * 8
    >>> y = [text.count("high") for text in texts]
    >>> small = {"hidden_size": 32, "num_hidden_layers": 1}  # from scratch; else model="folder/of/weights"
    >>> model = BertRegressor(config=small, batch_size=8, learning_rate=5e-3, max_epochs=20, random_state=0)
    >>> model.fit(texts, y).predict(["high and high", "low and high"]).round().tolist()
    [2.0, 1.0]
    """

    _private_state: tuple[str, ...] = (*BaseSequenceEstimator._private_state, "_is_1d")
    _state_spec: ClassVar[Spec] = {
        **BaseSequenceEstimator._state_spec,
        "_is_1d": Flag(),
        "target_center_": Array("f8", ("n_outputs",), is_finite=True),
        "target_width_": Array("f8", ("n_outputs",), low=0, is_finite=True),
    }
    target_center_: Floats
    target_width_: Floats
    _is_1d: bool

    def __init__(
        self,
        model: Any = None,
        *,
        config: Any = None,
        lowercase: bool = True,
        freeze: int | str = 0,
        dropout: float | None = None,
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
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _read_target(self, y: Any, examples: list[Any], *, reset: bool, name: str) -> NDArray[Any]:  # noqa: ARG002
        owner = type(self).__name__
        if getattr(getattr(y, "dtype", None), "kind", "f") in "mM":
            raise ValueError(f"{name} of {owner} must hold numbers, got dtype {y.dtype}: turn it into numbers")
        try:
            y = check_array(y, dtype=[np.float64, np.float32], ensure_2d=False, input_name=name)
        except (TypeError, OverflowError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{name} of {owner} must hold numbers: {error}") from error
        except ValueError as error:
            if "could not convert" not in str(error):
                raise
            raise ValueError(f"{name} of {owner} must hold numbers: {error}") from error
        target = np.ascontiguousarray(y, np.float64).reshape(len(y), -1)
        if reset:
            self._is_1d = target.shape[1] == 1
        elif target.shape[1] != (known := len(self.target_center_)):
            raise ValueError(f"{name} of {type(self).__name__} has {target.shape[1]} numbers a text, fit had {known}")
        return target

    def _measure(self, target: NDArray[Any], weight: Floats | None, *, reset: bool) -> None:
        found = Targets.fit(target, weight)
        if not reset:  # what the network has learned is in the units it knows
            known = self._targets()
            known = Targets(known.center, known.width.copy())
            known.extend(target, weight)
            found = known
        self.target_center_, self.target_width_ = found.center, found.width

    def _targets(self) -> Targets:
        return Targets(self.target_center_, self.target_width_)

    def _is_settled(self) -> bool:
        return not self.target_width_.any()

    def _as_learned(self, target: NDArray[Any]) -> NDArray[Any]:
        return self._targets().transform(target)

    def _head_config(self, config: BertConfig) -> BertConfig:
        n = len(self.target_center_)
        return dataclasses.replace(config, num_labels=n, id2label=None, problem_type="regression")

    def _loss(self, outputs: Tensor, batch: Any, *, training: bool) -> tuple[Tensor, float]:  # noqa: ARG002
        _, target, weight = batch
        losses = F.mse_loss(outputs, target, reduction="none").mean(1)
        return (losses * weight).mean(), len(weight)

    def _score_of(self, network: Module, examples: list[Any], target: Any, rows: Rows) -> float:  # noqa: ARG002
        outputs = self._outputs_of_rows(network, rows)
        learned, weight = rows.targets
        return float(r2_score(learned, outputs, sample_weight=weight))

    def _entropy(self, rows: Rows) -> float:  # noqa: ARG002
        return 1.0  # the variance of a standardized target

    def _constant(self) -> Floats:
        return np.zeros(len(self.target_center_))

    def predict(self, X: Any) -> Floats:
        """Return the number, or numbers, of each text.

        Parameters
        ----------
        X : iterable of str or of pairs, as in `fit`
            Texts, or pairs of them.

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_outputs) if fit was given more than one
        """
        outputs = self._outputs(X)
        outputs = self._targets().inverse(outputs)
        return outputs[:, 0] if self._is_1d else outputs

    # ---- folders and files ----

    def _take_labels(self, module: PretrainedModule) -> None:
        n = module.config.n_labels
        if module.config.problem_type not in (None, "regression") or (module.config.problem_type is None and n > 1):
            raise ValueError(f"{type(self).__name__} reads networks of numbers, this one is of classes")
        self._takes_pairs, self._is_1d = None, n == 1
        self.target_center_, self.target_width_ = np.zeros(n), np.ones(n)

    def _to_export(self) -> PretrainedModule:
        """Return a network whose outputs are in the units of the targets."""
        module = copy.deepcopy(self.module_)
        center, width = self.target_center_, self.target_width_
        with no_grad(), np.errstate(over="ignore"):
            weight = (module.classifier.weight.data * width[:, None]).astype(np.float32)
            bias = (module.classifier.bias.data * width + center).astype(np.float32)
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ValueError("the targets are too large for a network of float32 without their scale")
            module.classifier.weight.copy_(weight)
            module.classifier.bias.copy_(bias)
        return module

    def _check_config(self, config: BertConfig, state: dict[str, Any], sizes: Sizes) -> None:
        if config.n_labels != sizes["n_outputs"] or (state["_is_1d"] and config.n_labels != 1):
            raise ValueError(f"the network has {config.n_labels} outputs, target_center_ {sizes['n_outputs']}")
