"""Gradient boosting beside LightGBM, XGBoost and scikit-learn: speed, quality, memory, growth of cost.

All libraries get the same data, threads and settings: 100 trees, learning rate 0.1, 255 bins, leaf-wise growth, at
least 20 rows and a hessian of 1e-3 a leaf, no penalties. Quality is asserted: a fast wrong answer fails.
"""

import json
import sys
import warnings
from argparse import SUPPRESS
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from _bench import DATA, in_child, machine, medians, memory_mb, parser, reset_peak, table, timed
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

from mlcore import GBDTClassifier, GBDTRegressor
from mlcore.datasets import load_flights

PARTS = ("speed", "quality", "memory", "rows", "columns", "single")
TREES, RATE, MIN_ROWS = 100, 0.1, 20


@dataclass
class Workload:
    """A data set and what to do with it."""

    name: str
    task: str
    """"binary", "multiclass" or "regression"."""
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    leaves: int = 31

    @property
    def shape(self) -> str:
        return f"{self.X.shape[0]} x {self.X.shape[1]}"


def score(work: Workload, model: Any) -> tuple[str, float]:
    """Return the measure of the task and its value on the test rows."""
    if work.task == "binary":
        return "AUC", roc_auc_score(work.y_test, model.predict_proba(work.X_test)[:, 1])
    if work.task == "multiclass":
        return "accuracy", accuracy_score(work.y_test, model.predict(work.X_test))
    return "RMSE", root_mean_squared_error(work.y_test, model.predict(work.X_test))


def better(measure: str, ours: Any, theirs: Any) -> Any:
    """By how much ours is better, relative; negative: worse."""
    return 1 - ours / theirs if measure == "RMSE" else ours / theirs - 1


# ---- models: name -> workload, threads -> fitted model ----


def fit_mlcore(work: Workload, threads: int) -> Any:
    kind = GBDTRegressor if work.task == "regression" else GBDTClassifier
    model = kind(n_estimators=TREES, max_leaf_nodes=work.leaves, early_stopping=False, n_jobs=threads, random_state=0)
    return model.fit(work.X, work.y)


def fit_lightgbm(work: Workload, threads: int, **options: Any) -> Any:
    kind = lightgbm.LGBMRegressor if work.task == "regression" else lightgbm.LGBMClassifier
    model = kind(n_estimators=TREES, num_leaves=work.leaves, n_jobs=threads, verbose=-1, random_state=0, **options)
    return model.fit(work.X, work.y)


def fit_lightgbm_quantised(work: Workload, threads: int) -> Any:
    return fit_lightgbm(work, threads, use_quantized_grad=True)


def fit_xgboost(work: Workload, threads: int) -> Any:
    kind = xgboost.XGBRegressor if work.task == "regression" else xgboost.XGBClassifier
    model = kind(
        n_estimators=TREES,
        learning_rate=RATE,
        tree_method="hist",
        grow_policy="lossguide",
        max_leaves=work.leaves,
        max_depth=0,
        max_bin=255,
        reg_lambda=0,
        min_child_weight=1e-3,
        enable_categorical=True,
        n_jobs=threads,
    )
    return model.fit(work.X, work.y)


class Coded:
    """scikit-learn takes at most 255 categories: columns with more go in as their codes."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @staticmethod
    def coded(X: Any) -> Any:
        if not isinstance(X, pd.DataFrame):
            return X
        many = [c for c in X if isinstance(X[c].dtype, pd.CategoricalDtype) and len(X[c].cat.categories) > 255]
        return X.assign(**{c: X[c].cat.codes.astype(float).replace(-1, np.nan) for c in many})

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda X, *rest: getattr(self.model, name)(self.coded(X), *rest)


def fit_sklearn(work: Workload, threads: int) -> Any:
    kind = HistGradientBoostingRegressor if work.task == "regression" else HistGradientBoostingClassifier
    model = kind(max_iter=TREES, max_leaf_nodes=work.leaves, min_samples_leaf=MIN_ROWS, early_stopping=False)
    return Coded(model.fit(Coded.coded(work.X), work.y))


MODELS: dict[str, Callable[[Workload, int], Any]] = {
    "mlcore": fit_mlcore,
    "LightGBM": fit_lightgbm,
    "LightGBM quantised": fit_lightgbm_quantised,
    "XGBoost hist": fit_xgboost,
    "scikit-learn HGB": fit_sklearn,
}


# ---- data ----


def divided(name: str, task: str, X: Any, y: Any, seed: int = 0) -> Workload:
    """Keep a quarter of the rows for the test."""
    y = np.asarray(y)
    train, test = train_test_split(np.arange(len(y)), test_size=0.25, random_state=seed)
    return Workload(name, task, X.iloc[train], y[train], X.iloc[test], y[test])


def flights(task: str, seed: int = 0) -> Workload:
    X, is_late, arr_delay = load_flights()
    if task == "binary":
        return divided("flights, late?", task, X, is_late.astype(int), seed)
    arrived = ~np.isnan(arr_delay)
    return divided("flights, minutes", task, X[arrived], arr_delay[arrived], seed)


def synthetic(n: int = 1_000_000, columns: int = 28, leaves: int = 63) -> Workload:
    rng = np.random.default_rng(0)
    n_test = max(n // 5, 1000)
    X = rng.standard_normal((n + n_test, columns), dtype=np.float32)
    signal = X[:, 0] * X[:, 1] - X[:, 2] ** 2 + X[:, 3 : min(columns, 10)].sum(axis=1)
    y = (signal + rng.standard_normal(n + n_test) > 0).astype(int)
    X[rng.random(X.shape, dtype=np.float32) < 0.05] = np.nan
    return Workload(f"synthetic, {leaves} leaves", "binary", X[:n], y[:n], X[n:], y[n:], leaves)


def small_sets(seed: int) -> list[Workload]:
    """Return the real tables of `DATA`, or nothing."""
    folder = DATA / "tabular"
    if not folder.exists():
        print(f"no data sets at {folder}: only flights is measured", file=sys.stderr)
        return []
    train, test = (pd.read_csv(folder / f"higgs7k.{part}.tsv.xz", sep="\t", header=None) for part in ("train", "test"))
    both = pd.concat([train, test])
    diamonds = pd.read_csv(folder / "diamonds.csv.xz")
    for column in ("cut", "color", "clarity"):
        diamonds[column] = diamonds[column].astype("category")
    cover = pd.read_csv(folder / "covtype15k.csv.xz")
    satellite = pd.read_csv(folder / "satellite.csv.xz")
    labels = satellite["classes"].astype("category").cat.codes
    nhanes = pd.read_csv(folder / "nhanes1.csv.xz")
    nhanes = nhanes[(nhanes["y"] > 0) | (nhanes["y"] < -10)]  # negative: left the study alive, after so many years
    died = nhanes["y"].between(0, 10).astype(int)
    return [
        divided("higgs7k", "binary", both.drop(columns=0).rename(columns=str), both[0].astype(int), seed),
        divided("diamonds", "regression", diamonds.drop(columns="price"), diamonds["price"].astype(float), seed),
        divided("covtype15k", "multiclass", cover.drop(columns=["Id", "Cover_Type"]), cover["Cover_Type"] - 1, seed),
        divided("satellite", "multiclass", satellite.drop(columns="classes"), labels, seed),
        divided("nhanes1, dead in 10 years", "binary", nhanes.drop(columns="y"), died, seed),
    ]


# ---- tables ----


def speed(threads: int, repeats: int) -> None:
    fits, predictions = [], []
    for work in (flights("binary"), flights("regression"), synthetic()):
        done = medians({name: partial(fit, work, threads) for name, fit in MODELS.items()}, repeats)
        ours = done["mlcore"][0]
        measure, best = score(work, done["LightGBM"][1])
        for name, (seconds, model) in done.items():
            _, value = score(work, model)
            fits.append([work.name, work.shape, name, seconds, seconds / ours, f"{measure} {value:.4f}"])
            method = model.predict if work.task == "regression" else model.predict_proba
            took = medians({name: partial(method, work.X_test)}, 5)[name][0]
            predictions.append([work.name, name, len(work.y_test) / took / 1e6])
        _, value = score(work, done["mlcore"][1])
        assert better(measure, value, best) > -0.005, f"{work.name}: {measure} {value} against LightGBM's {best}"
    table("Training", ["data", "rows x columns", "library", "fit seconds", "times mlcore's", "test score"], fits)
    by_work = {w: r for w, name, r in predictions if name == "mlcore"}
    table(
        "Prediction",
        ["data", "library", "million rows/s", "mlcore is faster by"],
        [[w, name, r, by_work[w] / r] for w, name, r in predictions],
    )


def quality(threads: int, repeats: int) -> None:
    """Mean over several divisions into training and test rows: one alone differs by chance more than libraries do."""
    names = ("mlcore", "LightGBM", "XGBoost hist", "scikit-learn HGB")
    values: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for seed in range(max(repeats, 5)):
        large = [flights("binary", seed), flights("regression", seed)] if seed < repeats else []
        for work in [*large, *small_sets(seed)]:
            for name in names:
                measure, value = score(work, MODELS[name](work, threads))
                values.setdefault((work.name, work.shape, measure), {n: [] for n in names})[name].append(value)
    rows = []
    for key, found in values.items():
        means = [float(np.mean(found[name])) for name in names]
        gains = better(key[2], np.array(found["mlcore"]), np.array(found["LightGBM"]))
        gain, chance = gains.mean(), gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else 0.0
        rows.append([*key, *(f"{m:.4f}" for m in means), f"{gain:+.4f} +- {chance:.4f}"])
        assert gain > -0.002 - 2 * chance, f"{key}: worse than LightGBM by {-gain:.4f}"
    table("Quality on held-out rows", ["data", "rows x columns", "measure", *names, "better than LightGBM by"], rows)


def memory(threads: int, repeats: int) -> None:
    rows = []
    for data in ("flights", "synthetic"):
        for name in MODELS:
            used = in_child(__file__, "--child-memory", data, name, "--threads", str(threads))
            rows.append([data, name, used["data"], used["fit"]])
    table("Peak memory, MB", ["data", "library", "before fit", "added by fit"], rows)


def child_memory(data: str, name: str, threads: int) -> None:
    work = flights("binary") if data == "flights" else synthetic()
    small = Workload("", work.task, work.X[:500], work.y[:500], work.X_test, work.y_test)
    MODELS[name](small, threads)  # libraries are loaded, threads started
    reset_peak()
    before = memory_mb("VmRSS")
    MODELS[name](work, threads)
    print(json.dumps({"data": before, "fit": memory_mb("VmHWM") - before}))


def growth(title: str, shapes: list[tuple[int, int]], threads: int, repeats: int) -> None:
    rows = []
    for n, columns in shapes:
        work = synthetic(n, columns, leaves=31)
        runs = {name: partial(MODELS[name], work, threads) for name in ("mlcore", "LightGBM")}
        done = medians(runs, repeats)
        ours, theirs = done["mlcore"][0], done["LightGBM"][0]
        rows.append([work.shape, ours, theirs, theirs / ours])
    table(title, ["rows x columns", "mlcore, s", "LightGBM, s", "ratio"], rows)


def rows_growth(threads: int, repeats: int) -> None:
    growth("Fit time by rows", [(n, 28) for n in (10_000, 100_000, 1_000_000, 5_000_000)], threads, repeats)


def columns_growth(threads: int, repeats: int) -> None:
    growth("Fit time by columns", [(100_000, c) for c in (10, 100, 1000)], threads, repeats)


def single(threads: int, repeats: int) -> None:
    work = synthetic(20_000, 28, 31)
    model, booster = fit_mlcore(work, threads), fit_lightgbm(work, threads).booster_
    xgb = fit_xgboost(work, threads).get_booster()
    row = np.ascontiguousarray(work.X_test[0], dtype=np.float64)
    calls = {
        "mlcore core, predict_one": lambda: model._forest.predict_one(row),
        "mlcore predict_proba": lambda: model.predict_proba(row[None]),
        "LightGBM Booster.predict": lambda: booster.predict(row[None]),
        "XGBoost inplace_predict": lambda: xgb.inplace_predict(row[None]),
    }
    rows = []
    for name, call in calls.items():
        seconds, _ = timed(lambda call=call: [call() for _ in range(1000)])
        rows.append([name, seconds * 1e3])
    table("One row", ["call", "microseconds"], rows)


def main() -> None:
    warnings.filterwarnings("ignore")
    options = parser(__doc__.splitlines()[0], PARTS)
    options.add_argument("--child-memory", nargs=2, help=SUPPRESS)
    args = options.parse_args()
    if args.child_memory:
        child_memory(*args.child_memory, args.threads)
        return
    print(machine(args.threads, ("lightgbm", "xgboost-cpu", "scikit-learn")))
    runs = {
        "speed": speed,
        "quality": quality,
        "memory": memory,
        "rows": rows_growth,
        "columns": columns_growth,
        "single": single,
    }
    for part in args.parts or PARTS:
        runs[part](args.threads, args.repeats)


if __name__ == "__main__":
    main()
