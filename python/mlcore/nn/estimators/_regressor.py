"""NeuralRegressor: any network as a scikit-learn estimator of numbers."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils._param_validation import StrOptions

from mlcore._base import fitting
from mlcore._state import Array, Flag, Nothing, OneOf, Optional, Sizes, Spec
from mlcore.nn.estimators._base import BaseNeuralEstimator
from mlcore.nn.estimators._rows import Floats
from mlcore.nn.estimators._standardize import Targets
from mlcore.nn.functional._losses import huber_loss, l1_loss, mse_loss
from mlcore.nn.tensor import Tensor

_LOSSES = {"absolute_error": l1_loss, "huber": huber_loss, "squared_error": mse_loss}


class NeuralRegressor(RegressorMixin, BaseNeuralEstimator):  # type: ignore[misc]
    """A neural network for numbers, one or several a row: fully connected layers, or any Module.

    Neither features nor target need scaling (see `standardize`), and the default network starts at the mean (at the
    median for "absolute_error" and "huber").

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
        returns a Tensor (n,): one loss a row. Of the others the mean over the outputs is taken. All are of the
        standardized target: "huber" is linear beyond one width. One of your own that needs the target as it is (counts
        for Poisson's, say) goes with ``standardize="inputs"``.
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
        entry where X has three axes; whole numbers for a `module` stay whole. The
        target is centred and divided by its spread (`target_center_`, `target_width_`); predictions are in its units
        again, losses and `history_` are not. "inputs": the target is taken as it is; False: X too.
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
    input_center_, input_width_, input_offset_ : array of shape (n_features,) or like a row of `X`, or None
        The network is given ``2 arsinh((X - center) / (2 width)) - offset``, and 0 where the width is 0 (a constant).
    target_center_, target_width_ : array of shape (n_outputs,), or None
        The prediction is ``output width + center``.
    history_ : History
        Losses and more of each epoch; :func:`mlcore.plotting.plot_history` draws it.
    loss_curve_ : array of shape (n_iter_,)
        Training loss of each epoch: ``history_["loss"]``, of the standardized target.
    n_iter_ : int
        Epochs done.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    NeuralClassifier : The same for classification.

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

    target_center_: Floats | None
    target_width_: Floats | None
    _is_1d: bool
    _private_state = (*BaseNeuralEstimator._private_state, "_is_1d")
    _SCALES: ClassVar[tuple[str, ...]] = (*BaseNeuralEstimator._SCALES, "target_center_", "target_width_")

    _state_spec: ClassVar[Spec] = {
        **BaseNeuralEstimator._state_spec,
        "_is_1d": Flag(),
        "target_center_": Optional(OneOf(Nothing(), Array("f8", ("n_outputs",), is_finite=True))),
        "target_width_": Optional(OneOf(Nothing(), Array("f8", ("n_outputs",), low=0, is_finite=True))),
    }
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
        drop_last: bool = False,
        standardize: bool | str = True,
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
        self.drop_last = drop_last
        self.standardize = standardize
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch over these rows, on from what there is.

        Parameters
        ----------
        X, y, sample_weight
            As for :meth:`fit`.

        Returns
        -------
        NeuralRegressor
            Itself.

        Notes
        -----
        Centres and widths of columns and target are those of the first call (or of :meth:`fit`): what the network has
        learned is in these units. A column, or target, that was constant until then is measured when it first varies.
        Weights are relative to the mean of each call. The moments of the optimizer go on from call to call, but are no
        part of a saved or pickled model: they start again after loading.
        """
        self._validate_params()
        with fitting(self, continuing=hasattr(self, "module_")):
            self._partial_fit(X, y, sample_weight)
        return self

    def _encode_target(self, y: Any, *, reset: bool, name: str = "y") -> NDArray[Any]:
        kinds: Any = [np.float64, np.float32] if self.standardize is True else np.float32
        y = check_array(y, dtype=kinds, ensure_2d=False, input_name=name)
        if reset:
            self._is_1d = y.ndim == 1 or y.shape[1] == 1
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return np.ascontiguousarray(y.reshape(len(y), -1))

    def _measure_target(
        self,
        target: NDArray[Any],
        weight: Floats | None,
        *,
        reset: bool,
        is_whole: bool = True,  # noqa: ARG002
    ) -> Floats:
        is_robust = self.loss in ("absolute_error", "huber")
        measured = self._measured_target()
        if not reset and measured is not None:
            measured = Targets(measured.center, measured.width.copy())
            measured.extend(target, weight, is_robust=is_robust)
            self.target_width_ = measured.width
            return np.zeros(target.shape[1])
        found = Targets.fit(target, weight, is_robust=is_robust)
        if reset:
            self.target_center_, self.target_width_ = None, None
            if self.standardize is True:
                self.target_center_, self.target_width_ = found.center, found.width
                return np.zeros(target.shape[1])
        return found.center

    def _measured_target(self) -> Targets | None:
        center, width = getattr(self, "target_center_", None), getattr(self, "target_width_", None)
        return None if center is None or width is None else Targets(center, width)

    def _as_learned(self, target: NDArray[Any]) -> NDArray[Any]:
        measured = self._measured_target()
        return target if measured is None else measured.transform(target)

    def _n_outputs(self, target: NDArray[Any]) -> int:
        return int(target.shape[1])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        super()._check_state(state, sizes)
        if sizes.get("n_outputs", state["_sizes"][1]) != state["_sizes"][1]:
            raise ValueError(f"target_center_ has {sizes['n_outputs']} outputs, the network {state['_sizes'][1]}")

    def _has_unitless_loss(self) -> bool:
        return self._measured_target() is not None

    def _row_losses(self, output: Tensor, target: NDArray[Any]) -> Tensor:
        if callable(self.loss):
            losses: Tensor = self.loss(output, target)
            return losses
        losses = _LOSSES[self.loss](output, target, reduction="none")
        return losses.mean(1)

    def predict(self, X: Any) -> Floats:
        """Return the outputs of the network, in the units of the target.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_outputs) if fit was given more than one
        """
        outputs = self._outputs(X)
        if (measured := self._measured_target()) is not None:
            outputs = measured.inverse(outputs)
        return outputs[:, 0] if self._is_1d else outputs
