"""The bootstrap of metrics of predictions, by name: the counts of equal rows are drawn, not the rows."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as peer

from mlcore import metrics

NAMES = np.array(["ant", "bee", "cat", "dog"])


def predictions(n, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    return y, np.where(rng.random(n) < 0.6, y, rng.integers(0, 4, n)), rng.choice([0.5, 1.0, 3.0], n)


FUNCTIONS = {
    "accuracy": peer.accuracy_score,
    "balanced_accuracy": peer.balanced_accuracy_score,
    "matthews_corrcoef": peer.matthews_corrcoef,
    "f1_macro": lambda y, p, **kw: peer.f1_score(y, p, average="macro", **kw),
    "recall_weighted": lambda y, p, **kw: peer.recall_score(y, p, average="weighted", **kw),
    "jaccard_micro": lambda y, p, **kw: peer.jaccard_score(y, p, average="micro", **kw),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_resamples_spread_as_those_of_rows(name, weighted):
    y, p, weight = predictions(300)
    options = {"sample_weight": weight if weighted else None}
    result = metrics.bootstrap(name, y, p, n_resamples=2000, random_state=0, **options)
    assert result.value == pytest.approx(FUNCTIONS[name](y, p, **options), abs=1e-12)
    rng, drawn = np.random.default_rng(1), []
    for _ in range(200):
        rows = rng.integers(0, len(y), len(y))
        drawn.append(FUNCTIONS[name](y[rows], p[rows], **({"sample_weight": weight[rows]} if weighted else {})))
    # 200 and 2000 draws: a mean is off by 0.07 standard deviations, a deviation by 5 %; four times that is allowed.
    assert np.mean(result.samples) == pytest.approx(np.mean(drawn), abs=0.3 * np.std(drawn))
    assert result.standard_error == pytest.approx(np.std(drawn), rel=0.21)


def test_each_resample_is_the_metric_of_its_rows():
    """A label that a resample lacks is left out of the mean over labels."""
    y, p = np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 1, 1])
    result = metrics.bootstrap("recall_macro", y, p, n_resamples=300, random_state=0)
    possible = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for rows in np.ndindex(5, 5, 5, 5, 5):
            if rows == tuple(sorted(rows)):
                possible.add(round(peer.recall_score(y[list(rows)], p[list(rows)], average="macro"), 9))
    seen = set(np.round(result.samples, 9))
    assert seen <= possible
    assert len(seen) > len(possible) / 2


def test_strings_and_numbers_have_the_same_samples():
    y, p, weight = predictions(200)
    for name in ("accuracy", "f1_weighted"):
        for options in ({}, {"sample_weight": weight}, {"stratified": True}):
            options |= {"n_resamples": 50, "random_state": 3}
            numbers = metrics.bootstrap(name, y, p, **options)
            strings = metrics.bootstrap(name, NAMES[y].tolist(), NAMES[p], **options)
            assert np.array_equal(numbers.samples, strings.samples)
            assert numbers.low < numbers.value < numbers.high


def test_stratified_draws_keep_the_number_of_rows_of_each_label():
    options = {"n_resamples": 200, "random_state": 0, "stratified": True}
    y, p, _ = predictions(100)
    recalls = np.array([(p[y == k] == k).mean() for k in range(4)])
    for name, weights in (("balanced_accuracy", np.full(4, 1 / 4)), ("accuracy", np.bincount(y) / len(y))):
        result = metrics.bootstrap(name, y, p, **options)
        assert result.value == pytest.approx(recalls @ weights)
        # Each recall is that of a binomial number of as many rows as there are.
        error = np.sqrt((weights**2 * recalls * (1 - recalls) / np.bincount(y)).sum())
        assert result.standard_error == pytest.approx(error, rel=0.2)  # four standard deviations of 200 draws
    single = metrics.bootstrap("accuracy", np.arange(3), np.array([0, 1, 1]), **options)
    assert single.samples == pytest.approx(np.full(200, 2 / 3))  # one row a label: always the same rows


def test_rows_without_weight_are_never_drawn():
    y, p = [0, 1, 2, 2], [0, 1, 2, 0]
    result = metrics.bootstrap("accuracy", y, p, sample_weight=[1, 1, 1, 0], n_resamples=50, random_state=0)
    assert (result.samples == 1).all()


def test_two_labels():
    y, p = ["no", "yes", "no", "yes"] * 20, ["no", "yes", "yes", "yes"] * 20
    result = metrics.bootstrap("f1", y, p, pos_label="no", random_state=0)
    assert result.value == peer.f1_score(y, p, pos_label="no")
    numbers = metrics.bootstrap(
        "f1", [1 if s == "no" else 2 for s in y], [1 if s == "no" else 2 for s in p], pos_label=1
    )
    assert numbers.value == result.value
    decisions = metrics.bootstrap("f1", [s == "yes" for s in y], [s == "yes" for s in p], random_state=0)
    assert decisions.value == peer.f1_score(y, p, pos_label="yes")


def test_numbers_and_label_sets():
    rng = np.random.default_rng(0)
    y = rng.normal(size=60)
    p = y + rng.normal(size=60) / 3
    for name, function in (("r2", metrics.r2_score), ("neg_mean_squared_error", metrics.mean_squared_error)):
        sign = -1 if name.startswith("neg_") else 1
        result = metrics.bootstrap(name, y, p, n_resamples=20, random_state=0)
        rows = metrics.bootstrap(function, y, p, n_resamples=20, random_state=0)
        assert result.value == sign * function(y, p)
        assert np.array_equal(result.samples, sign * rows.samples)
    table, predicted = rng.integers(0, 2, (40, 3)), rng.integers(0, 2, (40, 3))
    result = metrics.bootstrap("f1_macro", table, predicted, n_resamples=20, random_state=0)
    assert result.value == peer.f1_score(table, predicted, average="macro")
    assert result.low < result.value < result.high


@pytest.mark.parametrize(
    ("name", "y", "p", "options", "message"),
    [
        ("f1", ["a", "b", "c"], ["a", "b", "b"], {}, "'f1_macro' for 'f1'"),
        ("f1", ["a", "b"], ["a", "b"], {}, "pos_label"),
        ("f1", ["a", "b"], ["a", "b"], {"pos_label": "c"}, "pos_label='c'"),
        ("f1_macro", [0, 1], [0.1, 0.9], {}, "y_score must hold labels"),
        ("f1_macro", ["a", "b"], [0, 1], {}, "strings and numbers"),
        ("f1_macro", ["a", "b"], ["a"], {}, "inconsistent"),
        ("accuracy", [0, 1, 2], [0, 1, 2], {"sample_weight": [1, -1, 1]}, "negative"),
        ("accuracy_macro", [0, 1, 2], [0, 1, 2], {}, "neg_mean_absolute_error"),
    ],
)
def test_refused(name, y, p, options, message):
    with pytest.raises(ValueError, match=message):
        metrics.bootstrap(name, y, p, **options)
