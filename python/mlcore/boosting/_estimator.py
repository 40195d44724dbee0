"""What GBDTClassifier and GBDTRegressor share: from parameters and data to a task, from a forest to answers."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from mlcore._base import StateMixin, effective_n_jobs, fitting, seed_from
from mlcore._categories import Categories
from mlcore._native import core
from mlcore._state import FEATURES, Array, Dict, Distinct, Int, ListOf, Nothing, OneOf, Sizes, Spec, Text
from mlcore._tables import Floats, for_core
from mlcore._validation import has_validation_rows, row_weights, with_factors
from mlcore.boosting._data import Given, check_categorical, check_margin, encode, fit_categories, read
from mlcore.boosting._fit import Rows, Scores, Task, boost, split
from mlcore.boosting._losses import Link, Loss, inverse_link
from mlcore.boosting._parameters import CONSTRAINTS, core_params
from mlcore.boosting._trees import FOREST, check_forest, to_frame

if TYPE_CHECKING:
    import pandas as pd

_AUTO_EARLY_STOPPING_ROWS = 10_000


class BaseGBDT(StateMixin, BaseEstimator):  # type: ignore[misc]
    """Parameters, fit and predict of both estimators."""

    _private_state = ("_forest", "_link", "_seed")
    _links: ClassVar[tuple[Link, ...]]
    """Those that the losses have."""

    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "_seed": Int(),
        "_link": Text(),
        "_forest": Dict(FOREST),
        "n_iter_": Int(),
        "is_categorical_": Array("b1", ("n_features",)),
        "categories_": ListOf(OneOf(Nothing(), Distinct()), "n_features"),
        "train_score_": Array("f8", ("n_scores",)),
        "validation_score_": Array("f8", ("n_validation_scores",)),
    }
    _forest: "core.boosting.Forest"
    _link: Link
    _seed: int
    n_features_in_: int
    n_iter_: int
    is_categorical_: NDArray[np.bool_]
    categories_: list[Categories | None]
    train_score_: Floats
    validation_score_: Floats

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    # ---- what the two estimators differ in ----

    @abstractmethod
    def _encode_target(self, y: Any, name: str, *, reset: bool) -> Floats:
        """Check targets, called `name`, and turn them into numbers; with `reset`, learn the classes first."""

    @abstractmethod
    def _get_loss(self) -> Loss:
        """Return the loss, once the classes are known."""

    def _class_weights(self, y: Floats, weight: Floats | None) -> Floats | None:  # noqa: ARG002
        """Return a factor for the weights of each class, or None."""
        return None

    # ---- fit ----

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        base_margin: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        base_margin_val: Any = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame, Arrow table} of shape (n_samples, n_features)
            Training rows. NaN, None and null are missing values; the zeros of a sparse matrix are zeros. inf is an
            error.
        y : array of shape (n_samples,)
            Targets; class labels may be of any type.
        sample_weight : array of shape (n_samples,), default=None
            Weights, not negative. A weight of 0 is the same as removing the row, of 2 the same as a second copy of it
            (but for the random choice of rows by `subsample` or for validation). Unless all are whole numbers they are
            divided by their mean: only their ratios matter.
        base_margin : array of shape (n_samples,), or (n_samples, n_classes) for more than two classes, default=None
            Raw scores to start from, one a row, in place of the best constant: an offset (the logarithm of the exposure
            of a Poisson model), or the raw scores of another model that this one shall improve. The trees learn what
            is left; give `predict` the margins of its rows.
        X_val : like `X`, of shape (n_val, n_features), default=None
            Rows to validate with, for early stopping and `validation_score_`. In a pipeline:
            ``Pipeline(..., transform_input=["X_val"])``.
        y_val : array of shape (n_val,), default=None
            Their targets.
        sample_weight_val : array of shape (n_val,), default=None
            Their weights.
        base_margin_val : like `base_margin`, of n_val rows, default=None
            Their margins; needed if there is a `base_margin`.

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted; with
            `warm_start`, as it was before.

        Raises
        ------
        ValueError
            If a parameter or the data is out of range; the message says which.
        KeyboardInterrupt
            On Ctrl-C.
        """
        self._validate_params()
        continuing = self.warm_start and hasattr(self, "_forest")
        with fitting(self, continuing=continuing):
            train = Given(X, y, sample_weight, base_margin)
            self._fit(train, Given(X_val, y_val, sample_weight_val, base_margin_val, "_val"), continuing=continuing)
        return self

    def _fit(self, given: Given, given_val: Given, *, continuing: bool) -> None:
        if continuing and self.n_estimators < self.n_iter_:
            raise ValueError(
                f"n_estimators={self.n_estimators} of {type(self).__name__} must be at least the {self.n_iter_} "
                "iterations already done, as warm_start=True continues them"
            )
        owner = type(self).__name__
        belonging = {"sample_weight_val": given_val.weight, given_val.margin_name: given_val.margin}
        has_validation = has_validation_rows(owner, given_val.X, given_val.y, **belonging)
        if has_validation and (given.margin is None) != (given_val.margin is None):
            raise ValueError(f"base_margin and base_margin_val of {owner} must be given together, got only one of them")
        if not continuing:
            self._seed = seed_from(self.random_state)

        n_threads = effective_n_jobs(self.n_jobs)
        rows, class_weights = self._training_rows(given, continuing=continuing)
        loss = self._get_loss()
        loss.check_target(rows.y, type(self).__name__)
        loss = loss.fitted_to(rows.y if rows.margin is None else rows.y - rows.margin[:, 0], rows.weight)
        params = core_params(self, loss)
        params.first_iteration = self.n_iter_ if continuing else 0

        knows_scores = loss.custom is None or self.scoring != "loss"
        stops = self.early_stopping
        if stops == "auto":
            stops = knows_scores and (has_validation or len(rows) > _AUTO_EARLY_STOPPING_ROWS)
        if stops and not knows_scores:
            raise ValueError(
                f"early stopping of {type(self).__name__} needs to know how good the model is, and a loss of your own "
                "gives only its gradient: set scoring to a scorer, or early_stopping=False"
            )
        validation = None
        if has_validation:
            validation = self._validation_rows(given_val, class_weights)
            loss.check_target(validation.y, type(self).__name__, "y_val")
        elif stops and self.validation_fraction is not None:
            stratify = hasattr(self, "classes_")
            kept, validation = split(rows, self.validation_fraction, self._seed, stratify=stratify)
            if loss.link == "log" and not kept.y.any():  # the only targets above 0 went to the validation rows
                kept, validation = rows, None
            rows = kept
        monitored = rows if validation is None else validation
        scores = Scores(
            patience=self.n_iter_no_change if stops else None,
            tol=self.tol,
            ceiling=-loss.least(monitored.y, monitored.weight) if self.scoring == "loss" else None,
            owner=type(self).__name__,
        )
        if continuing:
            scores.resume(self.train_score_, self.validation_score_, self.n_iter_)

        n_categories = [0 if c is None else max(len(c), 1) for c in self.categories_]
        self._forest = boost(
            Task(
                train=rows,
                validation=validation,
                loss=loss,
                params=params,
                n_categories=np.array(n_categories, dtype=np.int32),
                max_bins=int(self.max_bins),
                n_iterations=int(self.n_estimators) - (self.n_iter_ if continuing else 0),
                scoring=self.scoring,
                classes=getattr(self, "classes_", None),
                scores=scores,
                seed=self._seed,
                n_threads=n_threads,
                verbose=int(self.verbose),
                name=type(self).__name__,
                start=self._forest if continuing else None,
            )
        )
        self._link = loss.link
        self.n_iter_ = self._forest.n_iterations
        self.train_score_ = np.array(scores.train, dtype=np.float64)
        self.validation_score_ = np.array(scores.validation, dtype=np.float64)

    def _training_rows(self, given: Given, *, continuing: bool) -> tuple[Rows, Floats | None]:
        """Check and encode what is trained on; sets what is known of columns and classes unless `continuing`."""
        wanted = self.categorical_features
        names_columns = wanted is not None and not isinstance(wanted, str) and np.size(wanted) > 0
        may_hold_text = bool(self.is_categorical_.any()) if continuing else names_columns
        table = read(self, given.X, reset=not continuing, may_hold_text=may_hold_text)
        target = self._encode_target(given.y, "y", reset=not continuing)
        weight = self._row_weights(given, target)
        class_weights = self._class_weights(target, weight)
        if class_weights is not None:
            weight = with_factors(weight, class_weights, target.astype(np.intp), type(self).__name__)
        if not continuing:
            self.is_categorical_ = check_categorical(self, table, wanted)
            self.categories_, matrix = fit_categories(table, self.is_categorical_, weight)
        else:
            matrix = encode(table, self.categories_)
        margin = check_margin(given.margin, given.margin_name, len(target), self._get_loss().n_outputs)
        return Rows(matrix, target, weight, margin).with_weight(), class_weights

    def _validation_rows(self, given: Given, class_weights: Floats | None) -> Rows:
        table = read(self, given.X, reset=False, may_hold_text=bool(self.is_categorical_.any()))
        target = self._encode_target(given.y, "y_val", reset=False)
        weight = self._row_weights(given, target)
        if class_weights is not None:
            name = f"sample_weight{given.suffix}"
            weight = with_factors(weight, class_weights, target.astype(np.intp), type(self).__name__, name)
        margin = check_margin(given.margin, given.margin_name, len(target), self._get_loss().n_outputs)
        return Rows(encode(table, self.categories_), target, weight, margin).with_weight()

    def _row_weights(self, given: Given, target: Floats) -> Floats | None:
        check_consistent_length(given.X, target)
        return row_weights(given.weight, target, type(self).__name__, f"sample_weight{given.suffix}")

    # ---- predict ----

    def _matrix(self, X: Any) -> Any:
        check_is_fitted(self)
        table = read(self, X, reset=False, may_hold_text=bool(self.is_categorical_.any()))
        return for_core(encode(table, self.categories_))

    def _raw_scores(self, X: Any, margin: Any = None) -> Floats:
        """Raw scores, shape (n_samples, n_outputs)."""
        matrix = self._matrix(X)
        raw = self._forest.predict(matrix, 0, self.n_iter_, effective_n_jobs(self.n_jobs))
        margin = check_margin(margin, "base_margin", *raw.shape)
        return raw if margin is None else raw + margin

    def _staged_raw_scores(self, X: Any, margin: Any = None) -> Iterator[Floats]:
        matrix = self._matrix(X)
        staged = self._forest.staged(matrix, effective_n_jobs(self.n_jobs))
        n_rows = matrix[3][0] if isinstance(matrix, tuple) else len(matrix)
        margin = check_margin(margin, "base_margin", n_rows, self._forest.n_outputs)
        return staged if margin is None else (raw + margin for raw in staged)

    def _inverse_link(self, raw: Floats) -> Floats:
        return inverse_link(self._link, raw)

    def apply(self, X: Any) -> NDArray[np.int32]:
        """Return the leaf that each row ends in.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)

        Returns
        -------
        leaves : int32 array of shape (n_samples, n_trees)
            Number of the node inside its tree, as in :meth:`trees_to_frame`. The trees of one iteration (one, or one
            for each of more than two classes) are side by side.
        """
        X = self._matrix(X)
        return self._forest.apply(X, effective_n_jobs(self.n_jobs))

    # ---- a look inside ----

    def importance(self, kind: Literal["gain", "split", "cover"] = "gain") -> Floats:
        """Return how much the trees use each feature.

        Parameters
        ----------
        kind : {"gain", "split", "cover"}, default="gain"
            Sum over all splits on the feature: of their gain, of 1, or of the hessians in the node.

        Returns
        -------
        array of shape (n_features,)
            Sums, not normalised.

        Raises
        ------
        ValueError
            If `kind` is none of the three.
        """
        check_is_fitted(self)
        if kind not in ("gain", "split", "cover"):
            raise ValueError(f"kind of importance must be 'gain', 'split' or 'cover', got {kind!r}")
        return self._forest.importance(kind)

    @property
    def feature_importances_(self) -> Floats:
        """Share of each feature in the gain of all splits, shape (n_features,); zeros if there is no split."""
        gain = self.importance("gain")
        total = gain.sum()
        return gain / total if total > 0 else gain

    @property
    def trees_(self) -> dict[str, NDArray[Any]]:
        """All trees as flat arrays.

        ``baseline`` (n_outputs,) raw score before the first tree; ``tree_offset`` (n_trees + 1,) first node of each
        tree. One entry a node: ``feature`` (-1 in a leaf), ``threshold`` (``x <= threshold`` goes left), ``left`` and
        ``right`` (numbers inside the tree), ``default_left`` (where missing values go), ``category_offset`` and
        ``category_size`` (place in ``category_words`` of the bits of the categories that go left; -1 for a numeric
        split), ``value`` (learning rate included), ``gain``, ``cover`` (sum of hessians) and ``count`` (rows).
        """
        check_is_fitted(self)
        return self._forest.state()

    def trees_to_frame(self) -> "pd.DataFrame":
        """Return all trees as a pandas frame with one row a node.

        Returns
        -------
        pandas.DataFrame
            Columns ``tree``, ``iteration``, ``output``, ``node``, ``depth``, ``feature`` (name or number; None in a
            leaf), ``threshold``, ``categories`` (those that go left, None if the split is numeric), ``left``,
            ``right``, ``missing`` ("left" or "right"), ``value``, ``gain``, ``cover``, ``count``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        check_is_fitted(self)
        return to_frame(self.trees_, self.categories_, getattr(self, "feature_names_in_", None))

    # ---- contract with scikit-learn, pickle and model files ----

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_forest")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        n_classes = sizes.get("n_classes", 2)
        n_outputs = 1 if n_classes == 2 else n_classes
        if state["_link"] not in self._links or (state["_link"] == "softmax") != (n_outputs > 1):
            raise ValueError(f"_link {state['_link']!r} is not one for {n_outputs} outputs")
        if sizes["n_outputs"] != n_outputs or sizes["n_offsets"] - 1 != state["n_iter_"] * n_outputs:
            raise ValueError(
                f"{sizes['n_offsets'] - 1} trees of {sizes['n_outputs']} outputs are not those of {state['n_iter_']} "
                f"iterations with {n_outputs}"
            )
        check_forest(state["_forest"], state["categories_"])
        if state["is_categorical_"].tolist() != [categories is not None for categories in state["categories_"]]:
            raise ValueError("is_categorical_ and categories_ do not agree")

    def _get_state(self) -> dict[str, Any]:
        state = super()._get_state()
        if "_forest" in state:
            state["_forest"] = self._forest.state()
        return state

    def _set_state(self, state: dict[str, Any]) -> None:
        if "_forest" in state:
            state = {**state, "_forest": core.boosting.Forest.from_state(state["_forest"])}
        super()._set_state(state)
