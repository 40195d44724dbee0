"""What all estimators share: threads, seed, fits that fail, and one state pair behind pickle, joblib and files.

Everything else an estimator needs (parameters, tags, input checks) comes from scikit-learn.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from mlcore._native import core
from mlcore._state import Sizes, Spec, is_packed_csr, pack_csr, unpack_csr

N_JOBS: tuple[Any, ...] = (
    Interval(Integral, 1, None, closed="left"),
    Interval(Integral, None, -1, closed="right"),
    None,
)
"""What the parameter `n_jobs` may be: the constraint of all estimators."""


def effective_n_jobs(n_jobs: int | None) -> int:
    """Return the number of threads that `n_jobs` stands for.

    Parameters
    ----------
    n_jobs : int or None
        None and -1: all CPUs that this process may use (its affinity and cgroup quota respected); a positive number:
        that many; -2: all but one, and so on.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If `n_jobs` is 0.
    """
    if n_jobs == 0:
        raise ValueError("n_jobs must be a positive int, a negative int (all CPUs but -1 - n_jobs) or None, got 0")
    if n_jobs is not None and n_jobs > 0:
        return min(int(n_jobs), 1 << 16)  # no machine has more, and the core takes an int of C
    cpus = core.available_cpus()
    return cpus if n_jobs is None else max(1, cpus + 1 + int(n_jobs))


def core_count(value: int) -> int:
    """Return a parameter that counts something as the core takes it: nothing is counted beyond 2^63 - 1."""
    return int(min(value, 2**63 - 1))


def seed_from(random_state: Any) -> int:
    """Draw the 64-bit seed of a fit from a scikit-learn style `random_state` (int, RandomState or None)."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int64).max, dtype=np.int64))


class StateMixin:
    """State of an estimator as plain values: NumPy arrays, numbers, strings, and lists and dicts of them.

    pickle, copy, joblib and :func:`mlcore.save` all go through `_get_state` and `_set_state`. An estimator that holds
    an object of the C++ core overrides both, to put arrays in its place and back. `_state_spec` describes that state:
    files are compared with it before anything is built from them, and models before they are written.
    """

    _state_spec: ClassVar[Spec] = {}
    """What the fitted attributes are, in the form that `_get_state` returns."""

    _private_state: tuple[str, ...] = ()
    """Fitted attributes without a trailing underscore."""

    def _fitted_attributes(self) -> list[str]:
        """Names of the attributes that fit has set."""
        return [
            name
            for name in vars(self)
            if name in self._private_state or (name.endswith("_") and not name.startswith("_"))
        ]

    def _clear_fitted(self) -> None:
        """Forget the former fit."""
        for name in self._fitted_attributes():
            delattr(self, name)

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        """Raise ValueError where parts of a state, as `_state_spec` says each, do not fit each other or parameters."""

    def _check_loaded(self, *, is_mapped: bool) -> None:
        """Raise ValueError where what was built from the state of a file, mapped or not, cannot serve every call."""

    def _file_params(self) -> dict[str, Any]:
        """Return the parameters as plain values, for a file."""
        params: dict[str, Any] = self.get_params(deep=False)  # type: ignore[attr-defined]
        return params

    @classmethod
    def _of_file_params(cls, params: dict[str, Any]) -> Self:
        """Return an estimator with the parameters that `_file_params` returned."""
        return cls(**params)

    def _get_state(self) -> dict[str, Any]:
        return {name: pack_csr(value) if sp.issparse(value) else value for name, value in vars(self).items()}

    def _set_state(self, state: dict[str, Any]) -> None:
        vars(self).update(
            {name: unpack_csr(value) if is_packed_csr(name, value) else value for name, value in state.items()}
        )

    def __getstate__(self) -> dict[str, Any]:
        return self._get_state()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set_state(state)


@contextmanager
def fitting(estimator: StateMixin, *, continuing: bool = False) -> Iterator[None]:
    """Run a fit: one that fails or is interrupted leaves the estimator unfitted or as it was, never a mixture.

    Parameters
    ----------
    estimator : StateMixin
        What is fitted in the body of the ``with`` statement. Check parameters before: a parameter that is out of range
        then leaves the former fit alone.
    continuing : bool, default=False
        False: a new fit. The former one is forgotten at once, and after an error or Ctrl-C the estimator is unfitted.
        True: a fit that goes on from the former one (`warm_start`, `partial_fit`). After an error or Ctrl-C all
        attributes are what they were before; arrays must be replaced by the fit, not changed in place.
    """
    if not continuing:
        estimator._clear_fitted()
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:  # KeyboardInterrupt too
        estimator.__dict__ = before  # in one step: a second Ctrl-C finds the one or the other
        raise


class TableEstimator(StateMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator that is fitted to rows of a table and their targets: the public `fit` around that of the family."""

    @abstractmethod
    def _fit(self, X: Any, y: Any, sample_weight: Any, *, continuing: bool) -> None:
        """Check the data, solve the problem and set all fitted attributes."""

    def _continues(self) -> bool:
        """Whether fit goes on from the last one."""
        return False

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Training rows, finite. float32, float64 and CSR are read in place, and never written to.
        y : array of shape (n_samples,), or (n_samples, n_targets) for estimators of several targets
            Labels of a classifier, of any type: each of them is a class, those of rows without weight too. Else finite
            numbers; each column is a problem of its own.
        sample_weight : float or array of shape (n_samples,), default=None
            Weights, not negative. A weight of 0 is the same as removing the row, of 2 the same as a second copy of it
            (but for what is drawn at random).

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted; with
            `warm_start`, as it was before.

        Raises
        ------
        ValueError
            If a parameter, a combination of them, or the data is out of range; the message says which.
        TypeError
            If labels are of types that cannot be ordered among each other.
        KeyboardInterrupt
            On Ctrl-C.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If a solver stopped before `tol` was reached, or there is no solution to converge to; the message says how
            far it was, and what to do about it.
        """
        self._validate_params()
        continuing = self._continues()
        with fitting(self, continuing=continuing):
            self._fit(X, y, sample_weight, continuing=continuing)
        return self
