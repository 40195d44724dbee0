"""How certain a score of a translation system is, and whether another system is better.

Koehn, "Statistical significance tests for machine translation evaluation", EMNLP 2004; the test is that of Moses and
sacreBLEU, on the same resamples.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlcore._base import effective_n_jobs
from mlcore._native import core
from mlcore.metrics._bleu import Bleu
from mlcore.metrics._chrf import Chrf
from mlcore.metrics._translation import Texts, read_hypotheses, read_references

Metric = Literal["bleu", "chrf", "chrf++"]


@dataclass(frozen=True, slots=True)
class BootstrapResult:
    """The score of one system and how far it can be trusted; `corpus_bootstrap` and `paired_bootstrap` return it.

    ``str(result)`` is, for example, "BLEU = 36.12 (μ = 36.13 ± 0.74, p = 0.0030)".

    Attributes
    ----------
    system : str
        Name of the system.
    metric : str
        Name of the metric, "BLEU" or such as "chrF2".
    score : float
        Of the corpus itself.
    mean : float
        Mean score of the resamples.
    interval : tuple of float
        Lower and upper end of the confidence interval.
    p_value : float or None
        Probability that resampling alone makes a difference from the baseline as large as this one, two-sided; None of
        the baseline itself.
    signature : str
        Settings of the metric, number of resamples and seed, with sacreBLEU's fields.
    resampled_scores : ndarray of shape (n_resamples,), float64
        Score of each resample; the resamples are the same for all systems.
    """

    system: str
    metric: str
    score: float
    mean: float
    interval: tuple[float, float]
    p_value: float | None
    signature: str
    resampled_scores: NDArray[np.float64] = field(repr=False, compare=False)

    @property
    def ci(self) -> float:
        """Half of the width of the interval, which sacreBLEU prints after "±"."""
        return 0.5 * (self.interval[1] - self.interval[0])

    def __str__(self) -> str:
        p_value = "" if self.p_value is None else f", p = {self.p_value:.4f}"
        return f"{self.metric} = {self.score:.2f} (μ = {self.mean:.2f} ± {self.ci:.2f}{p_value})"


def corpus_bootstrap(
    hypotheses: Iterable[str],
    references: Iterable[Iterable[str | None]],
    *,
    metric: Metric = "bleu",
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: Any = 12345,
    n_jobs: int | None = None,
    **options: Any,
) -> BootstrapResult:
    """Compute the confidence interval of the score of one system by resampling its segments.

    Parameters
    ----------
    hypotheses, references
        As in `corpus_bleu`.
    metric, n_resamples, confidence_level, random_state, n_jobs, **options
        As in `paired_bootstrap`.

    Returns
    -------
    BootstrapResult
        Its `p_value` is None.

    Examples
    --------
    >>> from mlcore.metrics import corpus_bootstrap
    >>> hypotheses = ["The dog bit the man.", "It was not surprising.", "He left."]
    >>> references = [["The dog bit the man.", "It was not unexpected.", "He went."]]
    >>> print(corpus_bootstrap(hypotheses, references, metric="chrf", n_resamples=100))
    chrF2 = 59.23 (μ = 60.93 ± 34.82)
    """
    (result,) = paired_bootstrap(
        hypotheses,
        {},
        references,
        metric=metric,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        random_state=random_state,
        n_jobs=n_jobs,
        **options,
    )
    return result


def paired_bootstrap(
    baseline: Iterable[str],
    systems: Mapping[str, Iterable[str]] | Sequence[Iterable[str]],
    references: Iterable[Iterable[str | None]],
    *,
    metric: Metric = "bleu",
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: Any = 12345,
    n_jobs: int | None = None,
    **options: Any,
) -> list[BootstrapResult]:
    """Compare translation systems with a baseline on the same resampled segments, as sacreBLEU 2.6 does.

    Parameters
    ----------
    baseline : iterable of str
        Hypotheses of the system to compare with.
    systems : mapping of str to iterable of str, or sequence of iterables of str
        Hypotheses of the others, as ``{"name": hypotheses}`` or as a list of lists.
    references : iterable of iterables of str or None
        One list for each reference stream, as in `corpus_bleu`.
    metric : {"bleu", "chrf", "chrf++"}, default="bleu"
        What to compare by.
    n_resamples : int, default=1000
        Corpora that are drawn, each with as many segments as there are, with replacement.
    confidence_level : float, default=0.95
        Part of the resampled scores that lies within the interval, in (0, 1).
    random_state : int, RandomState, Generator or None, default=12345
        An int draws the segments that sacreBLEU draws with that ``SACREBLEU_SEED``, whose default is the one here.
        None draws others at each call.
    n_jobs : int or None, default=None
        Threads; None: all CPUs that this process may use. The result is the same for any number.
    **options
        Those of `corpus_bleu`, or of `corpus_chrf`.

    Returns
    -------
    list of BootstrapResult
        The baseline, then the systems in their order.

    Raises
    ------
    TypeError
        If a text is no str, or the metric has no such option.
    ValueError
        If lengths differ, references are nested in another way, or an option is out of range.

    Notes
    -----
    With d the absolute difference of the scores of two systems, and d_i that on resample i, the p-value is
    (1 + number of resamples with d_i - mean(d_i) > d) / (1 + n_resamples). sacreBLEU divides in single precision where
    NumPy does, so that its resampled scores differ from these in the seventh digit.

    Examples
    --------
    >>> from mlcore.metrics import paired_bootstrap
    >>> references = [["The dog bit the man.", "It was not unexpected.", "He left the house."]]
    >>> baseline = ["The dog bit the man.", "It was not surprising.", "He left."]
    >>> other = ["The dog bit a man.", "It was not unexpected.", "He left the house."]
    >>> for result in paired_bootstrap(baseline, {"other": other}, references, metric="chrf", n_resamples=100):
    ...     print(result.system, result)
    baseline chrF2 = 56.01 (μ = 57.85 ± 33.20)
    other chrF2 = 87.68 (μ = 86.37 ± 19.89, p = 0.1188)
    """
    if metric == "bleu":
        scorer: Bleu | Chrf = Bleu(**options)
    elif metric == "chrf":
        scorer = Chrf(**options)
    elif metric == "chrf++":
        scorer = Chrf(**{"word_order": 2, **options})
    else:
        raise ValueError(f"metric must be 'bleu', 'chrf' or 'chrf++', got {metric!r}")
    if not isinstance(n_resamples, int | np.integer) or n_resamples < 1:
        raise ValueError(f"n_resamples must be an int >= 1, got {n_resamples!r}")
    if not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level must lie between 0 and 1, got {confidence_level!r}")
    n_threads = effective_n_jobs(n_jobs)

    names, texts = _named_systems(baseline, systems)
    streams = read_references(references, len(texts[0]))
    for name, hypotheses in zip(names, texts, strict=True):
        if len(hypotheses) != len(texts[0]):
            raise ValueError(
                f"all systems must have as many hypotheses as the baseline ({len(texts[0])}), "
                f"but {name!r} has {len(hypotheses)}"
            )
    counted = []
    for hypotheses in texts:  # no comprehension, in which a warning would name this file
        counted.append(scorer.statistics(hypotheses, streams, n_threads))  # noqa: PERF401
    statistics = np.hstack([counts for counts, _ in counted])
    sums = core.metrics.bootstrap_sums(statistics, int(n_resamples), *_stream(random_state), n_threads=n_threads)

    width = counted[0][0].shape[1]
    seed = int(random_state) if isinstance(random_state, Integral) else "none"
    signature = scorer.signature(counted[0][1], {"bs": int(n_resamples), "seed": seed})
    results: list[BootstrapResult] = []
    for i, (name, (counts, _)) in enumerate(zip(names, counted, strict=True)):
        score = float(scorer.scores(counts.sum(axis=0, keepdims=True))[0])
        resampled = scorer.scores(sums[:, i * width : (i + 1) * width])
        p_value = None if i == 0 else _p_value(results[0], score, resampled)
        interval = _interval(resampled, confidence_level)
        results.append(
            BootstrapResult(name, scorer.name, score, float(resampled.mean()), interval, p_value, signature, resampled)
        )
    return results


def _named_systems(
    baseline: Iterable[str], systems: Mapping[str, Iterable[str]] | Sequence[Iterable[str]]
) -> tuple[list[str], list[Texts]]:
    if isinstance(systems, Mapping):
        named = {str(name): hypotheses for name, hypotheses in systems.items()}
    elif isinstance(systems, str) or any(isinstance(hypotheses, str) for hypotheses in systems):
        raise TypeError("systems must hold one list of hypotheses for each system; pass [hypotheses] for one system")
    else:
        named = {f"system {i}": hypotheses for i, hypotheses in enumerate(systems, 1)}
    texts = [read_hypotheses(baseline, "baseline")]
    texts += [read_hypotheses(hypotheses, f"systems[{name!r}]") for name, hypotheses in named.items()]
    return ["baseline", *named], texts


def _stream(random_state: Any) -> tuple[int, int, int, int]:
    """Return the state and the increment of NumPy's default generator, each in two halves."""
    if isinstance(random_state, np.random.Generator):
        random_state = int(random_state.integers(np.iinfo(np.int64).max))
    elif isinstance(random_state, np.random.RandomState):
        random_state = int(random_state.randint(np.iinfo(np.int64).max, dtype=np.int64))
    elif random_state is not None and not isinstance(random_state, Integral):
        raise ValueError(f"random_state must be an int, a RandomState, a Generator or None, got {random_state!r}")
    elif random_state is not None and random_state < 0:
        raise ValueError(f"random_state must not be negative, got {random_state!r}")
    state = np.random.PCG64(random_state).state["state"]
    return (*divmod(state["state"], 1 << 64), *divmod(state["inc"], 1 << 64))


def _interval(scores: NDArray[np.float64], confidence_level: float) -> tuple[float, float]:
    """Leave out as many of the lowest as of the highest scores; half of 1 - 0.95 of n is n // 40, as in sacreBLEU."""
    left_out = min(int(len(scores) * (1 - confidence_level) / 2 + 1e-9), (len(scores) - 1) // 2)
    ordered = np.sort(scores)
    return float(ordered[left_out]), float(ordered[len(ordered) - 1 - left_out])


def _p_value(baseline: BootstrapResult, score: float, resampled: NDArray[np.float64]) -> float:
    differences = np.abs(resampled - baseline.resampled_scores)
    beyond = differences - differences.mean() > abs(baseline.score - score)
    return (int(beyond.sum()) + 1) / (len(resampled) + 1)
