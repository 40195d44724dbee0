"""The boosting loop around the core's trainer: validation split, scores, early stopping."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from mlcore._native import core
from mlcore._progress import Progress
from mlcore._tables import Floats, for_core
from mlcore._validation import split_rows, weighted_rows
from mlcore.boosting._data import take_rows
from mlcore.boosting._losses import Loss, inverse_link
from mlcore.metrics._scorers import find_scorer

_SCORED_ROWS = 10_000
"""Training rows that a scorer looks at: it may cost more than the iteration itself."""


@dataclass
class Rows:
    """Rows to train on or to validate with.

    `X` (n, n_features), `y` (n,), `weight` (n,) or None, `margin` (n, n_outputs), raw scores to start from, or None.
    """

    X: Any
    y: Floats
    weight: Floats | None
    margin: Floats | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: NDArray[Any]) -> "Rows":
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        margin = None if self.margin is None else self.margin[rows]
        return Rows(take_rows(self.X, rows), self.y[rows], weight, margin)

    def with_weight(self) -> "Rows":
        """Return the rows whose weight is not zero."""
        kept = weighted_rows(self.weight)
        return self if kept is None else self.take(kept)

    def on_margin(self, raw: Floats) -> Floats:
        """Return raw scores of a model (n, n_outputs) on top of the margin, if there is one."""
        return raw if self.margin is None else raw + self.margin


def split(rows: Rows, fraction: float, seed: int, *, stratify: bool) -> tuple[Rows, Rows | None]:
    """Split rows at random into those to train on and to validate with; `fraction` is a share or a number of rows.

    With `stratify` each class keeps its share, see :func:`mlcore._validation.split_rows`. Without a row to spare
    nothing is set aside.
    """
    kept, held = split_rows(len(rows), fraction, seed, rows.y.astype(np.intp) if stratify else None)
    return (rows.take(kept), rows.take(held)) if len(held) else (rows, None)


def relative_weights(weight: Floats | None) -> Floats | None:
    """Return weights with a mean of 1, so that a constant factor changes nothing; None if all are the same.

    Whole numbers stay as they are: they are repeats of a row. The penalties and `min_child_weight` compare with sums
    over rows of weight times hessian, and would mean something else for each unit of the weights.
    """
    if weight is None or (weight.max() < 1e6 and weight.sum() < 2**31 and (weight == np.floor(weight)).all()):
        return weight
    if weight.min() == weight.max():
        return None
    weight = weight / weight.max()
    return np.asarray(weight / weight.mean())


@dataclass
class Scores:
    """Scores by iteration, higher is better, and when to stop.

    The first score is that of the model before the first iteration. Training stops when for `patience` iterations no
    score was better than the best one so far by more than `tol`, a share of what there was to gain at first; the best
    iteration is the one to keep. The validation scores are monitored, or those of training where there are none.
    """

    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    patience: int | None = None
    """None: never stop."""
    tol: float = 0.0
    ceiling: float | None = None
    """Score of a perfect model. None: not known; the size of the first score is taken for what there is to gain."""
    owner: str = "the model"
    first: int = 0
    """Iterations that the model had at the first score."""
    _best: int = 0

    def record(self, train: float, validation: float | None) -> None:
        """Add the scores of one more iteration."""
        self.train.append(train)
        if validation is not None:
            self.validation.append(validation)
        monitored = self.validation or self.train
        if self.patience is not None and math.isnan(monitored[-1]):
            raise ValueError(
                f"the {'validation' if self.validation else 'training'} score of {self.owner} is NaN after iteration "
                f"{self.first + len(monitored) - 1}, so early stopping cannot tell whether the model gets better. Give "
                "validation rows on which the score is defined (AUC needs rows of each class), another scoring, or "
                "early_stopping=False"
            )
        to_gain = abs(monitored[0]) if self.ceiling is None else self.ceiling - monitored[0]
        if monitored[-1] > monitored[self._best] + self.tol * max(to_gain, 0.0):
            self._best = len(monitored) - 1

    def restart(self, n_iterations: int) -> None:
        """Forget all; the next score is that of a model with `n_iterations` iterations."""
        self.train, self.validation, self.first, self._best = [], [], n_iterations, 0

    def resume(self, train: Floats, validation: Floats, n_iterations: int) -> None:
        """Take over the scores of a model with `n_iterations` iterations, less those of iterations it did not keep."""
        self.restart(0)
        for i, score in enumerate(train[: n_iterations + 1]):
            self.record(float(score), float(validation[i]) if i < len(validation) else None)

    @property
    def best(self) -> int:
        """Number of iterations of the best model so far."""
        return self.first + self._best

    @property
    def should_stop(self) -> bool:
        """Whether the last `patience` iterations brought nothing."""
        return self.patience is not None and len(self.train) - 1 - self._best >= self.patience


class _Snapshot(BaseEstimator):  # type: ignore[misc]
    """The model in the middle of its training, as much of it as a scorer may call.

    A scorer asks for predictions of all rows: they are at hand as raw scores, so no tree is visited. Other rows (a
    scorer may choose some) go through the trees. Rows are encoded ones, as the core takes them.
    """

    def __init__(self, trainer: Any = None, link: Any = None, classes: Any = None, n_threads: int = 1) -> None:
        self.trainer, self.link, self.classes, self.n_threads = trainer, link, classes, n_threads

    def fit(self) -> None:
        """Scikit-learn wants one."""

    def at(self, rows: Rows, raw: Floats) -> "_Snapshot":
        """Set the rows whose raw scores are known."""
        self._rows, self._raw, self.has_margin = rows.X, raw, rows.margin is not None
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _raw_scores(self, X: Any) -> Floats:
        if X is self._rows:
            return self._raw
        if self.has_margin:
            raise ValueError(
                "scoring asks for predictions of rows of its own, for which there is no base_margin: score the rows "
                "that it is given, or set scoring='loss'"
            )
        forest = self.trainer.forest()
        return forest.predict(for_core(X), 0, forest.n_iterations, self.n_threads)  # type: ignore[no-any-return]


class _RegressorSnapshot(RegressorMixin, _Snapshot):  # type: ignore[misc]
    def predict(self, X: Any) -> Floats:
        return inverse_link(self.link, self._raw_scores(X))


class _ClassifierSnapshot(ClassifierMixin, _Snapshot):  # type: ignore[misc]
    @property
    def classes_(self) -> NDArray[Any]:
        return self.classes  # type: ignore[no-any-return]

    def decision_function(self, X: Any) -> Floats:
        raw = self._raw_scores(X)
        return raw[:, 0] if raw.shape[1] == 1 else raw

    def predict_proba(self, X: Any) -> Floats:
        return inverse_link(self.link, self._raw_scores(X))

    def predict(self, X: Any) -> NDArray[Any]:
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


@dataclass
class _Scorer:
    """A scorer of scikit-learn or of the user, applied to rows whose raw scores are known."""

    snapshot: _Snapshot
    score: Callable[..., float]
    rows: Rows
    y: NDArray[Any]
    subset: NDArray[np.intp] | None

    @classmethod
    def of(cls, snapshot: _Snapshot, scoring: Any, rows: Rows, *, seed: int, max_rows: int | None) -> "_Scorer":
        score = find_scorer(snapshot, scoring)
        subset = None
        if max_rows is not None and len(rows) > max_rows:
            rng = np.random.default_rng(seed)
            subset = np.sort(rng.choice(len(rows), max_rows, replace=False))
            rows = rows.take(subset)
        y = rows.y if snapshot.classes is None else snapshot.classes[rows.y.astype(np.intp)]
        return cls(snapshot, score, rows, y, subset)

    def __call__(self, raw: Floats) -> float:
        if self.subset is not None:
            raw = raw[self.subset]
        arguments: dict[str, Any] = {}
        if self.rows.weight is not None and "sample_weight" in inspect.signature(self.score).parameters:
            arguments["sample_weight"] = self.rows.weight
        return float(self.score(self.snapshot.at(self.rows, raw), self.rows.X, self.y, **arguments))


@dataclass
class Task:
    """All that a run of boosting needs; see `boost`."""

    train: Rows
    validation: Rows | None
    loss: Loss
    params: core.boosting.Params
    n_categories: NDArray[np.int32]
    max_bins: int
    n_iterations: int
    """To add."""
    scoring: Any
    classes: NDArray[Any] | None
    scores: Scores
    seed: int
    n_threads: int
    verbose: int
    name: str
    start: "core.boosting.Forest | None" = None
    """Model to continue."""


def boost(task: Task) -> "core.boosting.Forest":
    """Train trees one iteration after the other and return those worth keeping, joined to ``task.start``.

    ``task.scores`` is filled on the way.
    """
    engine = core.boosting
    train, validation, loss, start = task.train, task.validation, task.loss, task.start
    weight = relative_weights(train.weight)
    if start is not None and task.n_iterations == 0:
        return start
    X = for_core(train.X)
    mapper = engine.BinMapper.fit(X, weight, task.n_categories, task.max_bins, task.seed, task.n_threads)
    if start is not None:
        baseline = start.state()["baseline"]
    elif train.margin is not None:
        baseline = np.zeros(loss.n_outputs)
    else:
        baseline = loss.baseline(train.y, weight)
    trainer = engine.Trainer(
        mapper,
        mapper.transform(X, task.n_threads),
        train.y,
        weight,
        engine.Objective(loss.name, loss.n_outputs, loss.parameter),
        task.params,
        baseline,
        task.n_threads,
    )
    n_before = 0
    if start is not None:
        n_before = start.n_iterations
        trainer.set_raw_scores(train.on_margin(start.predict(X, 0, n_before, task.n_threads)))
    elif train.margin is not None:
        trainer.set_raw_scores(train.margin)
    if validation is not None:
        X_val = for_core(validation.X)
        binned = mapper.transform(X_val, task.n_threads, for_training=False)
        trainer.add_validation(binned, validation.y, validation.weight)
        if start is not None:
            trainer.set_validation_raw_scores(validation.on_margin(start.predict(X_val, 0, n_before, task.n_threads)))
        elif validation.margin is not None:
            trainer.set_validation_raw_scores(validation.margin)

    score, scores = _scoring(task, trainer), task.scores
    expected = n_before + 1, 0 if validation is None else n_before + 1
    if (len(scores.train), len(scores.validation)) != expected:  # none yet, or not those of the model to continue
        scores.restart(n_before)
        score()
    with Progress(task.n_iterations, task.verbose, task.name) as progress:
        for _ in range(task.n_iterations):
            if loss.custom is None:
                trainer.step()
            else:
                targets = train.y if task.classes is None else train.y.astype(np.intp)
                trainer.step_custom(*loss.gradients(targets, trainer.raw_scores(), weight))
            progress.update(**score())
            if scores.should_stop:
                break
    if scores.patience is not None:
        kept = max(scores.best, 1) - n_before  # a model has one iteration at least
        if kept <= 0 and start is not None:
            return start
        trainer.truncate(kept)
    forest = trainer.forest()
    return forest if start is None else engine.Forest.merge(start, forest)


def _scoring(task: Task, trainer: Any) -> Callable[[], dict[str, float]]:
    """Return a function that scores the model as it is, records that, and tells what to show of it."""
    scores, validation = task.scores, task.validation
    if task.scoring == "loss":
        if task.loss.custom is not None:  # its value is not known, only its slope
            return dict

        def by_loss() -> dict[str, float]:
            shown = {"loss": trainer.train_loss()}
            if validation is not None:
                shown["validation_loss"] = trainer.validation_loss()
            scores.record(-shown["loss"], None if validation is None else -shown["validation_loss"])
            return shown

        return by_loss

    kind = _RegressorSnapshot if task.classes is None else _ClassifierSnapshot
    snapshot = kind(trainer, task.loss.link, task.classes, task.n_threads)
    of_train = _Scorer.of(snapshot, task.scoring, task.train, seed=task.seed, max_rows=_SCORED_ROWS)
    of_validation = None
    if validation is not None:
        of_validation = _Scorer.of(snapshot, task.scoring, validation, seed=task.seed, max_rows=None)

    def by_scorer() -> dict[str, float]:
        shown = {"score": of_train(trainer.raw_scores())}
        if of_validation is not None:
            shown["validation_score"] = of_validation(trainer.validation_raw_scores())
        scores.record(shown["score"], shown.get("validation_score"))
        return shown

    return by_scorer
