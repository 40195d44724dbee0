"""Support vector machines beside libsvm, scikit-learn, scikit-learn-intelex and liblinear: speed, quality, memory.

All libraries get the same rows as float64, and the same C, gamma, tol and cache_size. scikit-learn-intelex is not
patched into scikit-learn: its classes are imported (`sklearnex.svm`) and given the threads as `n_jobs`, which sets
oneDAL's pool; a second line has it on float32 rows, which it multiplies in float32 then, as we do for either type. The
wheel of libsvm is built with OpenMP (kernel rows, sums of a decision) and gets the threads by threadpoolctl.
scikit-learn's own copies of libsvm and liblinear, and liblinear's wheel, use one. These three and libsvm are run once,
where we and intelex count by the median. Rows are brought into the format of libsvm and liblinear before the clock
starts.

Quality is asserted beside speed: the dual objective of every library is computed by one function in float64 from its
support vectors and coefficients, and ours may exceed libsvm's by 1e-6 of its size; our labels must be scikit-learn's on
99.9 % of the test rows; objectives of the linear machines may exceed the lowest by 1e-4.
"""

import ctypes
import json
import lzma
import sys
import warnings
from argparse import SUPPRESS, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import libsvm.svm
import libsvm.svmutil
import numpy as np
import pandas as pd
import scipy.sparse as sp
import sklearn.svm
import sklearnex.svm
from _bench import DATA, in_child, machine, medians, memory_mb, parser, reset_peak, table
from liblinear import liblinearutil
from sklearn.datasets import load_svmlight_file, make_friedman1
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import mlcore

PARTS = ("speed", "memory", "rows", "linear", "regression")
TOL, CACHE = 1e-3, 200
LINEAR_C, LINEAR_TOL = 1.0, 1e-4
BLOCK = 1024
"""Rows of the float64 kernel matrix that are computed at once."""


@dataclass
class Workload:
    """A data set with codes 0 .. k - 1 as labels, and settings that do well on it."""

    name: str
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    C: float
    gamma: float

    @property
    def shape(self) -> str:
        return f"{self.X.shape[0]} x {self.X.shape[1]}"

    def cut(self, rows: int | None) -> "Workload":
        """Return the first rows only; of each class at least two."""
        if rows is None or rows >= len(self.y):
            return self
        firsts = [np.flatnonzero(self.y == c)[:2] for c in np.unique(self.y)]
        kept = np.unique(np.concatenate([np.arange(rows), *firsts]))
        few = max(rows // 4, 1)
        return Workload(self.name, self.X[kept], self.y[kept], self.X_test[:few], self.y_test[:few], self.C, self.gamma)


# ---- data ------------------------------------------------------------------------------------------------------------


def synthetic(n: int, columns: int) -> Workload:
    rng = np.random.default_rng(0)
    n_test = max(n // 5, 1000)
    X = rng.standard_normal((n + n_test, columns))
    signal = X[:, 0] * X[:, 1] - X[:, 2] ** 2 + X[:, 3:10].sum(axis=1)
    y = (signal + rng.standard_normal(n + n_test) > -1).astype(int)
    return Workload("synthetic", X[:n], y[:n], X[n:], y[n:], C=1.0, gamma=1 / columns)


def usps() -> Workload:
    arrays = np.load(DATA / "svm" / "usps.npz", allow_pickle=False)
    X, X_test = (arrays[f"X_{part}"].astype(float) for part in ("train", "test"))
    y, y_test = (arrays[f"y_{part}"].astype(int) for part in ("train", "test"))
    return Workload("usps", X, y, X_test, y_test, C=10.0, gamma=0.02)


def w8a() -> Workload:
    X, y = read_svm("w8a", 300)
    y = (y > 0).astype(int)
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0, stratify=y)
    return Workload("w8a, sparse", X[train], y[train], X[test], y[test], C=5.0, gamma=0.05)


def covtype15k() -> Workload:
    table = pd.read_csv(DATA / "tabular" / "covtype15k.csv.xz")
    X, y = table.drop(columns=["Id", "Cover_Type"]).to_numpy(float), table["Cover_Type"].to_numpy(int) - 1
    X = X[:, X.std(axis=0) > 0]
    train, test = train_test_split(np.arange(len(y)), test_size=0.25, random_state=0)
    X = StandardScaler().fit(X[train]).transform(X)
    return Workload("covtype15k, standardised", X[train], y[train], X[test], y[test], C=10.0, gamma=0.05)


def satellite() -> Workload:
    table = pd.read_csv(DATA / "tabular" / "satellite.csv.xz")
    X, y = table.drop(columns="classes").to_numpy(float), table["classes"].astype("category").cat.codes.to_numpy(int)
    n = 4435  # the split that everyone uses
    low, high = X[:n].min(axis=0), X[:n].max(axis=0)
    X = 2 * (X - low) / (high - low) - 1
    return Workload("satellite, -1 .. 1", X[:n], y[:n], X[n:], y[n:], C=16.0, gamma=1.0)


def pendigits() -> Workload:
    (X, y), (X_test, y_test) = read_svm("pendigits", 16), read_svm("pendigits.t", 16)
    X, X_test = X.toarray() / 50 - 1, X_test.toarray() / 50 - 1
    return Workload("pendigits, -1 .. 1", X, y - 1, X_test, y_test - 1, C=10.0, gamma=0.5)


def read_svm(name: str, n_features: int) -> tuple[sp.csr_array, np.ndarray]:
    with lzma.open(DATA / "svm" / f"{name}.svm.xz") as file:
        X, y = load_svmlight_file(file, n_features=n_features)
    return sp.csr_array(X), y.astype(int)


SETS: dict[str, Callable[[], Workload]] = {f.__name__: f for f in (usps, w8a, covtype15k, satellite, pendigits)}
SETS["synthetic"] = partial(synthetic, 20_000, 60)


def sets() -> list[str]:
    """Return the names of the sets that are here."""
    if (DATA / "svm").exists():
        return list(SETS)
    print(f"no data sets at {DATA}: only synthetic rows are measured", file=sys.stderr)
    return ["synthetic"]


def narrow(X: Any) -> sp.csr_matrix:
    """Return CSR rows with the int32 indices that all libraries take."""
    X = sp.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X


# ---- kernel machines: how to fit and predict -------------------------------------------------------------------------


@dataclass
class Fitted:
    """A model in libsvm's arrangement: labels of the classes by block of support vectors."""

    predict: Callable[[], np.ndarray]
    support: np.ndarray
    n_support: np.ndarray
    dual_coef: np.ndarray
    labels: np.ndarray


class Estimator:
    """mlcore, scikit-learn and intelex, which share an interface."""

    def __init__(self, make: Callable[..., Any], dtype: str = "float64") -> None:
        self.make, self.dtype = make, dtype

    def prepare(self, work: Workload) -> Any:
        X, X_test = work.X.astype(self.dtype), work.X_test.astype(self.dtype)
        return (narrow(X), narrow(X_test)) if sp.issparse(X) else (X, X_test)

    def fit(self, work: Workload, data: Any, **settings: Any) -> Fitted:
        settings = {"C": work.C, "gamma": work.gamma, "tol": TOL, "cache_size": CACHE} | settings
        model = self.make(**settings).fit(data[0], work.y)
        assert not hasattr(model, "_onedal_fit") or hasattr(model, "_onedal_estimator"), "intelex fell back"
        coef = model.dual_coef_.toarray() if sp.issparse(model.dual_coef_) else model.dual_coef_
        order = np.argsort(work.y[model.support_], kind="stable")  # two classes: not always by class
        return Fitted(
            partial(model.predict, data[1]), model.support_[order], model.n_support_, coef[:, order], model.classes_
        )


class Libsvm:
    """The library itself, through its own ctypes module."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def prepare(self, work: Workload) -> Any:
        return [
            libsvm.svm.svm_problem(y.astype(float), narrow(X))
            for X, y in ((work.X, work.y), (work.X_test, work.y_test))
        ]

    def fit(self, work: Workload, data: Any, **settings: Any) -> Fitted:
        settings = {"C": work.C, "gamma": work.gamma, "tol": TOL, "cache_size": CACHE} | settings
        letters = {"C": "c", "gamma": "g", "tol": "e", "cache_size": "m"}
        options = "-q " + " ".join(f"-{letters[name]} {value!r}" for name, value in settings.items())
        train, test = data
        with threadpool_limits(self.threads, "openmp"):
            model = libsvm.svmutil.svm_train(train, options)
        n_sv, k = model.l, model.nr_class
        coef = np.array([np.ctypeslib.as_array(model.sv_coef[j], (n_sv,)) for j in range(k - 1)])
        support = np.array(model.get_sv_indices()) - 1
        n_support = np.ctypeslib.as_array(model.nSV, (k,)).copy()

        def predict() -> np.ndarray:
            with threadpool_limits(self.threads, "openmp"):
                one = libsvm.svm.libsvm.svm_predict
                return np.array([one(model, test.x[i]) for i in range(test.l)]).astype(int)

        return Fitted(predict, support, n_support, coef, np.array(model.get_labels()))


def libraries(threads: int) -> dict[str, Any]:
    return {
        "mlcore": Estimator(partial(mlcore.SVC, n_jobs=threads)),
        "intelex": Estimator(partial(sklearnex.svm.SVC, n_jobs=threads)),
        "intelex, float32": Estimator(partial(sklearnex.svm.SVC, n_jobs=threads), "float32"),
        "scikit-learn": Estimator(sklearn.svm.SVC),
        "libsvm": Libsvm(threads),
    }


QUICK = ("mlcore", "intelex", "intelex, float32")
"""Those that are run several times."""


def dual_objectives(work: Workload, fitted: Fitted) -> dict[tuple[int, int], float]:
    """Return 1/2 sum_uv c_u c_v K_uv - sum_v abs(c_v) for each pair of classes, with c = y alpha, in float64."""
    ends = np.cumsum(fitted.n_support)
    blocks = [slice(end - n, end) for end, n in zip(ends, fitted.n_support, strict=True)]
    pairs = list(combinations(range(len(blocks)), 2))
    c = np.zeros((len(pairs), ends[-1]))
    for p, (i, j) in enumerate(pairs):
        c[p, blocks[i]] = fitted.dual_coef[j - 1, blocks[i]]
        c[p, blocks[j]] = fitted.dual_coef[i, blocks[j]]
    vectors = work.X[fitted.support]
    squares = np.zeros(len(pairs))
    for begin in range(0, ends[-1], BLOCK):
        part = slice(begin, begin + BLOCK)
        squares += ((c @ rbf_kernel(vectors, vectors[part], work.gamma)) * c[:, part]).sum(axis=1)
    values = squares / 2 - np.abs(c).sum(axis=1)
    return {tuple(sorted(fitted.labels[list(pair)])): value for pair, value in zip(pairs, values, strict=True)}


# ---- tables ----------------------------------------------------------------------------------------------------------


def speed(options: Namespace) -> list[str]:
    worse, fits, predictions, quality = [], [], [], []
    for name in sets():
        work = SETS[name]().cut(options.rows)
        done, predicted = fit_all(work, libraries(options.threads), options.repeats)
        ours, values = done["mlcore"][0], {name: dual_objectives(work, model) for name, (_, model) in done.items()}
        reference, labels = values["libsvm"], predicted["scikit-learn"][1]
        settings = f"C={work.C:g}, gamma={work.gamma:.3g}"
        for name, (seconds, model) in done.items():
            above = sum(values[name].values()) / sum(reference.values())
            of_pairs = max((values[name][pair] - value) / abs(value) for pair, value in reference.items())
            alike = float(np.mean(predicted[name][1] == labels))
            accuracy = float(np.mean(predicted[name][1] == work.y_test))
            fits.append([work.name, work.shape, settings, name, seconds, seconds / ours, len(model.support)])
            took = predicted[name][0]
            predictions.append([work.name, len(work.y_test), name, took, took / predicted["mlcore"][0]])
            quality.append(
                [work.name, name, f"{1 - above:+.1e}", f"{of_pairs:+.1e}", f"{alike:.2%}", f"{accuracy:.2%}"]
            )
            if name == "mlcore" and 1 - above > 1e-6:
                worse.append(f"{work.name}: dual objective {1 - above:.1e} above libsvm's")
            if name == "mlcore" and alike < 0.999:
                worse.append(f"{work.name}: labels are scikit-learn's on {alike:.2%} of the test rows")
    table(
        f"SVC, rbf kernel, fit: tol {TOL:g}, cache {CACHE} MB",
        ["data", "rows x columns", "settings", "library", "seconds", "times mlcore's", "support vectors"],
        fits,
    )
    table("SVC, predict", ["data", "test rows", "library", "seconds", "times mlcore's"], predictions)
    table(
        "Dual objective above libsvm's, relative: all pairs of classes together, and the worst pair; labels",
        ["data", "library", "objective", "worst pair", "as scikit-learn's", "accuracy"],
        quality,
    )
    return worse


def fit_all(work: Workload, libraries: dict[str, Any], repeats: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return seconds and model, and seconds and labels, of each library."""
    data = {name: library.prepare(work) for name, library in libraries.items()}
    runs = {name: partial(library.fit, work, data[name]) for name, library in libraries.items()}
    done = several(runs, repeats)
    return done, several({name: model.predict for name, (_, model) in done.items()}, max(repeats, 5))


def several(runs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, tuple[float, Any]]:
    """Run ours and intelex `repeats` times, in turn, and the others once."""
    quick = {name: run for name, run in runs.items() if name in QUICK}
    slow = {name: run for name, run in runs.items() if name not in QUICK}
    return medians(quick, repeats) | medians(slow, 1)


def memory(options: Namespace) -> list[str]:
    """The peak of a process of its own over fit, rows not counted: they are there before."""
    worse, rows = [], []
    for data in (name for name in sets() if name in ("synthetic", "w8a", "pendigits")):
        for cache in (50, 200):
            for name in ("mlcore", "intelex", "scikit-learn"):
                call = ["--child-memory", data, name, str(cache), "--threads", str(options.threads)]
                used = in_child(__file__, *call, *(["--rows", str(options.rows)] if options.rows else []))
                rows.append([data, used["shape"], name, cache, used["added"], used["added"] / cache])
                if name == "mlcore" and used["added"] > 1.2 * cache:
                    worse.append(f"{data}: fit adds {used['added']:.0f} MB with cache_size={cache}")
    columns = ["data", "rows x columns", "library", "cache_size, MB", "added by fit, MB", "share"]
    table("Peak memory added by fit", columns, rows)
    return worse


def child_memory(data: str, name: str, cache: str, options: Namespace) -> None:
    work = SETS[data]().cut(options.rows)
    library, small = libraries(options.threads)[name], work.cut(500)
    library.fit(small, library.prepare(small))  # libraries are loaded, threads started
    prepared = library.prepare(work)
    ctypes.CDLL(None).malloc_trim(0)  # what reading the file has left free would not count again
    reset_peak()
    before = memory_mb("VmRSS")
    library.fit(work, prepared, cache_size=float(cache))
    print(json.dumps({"added": memory_mb("VmHWM") - before, "shape": work.shape}))


def rows_growth(options: Namespace) -> list[str]:
    lines, before = [], {}
    for n in (5_000, 10_000, 20_000, 40_000):
        if options.rows and n > options.rows:
            break
        work, all_of_them = synthetic(n, 60), libraries(options.threads)
        names = ["mlcore", "intelex", *(["scikit-learn"] if n <= 10_000 else [])]
        some = {name: all_of_them[name] for name in names}
        data = {name: library.prepare(work) for name, library in some.items()}
        runs = {name: partial(library.fit, work, data[name]) for name, library in some.items()}
        done = several(runs, options.repeats if n <= 10_000 else 1)
        for name, (seconds, model) in done.items():
            power = f"n^{np.log2(seconds / before[name]):.2f}" if name in before else ""
            lines.append([work.shape, name, seconds, power, seconds / done["mlcore"][0], len(model.support)])
            before[name] = seconds
    columns = ["rows x columns", "library", "fit seconds", "growth", "times mlcore's", "support vectors"]
    table("SVC, fit time by rows", columns, lines)
    return []


# ---- linear machines -------------------------------------------------------------------------------------------------

LINEAR = {  # title: parameters of LinearSVC, liblinear's number of the solver
    "L2, squared hinge": ({"penalty": "l2", "loss": "squared_hinge", "dual": False}, 2),
    "L1, squared hinge": ({"penalty": "l1", "loss": "squared_hinge", "dual": False}, 5),
    "L2, hinge": ({"penalty": "l2", "loss": "hinge", "dual": True}, 3),
}


def linear_objective(work: Workload, title: str, coef: np.ndarray, intercept: np.ndarray) -> float:
    """Return the sum over classes against the rest of penalty + C * losses, the intercept penalised as a weight."""
    w = np.column_stack([coef, intercept])
    scores = work.X @ coef.T + intercept
    labels = np.ones_like(scores)
    labels[work.y[:, None] != (np.arange(scores.shape[1]) if scores.shape[1] > 1 else 1)] = -1
    loss = np.maximum(0, 1 - labels * scores)
    penalty = np.abs(w).sum() if title.startswith("L1") else 0.5 * (w**2).sum()
    return float(penalty + LINEAR_C * (loss**2 if "squared" in title else loss).sum())


def fit_linear(kind: Any, work: Workload, X: Any, title: str, **more: Any) -> tuple[np.ndarray, np.ndarray]:
    model = kind(**LINEAR[title][0], C=LINEAR_C, tol=LINEAR_TOL, random_state=0, **more).fit(X, work.y)
    return model.coef_, model.intercept_


def fit_liblinear(work: Workload, problem: Any, title: str) -> tuple[np.ndarray, np.ndarray]:
    options = f"-q -s {LINEAR[title][1]} -c {LINEAR_C} -e {LINEAR_TOL} -B 1"
    model = liblinearutil.train(problem, options)
    labels = model.get_labels()
    if len(labels) == 2:
        w, b = model.get_decfun(labels.index(1))
        return np.array([w]), np.array([b])
    parts = [model.get_decfun(labels.index(c)) for c in sorted(labels)]
    return np.array([w for w, _ in parts]), np.array([b for _, b in parts])


def linear(options: Namespace) -> list[str]:
    worse, rows = [], []
    for load in (*(SETS[name] for name in sets()), partial(synthetic, 500_000, 50)):
        work = load().cut(options.rows)
        X = narrow(work.X) if sp.issparse(work.X) else work.X
        problem = liblinearutil.problem(work.y.astype(float), narrow(work.X), 1)
        for title in LINEAR:
            runs = {
                "mlcore": partial(fit_linear, mlcore.LinearSVC, work, X, title, n_jobs=options.threads),
                "scikit-learn": partial(fit_linear, sklearn.svm.LinearSVC, work, X, title),
                "liblinear": partial(fit_liblinear, work, problem, title),
            }
            done = several(runs, options.repeats)
            values = {name: linear_objective(work, title, *solution) for name, (_, solution) in done.items()}
            lowest = min(values.values())
            for name, (seconds, (coef, _)) in done.items():
                above, zeros = values[name] / lowest - 1, int((coef == 0).sum())
                ratio = seconds / done["mlcore"][0]
                rows.append([title, work.name, work.shape, name, seconds, ratio, f"{above:.1e}", zeros])
                if name == "mlcore" and above > 1e-4:
                    worse.append(f"{title}, {work.name}: objective {above:.1e} above the lowest")
    columns = ["problem", "data", "rows x columns", "library", "seconds", "times mlcore's", "above lowest", "zeros"]
    table(f"LinearSVC, fit: C {LINEAR_C:g}, tol {LINEAR_TOL:g}; objective above the lowest, relative", columns, rows)
    return worse


# ---- the other kernel machines ---------------------------------------------------------------------------------------


def regression(options: Namespace) -> list[str]:
    worse, lines = [], []
    n = min(options.rows or 5000, 5000)
    X, y = make_friedman1(n, n_features=10, noise=1.0, random_state=0)
    two = synthetic(n, 10)
    machines = {
        "SVR": ({"C": 10.0, "epsilon": 0.5}, X, y),
        "NuSVR": ({"C": 10.0, "nu": 0.3}, X, y),
        "NuSVC": ({"nu": 0.2}, two.X, two.y),
        "OneClassSVM": ({"nu": 0.1}, two.X, None),
    }
    for title, (settings, rows, target) in machines.items():
        kinds = {
            "mlcore": partial(getattr(mlcore, title), n_jobs=options.threads),
            "scikit-learn": getattr(sklearn.svm, title),
        }
        if hasattr(sklearnex.svm, title):
            kinds["intelex"] = partial(getattr(sklearnex.svm, title), n_jobs=options.threads)
        runs = {
            name: partial(kind(**settings, tol=TOL, cache_size=CACHE).fit, rows, target) for name, kind in kinds.items()
        }
        done = several(runs, options.repeats)
        values = {name: outputs(model, rows) for name, (_, model) in done.items()}
        reference = values["scikit-learn"]
        for name, (seconds, model) in done.items():
            distance = float(np.abs(values[name] - reference).max() / reference.std())
            ratio = seconds / done["mlcore"][0]
            lines.append([title, f"{n} x {rows.shape[1]}", name, seconds, ratio, len(model.support_), distance])
            if name == "mlcore" and distance > 0.02:
                worse.append(f"{title}: decision values differ from scikit-learn's by {distance:.1e} deviations")
    columns = ["machine", "rows x columns", "library", "seconds", "times mlcore's", "support vectors", "distance"]
    table(
        "The other machines: largest distance of a decision value from scikit-learn's, in standard deviations",
        columns,
        lines,
    )
    return worse


def outputs(model: Any, X: np.ndarray) -> np.ndarray:
    """Return decision values, predictions of a regression."""
    return np.asarray(model.decision_function(X) if hasattr(model, "decision_function") else model.predict(X)).ravel()


def main() -> None:
    warnings.filterwarnings("ignore")
    options = parser(__doc__.splitlines()[0], PARTS)
    options.add_argument("--rows", type=int, help="use only so many rows of each set, to see that all runs; None: all")
    options.add_argument("--child-memory", nargs=3, help=SUPPRESS)
    args = options.parse_args()
    if args.child_memory:
        child_memory(*args.child_memory, args)
        return
    packages = ("libsvm-official", "liblinear-official", "scikit-learn", "scikit-learn-intelex")
    print(machine(args.threads, packages))
    runs = {"speed": speed, "memory": memory, "rows": rows_growth, "linear": linear, "regression": regression}
    worse = [line for part in args.parts or PARTS for line in runs[part](args)]
    if worse:
        sys.exit("\nNot as good as it must be:\n  " + "\n  ".join(worse))


if __name__ == "__main__":
    main()
