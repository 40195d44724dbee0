"""Support vector machines on real data: C and gamma by cross-validation, a linear machine beside, probabilities."""

import time
from pathlib import Path

import matplotlib as mpl
from sklearn import datasets
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlcore import SVC, LinearSVC
from mlcore.plotting import plot_decision_boundary

mpl.use("agg")
from matplotlib import pyplot as plt

GRID = {"svc__C": [0.3, 1, 3, 10, 30], "svc__gamma": [0.001, 0.003, 0.01, 0.03, 0.1]}
LINEAR_GRID = {"linearsvc__C": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1]}


def searched(machine, grid, X, y):
    """Return the search, and how many machines a second it has trained."""
    start = time.perf_counter()
    search = GridSearchCV(make_pipeline(StandardScaler(), machine), grid, cv=5).fit(X, y)
    return search, (5 * len(search.cv_results_["params"]) + 1) / (time.perf_counter() - start)


print("Sets that scikit-learn brings along: scaled, three quarters of the rows for training, the others for the test")
print(f"{'data':<15}{'rows x columns':>15}{'machine':>11}{'best C':>8}{'gamma':>7}{'accuracy':>10}{'machines/s':>12}")
for load in (datasets.load_breast_cancer, datasets.load_wine, datasets.load_digits):
    name, (X, y) = load.__name__.removeprefix("load_"), load(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    for machine, grid in ((SVC(), GRID), (LinearSVC(), LINEAR_GRID)):
        search, per_second = searched(machine, grid, X_train, y_train)
        C, gamma = (search.best_params_.get(key, "") for key in (next(iter(grid)), "svc__gamma"))
        accuracy = f"{search.score(X_test, y_test):.1%}"
        line = f"{name:<15}{f'{len(X):,} x {X.shape[1]}':>15}{type(machine).__name__:>11}{C:>8}{gamma:>7}"
        print(f"{line}{accuracy:>10}{per_second:>12.0f}")
        if isinstance(machine, SVC):
            best = search.best_estimator_

calibrated = CalibratedClassifierCV(best, ensemble=False).fit(X_train, y_train)
surest, right = calibrated.predict_proba(X_test).max(axis=1), calibrated.predict(X_test) == y_test
print(f"\nProbabilities of digits ({len(best[-1].support_)} of {len(X_train)} rows are support vectors):")
for low, high in ((0.0, 0.6), (0.6, 0.9), (0.9, 0.99), (0.99, 1.0)):
    here = (surest > low) & (surest <= high)
    print(f"  between {low:.0%} and {high:.0%} sure: {here.sum():>3} rows, {right[here].sum():>3} of them right")

figure, axes = plt.subplots(1, 2, figsize=(13, 6), layout="constrained")
for ax, load in zip(axes, (datasets.load_breast_cancer, datasets.load_wine), strict=True):
    data, title = load(), load.__name__.removeprefix("load_")
    plane, y = make_pipeline(StandardScaler(), PCA(2)).fit_transform(data.data), data.target_names[data.target]
    plot_decision_boundary(SVC().fit(plane, y), plane, y, ax).set_title(f"{title}, on two principal components")
figure.savefig("svm.png", dpi=120)
print("\nRegions, margins and support vectors:", Path("svm.png").resolve())
