"""Positions of packed and padded rows: beside tables and rotations by hand, gradients, threads, bad input."""

from itertools import pairwise

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import functional as F
from twins.nn import assert_close

LENGTHS = [3, 0, 70, 1, 20]
OFFSETS = np.concatenate([[0], np.cumsum(LENGTHS)])
PLACES = np.concatenate([np.arange(n) for n in LENGTHS])
N = len(PLACES)


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("first", [0, 5])
def test_rows_of_a_table_are_added_at_the_position_in_each_sequence(first):
    x, table = nn.Tensor(draw(N, 7), requires_grad=True), nn.Tensor(draw(90, 7, seed=1), requires_grad=True)
    dout = draw(N, 7, seed=2)
    y = F.add_positions(x, table, offsets=OFFSETS, first=first, scale=2.5)
    np.testing.assert_array_equal(y.data, np.float32(2.5) * x.data + table.data[PLACES + first])
    y.backward(dout)
    np.testing.assert_array_equal(x.grad, np.float32(2.5) * dout)
    wanted = np.zeros((90, 7))
    np.add.at(wanted, PLACES + first, dout)
    assert_close(table.grad, wanted)


def test_without_offsets_the_last_axis_but_one_is_time():
    table = F.sinusoids(12, 6)
    for shape in ((9, 6), (2, 9, 6), (2, 3, 9, 6), (2, 0, 6), (0, 9, 6)):
        x = nn.Tensor(draw(*shape), requires_grad=True)
        y = F.add_positions(x, table)
        np.testing.assert_array_equal(y.data, x.data + table[: shape[-2]])
        y.sum().backward()
        assert x.grad.shape == shape


def test_bits_do_not_depend_on_threads_or_layout():
    offsets = np.arange(0, 4001, 50)
    x, dout = draw(4000, 32), draw(4000, 32, seed=1)
    locked = x.copy()
    locked.flags.writeable = False
    results = []
    for n_threads, values in ((1, x), (2, np.asfortranarray(x)), (3, locked)):
        with nn.threads(n_threads):
            table = nn.Tensor(draw(50, 32, seed=2), requires_grad=True)
            y = F.add_positions(values, table, offsets=offsets)
            y.backward(dout)
            results.append((y.data, table.grad, F.rotary_embedding(values, offsets=offsets).data))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["sinusoidal", "learned", "rotary"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_layer_begins_again_at_each_offset(kind, batch_first):
    nn.manual_seed(0)
    layer = nn.PositionalEncoding(8, 80, kind, batch_first=batch_first, scale=8**0.5)
    x = draw(N, 8)
    got = layer(x, offsets=OFFSETS, offset=4).data
    for begin, end in pairwise(OFFSETS):
        np.testing.assert_array_equal(got[begin:end], layer(x[begin:end], offset=4).data)
    wide = x[: N // 2 * 2].reshape(2, -1, 8)
    swapped = layer(wide if batch_first else wide.swapaxes(0, 1)).data
    np.testing.assert_array_equal(swapped if batch_first else swapped.swapaxes(0, 1), [layer(w).data for w in wide])
    unscaled = nn.PositionalEncoding(8, 80, kind)
    unscaled.load_state_dict(layer.state_dict())
    assert_close(layer(x[:9]).data, unscaled(x[:9] * np.float32(8**0.5)).data)


def test_rotations_of_packed_rows():
    x = nn.Tensor(draw(3, N, 8), requires_grad=True)
    y = F.rotary_embedding(x, offsets=OFFSETS)
    np.testing.assert_array_equal(y.data, F.rotary_embedding(x, PLACES).data)
    dout = draw(3, N, 8, seed=1)
    y.backward(dout)
    assert_close(F.rotary_embedding(x.grad, PLACES).data, dout)
    far = F.rotary_embedding(x, PLACES + 10**6).data  # no table of a million positions
    angles = np.outer(PLACES + 10**6, 10000.0 ** (-np.arange(4) / 4))
    turned = (x.data[..., :4] + 1j * x.data[..., 4:]) * np.exp(1j * angles)
    assert_close(far, np.concatenate([turned.real, turned.imag], axis=-1))
    assert_close(F.rotary_embedding(F.rotary_embedding(x, -PLACES), PLACES).data, x.data)
    assert F.rotary_embedding(draw(3, 0, 8), offsets=[0, 0]).shape == (3, 0, 8)


def test_bad_input():
    x, table = draw(10, 6), draw(8, 6)
    for arguments, options, error, message in [
        ((x, table), {}, nn.ShapeError, r"\(10, 6\) from position 0 on leaves \[0, 8\)"),
        ((x, table), {"offsets": [0, 9, 10]}, nn.ShapeError, r"leaves \[0, 8\)"),
        ((x, table), {"offsets": [0, 8, 10], "first": 1}, nn.ShapeError, "from position 1"),
        ((x, table), {"offsets": [0, 5, 10], "first": -1}, ValueError, "first of add_positions must be at least 0"),
        ((x, table[:, :5]), {"offsets": [0, 5, 10]}, nn.ShapeError, r"table of shape \(8, 5\)"),
        ((x[None], table), {"offsets": [0, 5, 10]}, nn.ShapeError, r"input of shape \(1, 10, 6\)"),
        ((x, table), {"offsets": [0, 5, 4, 10]}, ValueError, "must rise from 0"),
        ((x, table), {"offsets": [0.5, 10]}, TypeError, "must be integers"),
    ]:
        with pytest.raises(error, match=message):
            F.add_positions(*arguments, **options)
    with pytest.raises(ValueError, match="positions or offsets, not both"):
        F.rotary_embedding(x, np.arange(10), offsets=[0, 10])
    with pytest.raises(ValueError, match="must end with the number of rows, 10"):
        F.rotary_embedding(x, offsets=[0, 9])
    layer = nn.PositionalEncoding(6, 8)
    with pytest.raises(nn.ShapeError, match=r"input with offsets must have shape \(rows, 6\), got \(1, 10, 6\)"):
        layer(x[None], offsets=[0, 10])
    with pytest.raises(nn.ShapeError, match="offset must be at least 0"):
        layer(x[:5], offset=-1)


def test_nan_stays_in_its_row():
    x = draw(N, 8)
    x[5] = np.nan
    y = F.add_positions(x, F.sinusoids(70, 8), offsets=OFFSETS).data
    assert (np.isnan(y).all(axis=1) == (np.arange(N) == 5)).all()
