"""NeuralClassifier: any network as a scikit-learn estimator of classes."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from mlcore._state import Labels, Spec
from mlcore.nn._estimators import BaseNeuralEstimator, Floats
from mlcore.nn._tape import Tensor
from mlcore.nn.functional._cross_entropy import cross_entropy


class NeuralClassifier(ClassifierMixin, BaseNeuralEstimator):  # type: ignore[misc]
    """A neural network for two classes or more: fully connected layers, or any Module.

    Scale the features first (StandardScaler).

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
        "adam", "adamw", "sgd" (with Nesterov's momentum of 0.9), "rmsprop", "adagrad", or
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
        Rows of a batch; "auto": 200, or all if there are fewer.
    max_iter : int, default=200
        Most epochs.
    early_stopping : "auto" or bool, default="auto"
        True: part of the rows is set aside, and training stops when the loss on them no longer improves; with `X_val`
        that is used instead. "auto": if `X_val` is given. Otherwise the training loss is watched, but with False and an
        `X_val` nothing stops before `max_iter`. After a stop the weights of the best epoch are kept.
    validation_fraction : float, default=0.1
        The share that is set aside.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    tol : float, default=1e-4
        What counts as an improvement of the loss.
    class_weight : dict, "balanced" or None, default=None
        Factor on the weights of each class, as a dict from label to factor; "balanced": such that all classes have the
        same sum of weights.
    random_state : int, RandomState or None, default=None
        Seed of initial weights, batches, dropout and validation rows.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: a line an epoch through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels, sorted.
    module_ : Module
        The trained network; its outputs are log-odds (n_samples, n_classes), up to a constant a row.
    history_ : History
        Losses and more of each epoch; :func:`mlcore.plotting.plot_history` draws it.
    n_iter_ : int
        Epochs done.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    NeuralRegressor : The same for numbers.

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

    _state_spec: ClassVar[Spec] = {"classes_": Labels(), **BaseNeuralEstimator._state_spec}
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
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _encode_target(self, y: Any, *, reset: bool) -> NDArray[Any]:
        name = type(self).__name__
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        labels, codes = np.unique(y, return_inverse=True)
        if reset:
            if len(labels) < 2:
                raise ValueError(f"y of {name} must have at least 2 classes, got 1 class: {labels.tolist()}")
            self.classes_ = labels
            return codes.reshape(-1).astype(np.int64)
        places = np.searchsorted(self.classes_, labels).clip(max=len(self.classes_) - 1)
        unknown = labels[self.classes_[places] != labels]
        if len(unknown):
            raise ValueError(
                f"y_val holds classes that are not in y: {unknown.tolist()}; y has {self.classes_.tolist()}"
            )
        return places[codes.reshape(-1)].astype(np.int64)

    def _n_outputs(self, target: NDArray[Any]) -> int:  # noqa: ARG002
        return len(self.classes_)

    def _row_losses(self, output: Tensor, target: NDArray[Any]) -> Tensor:
        if callable(self.loss):
            losses: Tensor = self.loss(output, target)
            return losses
        return cross_entropy(output, target, reduction="none")

    def _row_factors(self, target: NDArray[Any], weight: Floats) -> Floats:
        if self.class_weight is None:
            return weight
        if self.class_weight == "balanced":
            sums = np.bincount(target, weights=weight, minlength=len(self.classes_))
            factors = sums.sum() / (len(sums) * np.maximum(sums, np.finfo(np.float64).tiny))
        else:
            factors = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)
            if not (np.isfinite(factors).all() and (factors >= 0).all() and factors.any()):
                raise ValueError("class_weight must be finite, not negative and not all zero")
        return np.asarray(weight * factors[target])

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
        outputs = self._outputs(X)
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
        return np.asarray(softmax(self._outputs(X), axis=1))

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
        outputs = self._outputs(X)
        return np.asarray(self.classes_[outputs.argmax(axis=1)])
