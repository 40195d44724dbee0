"""The engine against its naive twin, split for split, and frozen trees."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from mlcore._native import core
from twins import boosting as naive

engine = core.boosting

LOSSES = {
    "squared_error": 0.0,
    "absolute_error": 0.0,
    "huber": 0.7,
    "quantile": 0.3,
    "poisson": 0.0,
    "gamma": 0.0,
    "tweedie": 1.5,
    "log_loss": 0.0,
}


def table(n=600, seed=0, missing=0.15, n_categories=(0, 0, 0, 0, 3, 12)):
    """Integer-valued features, some of them categories, with missing values in all but the second one.

    With large leaves (see `train`) no two features split a node alike: such ties are decided by rounding.
    """
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.integers(0, k or 40, n) for k in n_categories]).astype(np.float64)
    signal = np.sin(X[:, 0]) + 0.05 * X[:, 1] + 0.5 * (X[:, 4] == 1) + np.cos(X[:, 5])
    X[rng.random(X.shape) < missing] = np.nan
    X[:, 1] = np.nan_to_num(X[:, 1])
    y = signal + rng.normal(0, 0.3, n)
    return X, y, np.array(n_categories, dtype=np.int32)


def target_for(loss, y, n_outputs=1):
    if loss == "log_loss":
        return np.digitize(y, np.quantile(y, np.arange(1, max(n_outputs, 2)) / max(n_outputs, 2))).astype(np.float64)
    return np.exp(y) if loss in ("poisson", "gamma", "tweedie") else y


def train(
    module, X, y, n_categories, *, loss="squared_error", n_outputs=1, weight=None, steps=6, max_bins=255, **params
):
    p = module.Params()
    p.min_samples_leaf = 20
    for name, value in params.items():
        setattr(p, name, value)
    mapper = module.BinMapper.fit(X, weight, n_categories, max_bins, 0, 2)
    objective = module.Objective(loss, n_outputs, LOSSES[loss])
    trainer = module.Trainer(mapper, mapper.transform(X, 2), y, weight, objective, p, np.full(n_outputs, 0.1), 2)
    for _ in range(steps):
        trainer.step()
    return trainer


def assert_same_forest(a, b):
    for name in ("tree_offset", "feature", "left", "right", "category_offset", "category_size", "category_words"):
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    inner = a["feature"] >= 0
    numeric = inner & (a["category_offset"] < 0)
    np.testing.assert_array_equal(a["default_left"][inner], b["default_left"][inner])
    np.testing.assert_array_equal(a["threshold"][numeric], b["threshold"][numeric])
    np.testing.assert_array_equal(a["count"], b["count"])
    # The engine's sums are of float32 gradients in fixed point; those of the twin are float64.
    for name in ("value", "gain", "cover"):
        np.testing.assert_allclose(a[name], b[name], rtol=2e-4, atol=1e-5, err_msg=name)


def check(X, y, n_categories, **arguments):
    ours, twin = (train(module, X, y, n_categories, **arguments) for module in (engine, naive))
    assert_same_forest(ours.forest().state(), twin.forest().state())
    np.testing.assert_allclose(ours.raw_scores(), twin.raw_scores(), rtol=1e-4, atol=1e-5)
    assert ours.train_loss() == pytest.approx(twin.train_loss(), rel=1e-5)
    return ours.forest()


@pytest.mark.parametrize("growth", ["leaf", "depth"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss, growth):
    X, y, n_categories = table()
    check(X, target_for(loss, y), n_categories, loss=loss, growth=growth)


@pytest.mark.parametrize("growth", ["leaf", "depth"])
def test_many_classes(growth):
    X, y, n_categories = table()
    check(X, target_for("log_loss", y, 4), n_categories, loss="log_loss", n_outputs=4, growth=growth)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "params",
    [
        {"max_leaf_nodes": 6},
        {"max_leaf_nodes": 0, "max_depth": 3},
        {"max_leaf_nodes": 9, "growth": "depth"},
        {"max_leaf_nodes": 0, "max_depth": 4, "growth": "depth"},
        {"max_leaf_nodes": 0, "min_samples_leaf": 1, "min_child_weight": 25.0},
        {"reg_lambda": 3.0},
        {"reg_alpha": 4.0, "reg_lambda": 0.5},
        {"min_split_gain": 2.0, "max_leaf_nodes": 0},
        {"learning_rate": 1.0},
        {"interaction_cst": [[0, 4], [1, 5], [2, 3, 4]]},
        {"monotonic_cst": [1, -1, 0, 1, 0, 0], "reg_lambda": 1.0, "reg_alpha": 1.0},
    ],
)
def test_every_parameter(params, seed):
    X, y, n_categories = table(n=400, seed=seed)
    check(X, y, n_categories, steps=3, **params)


@pytest.mark.parametrize("n_categories", [1, 2, 4, 5, 6, 20, 31, 32, 33, 60])
def test_categories(n_categories):
    rng = np.random.default_rng(n_categories)
    codes = rng.integers(0, n_categories, 1500).astype(np.float64)
    y = rng.permutation(n_categories)[codes.astype(int)] + rng.normal(0, 0.5, 1500)
    X = np.column_stack([codes, rng.integers(0, 5, 1500)])
    X[rng.random(1500) < 0.1, 0] = np.nan
    for max_bins in (255, 16):
        forest = check(
            X, y, np.array([n_categories, 0], dtype=np.int32), steps=3, max_bins=max_bins, min_samples_leaf=1
        )
        odd = np.array([[code, 1.0] for code in (-1, n_categories, n_categories + 1, 32 * n_categories, 1e9, np.nan)])
        np.testing.assert_array_equal(forest.apply(odd, 1), naive.Forest.from_state(forest.state()).apply(odd, 1))


@pytest.mark.parametrize("whole", [True, False])
def test_weights(whole):
    X, y, n_categories = table()
    rng = np.random.default_rng(9)
    weight = rng.integers(1, 4, len(y)).astype(np.float64) if whole else rng.random(len(y)) + 0.5
    for loss in ("squared_error", "absolute_error", "log_loss"):
        check(X, target_for(loss, y), n_categories, loss=loss, weight=weight)


def test_gradients_from_outside():
    X, y, n_categories = table()
    forests = []
    for module in (engine, naive):
        mapper = module.BinMapper.fit(X, None, n_categories, 255, 0, 1)
        params = module.Params()
        params.min_samples_leaf = 5
        objective = module.Objective("custom", 2, 0.0)
        trainer = module.Trainer(mapper, mapper.transform(X, 1), y, None, objective, params, np.zeros(2), 1)
        with pytest.raises(ValueError, match="step_custom"):
            trainer.step()
        for _ in range(3):
            raw = trainer.raw_scores()
            trainer.step_custom(raw - np.column_stack([y, -2 * y]), np.ones_like(raw))
        forests.append(trainer.forest().state())
    assert_same_forest(*forests)


def test_validation_and_continued_training():
    X, y, n_categories = table()
    for module in (engine, naive):
        mapper = module.BinMapper.fit(X, None, n_categories, 255, 0, 1)
        binned = mapper.transform(X, 1)
        params, objective = module.Params(), module.Objective("squared_error", 1, 0.0)

        def new(module=module, mapper=mapper, binned=binned, params=params, objective=objective):
            trainer = module.Trainer(mapper, binned, y, None, objective, params, np.zeros(1), 1)
            trainer.add_validation(binned, y, None)
            return trainer

        whole, first, second = new(), new(), new()
        for _ in range(5):
            whole.step()
        assert whole.validation_loss() == pytest.approx(whole.train_loss(), rel=1e-9)
        np.testing.assert_allclose(whole.validation_raw_scores(), whole.raw_scores(), rtol=1e-9)
        for _ in range(3):
            first.step()
        first.truncate(2)
        assert first.n_iterations == first.forest().n_iterations == 2
        second.set_raw_scores(first.forest().predict(X, 0, 2, 1))
        second.set_validation_raw_scores(first.forest().predict(X, 0, 2, 1))
        for _ in range(3):
            second.step()
        assert second.validation_loss() == pytest.approx(second.train_loss(), rel=1e-9)
        merged = module.Forest.merge(first.forest(), second.forest())
        assert_same_forest(merged.state(), whole.forest().state())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions(dtype):
    X, y, n_categories = table()
    forest = train(engine, X, target_for("log_loss", y, 3), n_categories, loss="log_loss", n_outputs=3).forest()
    twin = naive.Forest.from_state(forest.state())
    odd = np.vstack([X, X + 0.5, -X, X * 1e30, np.full((1, 6), np.nan)]).astype(dtype)
    expected = twin.predict(odd, 0, 6, 1)
    raw = forest.predict(odd, 0, 6, 2)
    np.testing.assert_allclose(raw, expected, rtol=1e-12)
    np.testing.assert_array_equal(forest.apply(odd, 2), twin.apply(odd, 1))
    for other in (np.asfortranarray(odd), np.repeat(odd, 2, axis=0)[::2], odd[:, ::-1].copy()[:, ::-1]):
        np.testing.assert_array_equal(forest.predict(other, 0, 6, 2), raw)
    sparse = csr_array(np.where(odd == 0, 0, odd))
    np.testing.assert_array_equal(
        forest.predict((sparse.data, sparse.indices, sparse.indptr, sparse.shape), 0, 6, 2), raw
    )
    for i in (0, 7, -1):
        np.testing.assert_allclose(forest.predict_one(odd[i].copy()), raw[i], rtol=1e-12)
    stages = list(forest.staged(odd, 2))
    assert len(stages) == 6
    np.testing.assert_array_equal(stages[-1], raw)
    np.testing.assert_allclose(forest.predict(odd, 0, 2, 2), stages[1], rtol=1e-12)
    for kind in ("gain", "split", "cover"):
        np.testing.assert_allclose(forest.importance(kind), twin.importance(kind))


def test_bin_edges():
    X = np.array(
        [[1.0, 5.0, np.nan], [2.0, 5.0, np.nan], [np.nan, 5.0, np.nan], [4.0, 5.0, np.nan], [2.0, 5.0, np.nan]]
    )
    for module in (engine, naive):
        mapper = module.BinMapper.fit(X, None, np.zeros(3, dtype=np.int32), 255, 0, 1)
        assert mapper.edges(0).tolist() == [1.5, 3.0]
        assert mapper.edges(1).tolist() == []
        assert mapper.edges(2).tolist() == []
        assert [mapper.n_bins(f) for f in range(3)] == [3, 1, 1]
    x = np.random.default_rng(0).normal(size=(5000, 1))
    mapper = engine.BinMapper.fit(x, None, np.zeros(1, dtype=np.int32), 16, 0, 1)
    assert mapper.n_bins(0) == 16
    counts = np.bincount(np.searchsorted(mapper.edges(0), x[:, 0]))
    assert counts.min() > 250
    assert counts.max() < 400
