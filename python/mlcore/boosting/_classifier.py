"""Boosted trees for classification. What both share is in `_estimator.py`, the loop in `_fit.py`, the rest in C++.

Left out on purpose: several labels a row, ranking, dropped trees (DART).
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions

from mlcore._state import Array, Labels, Optional, Spec
from mlcore._tables import Floats
from mlcore._validation import class_factors, encode_labels, known_codes, read_labels
from mlcore.boosting._estimator import BaseGBDT
from mlcore.boosting._losses import CustomLoss, Link, Loss


class GBDTClassifier(ClassifierMixin, BaseGBDT):  # type: ignore[misc]
    """Gradient-boosted decision trees on histograms, for classification with two classes or more [1]_ [2]_ [3]_.

    Missing values and categories are handled by the trees themselves; nothing needs scaling or encoding. `fit` and
    `predict` take arrays, sparse matrices, pandas and polars frames and Arrow tables, and give the same bits for any
    `n_jobs`.

    Parameters
    ----------
    loss : "log_loss" or callable, default="log_loss"
        Log loss of one raw score for two classes, of a softmax over one raw score a class for more. A callable
        ``loss(y_true, raw_prediction, sample_weight) -> (gradient, hessian)`` is asked in every iteration: `y_true`
        int array (n_samples,) of positions in `classes_`, `raw_prediction` float64 array of shape (n_samples,) for two
        classes, else (n_samples, n_classes), `sample_weight` array (n_samples,) or None. Both results have the shape
        of `raw_prediction`, are finite, and are those of the weighted loss: a row's entries are already multiplied by
        its weight, as given to the callable (see `fit`). Raw scores start at 0; probabilities are their sigmoid or
        softmax.
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
        row).
    min_split_gain : float, default=0.0
        A split must gain more than this. The gain is that of XGBoost without the factor 1/2, as LightGBM reports it.
    reg_lambda : float, default=1.0
        L2 penalty on leaf values, in units of a row's hessian: 1, XGBoost's default too, keeps leaves of rows that are
        all but certain from growing without end. For LightGBM's and scikit-learn's default set 0.
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
    class_weight : dict, "balanced" or None, default=None
        Factor on the weights of each class, as a dict from label to factor; "balanced": such that all classes have the
        same sum of weights. A factor of 0 takes the rows of a class out of the fit.
    early_stopping : "auto" or bool, default="auto"
        Stop when the score on validation rows no longer improves, and keep the trees up to the best iteration. A score
        that is NaN is an error then. "auto":
        if there are more than 10,000 rows, or `X_val` is given to fit. With False and an `X_val`, validation scores
        are recorded only.
    validation_fraction : float, int or None, default=0.1
        Share or number of training rows set aside for that if there is no `X_val`. None: the training score is
        monitored, as it is where no row can be spared. Classes keep their shares, and one row at least to train on.
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
    classes_ : array of shape (n_classes,)
        The labels of `y`, sorted; those of rows without weight too: they get (next to) no probability.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.
    class_weight_ : array of shape (n_classes,)
        Factor on the weights of each class.
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
    GBDTRegressor : The same for regression.

    References
    ----------
    .. [1] J. H. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics, 2001.
    .. [2] T. Chen and C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016.
    .. [3] G. Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from mlcore import GBDTClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GBDTClassifier(n_estimators=20, random_state=0).fit(X[::2], y[::2])
    >>> bool(model.score(X[1::2], y[1::2]) > 0.9)
    True
    """

    _links = ("logit", "softmax")
    _state_spec: ClassVar[Spec] = {
        "classes_": Labels(),
        "class_weight_": Optional(Array("f8", ("n_classes",), low=0, is_finite=True)),
        **BaseGBDT._state_spec,
    }
    class_weight_: Floats

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseGBDT._parameter_constraints,
        "loss": [StrOptions({"log_loss"}), callable],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        loss: str | CustomLoss = "log_loss",
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
        reg_lambda: float = 1.0,
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
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
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
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.scoring = scoring
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _encode_target(self, y: Any, name: str, *, reset: bool) -> Floats:
        labels = read_labels(y, type(self).__name__, name)
        if reset:
            self.classes_, codes = encode_labels(labels, type(self).__name__)
        else:
            codes = known_codes(labels, self.classes_, name)
        return codes.astype(np.float64)

    def _get_loss(self) -> Loss:
        n_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        link: Link = "logit" if n_outputs == 1 else "softmax"
        if isinstance(self.loss, str):
            return Loss(self.loss, link, n_outputs)
        return Loss("custom", link, n_outputs, custom=self.loss)

    def _class_weights(self, y: Floats, weight: Floats | None) -> Floats | None:
        factors = class_factors(self.class_weight, self.classes_, y.astype(np.int32), weight, type(self).__name__)
        self.class_weight_ = np.ones(len(self.classes_)) if factors is None else factors
        return factors

    def _decision(self, raw: Floats) -> Floats:
        return raw[:, 0] if raw.shape[1] == 1 else raw

    def _labels(self, raw: Floats) -> NDArray[Any]:
        codes = (raw[:, 0] > 0).astype(np.intp) if raw.shape[1] == 1 else raw.argmax(axis=1)
        return np.asarray(self.classes_[codes])

    def predict(self, X: Any, *, base_margin: Any = None) -> NDArray[Any]:
        """Return the most likely class of each row.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
        base_margin : array of shape (n_samples,), or (n_samples, n_classes) for more than two classes, default=None
            Raw scores that those of the trees are added to, as in `fit`.

        Returns
        -------
        array of shape (n_samples,)
            Labels, of the type that fit was given.
        """
        return self._labels(self._raw_scores(X, base_margin))

    def predict_proba(self, X: Any, *, base_margin: Any = None) -> Floats:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
        base_margin : array of shape (n_samples,), or (n_samples, n_classes) for more than two classes, default=None
            Raw scores that those of the trees are added to, as in `fit`.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Columns in the order of `classes_`; rows sum to 1.
        """
        return self._inverse_link(self._raw_scores(X, base_margin))

    def predict_log_proba(self, X: Any, *, base_margin: Any = None) -> Floats:
        """Return the logarithm of the probability of each class; it is finite however small that is.

        Parameters
        ----------
        X, base_margin
            As for :meth:`predict_proba`.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        from scipy.special import log_expit, log_softmax

        raw = self._raw_scores(X, base_margin)
        return np.asarray(log_expit(np.hstack([-raw, raw])) if raw.shape[1] == 1 else log_softmax(raw, axis=1))

    def decision_function(self, X: Any, *, base_margin: Any = None) -> Floats:
        """Return raw scores: log-odds of ``classes_[1]``, or one score a class.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
        base_margin : array of shape (n_samples,), or (n_samples, n_classes) for more than two classes, default=None
            Raw scores that those of the trees are added to, as in `fit`.

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_classes) for more than two classes
        """
        return self._decision(self._raw_scores(X, base_margin))

    def staged_predict(self, X: Any, *, base_margin: Any = None) -> Iterator[NDArray[Any]]:
        """Yield what :meth:`predict` would return after each iteration.

        Parameters
        ----------
        X, base_margin
            As for :meth:`predict`.

        Yields
        ------
        array of shape (n_samples,)
        """
        return (self._labels(raw) for raw in self._staged_raw_scores(X, base_margin))

    def staged_predict_proba(self, X: Any, *, base_margin: Any = None) -> Iterator[Floats]:
        """Yield what :meth:`predict_proba` would return after each iteration.

        Parameters
        ----------
        X, base_margin
            As for :meth:`predict_proba`.

        Yields
        ------
        array of shape (n_samples, n_classes)
        """
        return (self._inverse_link(raw) for raw in self._staged_raw_scores(X, base_margin))

    def staged_decision_function(self, X: Any, *, base_margin: Any = None) -> Iterator[Floats]:
        """Yield what :meth:`decision_function` would return after each iteration.

        Parameters
        ----------
        X, base_margin
            As for :meth:`decision_function`.

        Yields
        ------
        array of shape (n_samples,), or (n_samples, n_classes) for more than two classes
        """
        return (self._decision(raw) for raw in self._staged_raw_scores(X, base_margin))
