"""Tables and targets of users: other forms of the same numbers give the same model, bad ones a clear error."""

from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

from contract.cases import N_COLUMNS, kind, make, names_of, typical
from support.fingerprint import METHODS, answers, fingerprint

TABLES = names_of("classifier", "regressor", "rows")
every = pytest.mark.parametrize("name", TABLES)
NOT_FINITE = r"NaN|infinity"


@cache
def fitted(name):
    return make(name).fit(*typical(name))


def tags(name):
    return make(name).__sklearn_tags__().input_tags


def methods(name):
    return [method for method in METHODS if hasattr(fitted(name), method)]


def refuses_to_fit(name, X, y, match, error=ValueError, **options):
    """A fit that fails leaves an estimator unfitted."""
    model = make(name)
    with pytest.raises(error, match=match):
        model.fit(X, y, **options)
    assert fingerprint(model) == ""
    model = make(name).fit(*typical(name))
    with pytest.raises(error, match=match):
        model.fit(X, y, **options)
    assert fingerprint(model) == ""


def refuses_to_answer(name, X, match, error=ValueError):
    for method in methods(name):
        with pytest.raises(error, match=match):
            getattr(fitted(name), method)(X)


def are_near(name, found, expected, rtol=1e-6):
    """Answers are the same but for rounding: sums run over rows in another order."""
    assert found.keys() == expected.keys()
    for method, values in found.items():
        if values.dtype.kind == "f":
            atol = 10 * rtol * np.abs(expected[method]).max()
            np.testing.assert_allclose(values, expected[method], rtol=rtol, atol=atol, err_msg=method)
        else:
            assert (values == expected[method]).mean() > 0.98, method


# ---- what is refused -------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite(name, value):
    X, y = typical(name)
    bad = X.copy()
    bad[3, 2] = value
    forms = [bad, bad.astype(np.float32), pd.DataFrame(bad), *([sp.csr_array(bad)] if tags(name).sparse else [])]
    if np.isnan(value) and tags(name).allow_nan:
        for form in forms:
            answers(make(name).fit(form, y), form)
        return
    for form in forms:
        refuses_to_fit(name, form, y, NOT_FINITE)
    refuses_to_answer(name, bad, NOT_FINITE)
    if tags(name).sparse:
        refuses_to_answer(name, sp.csr_array(bad), NOT_FINITE)


@pytest.mark.parametrize("name", names_of("classifier", "regressor"))
def test_targets_that_do_not_do(name):
    X, y = typical(name)
    for value in (np.nan, np.inf):
        numbers = np.arange(len(X)) % 3.0
        numbers[1] = value
        refuses_to_fit(name, X, numbers, NOT_FINITE)
    refuses_to_fit(name, X, None, "requires y to be passed")
    refuses_to_fit(name, X, y[:-1], "inconsistent numbers of samples")
    refuses_to_fit(name, X, np.empty((len(X), 1, 1)), "dim|1d array")
    if kind(name) == "classifier":
        refuses_to_fit(name, X, np.linspace(0, 1, len(X)), "Unknown label type: continuous")
        refuses_to_fit(name, X, np.zeros(len(X)), rf"must hold at least 2 classes for {name}, got 1 class")
        refuses_to_fit(name, X, np.column_stack([y, y]), "1d array")
        mixed = np.array(["a", 1] * (len(X) // 2), dtype=object)
        refuses_to_fit(name, X, mixed, f"labels of {name} must be of one type", TypeError)
    else:
        refuses_to_fit(name, X, np.array(["a", "b"] * (len(X) // 2)), "could not convert|must hold numbers|numeric")


@every
def test_shapes_that_do_not_do(name):
    X, y = typical(name)
    for empty in (X[:0], X[:, :0], pd.DataFrame(X[:, :0])):
        refuses_to_fit(name, empty, y[: len(empty)] if y is not None else None, r"0 (sample|feature)")
    refuses_to_fit(name, X[:, 0], y, "Expected 2D array")
    refuses_to_fit(name, X[:, :, np.newaxis], y, "dim")
    refuses_to_fit(name, np.float64(3.0), y, "Expected 2D array")
    refuses_to_answer(name, X[:0], "0 sample")
    refuses_to_answer(name, X[0], "Expected 2D array")
    refuses_to_answer(name, X[:, :3], f"X has 3 features, but {name} is expecting {N_COLUMNS} features")


@every
def test_entries_that_are_no_real_numbers(name):
    X, y = typical(name)
    refuses_to_fit(name, np.full(X.shape, "a", dtype=object), y, "could not convert string to float")
    refuses_to_fit(name, X.astype(complex), y, "Complex data not supported")
    if not tags(name).sparse:
        refuses_to_fit(name, sp.csr_array(X), y, "dense data is required", TypeError)


@every
def test_nothing_is_said_before_a_fit(name):
    for method in methods(name):
        with pytest.raises(NotFittedError):
            getattr(make(name), method)(typical(name)[0])


# ---- other forms of the same numbers ---------------------------------------------------------------------------------


def strided(X):
    """Backwards, over every second row and third column of a larger table."""
    wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]))
    view = wide[::-2, ::-3]
    view[...] = X
    return view


SAME_BITS = {
    "writable": np.copy,
    "objects": lambda X: X.astype(object),
    "big-endian": lambda X: X.astype(">f8"),
    "long double": lambda X: X.astype(np.longdouble),
    "lists": lambda X: X.tolist(),
}
SAME_BUT_FOR_ROUNDING = {
    "Fortran": np.asfortranarray,
    "strided": strided,
    "frame": lambda X: pd.DataFrame(X, columns=list("abcdef")),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcdef")),
}


@every
def test_other_forms_of_a_table(name):
    """The table of the other tests is read-only: nothing that it has given can come from a change to it."""
    X, y = typical(name)
    expected = answers(fitted(name), X)
    for form in SAME_BITS.values():
        model = make(name).fit(form(X), y)
        for found in (answers(model, X), answers(fitted(name), form(X))):
            assert all(np.array_equal(values, expected[method]) for method, values in found.items())
    for form in SAME_BUT_FOR_ROUNDING.values():
        model = make(name).fit(form(X), y)
        are_near(name, answers(model, form(X)), expected)
    given = X.copy()
    answers(make(name).fit(given, y), given)
    np.testing.assert_array_equal(given, X)


@every
def test_narrower_types_hold_the_same_numbers(name):
    X, y = typical(name)
    whole = np.round(3 * X)
    expected = answers(make(name).fit(whole, y), whole)
    for dtype in (np.float32, np.int64, np.int8):
        model = make(name).fit(whole.astype(dtype), y)
        are_near(name, answers(model, whole.astype(dtype)), expected, 1e-4 if dtype == np.float32 else 1e-6)


@pytest.mark.parametrize("name", [name for name in TABLES if tags(name).sparse])
def test_sparse_tables(name):
    X, y = typical(name, 90)  # few diagonals, for the format that stores those
    X = np.where(np.abs(X) < 0.5, 0, X)
    csr = sp.csr_array(X)
    model = make(name).fit(csr, y)
    expected = answers(model, csr)
    are_near(name, expected, answers(make(name).fit(X, y), X), 1e-3)
    others = [csr.asformat(kind_of) for kind_of in ("csc", "coo", "bsr", "dia", "lil", "dok")]
    others += [sp.csr_matrix(csr), sp.csr_array((csr.data, csr.indices.astype(np.int64), csr.indptr.astype(np.int64)))]
    for other in others:
        found = answers(make(name).fit(other, y), other)
        assert all(np.array_equal(values, expected[method]) for method, values in found.items()), repr(other)


@every
def test_frames_have_names(name):
    X, y = typical(name)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = make(name).fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcdef")
    for method in methods(name):
        with pytest.raises(ValueError, match="feature names"):
            getattr(model, method)(frame[list("fedcba")])
