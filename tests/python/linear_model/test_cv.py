"""Linear models that choose their penalty by cross-validation: as scikit-learn's, and as models fitted one by one."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import linear_model as peers
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, LeaveOneOut

import mlcore
from mlcore import ElasticNet, ElasticNetCV, Lasso, LassoCV, LogisticRegression, LogisticRegressionCV, Ridge, RidgeCV

TIGHT = {"tol": 1e-10, "max_iter": 100_000}


def numbers(n=90, d=8, n_targets=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 1
    W = rng.normal(size=(d, n_targets or 1)) * (rng.random((d, n_targets or 1)) < 0.6)
    Y = X @ W + rng.normal(size=(n, n_targets or 1)) + 5
    return X, (Y if n_targets else Y[:, 0]), rng.integers(0, 4, n).astype(float)


def labels(n_classes=3, n=150, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    y = (X @ rng.normal(size=(d, n_classes)) + rng.gumbel(size=(n, n_classes))).argmax(axis=1)
    return X, np.array(["a", "b", "c"])[y], rng.integers(0, 4, n).astype(float)


# ---- lasso and elastic net -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_lasso_is_that_of_scikit_learn(sparse, weighted, fit_intercept, positive):
    X, y, weight = numbers()
    X, weight = sp.csr_array(X) if sparse else X, weight if weighted else None
    options = {"alphas": 20, "cv": 4, "fit_intercept": fit_intercept, "positive": positive, **TIGHT}
    ours = LassoCV(**options).fit(X, y, sample_weight=weight)
    theirs = peers.LassoCV(**options).fit(sp.csc_array(X) if sparse else X, y, sample_weight=weight)
    # Both solve each problem to a gap of 1e-10: coefficients agree to its root.
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-9)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-4)
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=1e-9)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, abs=1e-3)
    alone = Lasso(alpha=ours.alpha_, fit_intercept=fit_intercept, positive=positive, **TIGHT)
    np.testing.assert_allclose(ours.coef_, alone.fit(X, y, sample_weight=weight).coef_, atol=1e-5)
    assert 0 <= ours.dual_gap_ <= 1e-10 * np.average((y - y.mean() * fit_intercept) ** 2, weights=weight) * 1.1
    assert ours.n_iter_ >= 0


@pytest.mark.parametrize("alphas", [10, [1.0, 0.01, 0.1]])
@pytest.mark.parametrize("l1_ratio", [0.7, [0.2, 0.9]])
def test_elastic_net_is_that_of_scikit_learn(alphas, l1_ratio):
    X, y, weight = numbers()
    options = {"alphas": alphas, "l1_ratio": l1_ratio, "cv": KFold(3, shuffle=True, random_state=0), **TIGHT}
    ours, theirs = ElasticNetCV(**options), peers.ElasticNetCV(**options)
    ours.fit(X, y, sample_weight=weight)
    theirs.fit(X, y, sample_weight=weight)
    assert ours.alphas_.shape == theirs.alphas_.shape
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-9)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-4)  # as above
    assert (ours.l1_ratio_, ours.alpha_) == (theirs.l1_ratio_, pytest.approx(theirs.alpha_, rel=1e-9))
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    alone = ElasticNet(alpha=ours.alpha_, l1_ratio=ours.l1_ratio_, **TIGHT).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.predict(X), alone.predict(X), atol=1e-5)


def test_ridge_alone_by_elastic_net_and_what_is_refused():
    X, y, _ = numbers()
    model = ElasticNetCV(l1_ratio=0.0, alphas=[0.1, 1.0], cv=3).fit(X, y)
    assert model.l1_ratio_ == 0.0
    with pytest.raises(ValueError, match="with l1_ratio=0 of ElasticNetCV no alpha"):
        ElasticNetCV(l1_ratio=[0.0, 0.5]).fit(X, y)
    with pytest.raises(ValueError, match=r"l1_ratio of ElasticNetCV must be floats in \[0, 1\]"):
        ElasticNetCV(l1_ratio=[0.5, 1.5]).fit(X, y)
    with pytest.raises(ValueError, match="alphas of LassoCV must be"):
        LassoCV(alphas=[-1.0]).fit(X, y)
    with pytest.raises(ValueError, match="cv of LassoCV cannot split 3 rows"):
        LassoCV().fit(X[:3], y[:3])
    with pytest.raises(ValueError, match="y should be a 1d array"):
        LassoCV().fit(X, np.column_stack([y, y]))


def test_units_change_nothing():
    X, y, weight = numbers()
    model = LassoCV(alphas=15, cv=3).fit(X, y, sample_weight=weight)
    for a, b, c in ((1e8, 1.0, 1.0), (1e-8, 1e-8, 1e8), (1.0, 1e8, 1e-8)):
        other = LassoCV(alphas=15, cv=3).fit(a * X, b * y, sample_weight=c * weight)
        np.testing.assert_allclose(other.alphas_, a * b * model.alphas_, rtol=1e-9)
        np.testing.assert_allclose(other.mse_path_, b**2 * model.mse_path_, rtol=1e-7)
        np.testing.assert_allclose(other.predict(a * X), b * model.predict(X), rtol=1e-6)
        ours = RidgeCV(alphas=[a**2 * c * 0.1, a**2 * c * 10.0]).fit(a * X, b * y, sample_weight=c * weight)
        same = RidgeCV(alphas=[0.1, 10.0]).fit(X, y, sample_weight=weight)
        assert ours.best_score_ == pytest.approx(b**2 * same.best_score_)
        np.testing.assert_allclose(ours.predict(a * X), b * same.predict(X), rtol=1e-8)


def test_a_path_that_cannot_converge_warns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 1)) + 0.01 * rng.normal(size=(60, 30))
    with pytest.warns(ConvergenceWarning, match="coordinate descent of LassoCV stopped after max_iter=1"):
        LassoCV(max_iter=1, tol=1e-9).fit(X, X @ rng.normal(size=30))


# ---- ridge -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 6), (12, 12), (15, 40), (2, 3)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_leave_one_out_is_that_of_fits_without_the_row(shape, weighted, fit_intercept, sparse):
    X, y, _ = numbers(*shape)
    X[:, 1] = X[:, 0]  # a singular matrix
    if fit_intercept:
        X[:, 2] += 1e4
    weight = np.random.default_rng(1).uniform(0.1, 3, len(y)) if weighted else None
    alphas = [1e-6, 0.1, 10.0]
    table = sp.csr_array(X) if sparse else X
    model = RidgeCV(alphas, fit_intercept=fit_intercept, store_cv_results=True).fit(table, y, sample_weight=weight)
    expected = np.empty((len(y), len(alphas)))
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        for a, alpha in enumerate(alphas):
            one = Ridge(alpha, fit_intercept=fit_intercept)
            one.fit(X[rest], y[rest], sample_weight=None if weight is None else weight[rest])
            expected[i, a] = (y[i] - one.predict(X[[i]])[0]) ** 2
    # Where alpha is next to nothing the factorisation of the small fits keeps 16 - 6 digits of what is small.
    np.testing.assert_allclose(model.cv_results_, expected, rtol=1e-5, atol=1e-8)
    scores = -np.average(expected, axis=0, weights=weight)
    assert scores[alphas.index(model.alpha_)] == pytest.approx(scores.max(), rel=1e-5)  # of two rows all are the same
    assert model.best_score_ == pytest.approx(scores.max(), rel=1e-5)
    final = Ridge(model.alpha_, fit_intercept=fit_intercept).fit(table, y, sample_weight=weight)
    np.testing.assert_array_equal(model.coef_, final.coef_)


@pytest.mark.parametrize(("n_targets", "alpha_per_target"), [(None, False), (3, False), (3, True)])
@pytest.mark.parametrize("scoring", [None, "r2", "neg_mean_absolute_error"])
def test_ridge_is_that_of_scikit_learn(n_targets, alpha_per_target, scoring):
    X, Y, weight = numbers(n_targets=n_targets)
    weight += 0.5
    alphas = np.logspace(-3, 3, 13)
    options = {"alpha_per_target": alpha_per_target, "scoring": scoring, "store_cv_results": True}
    ours = RidgeCV(alphas, **options).fit(X, Y)
    theirs = peers.RidgeCV(alphas, **options).fit(X, Y)
    np.testing.assert_allclose(ours.alpha_, theirs.alpha_)
    np.testing.assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-9)
    np.testing.assert_allclose(ours.cv_results_, theirs.cv_results_, rtol=1e-8)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-9)
    if n_targets is None:  # where scikit-learn's has an IndexError with `scoring`
        assert RidgeCV(alphas, scoring=scoring, alpha_per_target=True).fit(X, Y).alpha_ == ours.alpha_
    if scoring is None:  # scikit-learn's are sums of weighted errors over the number of rows, ours weighted means
        ours, theirs = ours.fit(X, Y, sample_weight=weight), theirs.fit(X, Y, sample_weight=weight)
        np.testing.assert_allclose(ours.alpha_, theirs.alpha_)
        np.testing.assert_allclose(np.multiply(ours.best_score_, weight.mean()), theirs.best_score_, rtol=1e-9)


def test_ridge_by_folds():
    X, y, weight = numbers()
    weight += 0.5
    for cv, scoring in ((4, None), (KFold(3), "neg_mean_squared_error"), (LeaveOneOut(), "neg_mean_squared_error")):
        ours = RidgeCV([0.0, 0.1, 5.0], cv=cv, scoring=scoring).fit(X, y, sample_weight=weight)
        theirs = peers.RidgeCV([0.0, 0.1, 5.0], cv=cv, scoring=scoring).fit(X, y, sample_weight=weight)
        assert ours.alpha_ == theirs.alpha_
        assert ours.best_score_ == pytest.approx(theirs.best_score_, rel=1e-9)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8)
    with pytest.raises(ValueError, match="store_cv_results=True of RidgeCV needs cv=None"):
        RidgeCV(cv=3, store_cv_results=True).fit(X, y)
    with pytest.raises(ValueError, match=r"must be finite floats > 0 \(with cv=None\)"):
        RidgeCV([0.0, 1.0]).fit(X, y)
    with pytest.raises(ValueError, match="needs 2 rows with a weight at least, got n_samples = 1"):
        RidgeCV().fit(X, y, sample_weight=np.arange(len(y)) == 3)


def test_rows_without_weight_are_in_no_model():
    X, y, weight = numbers()
    model = RidgeCV(store_cv_results=True).fit(X, y, sample_weight=weight)
    kept = RidgeCV(store_cv_results=True).fit(X[weight > 0], y[weight > 0], sample_weight=weight[weight > 0])
    np.testing.assert_allclose(model.cv_results_[weight > 0], kept.cv_results_, rtol=1e-9)
    assert model.best_score_ == pytest.approx(kept.best_score_)
    one = Ridge(0.1).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.cv_results_[weight == 0, 0], (y - one.predict(X))[weight == 0] ** 2, rtol=1e-8)


# ---- logistic regression ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_classes", "weighted", "scoring", "sparse"),  # every two of them together
    [
        (2, False, None, False),
        (2, True, "neg_log_loss", True),
        (2, True, "accuracy", False),
        (3, True, None, True),
        (3, False, "neg_log_loss", False),
        (3, False, "accuracy", True),
    ],
)
def test_logistic_regression_is_that_of_scikit_learn(n_classes, weighted, scoring, sparse):
    X, y, weight = labels(n_classes)
    X, weight = sp.csr_array(X) if sparse else X, weight if weighted else None
    options = {"Cs": 5, "cv": 3, "class_weight": "balanced" if weighted else None}
    ours = LogisticRegressionCV(scoring=scoring, tol=1e-8, **options).fit(X, y, sample_weight=weight)
    theirs = peers.LogisticRegressionCV(
        scoring=scoring or "accuracy",
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
        tol=1e-8,
        max_iter=10_000,
        **options,
    ).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.Cs_, theirs.Cs_)
    assert ours.scores_.shape == theirs.scores_.shape
    np.testing.assert_allclose(ours.scores_, theirs.scores_, rtol=1e-4)  # scikit-learn's lbfgs ends at about 1e-5
    np.testing.assert_allclose(ours.C_, theirs.C_)
    assert ours.n_iter_.shape == (3, 1, 5)
    assert ours.coefs_paths_.shape == (3, 1, 5, 1 if n_classes == 2 else 3, 6)
    alone = LogisticRegression(C=ours.C_, tol=1e-8, class_weight=options["class_weight"])
    np.testing.assert_allclose(ours.coef_, alone.fit(X, y, sample_weight=weight).coef_, atol=1e-5)
    scorer = ours.score(X, y)
    assert scorer == pytest.approx(theirs.score(X, y), abs=1e-3)


def test_logistic_regression_by_l1_ratio_and_without_refit():
    X, y, _ = labels(2)
    options = {"Cs": [1.0, 0.01, 0.1], "l1_ratios": [0.0, 0.5, 1.0], "cv": 4, "scoring": "neg_log_loss"}
    model = LogisticRegressionCV(tol=1e-7, **options).fit(X, y)
    means = model.scores_.mean(axis=0)
    r, c = np.unravel_index(means.argmax(), means.shape)
    assert (model.l1_ratio_, model.C_) == (options["l1_ratios"][r], options["Cs"][c])
    for f, (train, test) in enumerate(model_folds(y, 4)):
        one = LogisticRegression(C=0.01, l1_ratio=1.0, tol=1e-7).fit(X[train], y[train])
        np.testing.assert_allclose(model.coefs_paths_[f, 2, 1, :, :-1], one.coef_, atol=1e-5)
        own = one.predict_log_proba(X[test])[np.arange(len(test)), (y[test] == "b").astype(int)].mean()
        assert model.scores_[f, 2, 1] == pytest.approx(own, rel=1e-5)
    mean = LogisticRegressionCV(tol=1e-7, refit=False, **options).fit(X, y)
    best = mean.scores_.reshape(4, -1).argmax(axis=1)
    np.testing.assert_allclose(mean.C_, np.array(options["Cs"])[best % 3].mean())
    paths = mean.coefs_paths_.reshape(4, 9, 1, 6)[np.arange(4), best].mean(axis=0)
    np.testing.assert_allclose(mean.coef_, paths[:, :-1])


def model_folds(y, n):
    from sklearn.model_selection import StratifiedKFold

    return StratifiedKFold(n).split(np.zeros((len(y), 1)), y)


def test_what_logistic_regression_refuses():
    X, y, weight = labels(3)
    for parameters, message in (
        ({"Cs": [0.0]}, "Cs of LogisticRegressionCV must be a list of floats in range"),
        ({"l1_ratios": [2.0]}, "l1_ratios of LogisticRegressionCV must be a list of floats in range"),
        ({"scoring": "nonsense"}, "nonsense"),
        ({"l1_ratios": [0.5], "solver": "lbfgs"}, "needs a smooth penalty"),
        ({"cv": 1000}, "cv of LogisticRegressionCV cannot split 150 rows"),
    ):
        with pytest.raises(ValueError, match=message):
            LogisticRegressionCV(**parameters).fit(X, y)
    weight[:] = np.arange(150) < 40
    with pytest.raises(ValueError, match="have no weight: weights must be spread over folds"):
        LogisticRegressionCV(cv=KFold(2).split(X[::-1])).fit(X, y, sample_weight=1.0 * (np.arange(150) < 75))
    with pytest.warns(ConvergenceWarning, match="of LogisticRegressionCV stopped early, or at max_iter=1"):
        LogisticRegressionCV(max_iter=1, solver="lbfgs").fit(X, y)


# ---- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [LassoCV(alphas=5), ElasticNetCV(alphas=5), RidgeCV(), RidgeCV(cv=3), LogisticRegressionCV(Cs=3, l1_ratios=[0, 1])],
    ids=str,
)
def test_files_keep_everything_and_threads_change_nothing(model, tmp_path):
    X, y, _ = labels(2) if isinstance(model, LogisticRegressionCV) else numbers()
    model.set_params(n_jobs=1).fit(X, y)
    mlcore.save(model, tmp_path / "model")
    loaded = mlcore.load(tmp_path / "model")
    more = type(model)(**model.get_params()).set_params(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    for name in vars(model):
        if name.endswith("_"):
            np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))
            np.testing.assert_array_equal(getattr(more, name), getattr(model, name))
