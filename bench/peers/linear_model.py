"""Linear models beside scikit-learn, scikit-learn-intelex and liblinear: speed, zeros, optimizers, paths.

Tolerances of different libraries do not mean the same: each gets the loosest one of a grid with which it comes within
1e-6 (relative) of the best objective known, and is timed with that. All get the same data (float64 or CSR) and threads.
liblinear penalises the intercept: its own package is told not to (-R), inside scikit-learn a large intercept_scaling
makes it cheap. Making its `problem` is not timed. Quality is asserted: a fast wrong answer fails.
"""

import lzma
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp
import sklearn.linear_model
import sklearnex.linear_model
from _bench import DATA, machine, medians, parser, table, timed
from daal4py import daalinit
from liblinear import liblinearutil
from sklearn.datasets import load_svmlight_file, make_classification, make_regression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from mlcore.linear_model import LogisticRegression, Ridge, lasso_path, logistic_path

PARTS = ("speed", "l1", "optimizers", "coefficients", "lasso", "ridge")
NEAR = 1e-6
"""How far above the best objective an answer may be, relative."""
TOLERANCES = 10.0 ** np.arange(-1, -10.5, -0.5)
OPTIMIZERS = ("gd", "sgd", "minibatch", "momentum", "nesterov", "adagrad", "rmsprop", "adam")

Solution: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Coefficients (K, d), intercepts (K,)."""


@dataclass
class Workload:
    """A classification problem."""

    name: str
    X: Any
    y: np.ndarray
    """Classes 0 .. n_classes - 1."""
    C: float = 1.0
    l1_ratio: float = 0.0
    problem: Any = None
    """The same for liblinear, made when first needed."""

    @property
    def n_classes(self) -> int:
        return int(self.y.max()) + 1

    @property
    def shape(self) -> str:
        return f"{self.X.shape[0]} x {self.X.shape[1]}" + (" sparse" if sp.issparse(self.X) else "")

    def objective(self, coef: np.ndarray, intercept: np.ndarray) -> float:
        """The objective that all minimise, divided by C n."""
        Z = np.asarray(self.X @ coef.T) + intercept
        if Z.shape[1] == 1:
            loss = np.logaddexp(0, Z[:, 0] * np.where(self.y == 1, -1, 1)).mean()
        else:
            Z -= Z.max(axis=1, keepdims=True)
            loss = (np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(self.y)), self.y]).mean()
        penalty = (1 - self.l1_ratio) / 2 * (coef**2).sum() + self.l1_ratio * np.abs(coef).sum()
        return float(loss + penalty / (self.C * len(self.y)))


# ---- models: workload, tolerance, threads -> solution ----


def fit_mlcore(work: Workload, tol: float, threads: int, solver: str = "auto") -> Solution:
    model = LogisticRegression(
        C=work.C, l1_ratio=work.l1_ratio, solver=solver, tol=tol, max_iter=20_000, n_jobs=threads, random_state=0
    ).fit(work.X, work.y)
    return model.coef_, model.intercept_


def fit_sklearn(work: Workload, tol: float, threads: int, solver: str = "lbfgs") -> Solution:
    model = sklearn.linear_model.LogisticRegression(
        C=work.C,
        l1_ratio=work.l1_ratio,
        solver=solver,
        tol=tol,
        max_iter=20_000,
        intercept_scaling=1e4 if work.l1_ratio else 100,
        random_state=0,
    )
    with threadpool_limits(threads):
        model.fit(work.X, work.y)
    return model.coef_, model.intercept_


def fit_intelex(work: Workload, tol: float, threads: int) -> Solution:
    model = sklearnex.linear_model.LogisticRegression(C=work.C, solver="lbfgs", tol=tol, max_iter=20_000)
    model.fit(work.X, work.y)
    return model.coef_, model.intercept_


def fit_liblinear(work: Workload, tol: float, threads: int) -> Solution:
    if work.problem is None:
        work.problem = liblinearutil.problem(2.0 * work.y - 1, sp.csr_matrix(work.X), bias=1)
    kind = 6 if work.l1_ratio else 0
    model = liblinearutil.train(work.problem, liblinearutil.parameter(f"-s {kind} -c {work.C} -e {tol} -B 1 -R -q"))
    coef, intercept = model.get_decfun()
    sign = model.get_labels()[0]
    return sign * np.array([coef]), sign * np.array([intercept])


def models(work: Workload) -> dict[str, Callable[[Workload, float, int], Solution]]:
    """Return all that can solve the problem."""
    binary, dense, smooth = work.n_classes == 2, not sp.issparse(work.X), work.l1_ratio == 0
    found: dict[str, Callable[[Workload, float, int], Solution]] = {"mlcore": fit_mlcore}
    if smooth:
        for solver in ("lbfgs", "newton-cholesky"):
            found[f"scikit-learn {solver}"] = partial(fit_sklearn, solver=solver)
        if dense:
            found["scikit-learn-intelex lbfgs"] = fit_intelex
    if binary:
        found["scikit-learn liblinear"] = partial(fit_sklearn, solver="liblinear")
        found["liblinear"] = fit_liblinear
    found["scikit-learn saga"] = partial(fit_sklearn, solver="saga")
    return found


# ---- data ----


def cut(name: str, X: Any, y: Any, rows: int | None) -> Workload:
    """Take some of the rows, whole classes left."""
    y = np.unique(y, return_inverse=True)[1]
    if rows is not None and rows < len(y):
        chosen = np.sort(np.random.default_rng(0).permutation(len(y))[:rows])
        X, y = X[chosen], np.unique(y[chosen], return_inverse=True)[1]
    return Workload(name, X, y.astype(np.int32))


def scaled(X: Any) -> np.ndarray:
    return np.ascontiguousarray(StandardScaler().fit_transform(np.asarray(X, dtype=np.float64)))


def svmlight(name: str, n_features: int) -> tuple[sp.csr_matrix, np.ndarray]:
    with lzma.open(DATA / "svm" / f"{name}.svm.xz") as file:
        X, y = load_svmlight_file(file, n_features=n_features)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # some peers take no others
    return X, y


def synthetic(n: int, d: int, rows: int | None) -> Workload:
    X, y = make_classification(
        min(n, rows or n), d, n_informative=d // 2, n_redundant=d // 6, flip_y=0.05, random_state=0
    )
    return Workload(f"synthetic {n:,}", X, y.astype(np.int32))


def workloads(rows: int | None) -> Iterator[Workload]:
    """Real sets, where they are there, and two synthetic ones."""
    if DATA.exists():
        yield cut("w8a", *svmlight("w8a", 300), rows)
        with np.load(DATA / "svm" / "usps.npz") as file:
            yield cut("usps", file["X_train"].astype(np.float64), file["y_train"], rows)
        cover = pd.read_csv(DATA / "tabular" / "covtype15k.csv.xz")
        yield cut("covtype15k", scaled(cover.drop(columns=["Id", "Cover_Type"])), cover["Cover_Type"], rows)
        satellite = pd.read_csv(DATA / "tabular" / "satellite.csv.xz")
        yield cut("satellite", scaled(satellite.drop(columns="classes")), satellite["classes"], rows)
        digits, labels = svmlight("pendigits", 16)
        yield cut("pendigits", scaled(digits.toarray()), labels, rows)
    else:
        print(f"no data sets at {DATA}: only synthetic ones are measured", file=sys.stderr)
    yield synthetic(20_000, 60, rows)
    yield synthetic(500_000, 50, rows)


# ---- equal quality ----


def equally_good(
    work: Workload, threads: int, repeats: int, limit: float, best: float
) -> dict[str, tuple[float, float, float, Solution]]:
    """Return, by library, seconds, tolerance, distance from the best objective, and the solution."""
    runs, chosen = {}, {}
    for name, fit in models(work).items():
        for tol in TOLERANCES:
            seconds, solution = timed(partial(fit, work, tol, threads))
            gap = work.objective(*solution) / best - 1
            if gap <= NEAR:
                runs[name], chosen[name] = partial(fit, work, tol, threads), (tol, gap)
                break
            if name != "mlcore" and seconds > limit:
                break
    assert "mlcore" in runs, f"{work.name}: mlcore is not within {NEAR} of the best objective with any tolerance"
    done = medians(runs, repeats)
    return {name: (done[name][0], *chosen[name], done[name][1]) for name in runs}


def compare(title: str, works: Iterator[Workload], threads: int, repeats: int, limit: float) -> None:
    """Print a line for each library, and one for each workload with the fastest of the others."""
    lines, ratios = [], []
    for work in works:
        best = work.objective(*fit_mlcore(work, 1e-10, threads))
        if work.l1_ratio == 0:  # not by our word alone
            best = min(best, work.objective(*fit_sklearn(work, 1e-9, threads, "lbfgs")))
        found = equally_good(work, threads, repeats, limit, best)
        ours = found["mlcore"][0]
        for name in models(work):
            if name not in found:
                lines.append([work.name, work.shape, work.n_classes, name, "", "not in time", "", "", ""])
                continue
            seconds, tol, gap, (coef, _) = found[name]
            zeros = f"{np.count_nonzero(coef == 0)} of {coef.size}" if work.l1_ratio else ""
            lines.append(
                [
                    work.name,
                    work.shape,
                    work.n_classes,
                    name,
                    f"{tol:.0e}",
                    seconds,
                    seconds / ours,
                    f"{gap:.1e}",
                    zeros,
                ]
            )
        others = {name: seconds for name, (seconds, *_) in found.items() if name != "mlcore"}
        if others:
            fastest = min(others, key=others.__getitem__)
            ratios.append([work.name, ours, fastest, others[fastest], ours / others[fastest]])
    columns = [
        "data",
        "rows x columns",
        "classes",
        "library",
        "tol",
        "fit seconds",
        "times mlcore's",
        "objective above",
    ]
    if any(line[-1] for line in lines):
        columns.append("zeros")
    table(title, columns, [line[: len(columns)] for line in lines])
    table(f"{title}: the fastest peer", ["data", "mlcore, s", "fastest peer", "its s", "mlcore / peer"], ratios)


# ---- tables ----


def speed(threads: int, repeats: int, rows: int | None, limit: float) -> None:
    compare("L2-penalised logistic regression", workloads(rows), threads, repeats, limit)


def l1(threads: int, repeats: int, rows: int | None, limit: float) -> None:
    """C is 20 times that at which the first coefficient appears: few matter."""

    def sparse_ones() -> Iterator[Workload]:
        for work in workloads(rows):
            Cs, _, _ = logistic_path(work.X, work.y, Cs=1, l1_ratio=1)
            work.C, work.l1_ratio = 20 * Cs[0], 1.0
            yield work

    compare("L1-penalised logistic regression", sparse_ones(), threads, repeats, limit)


def optimizers(threads: int, repeats: int, rows: int | None, limit: float) -> None:
    """For information: fixed learning rates do not end at the minimum."""
    marks, lines = (1, 5, 20, 50), []
    for work in workloads(rows):
        if work.X.shape[0] > 100_000:
            continue
        best = work.objective(*fit_mlcore(work, 1e-9, threads))
        for solver in OPTIMIZERS:
            model = LogisticRegression(solver=solver, max_iter=marks[-1], tol=0, n_jobs=threads, random_state=0)
            seconds, _ = timed(partial(model.fit, work.X, work.y))
            curve = model.loss_curve_
            assert curve[-1] < curve[0], f"{work.name}: {solver} went up"
            lines.append([work.name, solver, seconds / marks[-1], *(f"{curve[at] / best - 1:.1e}" for at in marks)])
    columns = ["data", "optimizer", "seconds an epoch", *(f"after {at}" for at in marks)]
    table("Classical optimizers: objective above the minimum, relative", columns, lines)


def coefficients(threads: int, repeats: int, rows: int | None, limit: float) -> None:
    lines = []
    for work in workloads(rows):
        ours, theirs = (
            np.column_stack([coef, intercept - intercept.mean() * (work.n_classes > 2)])
            for coef, intercept in (
                fit_mlcore(work, 1e-10, threads),
                fit_sklearn(work, 1e-12, threads, "newton-cholesky"),
            )
        )
        largest = float(np.abs(ours - theirs).max())
        lines.append([work.name, work.shape, work.n_classes, float(np.abs(theirs).max()), f"{largest:.1e}"])
        assert largest <= 1e-5, f"{work.name}: coefficients differ from scikit-learn's by {largest}"
    columns = ["data", "rows x columns", "classes", "largest coefficient", "largest difference"]
    table("Coefficients at tight tolerance, beside scikit-learn's newton-cholesky", columns, lines)


def regressions(rows: int | None) -> Iterator[tuple[str, Any, np.ndarray]]:
    """Tall, wide and sparse; dense ones centred, as path functions have no intercept."""
    for name, n, d in (("tall", 20_000, 60), ("wide", 200, 5000)):
        X, y = make_regression(min(n, rows or n), d, n_informative=30, noise=20.0, random_state=0)
        yield name, np.asfortranarray(X - X.mean(axis=0)), y - y.mean()
    n = min(50_000, rows or 50_000)
    X = sp.random_array((n, 300), density=0.04, format="csr", rng=np.random.default_rng(0))
    X.data[:] = 1
    rng = np.random.default_rng(1)
    y = X @ (rng.normal(size=300) * (rng.random(300) < 0.1)) + rng.normal(size=n)
    yield "sparse", X, y - y.mean()


def lasso(threads: int, repeats: int, rows: int | None, limit: float) -> None:
    lines = []
    for name, X, y in regressions(rows):
        n = len(y)
        alphas = np.abs(X.T @ y).max() / n * np.geomspace(1, 1e-3, 100)

        def objectives(coefs: np.ndarray, X: Any = X, y: np.ndarray = y, alphas: np.ndarray = alphas) -> np.ndarray:
            residuals = y[:, None] - X @ coefs
            return (residuals**2).sum(axis=0) / (2 * len(y)) + alphas * np.abs(coefs).sum(axis=0)

        peer_X = sp.csc_matrix(X) if sp.issparse(X) else X
        for tol in (1e-4, 1e-8):
            options = {"alphas": alphas, "tol": tol, "max_iter": 100_000}

            def peer(options: dict[str, Any] = options, X: Any = peer_X, y: np.ndarray = y) -> Any:
                with threadpool_limits(threads):
                    return sklearn.linear_model.lasso_path(X, y, **options)

            ours = partial(lasso_path, X, y, **options, n_jobs=threads)
            done = medians({"mlcore": ours, "scikit-learn": peer}, repeats)
            (mine, (_, my_coefs, *_)), (theirs, (_, their_coefs, *_)) = done["mlcore"], done["scikit-learn"]
            worse = float((objectives(my_coefs) / objectives(their_coefs) - 1).max())
            shape = f"{X.shape[0]} x {X.shape[1]}"
            lines.append([name, shape, f"{tol:.0e}", mine, theirs, mine / theirs, f"{worse:+.1e}"])
            assert tol > 1e-6 or worse <= NEAR, f"{name}: an objective of the path is {worse} above scikit-learn's"
    columns = ["data", "rows x columns", "tol", "mlcore, s", "scikit-learn, s", "ratio", "objective, at most"]
    table("Lasso paths of 100 alphas", columns, lines)


def ridge(threads: int, repeats: int, rows: int | None, limit: float) -> None:
    lines = []
    for name, X, y in regressions(rows):

        def peer(kind: Any, X: Any = X, y: np.ndarray = y) -> Any:
            with threadpool_limits(threads):
                return kind(alpha=10.0, tol=1e-10).fit(X, y)

        runs: dict[str, Callable[[], Any]] = {
            "mlcore": partial(Ridge(alpha=10.0, tol=1e-10, n_jobs=threads).fit, X, y),
            "scikit-learn": partial(peer, sklearn.linear_model.Ridge),
        }
        if not sp.issparse(X):
            runs["scikit-learn-intelex"] = partial(peer, sklearnex.linear_model.Ridge)
        done = medians(runs, max(repeats, 5))
        ours, exact = done["mlcore"][0], done["scikit-learn"][1].coef_
        for library, (seconds, model) in done.items():
            apart = float(np.abs(model.coef_ - exact).max() / np.abs(exact).max())
            lines.append([name, f"{X.shape[0]} x {X.shape[1]}", library, seconds, seconds / ours, f"{apart:.1e}"])
            assert library != "mlcore" or apart <= 1e-6, f"{name}: coefficients differ from scikit-learn's by {apart}"
    columns = ["data", "rows x columns", "library", "fit seconds", "times mlcore's", "coefficients apart"]
    table("Ridge", columns, lines)


def main() -> None:
    warnings.filterwarnings("ignore")
    options = parser(__doc__.splitlines()[0], PARTS)
    options.add_argument("--rows", type=int, default=None, help="cut all data to so many rows, to try the script")
    options.add_argument("--limit", type=float, default=30.0, help="seconds: a library that needs more is left out")
    args = options.parse_args()
    daalinit(args.threads)
    print(machine(args.threads, ("scikit-learn", "scikit-learn-intelex", "liblinear-official")))
    runs = {
        "speed": speed,
        "l1": l1,
        "optimizers": optimizers,
        "coefficients": coefficients,
        "lasso": lasso,
        "ridge": ridge,
    }
    for part in args.parts or PARTS:
        runs[part](args.threads, args.repeats, args.rows, args.limit)


if __name__ == "__main__":
    main()
