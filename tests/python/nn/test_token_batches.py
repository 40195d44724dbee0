"""Batches of sequences by number of tokens."""

import numpy as np
import pytest

from mlcore.nn.training._token_batches import TokenBatches
from mlcore.seq._packed import Packed

RNG = np.random.default_rng(0)
SOURCE = Packed.of([RNG.integers(0, 9, n) for n in RNG.integers(1, 30, 500)])
TARGET = Packed.of([RNG.integers(0, 9, n) for n in RNG.integers(2, 30, 500)])


def sizes(batches, seed):
    longer = np.maximum(SOURCE.lengths, TARGET.lengths)
    return np.array([longer[rows].sum() for rows in batches.order(seed)])


@pytest.mark.parametrize("batch_tokens", [1, 40, 200, 1000, 10**6])
@pytest.mark.parametrize("like_length", [True, False])
def test_batches_have_about_so_many_tokens_and_each_row_once(batch_tokens, like_length):
    batches = TokenBatches([SOURCE, TARGET], batch_tokens, like_length=like_length)
    for seed in range(5):
        order = batches.order(seed)
        assert len(order) == len(batches)
        assert min(map(len, order)) > 0
        np.testing.assert_array_equal(np.sort(np.concatenate(order)), np.arange(500))
        assert sizes(batches, seed).max() <= max(batch_tokens, 30) + 30
    assert batches.n_units == sum(len(batch[1].ids) - len(batch[1].lengths) for batch in batches.epoch(0, 0))


def test_rows_of_a_batch_are_of_like_length():
    alike = TokenBatches([SOURCE, TARGET], 300)
    spread = [np.ptp(TARGET.lengths[rows]) for rows in alike.order(0)]
    assert np.mean(spread) < 3
    lengths = [TARGET.lengths[rows].mean() for rows in alike.order(0)]
    assert (np.diff(lengths) < 0).any()  # and batches come in random order


def test_epochs_differ_by_their_seed_and_can_be_gone_on_with():
    batches = TokenBatches([SOURCE, TARGET], 300)
    first, again = list(batches.epoch(0, 1)), list(batches.epoch(5, 1))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a[1].ids, b[1].ids)
    for a, b in zip(first[7:], batches.epoch(0, 1, start=7), strict=True):
        np.testing.assert_array_equal(a[0].ids, b[0].ids)
    assert any(not np.array_equal(a[1].ids, b[1].ids) for a, b in zip(first, batches.epoch(0, 2), strict=True))


def test_a_column_that_is_not_there():
    batches = TokenBatches([None, TARGET], 100, shuffle=False, like_length=False)
    source, target = next(batches.epoch(0, 0))
    assert source is None
    np.testing.assert_array_equal(target.ids, TARGET.ids[: len(target.ids)])


def test_what_makes_no_batches():
    with pytest.raises(ValueError, match="0 rows"):
        TokenBatches([Packed.of([])], 10)
    with pytest.raises(ValueError, match="same number of rows"):
        TokenBatches([SOURCE, TARGET.take(np.arange(3))], 10)
    with pytest.raises(ValueError, match="batch_tokens"):
        TokenBatches([SOURCE], 0)
