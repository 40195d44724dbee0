"""Bootstrap of translation scores: the resamples of NumPy's generator, the test of sacreBLEU."""

import numpy as np
import pytest

from mlcore.metrics import corpus_bleu, corpus_bootstrap, corpus_chrf, paired_bootstrap
from mlcore.metrics._bleu import Bleu
from support import sacrebleu_numbers as frozen
from twins import translation as twin


@pytest.mark.parametrize("metric", list(frozen.BOOTSTRAP))
def test_numbers_of_sacrebleu(metric):
    results = paired_bootstrap(
        frozen.HYPOTHESES, {"other": frozen.OTHER_SYSTEM}, [frozen.REFERENCES], metric=metric, n_resamples=200
    )
    for result, (score, mean, ci, p_value) in zip(results, frozen.BOOTSTRAP[metric], strict=True):
        assert (result.score, result.mean, result.ci) == pytest.approx((score, mean, ci), rel=1e-12)
        assert result.p_value == p_value
        assert result.signature.startswith("nrefs:1|bs:200|seed:12345|case:mixed|eff:")
    assert [result.system for result in results] == ["baseline", "other"]


@pytest.mark.parametrize("n", [1, 2, 6, 64, 1000])
def test_resamples_are_those_of_numpy(n):
    rng = np.random.default_rng(n)
    hypotheses, references = ([" ".join(rng.choice(list("abc"), 6)) for _ in range(n)] for _ in range(2))
    counts, _ = Bleu().statistics(hypotheses, [references], 1)
    expected = [twin.bleu_score(row.tolist()) for row in twin.resampled_sums(counts, 30, seed=7)]
    result = corpus_bootstrap(hypotheses, [references], n_resamples=30, random_state=7)
    assert result.resampled_scores == pytest.approx(np.array(expected), rel=1e-12)
    assert result.score == corpus_bleu(hypotheses, [references]).score
    assert result.mean == pytest.approx(np.mean(expected), rel=1e-12)
    assert result.p_value is None


def test_interval():
    hypotheses, references = ["a b c d", "a b c e", "x y z d"] * 20, ["a b c d", "a b c d", "x y c d"] * 20
    for level, left_out in ((0.95, 1), (0.9, 2), (0.5, 10), (1e-9, 19), (0.999, 0)):
        result = corpus_bootstrap(hypotheses, [references], metric="chrf", n_resamples=40, confidence_level=level)
        ordered = np.sort(result.resampled_scores)
        assert result.interval == (ordered[left_out], ordered[39 - left_out])
        assert result.ci == (ordered[39 - left_out] - ordered[left_out]) / 2
    assert corpus_bootstrap(["a"], [["b"]], n_resamples=1).interval == (0, 0)


def test_options_reach_the_metric():
    options = {"tokenize": "char", "lowercase": True, "smooth_method": "floor"}
    result = corpus_bootstrap(frozen.HYPOTHESES, [frozen.REFERENCES], n_resamples=2, **options)
    assert result.score == corpus_bleu(frozen.HYPOTHESES, [frozen.REFERENCES], **options).score
    assert "|case:lc|eff:no|tok:char|smooth:floor[0.10]|" in result.signature
    result = corpus_bootstrap(frozen.HYPOTHESES, [frozen.REFERENCES], metric="chrf++", n_resamples=2, beta=3)
    assert result.metric == "chrF3++"
    assert result.score == corpus_chrf(frozen.HYPOTHESES, [frozen.REFERENCES], word_order=2, beta=3).score


def test_forms_of_systems():
    args = ([frozen.REFERENCES], 20)
    by_name, by_list = (
        paired_bootstrap(frozen.HYPOTHESES, systems, args[0], n_resamples=args[1])
        for systems in ({"x": frozen.OTHER_SYSTEM, "y": frozen.HYPOTHESES}, [frozen.OTHER_SYSTEM, frozen.HYPOTHESES])
    )
    assert [r.system for r in by_name] == ["baseline", "x", "y"]
    assert [r.system for r in by_list] == ["baseline", "system 1", "system 2"]
    assert [(r.score, r.p_value) for r in by_name] == [(r.score, r.p_value) for r in by_list]
    assert by_list[2].p_value == 1 / 21  # itself: no resample differs by more than 0, as in sacreBLEU
    assert str(by_list[0]).startswith("BLEU = 57.37 (μ = ")
    assert str(by_list[1]).endswith(f", p = {by_list[1].p_value:.4f})")


def test_random_states():
    def scores(random_state):
        result = corpus_bootstrap(frozen.HYPOTHESES, [frozen.REFERENCES], n_resamples=20, random_state=random_state)
        return result.resampled_scores.tolist()

    assert scores(12345) == scores(np.int64(12345))
    assert scores(1) != scores(2)
    assert scores(None) != scores(None)
    assert scores(np.random.default_rng(5)) == scores(np.random.default_rng(5))
    assert scores(np.random.RandomState(5)) == scores(np.random.RandomState(5))
    generator = np.random.default_rng(5)
    assert scores(generator) != scores(generator)


def test_the_same_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    hypotheses, references = ([" ".join(rng.choice(list("abcdef"), 9)) for _ in range(3000)] for _ in range(2))
    results = [corpus_bootstrap(hypotheses, [references], n_jobs=n_jobs).resampled_scores for n_jobs in (1, 2, 3, 8)]
    assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"metric": "ter"}, ValueError, "metric must be 'bleu', 'chrf' or 'chrf"),
        ({"n_resamples": 0}, ValueError, "n_resamples must be an int >= 1, got 0"),
        ({"n_resamples": 2.5}, ValueError, "n_resamples must be an int >= 1, got 2.5"),
        ({"confidence_level": 1}, ValueError, "confidence_level must lie between 0 and 1, got 1"),
        ({"random_state": "x"}, ValueError, "random_state must be an int, a RandomState, a Generator or None"),
        ({"random_state": -1}, ValueError, "random_state must not be negative, got -1"),
        ({"systems": ["a", "b"]}, TypeError, r"pass \[hypotheses\] for one system"),
        ({"systems": "ab"}, TypeError, r"pass \[hypotheses\] for one system"),
        ({"systems": [["a"]]}, ValueError, r"as many hypotheses as the baseline \(2\), but 'system 1' has 1"),
        ({"references": [["a"], ["b"]]}, ValueError, "one list for each of the 2 hypotheses"),
        ({"char_order": 3}, TypeError, "char_order"),
        ({"baseline": []}, ValueError, "baseline must hold at least one text, got none"),
    ],
)
def test_bad_arguments(changed, error, message):
    arguments = {"baseline": ["a", "b"], "systems": [["a", "c"]], "references": [["a", "b"]], **changed}
    with pytest.raises(error, match=message):
        paired_bootstrap(**arguments)
