"""Gradient boosting on real data: classifiers and regressors, one table, one picture."""

import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
from sklearn import datasets
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import mlcore
from mlcore.datasets import load_flights
from mlcore.plotting import plot_feature_importance, plot_history

mpl.use("agg")
from matplotlib import pyplot as plt


def run(name, model, X, y, score):
    """Fit on four fifths of the rows, score and time on the last one; return a line of the table and the model."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
    start = time.perf_counter()
    model.fit(X_train, y_train)
    fitted = time.perf_counter()
    model.predict(X_test)
    n_per_second = len(X_test) / (time.perf_counter() - fitted)
    figure = f"{score} {SCORES[score](model, X_test, y_test):.3f}"
    return (
        f"{name:<28}{f'{X.shape[0]:,} x {X.shape[1]}':>14}{figure:>16}{fitted - start:>9.2f}{n_per_second:>18,.0f}",
        model,
    )


SCORES = {
    "accuracy": lambda model, X, y: model.score(X, y),
    "AUC": lambda model, X, y: roc_auc_score(y, model.predict_proba(X)[:, 1]),
    "R2": lambda model, X, y: model.score(X, y),
}
many_trees = {"n_estimators": 200, "random_state": 0, "verbose": 1}
few_rows = {"random_state": 0, "verbose": 1}

print("Flights that left New York City in 2013: is it late, and by how many minutes?")
flights = load_flights()
arrived = ~np.isnan(flights.arr_delay)
late, classifier = run("flights: late?", mlcore.GBDTClassifier(**many_trees), flights.X, flights.is_late, "AUC")
delay, _ = run(
    "flights: minutes", mlcore.GBDTRegressor(**many_trees), flights.X[arrived], flights.arr_delay[arrived], "R2"
)
lines = [late, delay]
print("Sets that scikit-learn brings along")
for load, model, score in (
    (datasets.load_breast_cancer, mlcore.GBDTClassifier(**few_rows), "AUC"),
    (datasets.load_digits, mlcore.GBDTClassifier(growth="depth", **few_rows), "accuracy"),
    (datasets.load_diabetes, mlcore.GBDTRegressor(learning_rate=0.05, max_leaf_nodes=8, **few_rows), "R2"),
):
    lines.append(run(load.__name__.removeprefix("load_"), model, *load(return_X_y=True), score)[0])

print(f"\n{'data':<28}{'rows x columns':>14}{'score':>16}{'fit s':>9}{'predict rows/s':>18}")
print(*lines, sep="\n")

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
plot_feature_importance(classifier, left)
plot_history(classifier, ax=right)
figure.suptitle("Which flights are late?")
path = Path("flights.png").resolve()
figure.savefig(path, dpi=120)
print(f"\nFeature importance and learning curve: {path}")
