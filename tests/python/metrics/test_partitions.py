"""Comparisons of two clusterings: scikit-learn's values, any labels, exact ends, large counts."""

import warnings
from fractions import Fraction
from math import comb, log

import numpy as np
import pytest
import sklearn.metrics as peer
from scipy.sparse import csr_matrix, issparse
from sklearn.metrics.cluster import contingency_matrix as peer_contingency_matrix
from sklearn.metrics.cluster import expected_mutual_information as peer_expected
from sklearn.metrics.cluster import pair_confusion_matrix as peer_pair_confusion_matrix

from mlcore import metrics
from mlcore._native import core

SCORES = (
    "adjusted_rand_score",
    "rand_score",
    "adjusted_mutual_info_score",
    "normalized_mutual_info_score",
    "mutual_info_score",
    "v_measure_score",
    "homogeneity_score",
    "completeness_score",
    "fowlkes_mallows_score",
)
ALL = (*SCORES, "homogeneity_completeness_v_measure", "pair_confusion_matrix", "contingency_matrix")


def labellings(n, r, c, seed=0, kept=0.6):
    """Return two labellings of which a share agrees."""
    rng = np.random.default_rng(seed)
    t = rng.integers(0, r, n)
    return t, np.where(rng.random(n) < kept, t % c, rng.integers(0, c, n))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("n", "r", "c"), [(2, 2, 2), (5, 2, 3), (40, 4, 4), (300, 3, 12), (2000, 90, 7), (3000, 400, 500), (60, 60, 50)]
)
def test_scores_are_scikit_learns(score, n, r, c):
    for seed in range(3):
        t, p = labellings(n, r, c, seed)
        ours, theirs = getattr(metrics, score)(t, p), getattr(peer, score)(t, p)
        assert isinstance(ours, float)
        assert ours == pytest.approx(theirs, rel=1e-10, abs=1e-12)


def test_matrices_are_scikit_learns():
    t, p = labellings(500, 6, 9)
    np.testing.assert_array_equal(metrics.pair_confusion_matrix(t, p), peer_pair_confusion_matrix(t, p))
    for options in ({}, {"eps": 0.1}, {"dtype": np.float32}, {"dtype": np.uint8}):
        ours, theirs = metrics.contingency_matrix(t, p, **options), peer_contingency_matrix(t, p, **options)
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    ours, theirs = (f(t, p, sparse=True) for f in (metrics.contingency_matrix, peer_contingency_matrix))
    assert type(ours) is type(theirs)
    assert issparse(ours)
    np.testing.assert_array_equal(ours.toarray(), theirs.toarray())


@pytest.mark.parametrize("method", ["min", "max", "geometric", "arithmetic"])
def test_means_of_entropies(method):
    t, p = labellings(300, 5, 8)
    for score in ("normalized_mutual_info_score", "adjusted_mutual_info_score"):
        assert getattr(metrics, score)(t, p, average_method=method) == pytest.approx(
            getattr(peer, score)(t, p, average_method=method), rel=1e-12
        )


@pytest.mark.parametrize("beta", [0, 0.3, 1, 2.5, 1e9])
def test_betas(beta):
    t, p = labellings(300, 5, 8)
    assert metrics.v_measure_score(t, p, beta=beta) == pytest.approx(peer.v_measure_score(t, p, beta=beta), rel=1e-12)
    np.testing.assert_allclose(
        metrics.homogeneity_completeness_v_measure(t, p, beta=beta),
        peer.homogeneity_completeness_v_measure(t, p, beta=beta),
        rtol=1e-12,
    )


@pytest.mark.parametrize("score", ALL)
def test_edges_are_scikit_learns(score):
    ours = getattr(metrics, score)
    theirs = {"pair_confusion_matrix": peer_pair_confusion_matrix, "contingency_matrix": peer_contingency_matrix}.get(
        score
    ) or getattr(peer, score)
    for t, p in (
        *([] if score == "mutual_info_score" else [([], [])]),  # there scikit-learn takes log(0)
        ([0], [1]),
        ([0, 0, 0], [1, 1, 1]),
        ([0, 0, 0], [0, 1, 2]),
        ([0, 1, 2], [0, 0, 0]),
        ([0, 1, 2], [2, 0, 1]),
        ([0, 0, 1, 1], [0, 1, 0, 1]),
        ([0, 0, 1, 1], [1, 1, 0, 0]),
    ):
        np.testing.assert_allclose(
            np.asarray(ours(t, p), float), np.asarray(theirs(t, p), float), rtol=1e-12, atol=1e-15, err_msg=f"{t} {p}"
        )


def test_no_rows_tell_nothing():
    assert metrics.mutual_info_score([], []) == 0.0


def test_one_is_exact():
    rng = np.random.default_rng(0)
    t = rng.integers(0, 37, 5000)
    renamed = rng.permutation(37)[t] * 3 - 11
    finer = t * 2 + rng.integers(0, 2, 5000)
    for score in SCORES:
        if score != "mutual_info_score":
            assert getattr(metrics, score)(t, renamed) == 1.0, score
    assert metrics.homogeneity_score(t, finer) == metrics.completeness_score(finer, t) == 1.0
    assert metrics.completeness_score(t, finer) < 1


@pytest.mark.parametrize("score", SCORES)
def test_labels_of_any_type(score):
    t, p = labellings(400, 3, 4)
    function = getattr(metrics, score)
    expected = function(t, p)
    names = np.array(["b", "a", "d", "c"])
    many = np.array([2**62, -5, 10**12, 7])
    same = pytest.approx(expected, rel=1e-12)
    for true in (t, names[t], names[t].astype(object), t.tolist(), t.astype(np.int8), t.astype(float), many[t]):
        for predicted in (p, names[p], list(names[p]), many[p], p.astype(np.float32), p.astype(np.uint64)):
            assert function(true, predicted) == same
    assert function((0, 1), [True, False]) == function([0, 1], [1, 0])


def test_fractions_are_labels_with_a_warning():
    t, p = np.array([0.5, 0.5, 1.5, 2.5]), [0, 0, 1, 1]
    with pytest.warns(UserWarning, match="takes each distinct number"):
        ours = metrics.adjusted_rand_score(t, p)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ours == peer.adjusted_rand_score(t, p)


@pytest.mark.parametrize("score", ALL)
def test_errors(score):
    function = getattr(metrics, score)
    with pytest.raises(ValueError, match="inconsistent"):
        function([0, 1], [1, 1, 1])
    with pytest.raises(ValueError, match=r"labels_true must be of shape"):
        function([[0], [1]], [0, 1])
    with pytest.raises(ValueError, match="NaN"):
        function([0, np.nan], [0, 1])
    with pytest.raises(ValueError, match="array-like"):
        function("ab", [0, 1])
    with pytest.raises(ValueError, match="array-like"):
        function([0, 1], 3)


def test_errors_of_options():
    t, p = [0, 1, 1], [0, 0, 1]
    for method in ("mean", None, 3):
        with pytest.raises(ValueError, match="average_method"):
            metrics.normalized_mutual_info_score(t, p, average_method=method)
        with pytest.raises(ValueError, match="average_method"):
            metrics.adjusted_mutual_info_score(t, p, average_method=method)
    for beta in (-1, "1", np.nan, None):
        with pytest.raises(ValueError, match="beta"):
            metrics.v_measure_score(t, p, beta=beta)
    with pytest.raises(ValueError, match="eps"):
        metrics.contingency_matrix(t, p, eps=-1)
    with pytest.raises(ValueError, match="sparse=True"):
        metrics.contingency_matrix(t, p, eps=1.0, sparse=True)
    for counts in ([[0, 0]], [[1, -1]], [[np.nan]], [[2**60, 2**60]]):
        with pytest.raises(ValueError, match=r"contingency|NaN|infinity"):
            metrics.mutual_info_score(None, None, contingency=counts)


def test_mutual_information_of_counts():
    t, p = labellings(300, 5, 8)
    counts = metrics.contingency_matrix(t, p)
    expected = metrics.mutual_info_score(t, p)
    for matrix in (counts, counts.tolist(), csr_matrix(counts), csr_matrix(counts).tocoo(), counts.astype(np.int32)):
        assert metrics.mutual_info_score(None, None, contingency=matrix) == pytest.approx(expected, rel=1e-14)


def test_independent_labels_tell_nothing():
    t, p = np.repeat(np.arange(6), 70), np.tile(np.arange(7), 60)
    assert metrics.mutual_info_score(t, p) == 0.0
    assert metrics.normalized_mutual_info_score(t, p) == 0.0
    assert metrics.v_measure_score(t, p) == 0.0


def test_more_pairs_than_fit_in_32_bits():
    n = 3_000_000  # 9e12 pairs, whose products have 86 bits
    t, p = np.arange(n) % 2, np.arange(n) % 3
    matrix = metrics.pair_confusion_matrix(t, p)
    assert matrix.sum() == n * (n - 1)
    assert matrix[1, 1] == 6 * (n // 6) ** 2 - n
    np.testing.assert_array_equal(matrix, peer_pair_confusion_matrix(t, p))
    assert metrics.adjusted_rand_score(t, p) == pytest.approx(peer.adjusted_rand_score(t, p), rel=1e-12)
    counts = np.array([[2**51, 2**20], [2**10, 2**51]])
    assert metrics.mutual_info_score(None, None, contingency=counts) == pytest.approx(log(2), rel=1e-6)


def exact_expected(a, b):
    """Return the expected mutual information with exact probabilities."""
    n, total = sum(a), 0.0
    for x in a:
        for y in b:
            for m in range(max(1, x + y - n), min(x, y) + 1):
                share = Fraction(comb(x, m) * comb(n - x, y - m), comb(n, y))
                total += m / n * log(n * m / (x * y)) * float(share)
    return total


@pytest.mark.parametrize(
    ("a", "b"), [([3, 4], [2, 5]), ([1, 1, 1], [3]), ([40, 7, 13], [30, 30]), ([90, 110], [1, 199])]
)
def test_expected_information_is_exact(a, b):
    t, p = np.repeat(np.arange(len(a)), a), np.repeat(np.arange(len(b)), b)
    ours = core.metrics.contingency(t, p).expected_mutual_information()
    assert ours == pytest.approx(exact_expected(a, b) if len(b) > 1 else 0.0, rel=1e-12, abs=1e-16)


def test_expected_information_is_scikit_learns():
    for n, r, c in ((200, 5, 7), (5000, 3, 40), (20000, 30, 30), (3000, 700, 2)):
        t, p = labellings(n, r, c, kept=0.0)
        ours = core.metrics.contingency(t, p).expected_mutual_information()
        # scikit-learn's sum of logarithms of factorials is good to n log n times 1e-16
        assert ours == pytest.approx(peer_expected(peer_contingency_matrix(t, p, sparse=True), n), rel=1e-9)


def test_public_reports():
    """Pains of scikit-learn's users: a NaN, then 0 for a perfect match, overflow, minutes for many labels."""
    for labels in ([1, 0, 1], [1, 0], [0, 1, 2, 3], np.arange(1000)):
        assert metrics.adjusted_mutual_info_score(labels, labels) == 1.0
    ones = np.ones(1000, int)
    assert metrics.adjusted_mutual_info_score(ones, np.arange(1000), average_method="min") == 0.0
    rng = np.random.default_rng(0)
    assert abs(metrics.adjusted_rand_score(*rng.integers(0, 6, (2, 1_000_000)))) < 1e-4
    few = np.arange(10_000)
    assert metrics.adjusted_mutual_info_score(few % 80, few % 70) == pytest.approx(
        peer.adjusted_mutual_info_score(few % 80, few % 70), rel=1e-9
    )
    many = np.arange(1_000_000)  # 15,000 labels: 889 s in the report
    assert 0.5 < metrics.adjusted_mutual_info_score(many % 8000, many % 7000) < 0.7
