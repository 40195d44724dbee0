"""Boosted trees for regression. What both share is in `_estimator.py`, the loop in `_fit.py`, the rest in C++.

Left out on purpose: several targets at once, ranking, dropped trees (DART).
"""

from collections.abc import Iterator
from numbers import Real
from typing import Any, ClassVar, Literal

from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions

from mlcore._tables import Floats
from mlcore._validation import read_targets
from mlcore.boosting._estimator import BaseGBDT
from mlcore.boosting._losses import CustomLoss, Loss


class GBDTRegressor(RegressorMixin, BaseGBDT):  # type: ignore[misc]
    """Gradient-boosted decision trees on histograms, for regression [1]_ [2]_ [3]_.

    Missing values and categories are handled by the trees themselves; nothing needs scaling or encoding. `fit` and
    `predict` take arrays, sparse matrices, pandas and polars frames and Arrow tables, and give the same bits for any
    `n_jobs`.

    Parameters
    ----------
    loss : str or callable, default="squared_error"
        "squared_error" (mean), "absolute_error" (median), "huber" (between the two), "quantile", and with a
        logarithmic link "poisson" (y >= 0), "gamma" (y > 0), "tweedie" (y >= 0). Absolute error, Huber and quantile
        set each leaf to its exact optimum. A callable ``loss(y_true, raw_prediction, sample_weight) -> (gradient,
        hessian)`` is asked in every iteration: all arrays are float64 of shape (n_samples,), `sample_weight` may be
        None. Both results are finite and those of the weighted loss: a row's entries are already multiplied by its
        weight, as given to the callable (see `fit`). Raw scores start at 0 and are the predictions.
    n_estimators : int, default=100
        Largest number of boosting iterations. Each adds one tree, or one for each of more than two classes.
    learning_rate : float, default=0.1
        Factor on every leaf value, > 0. No step passes the minimum that the loss promises for its leaf, however large
        the factor.
    growth : {"leaf", "depth"}, default="leaf"
        Which node is split next: the one with the best gain (as LightGBM does), or all of a level (as XGBoost does).
    newton : bool, default=True
        Second-order splits and leaf values (gradients and hessians). False: first-order ones, with leaf values by line
        search, the classical gradient boosting of Friedman. A loss of your own gives no value to search: its trees use
        the hessian that it returns either way.
    max_leaf_nodes : int or None, default=31
        Most leaves of a tree, >= 2; None: no limit.
    max_depth : int or None, default=None
        Most splits between root and leaf, >= 1; None: no limit. XGBoost's trees: ``growth="depth",
        max_leaf_nodes=None, max_depth=6``.
    min_samples_leaf : int, default=20
        Fewest rows in a leaf. Weights that are all whole numbers count as copies of a row, others not.
    min_child_weight : float, default=1e-3
        Smallest sum of hessians in a leaf. Weights count with a mean of 1, unless all are whole numbers (copies of a
        row), and hessians of Poisson and Tweedie are divided by those at the mean of y: units do not matter.
    min_split_gain : float, default=0.0
        A split must gain more than this. The gain is that of XGBoost without the factor 1/2, as LightGBM reports it.
    reg_lambda : float, default=0.0
        L2 penalty on leaf values, in units of a row's hessian. For XGBoost's default set 1.
    reg_alpha : float, default=0.0
        L1 penalty on leaf values.
    max_delta_step : float, default=0.0
        Largest leaf value before the learning rate, as in XGBoost; 0: no limit of this kind. Leaf values are bounded
        in any case so that the training loss cannot rise.
    max_bins : int, default=255
        Most bins of a feature, 2 to 255; missing values have one more of their own.
    subsample : float, default=1.0
        Share of rows drawn, without replacement, for each tree; in (0, 1].
    colsample_bytree, colsample_bylevel, colsample_bynode : float, default=1.0
        Share of features drawn for each tree, of those for each level, and of those for each node; in (0, 1].
    categorical_features : "from_dtype", None, or array of names, of positions, or mask, default="from_dtype"
        Which features hold categories. "from_dtype": columns of a frame with strings, of a categorical type or an Arrow
        dictionary; none in an array. Any number of categories is allowed: the rarest share a bin if there are more than
        `max_bins`. A category that fit has not seen is a missing value.
    max_cat_to_onehot : int, default=4
        A feature with at most this many categories is split one category against the rest. With more, categories are
        sorted by their mean gradient and split as if ordered; the next four parameters are about that.
    max_cat_threshold : int or None, default=None
        Most categories on the smaller side of a sorted split, >= 1; None: no limit.
    cat_smooth : float or None, default=None
        Number of average rows of the node added to each category before sorting (smoothing); categories with fewer
        rows in the node go with the missing values. None: half of an average category of the node, 3 (or
        `min_samples_leaf`, if that is less) to 10.
    cat_l2 : float or None, default=None
        L2 penalty on the values of both sides in the gain of a sorted split, in average rows of the node, beside
        `reg_lambda`. None: as `cat_smooth`.
    min_data_per_group : int or None, default=None
        Fewest rows between two sorted cuts that are tried. None: half of an average category of the node, at most 100.
    monotonic_cst : array of shape (n_features,), dict or None, default=None
        1: the raw score may only rise with the feature, -1: only fall, 0: anything. A dict goes from names to these.
    interaction_cst : list of groups, "pairwise", "no_interactions" or None, default=None
        Groups of features, by name or position, that may occur on one path from root to leaf. Features in no group form
        one more.
    quantile : float or None, default=None
        Level of ``loss="quantile"``, in (0, 1); None: 0.5.
    huber_slope : float or None, default=None
        ``loss="huber"``: residuals beyond this count by their size, smaller ones by their square; > 0, in units of y.
        None: the median distance of y (less its `base_margin`) from its median, so that half of the rows count by their
        size at first.
    tweedie_variance_power : float, default=1.5
        ``loss="tweedie"``: the variance goes with this power of the mean; between 1 (Poisson) and 2 (gamma), both
        excluded.
    early_stopping : "auto" or bool, default="auto"
        Stop when the score on validation rows no longer improves, and keep the trees up to the best iteration. A score
        that is NaN is an error then. "auto":
        if there are more than 10,000 rows, or `X_val` is given to fit. With False and an `X_val`, validation scores
        are recorded only.
    validation_fraction : float, int or None, default=0.1
        Share or number of training rows set aside for that if there is no `X_val`. None: the training score is
        monitored, as it is where no row can be spared.
    n_iter_no_change : int, default=10
        Iterations without improvement before stopping.
    tol : float, default=1e-7
        What counts as an improvement of the score: a share of what there was to gain before the first iteration (for
        ``scoring="loss"`` the distance of the constant model's loss from the least possible one, else the size of its
        score), so that units do not matter.
    scoring : "loss", str, callable or None, default="loss"
        What is scored: the loss (with its sign changed, so that higher is better), a scorer by scikit-learn's name for
        it, a callable ``scorer(estimator, X, y)``, or None for the `score` method. A callable is given a
        light substitute for the model and rows with categories as codes.
    warm_start : bool, default=False
        Go on from the trees of the last fit until there are `n_estimators`. Bins are computed again, categories kept.
    random_state : int, RandomState or None, default=None
        Seed of the random choices: rows, features, and validation rows.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: a line an iteration through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.
    is_categorical_ : bool array of shape (n_features_in_,)
        Which of them are categorical.
    categories_ : list of n_features_in_ arrays or None
        The categories of each of those, most frequent first.
    n_iter_ : int
        Iterations kept.
    train_score_, validation_score_ : array of shape (iterations done + 1,)
        Scores, higher is better: the first before the first iteration. With early stopping they go on beyond
        `n_iter_`. Empty if there were no validation rows, or nothing to score.
    feature_importances_ : array of shape (n_features_in_,)
        Share of each feature in the gain of all splits.
    trees_ : dict of arrays
        All trees.

    See Also
    --------
    GBDTClassifier : The same for classification.

    References
    ----------
    .. [1] J. H. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics, 2001.
    .. [2] T. Chen and C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016.
    .. [3] G. Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mlcore import GBDTRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GBDTRegressor(n_estimators=50, random_state=0).fit(X[::2], y[::2])
    >>> bool(model.score(X[1::2], y[1::2]) > 0.3)
    True
    """

    _links = ("identity", "log")

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseGBDT._parameter_constraints,
        "loss": [
            StrOptions({"squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma", "tweedie"}),
            callable,
        ],
        "quantile": [Interval(Real, 0, 1, closed="neither"), None],
        "huber_slope": [Interval(Real, 0, None, closed="neither"), None],
        "tweedie_variance_power": [Interval(Real, 1, 2, closed="neither")],
    }

    def __init__(
        self,
        loss: str | CustomLoss = "squared_error",
        *,
        n_estimators: int = 100,
        learning_rate: float = 0.1,
        growth: str = "leaf",
        newton: bool = True,
        max_leaf_nodes: int | None = 31,
        max_depth: int | None = None,
        min_samples_leaf: int = 20,
        min_child_weight: float = 1e-3,
        min_split_gain: float = 0.0,
        reg_lambda: float = 0.0,
        reg_alpha: float = 0.0,
        max_delta_step: float = 0.0,
        max_bins: int = 255,
        subsample: float = 1.0,
        colsample_bytree: float = 1.0,
        colsample_bylevel: float = 1.0,
        colsample_bynode: float = 1.0,
        categorical_features: Any = "from_dtype",
        max_cat_to_onehot: int = 4,
        max_cat_threshold: int | None = None,
        cat_smooth: float | None = None,
        cat_l2: float | None = None,
        min_data_per_group: int | None = None,
        monotonic_cst: Any = None,
        interaction_cst: Any = None,
        quantile: float | None = None,
        huber_slope: float | None = None,
        tweedie_variance_power: float = 1.5,
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float | int | None = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-7,
        scoring: Any = "loss",
        warm_start: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.loss = loss
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.growth = growth
        self.newton = newton
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.min_child_weight = min_child_weight
        self.min_split_gain = min_split_gain
        self.reg_lambda = reg_lambda
        self.reg_alpha = reg_alpha
        self.max_delta_step = max_delta_step
        self.max_bins = max_bins
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.colsample_bylevel = colsample_bylevel
        self.colsample_bynode = colsample_bynode
        self.categorical_features = categorical_features
        self.max_cat_to_onehot = max_cat_to_onehot
        self.max_cat_threshold = max_cat_threshold
        self.cat_smooth = cat_smooth
        self.cat_l2 = cat_l2
        self.min_data_per_group = min_data_per_group
        self.monotonic_cst = monotonic_cst
        self.interaction_cst = interaction_cst
        self.quantile = quantile
        self.huber_slope = huber_slope
        self.tweedie_variance_power = tweedie_variance_power
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.scoring = scoring
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _encode_target(self, y: Any, name: str, *, reset: bool) -> Floats:  # noqa: ARG002
        return read_targets(y, type(self).__name__, name)

    def _get_loss(self) -> Loss:
        if not isinstance(self.loss, str):
            return Loss("custom", "identity", custom=self.loss)
        parameter = {
            "quantile": 0.5 if self.quantile is None else float(self.quantile),
            "huber": float(self.huber_slope or 0.0),  # 0: from the targets
            "tweedie": float(self.tweedie_variance_power),
        }.get(self.loss, 0.0)
        return Loss(
            self.loss, "log" if self.loss in ("poisson", "gamma", "tweedie") else "identity", parameter=parameter
        )

    def predict(self, X: Any, *, base_margin: Any = None) -> Floats:
        """Return the prediction for each row.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
        base_margin : array of shape (n_samples,), default=None
            Raw scores that those of the trees are added to, as in `fit`: in units of y, or of its logarithm for the
            losses "poisson", "gamma" and "tweedie".

        Returns
        -------
        array of shape (n_samples,)
            In units of y.
        """
        return self._inverse_link(self._raw_scores(X, base_margin))

    def staged_predict(self, X: Any, *, base_margin: Any = None) -> Iterator[Floats]:
        """Yield what :meth:`predict` would return after each iteration.

        Parameters
        ----------
        X, base_margin
            As for :meth:`predict`.

        Yields
        ------
        array of shape (n_samples,)
        """
        return (self._inverse_link(raw) for raw in self._staged_raw_scores(X, base_margin))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss in ("poisson", "gamma", "tweedie")
        return tags
