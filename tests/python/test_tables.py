"""Tables on their way to the core: nothing is copied that need not be, and sparse rows are canonical CSR."""

import numpy as np
import pytest
import scipy.sparse as sp

from mlcore import Lasso
from mlcore._tables import as_rows, canonical_csr, float_type, for_core, read_rows

UNSORTED = {"shape": (2, 3), "data": [1.0, 1.0, 1.0, 5.0], "indices": [2, 0, 0, 1], "indptr": [0, 3, 4]}
DENSE = [[2.0, 0.0, 1.0], [0.0, 5.0, 0.0]]


def unsorted(dtype=np.float64):
    parts = (np.array(UNSORTED["data"], dtype=dtype), np.array(UNSORTED["indices"]), np.array(UNSORTED["indptr"]))
    return sp.csr_array(parts, shape=UNSORTED["shape"])


def dense(matrix):
    *parts, shape = matrix
    return sp.csr_array(tuple(parts), shape=shape).toarray().tolist()


def test_canonical_csr_leaves_the_users_matrix():
    X = unsorted()
    made = canonical_csr(X)
    assert made.toarray().tolist() == DENSE
    assert made.has_canonical_format
    assert X.indices.tolist() == UNSORTED["indices"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_rows_are_read_in_place(dtype, order):
    X = np.asarray(np.random.default_rng(0).normal(size=(6, 4)), dtype=dtype, order=order)
    assert for_core(read_rows(Lasso(), X, reset=True)) is X


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_canonical_rows_are_read_in_place(dtype):
    X = sp.random_array((20, 7), density=0.3, format="csr", rng=np.random.default_rng(0), dtype=dtype)
    data, indices, indptr, shape = for_core(read_rows(Lasso(), X, reset=True))
    assert shape == X.shape
    for part, own in ((data, X.data), (indices, X.indices), (indptr, X.indptr)):
        assert part.dtype == own.dtype
        assert np.shares_memory(part, own)


def test_rows_that_are_not_canonical_are_made_so():
    model = Lasso()
    rows = read_rows(model, unsorted(), reset=True)
    assert model.n_features_in_ == 3
    assert dense(for_core(rows)) == DENSE
    assert for_core(rows)[1].tolist() == [0, 2, 1]


def test_what_a_matrix_says_of_its_order_is_not_believed():
    X = unsorted()
    X.has_canonical_format = X.has_sorted_indices = True
    assert for_core(as_rows(X))[1].tolist() == [0, 2, 1]


def test_some_rows_of_canonical_ones_are_canonical():
    rows = as_rows(sp.random_array((20, 7), density=0.3, format="csr", rng=np.random.default_rng(1)))
    chosen = np.array([3, 3, 19, 0])
    assert dense(for_core(rows[chosen])) == rows.toarray()[chosen].tolist()


def test_indices_have_one_type():
    X = as_rows(unsorted())
    X.indptr = X.indptr.astype(np.int64)
    X.indices = X.indices.astype(np.int32)
    _, indices, indptr, _ = for_core(X)
    assert indices.dtype == indptr.dtype == np.int64


def test_sparse_rows_where_none_are_taken():
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        read_rows(Lasso(), unsorted(), reset=True, accept_sparse=False)


def test_rows_of_another_width():
    model = Lasso()
    read_rows(model, np.ones((2, 3)), reset=True)
    with pytest.raises(ValueError, match="X has 4 features, but Lasso is expecting 3"):
        read_rows(model, np.ones((2, 4)))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("f4", np.float32), ("i2", np.float32), ("?", np.float32), ("i4", np.float64), ("f8", np.float64)],
)
def test_float_type_holds_all_values(dtype, expected):
    assert float_type(np.dtype(dtype)) is expected
