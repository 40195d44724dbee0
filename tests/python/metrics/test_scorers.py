"""The metrics under scikit-learn's names of scorers, and their use inside boosting and the trainer."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import get_scorer, get_scorer_names

from mlcore import GBDTClassifier, nn
from mlcore.metrics._scorers import find_scorer, scores

OF_CLUSTERS = {
    *("adjusted_mutual_info_score", "adjusted_rand_score", "completeness_score", "fowlkes_mallows_score"),
    *("homogeneity_score", "mutual_info_score", "normalized_mutual_info_score", "rand_score", "v_measure_score"),
}
RATIOS = {"positive_likelihood_ratio", "neg_negative_likelihood_ratio"}


def test_all_names_of_scikit_learn_are_known():
    assert set(scores()) == set(get_scorer_names()) - OF_CLUSTERS - RATIOS


@pytest.mark.parametrize("name", [name for name in scores() if "samples" not in name])
def test_same_score_as_scikit_learn(name):
    if scores()[name].is_of_numbers:
        X, y = make_regression(60, 5, noise=3, random_state=0)
        y = np.exp(y / 100)
        model = TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp).fit(X, y)
    else:
        of_many = "macro" in name or "weighted" in name or "ov" in name or "micro" in name or "top_k" in name
        X, y = make_classification(
            90, 6, n_informative=4, n_classes=3 if of_many else 2, flip_y=0.3, random_state=1, n_redundant=0
        )
        model = LogisticRegression().fit(X, y)
    assert is_regressor(model) == scores()[name].is_of_numbers
    weight = np.random.default_rng(0).random(len(y))
    ours, theirs = find_scorer(model, name), get_scorer(name)
    assert ours(model, X, y) == pytest.approx(theirs(model, X, y), rel=1e-12)
    if name != "neg_max_error" and "ovo" not in name:  # these take no weights
        weighted = (scorer(model, X, y, sample_weight=weight) for scorer in (ours, theirs))
        assert next(weighted) == pytest.approx(next(weighted), rel=1e-12)


def test_other_scorings_are_scikit_learns():
    X, y = make_classification(60, random_state=0)
    model = LogisticRegression().fit(X, y)
    assert find_scorer(model, "rand_score")(model, X, y) == get_scorer("rand_score")(model, X, y)
    assert find_scorer(model, lambda model, X, y: 3.0)(model, X, y) == 3.0
    assert find_scorer(model, None)(model, X, y) == model.score(X, y)
    with pytest.raises(ValueError, match="nonsense"):
        find_scorer(model, "nonsense")


def test_boosting_scores_by_them():
    X, y = make_classification(300, flip_y=0.2, random_state=0)
    model = GBDTClassifier(n_estimators=5, scoring="roc_auc", early_stopping=False, random_state=0)
    model.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    expected = get_scorer("roc_auc")(model, X[200:], y[200:])
    assert model.validation_score_[-1] == pytest.approx(expected, rel=1e-12)


def trained(output, loss, X, y, metrics, **options):
    nn.manual_seed(0)
    net = nn.Sequential(nn.Linear(X.shape[1], 8), nn.ReLU(), output)
    trainer = nn.Trainer(net, loss, metrics=metrics, max_epochs=2, batch_size=32, **options)
    return trainer.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])


class Says(ClassifierMixin, BaseEstimator):
    """A classifier of two classes that says what a network has said."""

    classes_ = np.array([0, 1])

    def __init__(self, logits):
        self.logits = logits

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.logits.argmax(axis=1)

    def predict_proba(self, X):
        return np.exp(self.logits) / np.exp(self.logits).sum(axis=1, keepdims=True)

    def decision_function(self, X):
        return self.logits[:, 1] - self.logits[:, 0]


CLASS_METRICS = ["accuracy", "roc_auc", "average_precision", "f1", "balanced_accuracy", "neg_log_loss"]


def test_trainer_scores_two_classes():
    X, y = make_classification(300, flip_y=0.2, random_state=0)
    X = X.astype(np.float32)
    trainer = trained(nn.Linear(8, 2), nn.CrossEntropyLoss(), X, y, CLASS_METRICS)
    logits = trainer.predict(X[200:]).astype(np.float64)
    model = Says(logits)
    for name in CLASS_METRICS:
        expected = get_scorer(name)(model, X[200:], y[200:])
        assert trainer.history[f"validation_{name}"][-1] == pytest.approx(expected, rel=1e-6)
        assert (name in trainer.history.epochs[0]) == (name == "accuracy")  # the others are no means over batches
    assert trainer.evaluate(X[200:], y[200:])["roc_auc"] == trainer.history["validation_roc_auc"][-1]


def test_trainer_scores_logits_of_pairs():
    X, y = make_classification(300, flip_y=0.2, random_state=0)
    X, y = X.astype(np.float32), y.astype(np.float32)[:, None]
    trainer = trained(nn.Linear(8, 1), nn.BCEWithLogitsLoss(), X, y, ["roc_auc", "f1"])
    logits = trainer.predict(X[200:])[:, 0]
    truth = y[200:, 0].astype(int)
    by = {"roc_auc": logits, "f1": logits > 0}
    for name, predicted in by.items():
        expected = get_scorer(name)._score_func(truth, predicted)
        assert trainer.history[f"validation_{name}"][-1] == pytest.approx(expected, rel=1e-9)


def test_trainer_scores_many_classes_and_numbers():
    X, y = make_classification(300, n_classes=4, n_informative=6, random_state=0)
    X = X.astype(np.float32)
    metrics = ["roc_auc_ovr", "f1_macro", "top_k_accuracy"]
    trainer = trained(nn.Linear(8, 4), nn.CrossEntropyLoss(), X, y, metrics, monitor="validation_f1_macro", mode="max")
    logits = trainer.predict(X[200:])
    f1 = get_scorer("f1_macro")._score_func(y[200:], logits.argmax(axis=1), average="macro")
    assert trainer.history["validation_f1_macro"][-1] == pytest.approx(f1, rel=1e-9)
    X, y = make_regression(300, 5, random_state=0)
    X, y = X.astype(np.float32), y.astype(np.float32)[:, None]
    trainer = trained(nn.Linear(8, 1), nn.MSELoss(), X, y, "r2")
    expected = get_scorer("r2")._score_func(y[200:], trainer.predict(X[200:]))
    assert trainer.history["validation_r2"][-1] == pytest.approx(expected, abs=1e-6)


def test_padding_is_left_out():
    from mlcore.nn.training._metrics import ScoreOfAll

    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(20, 3, 5)), rng.integers(0, 3, (20, 5))
    target[:, 3:] = -100
    flat = logits[:, :, :3].transpose(0, 2, 1).reshape(-1, 3)
    assert ScoreOfAll("f1_macro")(logits, target) == ScoreOfAll("f1_macro")(flat, target[:, :3].ravel())


def test_trainer_needs_validation_rows_for_them():
    trainer = nn.Trainer(nn.Linear(3, 2), nn.CrossEntropyLoss(), metrics="roc_auc")
    with pytest.raises(ValueError, match="roc_auc are computed from validation data: pass X_val"):
        trainer.fit(np.zeros((4, 3), np.float32), np.array([0, 1, 0, 1]))
    with pytest.raises(ValueError, match=r"unknown metric 'auc'; known are .*roc_auc"):
        nn.Trainer(nn.Linear(3, 2), nn.CrossEntropyLoss(), metrics="auc")


def test_an_unknown_scoring_says_what_there_is():
    X, y = make_classification(60, random_state=0)
    model = GBDTClassifier(n_estimators=2, scoring="pr_auc", early_stopping=True)
    with pytest.raises(ValueError, match=r"scoring must be .* average_precision, .*got 'pr_auc'"):
        model.fit(X, y)
