"""Masks of pre-training: how many, of what kind, and that draws depend on the seed alone."""

import numpy as np
import pytest

from mlcore.seq.bert.network._network import IGNORED
from mlcore.seq.bert.pretraining._masking import Masking

V, MASK = 1000, 4
NEVER = (0, 1, 2, 3, 4)


def batch(n=50_000, seed=0):
    """Ids with a marker at each hundredth place, and words of one to three pieces."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, V, n)
    is_marker = np.arange(n) % 100 == 0
    ids[is_marker] = 2
    words = np.cumsum(rng.random(n) < 0.5)
    words[is_marker] = -1
    return ids, is_marker, words


def masked(masking, ids, is_marker, words=None, seed=1):
    return masking.apply(ids, is_marker, words, np.random.default_rng(seed))


def within(found, expected, n):
    """Whether a share of n draws is within four standard deviations."""
    return abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize("probability", [0.15, 0.4])
def test_shares(probability):
    ids, is_marker, _ = batch()
    inputs, labels = masked(Masking(probability, MASK, V, NEVER), ids, is_marker)
    chosen = labels != IGNORED
    n = int(chosen.sum())
    assert within(n / (~is_marker).sum(), probability, (~is_marker).sum())
    assert within((inputs[chosen] == MASK).mean(), 0.8 + 0.1 / V, n)
    # One in V of those drawn from the whole vocabulary is the token that was there.
    assert within((inputs[chosen] == ids[chosen]).mean(), 0.1 + 0.1 / V, n)


def test_draws_are_independent():
    """Runs of chosen tokens are as long as coins make them."""
    ids, is_marker, _ = batch()
    _, labels = masked(Masking(0.15, MASK, V, NEVER), ids, is_marker)
    chosen = labels != IGNORED
    both = (~is_marker)[1:] & (~is_marker)[:-1]
    n = int((both & chosen[:-1]).sum())
    assert within((chosen[1:] & chosen[:-1] & both).sum() / n, 0.15, n)


def test_random_tokens_are_of_the_whole_vocabulary():
    ids = np.full(20_000, 7)
    inputs, _ = masked(Masking(0.99, MASK, 12, NEVER), ids, np.zeros(len(ids), bool))
    assert set(inputs.tolist()) == set(range(12))


@pytest.mark.parametrize("whole_words", [False, True])
def test_what_is_not_chosen_stays(whole_words):
    ids, is_marker, words = batch(5000)
    ids[50:60] = 1  # unknown
    before = ids.copy()
    inputs, labels = masked(Masking(0.3, MASK, V, NEVER, whole_words), ids, is_marker, words)
    chosen = labels != IGNORED
    np.testing.assert_array_equal(inputs[~chosen], ids[~chosen])
    np.testing.assert_array_equal(labels[chosen], ids[chosen])
    assert not chosen[is_marker].any()
    assert not chosen[50:60].any()
    np.testing.assert_array_equal(ids, before)


def test_whole_words():
    ids, is_marker, words = batch()
    _, labels = masked(Masking(0.15, MASK, V, NEVER, True), ids, is_marker, words)
    chosen = labels != IGNORED
    same_word = (words[1:] == words[:-1]) & ~is_marker[1:]
    np.testing.assert_array_equal(chosen[1:][same_word], chosen[:-1][same_word])
    assert abs(chosen.sum() / (~is_marker).sum() - 0.15) < 0.01


def test_a_word_does_not_reach_across_a_marker():
    ids = np.array([7, 2, 8])
    is_marker, words = np.array([False, True, False]), np.array([3, -1, 3])
    found = {
        tuple(masked(Masking(0.5, MASK, V, NEVER, True), ids, is_marker, words, seed)[1] != IGNORED)
        for seed in range(40)
    }
    assert (True, False, False) in found
    assert (False, False, True) in found


def test_at_least_one_token_is_chosen():
    masking = Masking(1e-9, MASK, V, NEVER)
    ids, is_marker = np.array([2, 8, 1, 9, 3]), np.array([True, False, False, False, True])
    places = {int(np.flatnonzero(masked(masking, ids, is_marker, seed=s)[1] != IGNORED)[0]) for s in range(40)}
    assert places == {1, 3}  # the unknown one is left alone
    only_unknown = np.array([2, 1, 1, 3])
    _, labels = masked(masking, only_unknown, np.array([True, False, False, True]))
    assert (labels != IGNORED).sum() == 1
    assert labels[0] == labels[3] == IGNORED
    with pytest.raises(ValueError, match="markers alone"):
        masked(masking, np.array([2, 3]), np.array([True, True]))


def test_draws_depend_on_the_generator_alone():
    ids, is_marker, words = batch(2000)
    masking = Masking(0.15, MASK, V, NEVER, True)
    first, again = (masked(masking, ids, is_marker, words, 3) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    other = masked(masking, ids, is_marker, words, 4)
    assert (other[1] != first[1]).any()
