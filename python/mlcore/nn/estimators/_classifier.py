"""NeuralClassifier: any network as a scikit-learn estimator of classes."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions

from mlcore._base import fitting
from mlcore._state import Array, Labels, Optional, Sizes, Spec
from mlcore._validation import class_factors, encode_labels, known_codes, read_labels
from mlcore.nn.estimators._base import BaseNeuralEstimator
from mlcore.nn.estimators._rows import Floats
from mlcore.nn.functional._cross_entropy import cross_entropy
from mlcore.nn.tensor import Tensor

_NEXT_TO_NOTHING = 50.0
"""How far below the least log-odds of all others those of a class without weight are."""


class NeuralClassifier(ClassifierMixin, BaseNeuralEstimator):  # type: ignore[misc]
    """A neural network for two classes or more: fully connected layers, or any Module.

    Features need no scaling (see `standardize`), and the default network starts at the shares of the classes.

    Parameters
    ----------
    module : callable, Module or None, default=None
        ``module(n_features, n_outputs, **module_params)`` returns the network: a class or a function; `n_features` is
        ``X.shape[1]``. A Module itself is copied, its weights are the first ones. None: layers as below.
    module_params : dict or None, default=None
        Options of `module`; in a grid search ``module__<name>``.
    hidden_layer_sizes : int or tuple of int, default=(100,)
        Units of each hidden layer of the default network; not for a `module`.
    activation : str, default="relu"
        Of these layers: "relu", "gelu", "silu", "tanh", "sigmoid", "softplus", "leaky_relu" or "identity".
    loss : "cross_entropy" or callable, default="cross_entropy"
        ``loss(output, target)`` takes the outputs (n, n_classes), a Tensor, and positions in `classes_` (n,), and
        returns a Tensor (n,): one loss a row.
    optimizer : str or callable, default="adam"
        "adam", "adamw", "nadam", "sgd" (with Nesterov's momentum of 0.9), "rmsprop", "adagrad", or
        ``optimizer(groups, lr=..., max_norm=...)``.
    learning_rate : float, default=1e-3
        Of the optimizer, > 0.
    weight_decay : float, default=0.0
        Of the parameters with two axes or more.
    max_norm : float or None, default=None
        Gradients are clipped to this norm.
    schedule : callable or None, default=None
        ``schedule(optimizer, n_steps)`` returns a schedule of :mod:`mlcore.nn.optim`.
    batch_size : int or "auto", default="auto"
        Rows of a batch, or all if there are fewer; "auto": 200. A last batch of one row is joined to that before.
    drop_last : bool, default=False
        Leave out a last batch that is not full.
    standardize : bool or "inputs", default=True
        Inputs are brought to a common size inside, so that their units do not matter: centred at the median, divided
        by a robust width, the tails bent like a logarithm (`input_center_`, `input_width_`, `input_offset_`). A
        `module` sees them so: each column of rows, each channel (axis 1) of images (n, channels, height, width), each
        entry where X has three axes; whole numbers for a `module` stay whole.
        False: X is taken as it is ("inputs" means True here; a regressor has a target too).
    max_iter : int, default=200
        Most epochs.
    early_stopping : "auto" or bool, default="auto"
        True: part of the rows is set aside, and training stops when the loss on them no longer improves; with `X_val`
        that is used instead. "auto": if `X_val` is given. Otherwise the training loss is monitored, but with False and
        an `X_val` nothing stops before `max_iter`. After a stop the weights of the best epoch are kept.
    validation_fraction : float, default=0.1
        The share that is set aside.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    tol : float, default=1e-4
        What counts as an improvement of the loss, as a share of the loss of the best constant prediction.
    class_weight : dict, "balanced" or None, default=None
        Factor on the weights of each class, as a dict from label to factor; "balanced": such that all classes have the
        same sum of weights. A factor of 0 takes the rows of a class out of the fit. The factors found on the training
        rows count for validation too.
    random_state : int, RandomState or None, default=None
        Seed of initial weights, batches, dropout and validation rows.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: a line an epoch through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        All labels of y, sorted. A class whose rows all weigh nothing gets next to no probability; if one class alone
        has weight, it is always predicted, and nothing is trained.
    class_weight_ : array of shape (n_classes,)
        Factor on the weights of each class.
    class_prior_ : array of shape (n_classes,)
        Shares of the classes in the weights of all rows; after :meth:`partial_fit` the mean over the calls.
    module_ : Module
        The trained network; its outputs are log-odds (n_samples, n_classes), up to a constant a row.
    input_center_, input_width_, input_offset_ : array of shape (n_features,) or like a row of `X`, or None
        The network is given ``2 arsinh((X - center) / (2 width)) - offset``, and 0 where the width is 0 (a constant).
    history_ : History
        Losses and more of each epoch; :func:`mlcore.plotting.plot_history` draws it.
    loss_curve_ : array of shape (n_iter_,)
        Training loss of each epoch: ``history_["loss"]``.
    n_iter_ : int
        Epochs done.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    NeuralRegressor : The same for regression.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mlcore.nn import NeuralClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NeuralClassifier(learning_rate=0.01, max_iter=100, random_state=0).fit(X[::2], y[::2])
    >>> bool(model.score(X[1::2], y[1::2]) > 0.9)
    True
    """

    classes_: NDArray[Any]
    class_prior_: Floats
    class_weight_: Floats

    _state_spec: ClassVar[Spec] = {
        "classes_": Labels(),
        "class_weight_": Optional(Array("f8", ("n_classes",), low=0, is_finite=True)),
        "class_prior_": Optional(Array("f8", ("n_classes",), low=0, high=1, is_finite=True)),
        **BaseNeuralEstimator._state_spec,
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseNeuralEstimator._parameter_constraints,
        "loss": [StrOptions({"cross_entropy"}), callable],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        module: Any = None,
        *,
        module_params: dict[str, Any] | None = None,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        loss: Any = "cross_entropy",
        optimizer: Any = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        max_norm: float | None = None,
        schedule: Any = None,
        batch_size: int | str = "auto",
        drop_last: bool = False,
        standardize: bool | str = True,
        max_iter: int = 200,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        class_weight: Any = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.module = module
        self.module_params = module_params
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.max_norm = max_norm
        self.schedule = schedule
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.standardize = standardize
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch over these rows, on from what there is.

        Parameters
        ----------
        X, y, sample_weight
            As for :meth:`fit`.
        classes : array of shape (n_classes,) or None, default=None
            All labels that will ever come; needed in the first call, and the same in all others if given.

        Returns
        -------
        NeuralClassifier
            Itself.

        Notes
        -----
        Centres and widths of columns are those of the first call (or of :meth:`fit`): what the network has learned is
        in these units. A column that was constant until then is measured when it first varies. Weights are relative to
        the mean of each call. A class that has not come yet gets next to no probability. The moments of the optimizer
        go on from call to call, but are no part of a saved or pickled model: they start again after loading.
        """
        self._validate_params()
        name = type(self).__name__
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"partial_fit of {name} cannot know what is balanced over all calls: pass a dict of factors"
            )
        is_first = not hasattr(self, "classes_")
        if is_first and classes is None:
            raise ValueError(f"the first call of partial_fit of {name} needs classes: all labels that will ever come")
        with fitting(self, continuing=not is_first):
            if classes is not None:
                labels = encode_labels(read_labels(classes, name), name)[0]
                if is_first:
                    self.classes_ = labels
                elif labels.tolist() != self.classes_.tolist():
                    raise ValueError(f"classes of {name} were {self.classes_.tolist()} before, got {labels.tolist()}")
            self._partial_fit(X, y, sample_weight)
        return self

    def _plain_target(self, y: Any) -> NDArray[Any]:
        return read_labels(y, type(self).__name__)  # the checks would make floats of nullable and Arrow columns

    def _encode_target(self, y: NDArray[Any], *, reset: bool, name: str = "y") -> NDArray[Any]:
        owner = type(self).__name__
        if reset and not hasattr(self, "classes_"):  # partial_fit is told
            self.classes_, codes = encode_labels(y, owner)
        else:
            codes = known_codes(y, self.classes_, name)
        return codes.astype(np.int64)

    def _class_factors(self, target: NDArray[Any], weight: Floats | None) -> Floats | None:
        codes = target.astype(np.int32)
        factors = class_factors(self.class_weight, self.classes_, codes, weight, type(self).__name__)
        self.class_weight_ = np.ones(len(self.classes_)) if factors is None else factors
        return factors

    def _measure_target(
        self, target: NDArray[Any], weight: Floats | None, *, reset: bool, is_whole: bool = True
    ) -> Floats:
        shares = np.bincount(target, weights=weight, minlength=len(self.classes_)).astype(np.float64)
        shares /= shares.sum()
        if reset:
            self.class_prior_ = shares
        else:
            n_calls = max(self.n_iter_, 1)
            self.class_prior_ = (n_calls * self.class_prior_ + shares) / (n_calls + 1)
        rare = np.exp(-_NEXT_TO_NOTHING) if is_whole else 0.5 / len(target)
        return np.log(np.maximum(shares, rare))

    def _is_settled(self) -> bool:
        return bool((self.class_prior_ > 0).sum() == 1)

    def _n_outputs(self, target: NDArray[Any]) -> int:  # noqa: ARG002
        return len(self.classes_)

    def _row_losses(self, output: Tensor, target: NDArray[Any]) -> Tensor:
        if callable(self.loss):
            losses: Tensor = self.loss(output, target)
            return losses
        return cross_entropy(output, target, reduction="none")

    def _log_odds(self, X: Any) -> Floats:
        """Outputs of the network, with those of classes without weight far below all others."""
        outputs = self._outputs(X)
        is_there = self.class_prior_ > 0
        if not is_there.all():
            outputs[:, ~is_there] = outputs[:, is_there].min(axis=1, keepdims=True) - _NEXT_TO_NOTHING
        return outputs

    def decision_function(self, X: Any) -> Floats:
        """Return log-odds: of ``classes_[1]`` for two classes, else the outputs of the network.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_classes) for more than two classes
        """
        outputs = self._log_odds(X)
        return outputs[:, 1] - outputs[:, 0] if len(self.classes_) == 2 else outputs

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Columns in the order of `classes_`; rows sum to 1.
        """
        return np.asarray(softmax(self._log_odds(X), axis=1))

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
        return np.asarray(log_softmax(self._log_odds(X), axis=1))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most likely class of each row.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        array of shape (n_samples,)
            Labels, of the type that fit was given.
        """
        outputs = self._log_odds(X)
        return np.asarray(self.classes_[outputs.argmax(axis=1)])

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        super()._check_state(state, sizes)
        if "class_prior_" in state and not state["class_prior_"].any():
            raise ValueError("class_prior_ leaves no class")

    def _set_state(self, state: dict[str, Any]) -> None:
        if "classes_" in state and "class_prior_" not in state:  # of a version in which all classes had weight
            n_classes = len(state["classes_"])
            state = {**state, "class_prior_": np.full(n_classes, 1 / n_classes)}
        super()._set_state(state)
