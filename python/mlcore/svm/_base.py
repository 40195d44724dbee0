"""What all kernel machines share: from parameters and data to a dual problem, from its solution to decision values."""

import os
import warnings
from abc import abstractmethod
from dataclasses import asdict
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from mlcore._base import N_JOBS, TableEstimator, effective_n_jobs
from mlcore._linear import linear_scores
from mlcore._native import core
from mlcore._progress import Progress
from mlcore._sparse import check_sparse, validate_rows
from mlcore._state import FEATURES, Array, Csr, Dict, Int, Number, OneOf, Optional, Sizes, Spec, Text, Tuple
from mlcore._tables import Floats, Rows, as_rows, for_core, read_rows
from mlcore._validation import read_targets, row_weights, weighted_rows
from mlcore.svm._kernel import (
    COMPUTED,
    LARGEST_DEGREE,
    Kernel,
    call_kernel,
    check_range,
    check_square,
    check_symmetric,
    fit_kernel,
)
from mlcore.svm._model_file import LibsvmModel, read_model, write_model
from mlcore.svm._rows import alike

_MOST_STEPS, _MOST_STEPS_A_ROW = (
    10_000_000,
    100,
)  # without max_iter, as libsvm: where no end is in sight, a warning is due
_MEBIBYTE = 1 << 20
_NO_BOUND = 1e300


class BaseSVM(TableEstimator):
    """Parameters, fit and decision values of SVC, NuSVC, SVR, NuSVR and OneClassSVM."""

    _kind: ClassVar[str]
    """The formulation, by the core's name for it, which is libsvm's too."""

    _why_not_finite: ClassVar[str] = "scale the features (StandardScaler or MinMaxScaler), or take a smaller C"

    _private_state = ("_kernel",)
    _kernel: Kernel
    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "_kernel": Dict(
            {
                "name": Text((*COMPUTED, "precomputed")),
                "gamma": Number(0.0, is_finite=True),
                "degree": Int(0, LARGEST_DEGREE),
                "coef0": Number(is_finite=True),
            }
        ),
        "dual_coef_": Array("f8", ("n_rows_of_coef", "n_vectors"), is_finite=True),
        "intercept_": Array("f8", ("n_problems",), is_finite=True),
        "n_support_": Array("i4", ("n_blocks",), low=0),
        "support_vectors_": OneOf(
            Array("f4 f8", ("n_rows", "n_columns"), is_finite=True), Csr(("n_rows", "n_columns"))
        ),
        # These a libsvm file does not hold.
        "support_": Optional(Array("i4", ("n_vectors",), low=0)),
        "shape_fit_": Optional(OneOf(Tuple(Int()), Tuple(Int(), Int()))),
        "fit_status_": Optional(Int(0, 1)),
        "n_iter_": Optional(OneOf(Int(), Array("i8", ("n_problems",), low=0))),
    }
    support_: NDArray[np.int32]
    support_vectors_: Any
    n_support_: NDArray[np.int32]
    dual_coef_: Floats
    intercept_: Floats
    fit_status_: int
    n_iter_: Any
    shape_fit_: tuple[int, ...]
    n_features_in_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "kernel": [StrOptions({"linear", "poly", "rbf", "sigmoid", "precomputed"}), callable],
        "degree": [Interval(Integral, 0, None, closed="left")],
        "gamma": [StrOptions({"scale", "auto"}), Interval(Real, 0.0, None, closed="left")],
        "coef0": [Interval(Real, None, None, closed="neither")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "shrinking": ["boolean"],
        "cache_size": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, -1, None, closed="left")],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
    }

    # ---- what the estimators differ in ----

    @abstractmethod
    def _dual_problem(self, y: NDArray[Any], weight: Floats) -> tuple[Floats, Floats]:
        """Return the core's `y` and `C`: targets or numbers of classes, and the bound of each row's variable.

        `y` and `weight` are those of the rows with a weight > 0, as `_weigh` has returned it.
        """

    def _weigh(self, y: NDArray[Any], weight: Floats) -> Floats:  # noqa: ARG002
        """Return the weights of rows times those of their classes."""
        return weight

    def _check_target(self, y: Any, n_samples: int) -> NDArray[Any]:  # noqa: ARG002
        """Check `y`; classifiers learn its labels and return the number of each row's class."""
        return read_targets(y, type(self).__name__)

    def _costs(self, weight: Floats) -> Floats:
        """C times weights; one without a bound is as good as one that no variable reaches."""
        C = float(self.C)
        return np.minimum(C * weight, _NO_BOUND)

    def _finish(self) -> None:
        """Turn what the core has found (set as attributes already) into the attributes of the estimator."""

    # ---- fit ----

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, continuing: bool) -> None:  # noqa: ARG002
        name, n_threads = type(self).__name__, effective_n_jobs(self.n_jobs)
        is_callable = callable(self.kernel)
        if is_callable:
            validate_rows(self, X, skip_check_array=True)  # whatever the callable takes: only names are looked at
            rows, n = X, _num_samples(X)
        else:
            rows = read_rows(self, X, reset=True, accept_sparse=self.kernel != "precomputed")
            n = rows.shape[0]
        target = self._check_target(y, n)
        check_consistent_length(rows, target)
        copies = row_weights(sample_weight, target, name)
        weight = self._weigh(target, np.ones(n) if copies is None else copies)
        kept = weighted_rows(weight)
        if self.kernel == "precomputed":
            check_square(self, rows)
        if kept is not None:  # a weight of zero is the same as no row
            target, weight = target[kept], weight[kept]
            copies = None if copies is None else copies[kept]
            rows = rows[np.ix_(kept, kept)] if self.kernel == "precomputed" else _safe_indexing(rows, kept)
        problem = self._dual_problem(target, weight)
        matrix = rows
        if is_callable:
            matrix = call_kernel(self, rows, rows)
        if (is_callable or self.kernel == "precomputed") and self._n_problems(problem[0]) > 0:
            check_symmetric(self, matrix)
        self._kernel = fit_kernel(self, None if is_callable else matrix, copies)
        check_range(self, self._kernel, matrix)

        result = self._train(matrix, *problem, n_threads)
        support = result["support"]
        if self.kernel == "precomputed":
            self.support_vectors_ = np.empty((0, 0))
        else:
            self.support_vectors_ = _safe_indexing(rows, support)
        self.support_ = support if kept is None else kept[support].astype(np.int32)
        self.n_support_ = result["n_support"]
        self.dual_coef_, self.intercept_ = result["dual_coef"], result["intercept"]
        self.shape_fit_ = tuple(X.shape) if hasattr(X, "shape") else (n,)
        self.fit_status_ = 0 if result["converged"].all() else 1
        self.n_iter_ = result["n_iter"]
        if not (np.isfinite(self.dual_coef_).all() and np.isfinite(self.intercept_).all()):
            raise ValueError(f"{name} found coefficients that are not finite: {self._why_not_finite}")
        self._finish()
        self._warn_if_not_converged(result, self._most_steps(len(problem[0])))

    def _train(self, matrix: Rows, y: Floats, C: Floats, n_threads: int) -> dict[str, Any]:
        n_problems = self._n_problems(y)
        figure = "gap" if n_problems == 1 else "problems_left"
        with Progress(None if n_problems == 1 else n_problems, self.verbose, type(self).__name__) as progress:
            result = core.svm.train(
                self._kind,
                for_core(matrix),
                y,
                C,
                nu=float(getattr(self, "nu", 0.0)),
                epsilon=float(getattr(self, "epsilon", 0.0)),
                **self._kernel.arguments(),
                tol=float(self.tol),
                cache_size=min(max(int(self.cache_size * _MEBIBYTE), 1), 1 << 62),
                shrinking=bool(self.shrinking),
                max_iter=self._most_steps(len(y)),
                n_threads=n_threads,
                report=progress.callback(figure),
            )
            if 1 < n_problems != progress.done:  # those that other threads have ended
                progress.update(n_problems - progress.done, problems_left=0.0)
        return result

    def _n_problems(self, y: Floats) -> int:  # noqa: ARG002
        return 1

    def _most_steps(self, n_rows: int) -> int:
        """Return how many steps a dual problem may take."""
        wanted = int(self.max_iter) if self.max_iter >= 0 else max(_MOST_STEPS, _MOST_STEPS_A_ROW * n_rows)
        return min(wanted, (1 << 31) - 1)

    def _warn_if_not_converged(self, result: dict[str, Any], most_steps: int) -> None:
        if self.fit_status_ == 0:
            return
        left = ~result["converged"]
        of_problems = f" in {left.sum()} of {len(left)} one-vs-one problems" if len(left) > 1 else ""
        steps = int(result["n_iter"][left].min())
        at_limit = steps >= most_steps
        limit = f"max_iter={self.max_iter}" if self.max_iter >= 0 else f"the {steps}"
        why = f"at {limit} steps" if at_limit else "as float32 kernel values allowed no more progress"
        warnings.warn(
            f"SMO of {type(self).__name__} stopped {why}{of_problems}: the largest KKT violation left is "
            f"{result['gap'].max():.3g}, and tol is {self.tol:g}. Scale the features (StandardScaler or MinMaxScaler), "
            f"{'raise max_iter, ' if at_limit else ''}or take a smaller C or a larger tol.",
            ConvergenceWarning,
            stacklevel=4,
        )

    # ---- decision values ----

    def _decision_values(self, X: Any) -> Floats:
        """Decision values, shape (n_samples, number of dual problems), in the signs of `dual_coef_`."""
        check_is_fitted(self)
        kernel = self._kernel
        n_support, coef = self.n_support_, self.dual_coef_
        rows: Rows
        vectors = self.support_vectors_
        check_sparse(vectors, type(self).__name__, "support_vectors_")  # which users may change
        if kernel.name == "callable":
            validate_rows(self, X, reset=False, skip_check_array=True)
            if coef.shape[1] == 0:  # no support vectors: nothing to ask the callable for
                return np.tile(np.asarray(self.intercept_, dtype=np.float64), (_num_samples(X), 1))
            rows = vectors = call_kernel(self, X, vectors)
        elif kernel.name == "precomputed":
            try:
                rows = read_rows(self, X, accept_sparse=False)
            except ValueError as error:
                error.add_note("kernel='precomputed' takes a matrix with a column for each training row")
                raise
            rows = vectors = rows[:, self.support_]
        else:
            rows, vectors = alike(read_rows(self, X), as_rows(vectors))
        n_vectors = vectors.shape[0 if kernel.reads_rows else 1]
        if coef.shape != (max(len(n_support) - 1, 1), n_vectors) or n_support.sum() != n_vectors:
            raise ValueError(
                f"the internal representation of {type(self).__name__} was altered: {n_vectors} support vectors, "
                f"n_support_ {n_support.tolist()} and dual_coef_ of shape {coef.shape} do not belong together"
            )
        if kernel.name == "linear":  # exact in float64, and no slower for many support vectors than for one
            intercept = np.asarray(self.intercept_, dtype=np.float64)
            return linear_scores(for_core(rows), self._primal_coef(), intercept, effective_n_jobs(self.n_jobs))
        return core.svm.decision_function(
            for_core(rows),
            for_core(vectors),
            np.ascontiguousarray(coef, dtype=np.float64),
            n_support,
            np.ascontiguousarray(self.intercept_, dtype=np.float64),
            **kernel.arguments(),
            n_threads=effective_n_jobs(self.n_jobs),
        )

    @property
    def coef_(self) -> Floats:
        """Weights of the features, of a linear kernel only. Read-only, shape (number of dual problems, n_features)."""
        check_is_fitted(self)
        if self._kernel.name != "linear":
            raise AttributeError(f"coef_ of {type(self).__name__} is only available with kernel='linear'")
        check_sparse(self.support_vectors_, type(self).__name__, "support_vectors_")
        coef = self._primal_coef()
        coef.flags.writeable = False
        return coef

    def _primal_coef(self) -> Floats:
        return np.asarray(self.dual_coef_ @ self.support_vectors_, dtype=np.float64)

    # ---- model files of libsvm ----

    def save_libsvm(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model as a model file of libsvm: ``svm-predict`` and ``svm_load_model`` read it.

        Numbers are written so that they are read as the same float64 again. What libsvm has no place for (names of
        features, parameters of the fit) is not in it; :func:`mlcore.save` keeps everything.

        Parameters
        ----------
        path : str or path-like
            Where to. An existing file is replaced when the new one is whole.

        Raises
        ------
        ValueError
            If the kernel is a callable, or a label is no whole number.
        OSError
            If the file cannot be written.
        """
        check_is_fitted(self)
        if self._kernel.name == "callable":
            raise ValueError(f"a libsvm model file cannot hold the callable kernel of {type(self).__name__}")
        write_model(path, self._to_libsvm())

    @classmethod
    def load_libsvm(cls, path: str | os.PathLike[str], *, n_features: int | None = None) -> Self:
        """Read a model file of libsvm, as `save_libsvm`, ``svm-train`` and ``svm_save_model`` write it.

        Parameters
        ----------
        path : str or path-like
            The file. Its labels are whole numbers; `classes_` has them sorted, whatever their order in the file.
        n_features : int, default=None
            Number of features that `predict` shall expect, as the file does not tell; for a precomputed kernel the
            number of training rows. None: the largest index that occurs.

        Returns
        -------
        estimator
            Ready to predict. Support vectors are a dense array if a quarter of their entries are not zero, else CSR.
            `support_` is known for a precomputed kernel only; parameters that the file does not hold (C, nu, tol, ...)
            have their defaults.

        Raises
        ------
        ValueError
            If the file is damaged (the message names the line) or holds another kind of machine.
        OSError
            If it cannot be read.
        """
        model = read_model(path, n_features)
        if model.kind != cls._kind:
            raise ValueError(f"{path} holds a machine of type {model.kind}, and {cls.__name__} is {cls._kind}")
        kernel = model.kernel
        self = cls(kernel=kernel.name, degree=kernel.degree, gamma=kernel.gamma, coef0=kernel.coef0)
        self._kernel = kernel
        self.n_features_in_ = model.n_features
        if model.positions is not None:
            self.support_, self.support_vectors_ = model.positions, np.empty((0, 0))
        else:
            self.support_vectors_ = model.vectors
        self._from_libsvm(model)
        return self

    def _to_libsvm(self) -> LibsvmModel:
        is_precomputed = self._kernel.name == "precomputed"
        return LibsvmModel(
            kind=self._kind,
            kernel=self._kernel,
            n_classes=2,
            rho=(-self.intercept_).tolist(),
            labels=None,
            n_support=None,
            dual_coef=self.dual_coef_,
            vectors=None if is_precomputed else self.support_vectors_,
            positions=self.support_ if is_precomputed else None,
            n_features=self.n_features_in_,
        )

    def _from_libsvm(self, model: LibsvmModel) -> None:
        """Set the attributes that depend on the kind of machine."""
        self.n_support_ = np.array([model.dual_coef.shape[1]], dtype=np.int32)
        self.dual_coef_, self.intercept_ = model.dual_coef, -np.array(model.rho)
        self._finish()

    # ---- tags and state ----

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.kernel == "precomputed"
        tags.input_tags.sparse = self.kernel != "precomputed"
        return tags

    def _get_state(self) -> dict[str, Any]:
        state = super()._get_state()
        if "_kernel" in state:
            state["_kernel"] = asdict(state["_kernel"])
        return state

    def _set_state(self, state: dict[str, Any]) -> None:
        if "_kernel" in state:
            state = {**state, "_kernel": Kernel(**state["_kernel"])}
        super()._set_state(state)

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        n_classes, n_vectors = sizes.get("n_classes", 2), sizes["n_vectors"]
        n_problems, n_blocks = n_classes * (n_classes - 1) // 2, n_classes if "n_classes" in sizes else 1
        for name, expected in (
            ("dual_coef_", (n_classes - 1, n_vectors)),
            ("intercept_", (n_problems,)),
            ("n_support_", (n_blocks,)),
        ):
            if state[name].shape != expected:
                raise ValueError(f"{name} must have shape {expected}, got {state[name].shape}")
        if state["n_support_"].sum(dtype=np.int64) != n_vectors:
            raise ValueError(f"n_support_ {state['n_support_'].tolist()!s:.80} must sum to {n_vectors} support vectors")
        rows, columns = (0, 0) if state["_kernel"]["name"] == "precomputed" else (n_vectors, sizes["n_features"])
        if (sizes["n_rows"], sizes["n_columns"]) != (rows, columns):
            raise ValueError(
                f"support_vectors_ must have shape {rows, columns}, got {sizes['n_rows'], sizes['n_columns']}"
            )
        if state["_kernel"]["name"] == "precomputed" and not (
            "support_" in state and (state["support_"] < sizes["n_features"]).all()
        ):
            raise ValueError(f"support_ must be positions among the {sizes['n_features']} training rows")
