"""Targets and weights of rows, checked and encoded in the same way for every estimator.

Labels keep their type exactly: a nullable or Arrow column gives the plain type that holds the same values (integers
beyond 2^53 included, which a detour by float64 would merge).

Every label of `y` is a class, those of rows without weight too, as in scikit-learn: a bag of rows drawn by weights then
has the same classes as all others. A class without weight (:func:`has_weight`), be it by `sample_weight` or by a factor
of 0 in `class_weight`, is never predicted, and has next to no probability; if one class alone has a weight, it is
predicted everywhere. A weight of 0 is otherwise the same as no row (:func:`weighted_rows`).
"""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _num_samples

from mlcore._base import core_count
from mlcore._tables import Floats

Codes: TypeAlias = NDArray[np.int32]

_NOTHING = ("NoneType", "NAType", "NaTType")
"""Types of missing entries, apart from NaN."""


def read_count(value: Any, name: str, owner: str, least: int = 1) -> int:
    """Return an argument that counts something as the core takes it.

    Raises
    ------
    TypeError
        If it is no int.
    ValueError
        If it is below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} of {owner} must be an int, got {value!r}")
    if int(value) < least:
        raise ValueError(f"{name} of {owner} must be at least {least}, got {value}")
    return core_count(int(value))


def read_number(value: Any, name: str, owner: str) -> float:
    """Return an argument that is a number, not negative; infinity is one.

    Raises
    ------
    TypeError
        If it is none.
    ValueError
        If it is negative or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} of {owner} must be a number, got {value!r}")
    number = float(value)
    if not number >= 0:
        raise ValueError(f"{name} of {owner} must be >= 0, got {value}")
    return number


def require_target(y: Any, owner: str) -> None:
    """Raise ValueError where `y` is None, in the words of scikit-learn."""
    if y is None:
        raise ValueError(f"This {owner} estimator requires y to be passed, but the target y is None.")


def read_targets(y: Any, owner: str, name: str = "y") -> Floats:
    """Return numbers as a float64 array of shape (n_samples,), in one piece.

    Raises
    ------
    ValueError
        If `y`, called `name`, is None, has missing values, is no single column, or holds no numbers.
    """
    require_target(y, owner)
    y = column_or_1d(check_array(y, dtype=None, ensure_2d=False, input_name=name, estimator=owner), warn=True)
    if y.dtype.kind in "mM":
        raise ValueError(f"{name} of {owner} must hold numbers, got dtype {y.dtype}: turn it into numbers")
    try:
        target: Floats = np.ascontiguousarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} of {owner} must hold numbers: {error}") from error
    assert_all_finite(target, input_name=name, estimator_name=owner)
    return target


def read_labels(y: Any, owner: str, name: str = "y") -> NDArray[Any]:
    """Return labels as an array of shape (n_samples,) of the plain type that holds the same values.

    Parameters
    ----------
    y : array-like, pandas, polars or Arrow column of shape (n_samples,)
    owner : str
        Who asks, for messages.
    name : str, default="y"
        What the user knows `y` as.

    Raises
    ------
    ValueError
        If `y` is None, has missing values, is no single column, or holds numbers that are no labels.
    TypeError
        If labels are of types that cannot be ordered among each other.
    """
    require_target(y, owner)
    y = _plain(y, owner)
    if isinstance(y, list | tuple):  # of texts and other things NumPy would make texts
        _check_kinds(y, owner, name)
    y = column_or_1d(check_array(y, dtype=None, ensure_2d=False, ensure_all_finite=False, input_name=name), warn=True)
    if y.dtype == object:
        _check_kinds(y.tolist(), owner, name)
    assert_all_finite(y, input_name=name, estimator_name=owner)
    if y.dtype.kind not in "biuU":  # these are labels whatever they hold
        try:
            check_classification_targets(y)
        except TypeError as error:
            raise TypeError(f"labels of {owner} must be of one type: {error}") from error
    return np.asarray(y)


def _check_kinds(y: Sequence[Any], owner: str, name: str) -> None:
    """Raise ValueError where labels are missing, TypeError where some are texts and others are not."""
    kinds = set(map(type, y))
    is_mixed = any(issubclass(kind, str) for kind in kinds) and not all(issubclass(kind, str) for kind in kinds)
    if any(kind.__name__ in _NOTHING for kind in kinds) or (
        is_mixed and any(isinstance(label, float) and label != label for label in y)
    ):
        raise ValueError(f"{name} of {owner} has missing values: Input {name} contains NaN")
    if is_mixed:
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(f"labels of {owner} must be of one type, got {names}")


def _plain(y: Any, owner: str) -> Any:
    """Return a pandas column of an extension type as an array of the NumPy type that holds the same values."""
    if getattr(y, "ndim", 1) == 2 and hasattr(y, "iloc") and y.shape[1] == 1:
        y = _only_column(y)
    dtype = getattr(y, "dtype", None)
    if isinstance(dtype, np.dtype) or not hasattr(y, "isna") or not hasattr(y, "to_numpy"):
        return y
    if y.isna().any():
        raise ValueError(f"y of {owner} has missing values: Input y contains NaN")
    kind = getattr(dtype, "kind", "O")
    plain = getattr(dtype, "numpy_dtype", None)
    if kind in "biuf" and isinstance(plain, np.dtype):
        return y.to_numpy(dtype=plain)
    categories = getattr(dtype, "categories", None)
    if categories is not None:  # a categorical column: its categories may be of an extension type again
        return np.asarray(_plain(categories.to_series(), owner))[np.asarray(getattr(y, "cat", y).codes)]
    return y.to_numpy()


def _only_column(y: Any) -> Any:
    """Return the only column of a frame, with scikit-learn's warning that a column was expected."""
    column_or_1d(np.zeros((len(y), 1)), warn=True)
    return y.iloc[:, 0]


def encode_labels(y: NDArray[Any], owner: str) -> tuple[NDArray[Any], Codes]:
    """Return the sorted labels of `y` (n_classes,), and the position of each row's label in them (n_samples,).

    Raises
    ------
    ValueError
        If there are fewer than two labels.
    TypeError
        If labels are of types that cannot be ordered among each other.
    """
    try:
        classes, codes = _unique(y)
    except TypeError as error:
        raise TypeError(f"labels of {owner} must be of one type: {error}") from error
    if len(classes) < 2:
        raise ValueError(
            f"y must hold at least 2 classes for {owner}, got 1 class: {classes.tolist()}. Were the rows sorted by "
            "class before they were split? train_test_split(..., stratify=y) keeps all classes in each part"
        )
    return classes, codes


def _unique(y: NDArray[Any]) -> tuple[NDArray[Any], Codes]:
    """np.unique with the inverse; whole numbers in a small range are counted instead of sorted."""
    if y.dtype.kind in "biuf" and len(y):
        low, high = int(y.min()), int(y.max())
        if high - low < 2 * len(y) and low > -(2**53) and high < 2**53:
            places = y.astype(np.int64) - low
            present = np.flatnonzero(np.bincount(places))
            code_of = np.zeros(high - low + 1, dtype=np.int32)
            code_of[present] = np.arange(len(present), dtype=np.int32)
            return (present + low).astype(y.dtype), code_of[places]
    classes, codes = np.unique(y, return_inverse=True)
    return classes, codes.reshape(-1).astype(np.int32)


def known_codes(y: NDArray[Any], classes: NDArray[Any], name: str) -> Codes:
    """Return the position of each label in the classes of a fitted model.

    Raises
    ------
    ValueError
        If a label is none of them; `name` is that of `y` in the message.
    """
    labels, codes = np.unique(y, return_inverse=True)
    code_of = {label: code for code, label in enumerate(classes.tolist())}
    if unknown := [label for label in labels.tolist() if label not in code_of]:
        raise ValueError(f"{name} holds classes that the model does not know: {unknown}; it knows {classes.tolist()}")
    return np.array([code_of[label] for label in labels.tolist()], dtype=np.int32)[codes.reshape(-1)]


def row_weights(
    sample_weight: Any, X: Any, owner: str, name: str = "sample_weight", *, may_be_negative: bool = False
) -> Floats | None:
    """Return the weights of rows, called `name`, as float64 (n_samples,), or None where none are given.

    One number is the weight of all rows.

    Raises
    ------
    ValueError
        If a weight is not finite or, unless `may_be_negative`, negative, if their number is not that of the rows of
        `X`, or if all are zero.
    """
    if sample_weight is None:
        return None
    shape = (_num_samples(X),)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(shape, sample_weight, dtype=np.float64)
    options = {"dtype": np.float64, "order": "C", "ensure_2d": False, "ensure_min_samples": 0}
    try:
        weight: Floats = check_array(sample_weight, ensure_all_finite=False, **options)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name} of {owner} must be a number for each row: {error}") from error
    if weight.shape != shape:
        raise ValueError(f"{name} of {owner} must have shape {shape}, got {weight.shape}")
    is_good = np.isfinite(weight) if may_be_negative else (weight >= 0) & (weight < np.inf)
    if not is_good.all():
        bad = str(weight[~is_good][0]).replace("nan", "NaN").replace("inf", "infinity")
        expected = "finite" if may_be_negative else "finite and >= 0"
        raise ValueError(f"{name} of {owner} must be {expected}, got {bad}")
    _check_some(weight, f"{name} of {owner}")
    return weight


def class_factors(
    class_weight: Any, classes: NDArray[Any], codes: Codes, weight: Floats | None, owner: str
) -> Floats | None:
    """Return the factor on the weights of each class (n_classes,), or None where `class_weight` is None.

    A factor of 0 takes a class out of the fit; it stays one of the classes. "balanced" makes the sums of weights of
    all classes that have a weight the same, and leaves the sum over all rows as it is.

    Raises
    ------
    ValueError
        If a factor is negative or not finite, names no class, or leaves no weight at all.
    """
    if class_weight is None:
        return None
    sums = np.bincount(codes, weights=weight, minlength=len(classes))
    present = sums > 0
    if isinstance(class_weight, str):  # "balanced"
        factors = np.ones(len(classes))
        factors[present] = sums.sum() / (present.sum() * sums[present])
    else:
        try:
            factors = np.asarray(compute_class_weight(class_weight, classes=classes, y=classes), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"class_weight of {owner} must be a dict from labels of y to numbers, got {class_weight!r}: {error}"
            ) from error
    if not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise ValueError(f"class_weight of {owner} must be finite and >= 0, got {class_weight!r}")
    if not (factors[present] > 0).any():
        raise ValueError(f"class_weight of {owner} must leave weight to one class at least, got {class_weight!r}")
    return factors


def with_factors(
    weight: Floats | None, factors: Floats, codes: NDArray[Any], owner: str, name: str = "sample_weight"
) -> Floats:
    """Return the weights of rows (None: all 1) times the factors of their classes (n_samples,).

    Raises
    ------
    ValueError
        If a product is not finite, or all are zero; `name` is that of `weight` in the message.
    """
    product: Floats = factors[codes]
    if weight is not None:
        with np.errstate(over="ignore"):
            product = weight * product
        if not np.isfinite(product).all():
            raise ValueError(f"{name} times class_weight of {owner} must be finite: scale them down")
    _check_some(product, f"{name} times class_weight of {owner}")
    return product


def _check_some(weight: Floats, what: str) -> None:
    if not weight.any():
        raise ValueError(f"{what} must have a weight that is not zero, got zeros only")


def sum_of_weights(weight: Floats | None, n_rows: int, owner: str) -> float:
    """Return the sum of the weights, the number of rows where there are none. Raises ValueError if it overflows."""
    with np.errstate(over="ignore"):
        total = float(n_rows) if weight is None else float(weight.sum())
    if not np.isfinite(total):
        raise ValueError(f"the weights of {owner} have no finite sum: scale them down")
    return total


def weighted_rows(weight: Floats | None) -> NDArray[np.intp] | None:
    """Return the positions of the rows with a weight, in ascending order, or None where all have one."""
    return None if weight is None or weight.all() else np.flatnonzero(weight)


def has_weight(codes: NDArray[Any], weight: Floats | None, n_classes: int) -> NDArray[np.bool_]:
    """Return which classes have rows with a weight (n_classes,)."""
    return np.bincount(codes, weights=weight, minlength=n_classes) > 0


# ---- rows to validate with ----


def has_validation_rows(owner: str, X_val: Any, y_val: Any, **belonging: Any) -> bool:
    """Return whether rows to validate with were passed to fit.

    Parameters
    ----------
    owner : str
        Who asks, for messages.
    X_val, y_val
        What the user passed, or None.
    **belonging
        What else of these rows was passed, by name, or None.

    Raises
    ------
    ValueError
        If one of `X_val` and `y_val` is there without the other, or something that belongs to them without both.
    """
    given = [name for name, value in (("X_val", X_val), ("y_val", y_val)) if value is not None]
    if len(given) == 1:
        raise ValueError(f"X_val and y_val of {owner} must be given together, got only {given[0]}")
    for name, value in belonging.items():
        if value is not None and not given:
            raise ValueError(f"{name} of {owner} must be given together with X_val and y_val, got neither")
    return bool(given)


def split_rows(
    n_rows: int, fraction: float, seed: int, codes: NDArray[Any] | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split rows at random into those to train on and those to validate with.

    Parameters
    ----------
    n_rows : int
    fraction : float or int
        Share of the rows to validate with, rounded up, or their number.
    seed : int
    codes : array of shape (n_rows,), or None
        Classes of the rows. With them, each class keeps its share on both sides as far as whole rows can, and one row
        at least to train on.

    Returns
    -------
    kept, held : arrays of positions, both in ascending order: rows are then read from memory in one direction
        Without a row to spare `held` is empty.

    Raises
    ------
    ValueError
        If `fraction` is the number of all rows or more.
    """
    is_number = isinstance(fraction, (int, np.integer))
    if is_number and fraction >= n_rows:
        raise ValueError(f"validation_fraction={fraction} must leave rows to train on, but there are {n_rows} rows")
    wanted = int(fraction) if is_number else min(math.ceil(fraction * n_rows), n_rows - 1)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(n_rows)
    if codes is not None:
        count = np.bincount(codes)
        by_class = chosen[np.argsort(codes[chosen], kind="stable")]
        of_class = codes[by_class]
        place = np.arange(n_rows) - (np.cumsum(count) - count)[of_class]
        # Rows of a class are spread evenly over [0, 1) from a random start: up to any point each class has its share.
        order = np.argsort((place + rng.random(len(count))[of_class]) / count[of_class], kind="stable")
        chosen = by_class[order][(place < count[of_class] - 1)[order]]
    is_held = np.zeros(n_rows, dtype=bool)
    is_held[chosen[:wanted]] = True
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)
