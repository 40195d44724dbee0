"""NeuralRegressor: any network as a scikit-learn estimator of numbers."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils._param_validation import StrOptions

from mlcore._state import Flag, Spec
from mlcore.nn._estimators import BaseNeuralEstimator, Floats
from mlcore.nn._tape import Tensor
from mlcore.nn.functional._losses import huber_loss, l1_loss, mse_loss

_LOSSES = {"absolute_error": l1_loss, "huber": huber_loss, "squared_error": mse_loss}


class NeuralRegressor(RegressorMixin, BaseNeuralEstimator):  # type: ignore[misc]
    """A neural network for numbers, one or several a row: fully connected layers, or any Module.

    Scale features and target first (StandardScaler, TransformedTargetRegressor).

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
    loss : {"squared_error", "absolute_error", "huber"} or callable, default="squared_error"
        ``loss(output, target)`` takes the outputs (n, n_outputs), a Tensor, and the target, of the same shape, and
        returns a Tensor (n,): one loss a row. Of the others the mean over the outputs is taken.
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
    random_state : int, RandomState or None, default=None
        Seed of initial weights, batches, dropout and validation rows.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: a line an epoch through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    module_ : Module
        The trained network; its outputs have shape (n_samples, n_outputs).
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
    NeuralClassifier : The same for classes.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.nn import NeuralRegressor
    >>> X = np.linspace(-2, 2, 200).reshape(-1, 1)
    >>> y = np.sin(2 * X[:, 0])
    >>> model = NeuralRegressor(activation="tanh", learning_rate=0.02, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    _is_1d: bool
    _private_state = (*BaseNeuralEstimator._private_state, "_is_1d")

    _state_spec: ClassVar[Spec] = {**BaseNeuralEstimator._state_spec, "_is_1d": Flag()}
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseNeuralEstimator._parameter_constraints,
        "loss": [StrOptions(set(_LOSSES)), callable],
    }

    def __init__(
        self,
        module: Any = None,
        *,
        module_params: dict[str, Any] | None = None,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        loss: Any = "squared_error",
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
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _encode_target(self, y: Any, *, reset: bool) -> NDArray[Any]:
        y = check_array(y, dtype=np.float32, ensure_2d=False, input_name="y")
        if reset:
            self._is_1d = y.ndim == 1 or y.shape[1] == 1
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return np.ascontiguousarray(y.reshape(len(y), -1))

    def _n_outputs(self, target: NDArray[Any]) -> int:
        return int(target.shape[1])

    def _row_losses(self, output: Tensor, target: NDArray[Any]) -> Tensor:
        if callable(self.loss):
            losses: Tensor = self.loss(output, target)
            return losses
        losses = _LOSSES[self.loss](output, target, reduction="none")
        return losses.mean(1)

    def predict(self, X: Any) -> Floats:
        """Return the outputs of the network.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_outputs) if fit was given more than one
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self._is_1d else outputs
