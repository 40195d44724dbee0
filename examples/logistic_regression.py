"""Logistic regression on real data: what L1 leaves out, all solvers on one problem, the ways that optimizers take."""

import time
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from mlcore.linear_model import LogisticRegression, logistic_path
from mlcore.plotting import plot_optimizer_paths, plot_regularization_path

mpl.use("agg")
from matplotlib import pyplot as plt

SOLVERS = "lbfgs newton-cholesky coordinate_descent saga gd sgd minibatch momentum nesterov adagrad rmsprop adam"
PICTURES = ("regularization_path.png", "optimizer_paths.png")

print("Is a tumour benign? Thirty measures of it, and how few of them do:")
data = load_breast_cancer()
X, y = StandardScaler().fit_transform(data.data), data.target
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
for C in (0.01, 0.03, 0.1, 1.0):
    model = LogisticRegression(C=C, l1_ratio=1).fit(X_train, y_train)
    kept, accuracy = np.count_nonzero(model.coef_), model.score(X_test, y_test)
    print(f"  L1, C = {C:<5}{kept:>3} of 30 coefficients are not zero, test accuracy {accuracy:.3f}")

digits = load_digits()
D_train, D_test, t_train, t_test = train_test_split(digits.data / 16, digits.target, test_size=0.3, random_state=0)
print(f"\nTen digits, {D_train.shape[0]:,} x {D_train.shape[1]}: one objective, twelve ways to its minimum")
warnings.simplefilter("ignore", ConvergenceWarning)  # fixed learning rates end near the minimum, not at it
least = LogisticRegression(tol=1e-9).fit(D_train, t_train).loss_curve_[-1]
print(f"{'solver':<20}{'iterations':>11}{'objective':>12}{'above minimum':>15}{'test accuracy':>15}{'seconds':>9}")
for solver in SOLVERS.split():
    start = time.perf_counter()
    model = LogisticRegression(solver=solver, random_state=0).fit(D_train, t_train)
    seconds, loss, accuracy = time.perf_counter() - start, model.loss_curve_[-1], model.score(D_test, t_test)
    print(f"{solver:<20}{model.n_iter_[0]:>11}{loss:>12.6f}{loss - least:>15.1e}{accuracy:>15.3f}{seconds:>9.3f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(14, 6), layout="constrained")
for ax, l1_ratio, name in ((left, 1, "L1: some at a time"), (right, 0, "L2: all, a little")):
    path = logistic_path(X, y, Cs=np.geomspace(0.002, 2, 60), l1_ratio=l1_ratio, tol=1e-6)
    plot_regularization_path(path, ax=ax, feature_names=data.feature_names)
    ax.set_title(f"Which measures tell a benign tumour? {name}")
figure.savefig(PICTURES[0], dpi=120)

figure, (left, right) = plt.subplots(1, 2, figsize=(14, 6), layout="constrained")
rates = {"momentum": 0.3, "nesterov": 0.3, "adagrad": 0.5, "rmsprop": 0.05, "adam": 0.1}
pair, how = X[:, [0, 5]], {"start": (-1, 3), "learning_rate": rates}  # radius and compactness, which go together
plot_optimizer_paths(pair, y, left, solvers=("gd", "momentum", "nesterov"), max_iter=40, batch_size=None, **how)
plot_optimizer_paths(pair, y, right, solvers=("sgd", "minibatch", "adagrad", "rmsprop", "adam"), max_iter=12, **how)
left.set_title("40 epochs, all rows a step")
right.set_title("12 epochs, one row (sgd) or 32 rows a step")
figure.savefig(PICTURES[1], dpi=120)
print("\npaths of coefficients, ways of optimizers:", *map(Path.resolve, map(Path, PICTURES)))
