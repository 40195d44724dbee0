"""What gradient boosting gives at default settings, beside the defaults of LightGBM, XGBoost and scikit-learn.

Every table of the larger data sets: the loss on rows not seen (log loss, root mean squared error, mean deviance), the
accuracy beside it for classes, and by how much our training loss rose on the way (it must not). `--set` adds columns of
ours with other parameters: the defaults of `reg_lambda`, `min_child_weight` and the like were chosen with it. Quality
only: nothing here is timed.
"""

import argparse
import ast
import lzma
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from _bench import DATA, table
from sklearn.datasets import load_svmlight_file
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_gamma_deviance,
    mean_poisson_deviance,
    mean_tweedie_deviance,
    root_mean_squared_error,
)
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from mlcore import GBDTClassifier, GBDTRegressor

CLASSES = "log_loss"
MEASURES = {
    "squared_error": root_mean_squared_error,
    "poisson": mean_poisson_deviance,
    "gamma": mean_gamma_deviance,
    "tweedie": lambda y, p: mean_tweedie_deviance(y, p, power=1.5),
}
XGBOOST_LOSS = {
    "squared_error": "reg:squarederror",
    "poisson": "count:poisson",
    "gamma": "reg:gamma",
    "tweedie": "reg:tweedie",
}
LEAFLESS = 1e-12
"""Probabilities are kept this far from 0 before the log loss is taken."""


@dataclass
class Case:
    """A table, divided; `loss` is ours, by name."""

    name: str
    loss: str
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray

    @property
    def shape(self) -> str:
        classes = f", {len(np.unique(self.y))} classes" if self.loss == CLASSES else ""
        return f"{self.X.shape[0]} x {self.X.shape[1]}{classes}"


# ---- data ----


def divided(name: str, loss: str, X: Any, y: Any, rows: int) -> Case:
    """Keep a quarter of the rows for the test, and at most `rows` to train on."""
    y = np.asarray(y)
    train, test = train_test_split(np.arange(len(y)), test_size=0.25, random_state=0)
    return given(name, loss, take(X, train), y[train], take(X, test), y[test], rows)


def given(name: str, loss: str, X: Any, y: Any, X_test: Any, y_test: Any, rows: int) -> Case:
    if loss == CLASSES:
        y, y_test = (np.unique(np.concatenate([y, y_test]), return_inverse=True)[1][s] for s in parts(len(y)))
    kept = np.random.default_rng(0).permutation(len(y))[:rows]
    return Case(name, loss, take(X, kept), np.asarray(y)[kept], X_test, np.asarray(y_test))


def parts(n: int) -> tuple[slice, slice]:
    return slice(None, n), slice(n, None)


def take(X: Any, rows: np.ndarray) -> Any:
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def svmlight(name: str, n_features: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    with lzma.open(DATA / name) as file:
        X, y = load_svmlight_file(file, n_features=n_features)
    return X.toarray(), y


def frame(name: str, categories: tuple[str, ...] = (), **options: Any) -> pd.DataFrame:
    data = pd.read_csv(DATA / "tabular" / name, **options)
    return data.assign(**{c: data[c].astype("category") for c in categories})


def cases(rows: int) -> Iterator[Case]:
    """All tables, one after the other."""
    flights = frame("flights.csv.xz", ("carrier", "origin", "dest"))
    flights = flights[flights.arr_delay.notna()].sample(min(4 * rows, len(flights)), random_state=0)
    unknown = ["dep_time", "dep_delay", "arr_time", "air_time", "arr_delay", "tailnum", "time_hour"]
    X = flights.drop(columns=unknown, errors="ignore").select_dtypes(exclude=["object", "string"])
    yield divided("flights late", CLASSES, X, flights.arr_delay > 15, rows)
    yield divided("flights delay", "squared_error", X, flights.arr_delay, rows)
    diamonds = frame("diamonds.csv.xz", ("cut", "color", "clarity"))
    X = diamonds.drop(columns="price")
    for loss in MEASURES:
        yield divided("diamonds", loss, X, diamonds.price.astype(float), rows)
    yield divided("diamonds clarity", CLASSES, diamonds.drop(columns="clarity"), diamonds.clarity.cat.codes, rows)
    nhanes = frame("nhanes1.csv.xz")
    yield divided("nhanes died", CLASSES, nhanes.drop(columns="y"), nhanes.y > 0, rows)
    files = [f"higgs7k.{part}.tsv.xz" for part in ("train", "test")]
    higgs, higgs_test = (frame(file, sep="\t", header=None).to_numpy() for file in files)
    yield given("higgs7k", CLASSES, higgs[:, 1:], higgs[:, 0], higgs_test[:, 1:], higgs_test[:, 0], rows)
    cover = frame("covtype15k.csv.xz").drop(columns="Id")
    yield divided("covtype15k", CLASSES, cover.drop(columns="Cover_Type"), cover.Cover_Type, rows)
    soybean = frame("soybean.csv.xz", dtype=str)
    coded = soybean.drop(columns="Class").apply(lambda c: c.astype("category"))
    yield divided("soybean", CLASSES, coded, soybean["Class"].astype("category").cat.codes, rows)
    satellite = frame("satellite.csv.xz")
    X, y = satellite.drop(columns="classes"), satellite.classes.astype("category").cat.codes.to_numpy()
    yield given("satellite", CLASSES, X[:4435], y[:4435], X[4435:], y[4435:], rows)
    yield divided("w8a", CLASSES, *svmlight("svm/w8a.svm.xz"), rows)
    halves = (("dna_scale", ("", ".t"), 180), ("pendigits", ("", ".t"), 16), ("agaricus", (".train", ".test"), 127))
    for name, ending, n in halves:
        files = [f"svm/{name}{e}.svm.xz" for e in ending]
        yield given(name, CLASSES, *svmlight(files[0], n), *svmlight(files[1], n), rows)
    usps = np.load(DATA / "svm" / "usps.npz", allow_pickle=False)
    yield given("usps", CLASSES, *(usps[k] for k in ("X_train", "y_train", "X_test", "y_test")), rows)
    rank, rank_test = (svmlight(f"ranking/lambdarank.{part}.svm.xz", 301) for part in ("train", "test"))
    yield given("lambdarank labels", CLASSES, *rank, *rank_test, rows)


# ---- models, all at their defaults ----


def fit_ours(case: Case, threads: int, **options: Any) -> Any:
    kind = GBDTClassifier if case.loss == CLASSES else GBDTRegressor
    return kind(loss=case.loss, n_jobs=threads, random_state=0, **options).fit(case.X, case.y)


def fit_lightgbm(case: Case, threads: int) -> Any:
    options = {"n_jobs": threads, "verbose": -1, "random_state": 0}
    if case.loss == CLASSES:
        return lightgbm.LGBMClassifier(**options).fit(case.X, case.y)
    objective = {"squared_error": "regression"}.get(case.loss, case.loss)
    return lightgbm.LGBMRegressor(objective=objective, **options).fit(case.X, case.y)


def fit_xgboost(case: Case, threads: int) -> Any:
    options = {"n_jobs": threads, "enable_categorical": True}
    if case.loss == CLASSES:
        return xgboost.XGBClassifier(**options).fit(case.X, case.y)
    return xgboost.XGBRegressor(objective=XGBOOST_LOSS[case.loss], **options).fit(case.X, case.y)


def fit_sklearn(case: Case, threads: int) -> Any:
    if case.loss == "tweedie":
        return None
    with threadpool_limits(threads):
        if case.loss == CLASSES:
            return HistGradientBoostingClassifier(random_state=0).fit(case.X, case.y)
        return HistGradientBoostingRegressor(loss=case.loss, random_state=0).fit(case.X, case.y)


PEERS = {"LightGBM": fit_lightgbm, "XGBoost": fit_xgboost, "scikit-learn HGB": fit_sklearn}


def quality(case: Case, model: Any) -> str:
    """The loss on the test rows, and the accuracy."""
    if model is None:
        return "none"
    if case.loss != CLASSES:
        return f"{MEASURES[case.loss](case.y_test, model.predict(case.X_test)):.5g}"
    known = np.unique(case.y)
    share = np.full((len(case.y_test), int(max(known.max(), case.y_test.max())) + 1), LEAFLESS)
    share[:, known] = np.maximum(model.predict_proba(case.X_test), LEAFLESS)
    share /= share.sum(axis=1, keepdims=True)
    loss = log_loss(case.y_test, share, labels=np.arange(share.shape[1]))
    return f"{loss:.4f} / {100 * accuracy_score(case.y_test, known[share[:, known].argmax(axis=1)]):.2f} %"


def rises(model: Any) -> float:
    """By how much the training loss rose, all iterations together, in shares of the first loss."""
    loss = -model.train_score_
    return float(np.maximum(np.diff(loss), 0).sum() / abs(loss[0]))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, default=20_000, help="most training rows of a table")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--set", action="append", default=[], help="parameters of a further column, as reg_lambda=1,...")
    p.add_argument("--only", help="tables whose names hold one of these, as higgs,usps")
    p.add_argument("--no-peers", action="store_true")
    arguments = p.parse_args()
    if not DATA.exists():
        print(f"left out: no tables at {DATA}; set MLCORE_DATA to their folder")
        return
    variants = {text: dict(pair.split("=") for pair in text.split(",")) for text in arguments.set}
    variants = {text: {k: ast.literal_eval(v) for k, v in options.items()} for text, options in variants.items()}
    peers = {} if arguments.no_peers else PEERS
    warnings.simplefilter("ignore")
    lines = []
    highest = 0.0
    for case in cases(arguments.rows):
        if arguments.only and not any(part in case.name for part in arguments.only.split(",")):
            continue
        ours = {"": fit_ours(case, arguments.threads)}
        ours |= {text: fit_ours(case, arguments.threads, **options) for text, options in variants.items()}
        rose = max(rises(model) for model in ours.values())
        highest = max(highest, rose)
        models = [*ours.values(), *(fit(case, arguments.threads) for fit in peers.values())]
        lines.append([case.name, case.loss, case.shape, *(quality(case, m) for m in models), f"{rose:.1g}"])
        print(*lines[-1], sep=" | ", file=sys.stderr, flush=True)
    columns = ["table", "loss", "rows", "mlcore", *variants, *peers, "our loss rose"]
    table("Loss on rows not seen (and accuracy) at default settings", columns, lines)
    if highest > 1e-9:
        raise SystemExit(f"the training loss rose by {highest:g} of its first value")


if __name__ == "__main__":
    main()
