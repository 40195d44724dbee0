"""Attention over packed rows: beside the formula and the padded form, one sequence alone, bad offsets."""

from itertools import pairwise

import numpy as np
import pytest

from mlcore.nn._runtime import manual_seed, threads
from mlcore.nn.functional._attention import packed_attention
from mlcore.nn.layers._attention import MultiheadAttention
from mlcore.nn.tensor import ShapeError, Tensor
from twins.nn import assert_close
from twins.nn import attention as twin

HEADS, DEPTH = 3, 8
WIDTH = HEADS * DEPTH
# around the borders of vectors, panels and blocks of keys; empty ones; one much longer than the others
LENGTHS = [5, 0, 1, 16, 17, 31, 33, 64, 130, 2, 300, 15, 32]
KEY_LENGTHS = [7, 3, 0, 15, 1, 40, 33, 128, 16, 260, 129, 47, 32]


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def padded(rows, offsets):
    lengths = np.diff(offsets)
    out = np.zeros((len(lengths), lengths.max(), rows.shape[1]), np.float32)
    for b, n in enumerate(lengths):
        out[b, :n] = rows[offsets[b] : offsets[b + 1]]
    return out


def packed(values, lengths):
    return np.concatenate([values[b, :n] for b, n in enumerate(lengths)])


def run(arrays, dout, **options):
    """Output and gradients."""
    manual_seed(3)
    inputs = [Tensor(x, requires_grad=True) for x in arrays]
    out = packed_attention(inputs, HEADS, **options)[0]
    out.backward(dout)
    return [out.data, *(x.grad for x in inputs)]


def expected(projected, dout, **options):
    """One sequence by the formula: output and gradient."""
    heads = [x.reshape(len(x), HEADS, DEPTH).transpose(1, 0, 2) for x in np.split(projected.astype(np.float64), 3, 1)]
    bias = twin.hidden(None, len(projected), len(projected), **options)
    d = dout.astype(np.float64).reshape(len(dout), HEADS, DEPTH).transpose(1, 0, 2)
    out = twin.attention(*heads, bias)
    gradients = twin.attention_backward(d, *heads, bias)[:3]
    return [x.transpose(1, 0, 2).reshape(len(dout), WIDTH) for x in (out, *gradients)]


@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_is_that_of_each_sequence_alone(causal):
    offsets = offsets_of(LENGTHS)
    x, dout = normal(offsets[-1], 3 * WIDTH), normal(offsets[-1], WIDTH, seed=1)
    out, dx = run([x], dout, offsets=offsets, is_causal=causal)
    for begin, end in pairwise(offsets):
        here = slice(begin, end)
        if begin < end:
            wanted = expected(x[here], dout[here], causal=causal)
            assert_close(out[here], wanted[0])
            assert_close(dx[here], np.concatenate(wanted[1:], axis=1))
        alone = run([x[here]], dout[here], offsets=[0, end - begin], is_causal=causal)
        np.testing.assert_array_equal(out[here], alone[0])
        np.testing.assert_array_equal(dx[here], alone[1])


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("cross", [False, True])
def test_bits_are_those_of_the_padded_form(cross, causal, dropout):
    lengths, key_lengths = np.array(LENGTHS), np.array(KEY_LENGTHS if cross else LENGTHS)
    q_offsets, k_offsets = offsets_of(lengths), offsets_of(key_lengths)
    arrays = [normal(q_offsets[-1], WIDTH), normal(k_offsets[-1], 2 * WIDTH, seed=1)]
    dout = normal(q_offsets[-1], WIDTH, seed=2)
    options = {"is_causal": causal, "dropout_p": dropout}
    got = run(arrays, dout, offsets=q_offsets, key_offsets=k_offsets, **options)
    wide = [padded(x, offsets) for x, offsets in zip(arrays, (q_offsets, k_offsets), strict=True)]
    wanted = run(wide, padded(dout, q_offsets), lengths=key_lengths, **options)
    np.testing.assert_array_equal(got[0], packed(wanted[0], lengths))
    assert_close(got[1], packed(wanted[1], lengths))  # keys are not summed in the same parts
    assert_close(got[2], packed(wanted[2], key_lengths))


@pytest.mark.parametrize("rotary", [False, True])
def test_one_projection_is_two_and_three(rotary):
    offsets = offsets_of(LENGTHS)
    x, dout = normal(offsets[-1], 3 * WIDTH), normal(offsets[-1], WIDTH, seed=1)
    q, k, v = np.split(x, 3, axis=1)
    results = [
        run(arrays, dout, offsets=offsets, rotary=rotary, scale=0.3)
        for arrays in ([x], [q, np.concatenate([k, v], axis=1)], [q, k, v])
    ]
    for out, *gradients in results:
        np.testing.assert_array_equal(out, results[0][0])
        np.testing.assert_array_equal(np.concatenate(gradients, axis=1), results[0][1])


def test_rotary_positions_begin_again_in_each_sequence():
    offsets = offsets_of(LENGTHS)
    x, dout = normal(offsets[-1], 3 * WIDTH), normal(offsets[-1], WIDTH, seed=1)
    out, dx = run([x], dout, offsets=offsets, rotary=True)
    for begin, end in pairwise(offsets):
        alone = run([x[None, begin:end]], dout[None, begin:end], rotary=True)
        np.testing.assert_array_equal(out[begin:end], alone[0][0])
        np.testing.assert_array_equal(dx[begin:end], alone[1][0])


def test_bits_do_not_depend_on_threads_or_layout():
    offsets = offsets_of([*LENGTHS, 2100])  # keys of the last one are cut into parts
    x, dout = normal(offsets[-1], 3 * WIDTH), normal(offsets[-1], WIDTH, seed=1)
    locked = x.copy()
    locked.flags.writeable = False
    results = []
    for n_threads, values in ((1, x), (2, np.asfortranarray(x)), (3, locked)):
        with threads(n_threads):
            results.append(run([values], dout, offsets=offsets, is_causal=True, dropout_p=0.1))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    alone = run([x[-2100:]], dout[-2100:], offsets=[0, 2100], is_causal=True)
    among = run([x], dout, offsets=offsets, is_causal=True)
    for a, b in zip(alone, among, strict=True):
        np.testing.assert_array_equal(a, b[-2100:])


def test_weights_of_each_sequence():
    q_offsets, k_offsets = offsets_of(LENGTHS), offsets_of(KEY_LENGTHS)
    q, kv = normal(q_offsets[-1], WIDTH), normal(k_offsets[-1], 2 * WIDTH, seed=1)
    inputs = [Tensor(q), Tensor(kv)]
    weights = packed_attention(inputs, HEADS, offsets=q_offsets, key_offsets=k_offsets, need_weights=True)[1]
    assert [w.shape for w in weights] == [(HEADS, *pair) for pair in zip(LENGTHS, KEY_LENGTHS, strict=True)]
    for b, found in enumerate(weights):
        heads = [
            x[offsets[b] : offsets[b + 1], :WIDTH].reshape(-1, HEADS, DEPTH).transpose(1, 0, 2)
            for x, offsets in ((q, q_offsets), (kv, k_offsets))
        ]
        if found.size:
            assert_close(found, twin.weights(*(x.astype(np.float64) for x in heads)))


def test_empty_batches_and_queries_without_keys():
    out, dx = run([normal(0, 3 * WIDTH)], normal(0, WIDTH), offsets=[0])
    assert out.shape == (0, WIDTH)
    assert dx.shape == (0, 3 * WIDTH)
    assert run([normal(0, 3 * WIDTH)], normal(0, WIDTH), offsets=[0, 0, 0])[0].shape == (0, WIDTH)
    got = run([normal(4, WIDTH), normal(0, 2 * WIDTH)], normal(4, WIDTH), offsets=[0, 4], key_offsets=[0, 0])
    assert not got[0].any()
    assert not got[1].any()
    got = run([normal(0, WIDTH), normal(4, 2 * WIDTH)], normal(0, WIDTH), offsets=[0, 0], key_offsets=[0, 4])
    assert not got[2].any()
    assert packed_attention([Tensor(normal(0, 3 * WIDTH))], HEADS, offsets=[0], need_weights=True)[1] == []


def test_nan_and_huge_values_stay_in_their_sequence():
    offsets = offsets_of([20, 3, 40, 17])
    x, dout = normal(80, 3 * WIDTH), normal(80, WIDTH, seed=1)
    clean = run([x], dout, offsets=offsets)
    x[20:23] = np.nan
    x[30, :WIDTH] = 3e38
    got = run([x], dout, offsets=offsets)
    for a, b in zip(got, clean, strict=True):
        assert np.isnan(a[20:23]).all()
        np.testing.assert_array_equal(a[:20], b[:20])
        np.testing.assert_array_equal(a[63:], b[63:])


BAD_OFFSETS = [
    ([0, 5, 3, 10], ValueError, "rise from 0"),
    ([1, 5, 10], ValueError, "rise from 0"),
    ([-1, 5, 10], ValueError, "rise from 0"),
    ([0, 5, 9], ValueError, "must end with the number of rows, 10, got 9"),
    ([0, 5, 11], ValueError, "must end with the number of rows, 10, got 11"),
    ([], (TypeError, ValueError), "offsets"),
    ([0.0, 10.0], TypeError, "must be integers, got float64"),
    (["0", "10"], TypeError, "must be integers"),
    ([[0, 10]], ShapeError, r"must have shape \(B \+ 1,\)"),
    (np.array(10), ShapeError, r"must have shape \(B \+ 1,\)"),
]


@pytest.mark.parametrize(("offsets", "error", "message"), BAD_OFFSETS)
def test_bad_offsets(offsets, error, message):
    with pytest.raises(error, match=message):
        packed_attention([Tensor(normal(10, 3 * WIDTH))], HEADS, offsets=offsets)
    if isinstance(offsets, list) and len(offsets) > 2:  # the kernel trusts no array that looks checked
        locked = np.array(offsets)
        locked.flags.writeable = False
        with pytest.raises(ValueError, match="offsets"):
            packed_attention([Tensor(normal(10, 3 * WIDTH))], HEADS, offsets=locked)


def test_bad_use():
    x = Tensor(normal(10, 3 * WIDTH))
    with pytest.raises(ValueError, match="neither a mask nor lengths"):
        packed_attention([x], HEADS, np.ones((10, 10), bool), offsets=[0, 10])
    with pytest.raises(ValueError, match="neither a mask nor lengths"):
        packed_attention([x], HEADS, offsets=[0, 10], lengths=[10])
    with pytest.raises(ValueError, match="key_offsets need offsets"):
        packed_attention([x], HEADS, key_offsets=[0, 10])
    with pytest.raises(ShapeError, match="offsets of 2 sequences and key_offsets of 1"):
        packed_attention([x], HEADS, offsets=[0, 5, 10], key_offsets=[0, 10])
    with pytest.raises(ShapeError, match="packed rows have two axes"):
        packed_attention([Tensor(normal(2, 5, 3 * WIDTH))], HEADS, offsets=[0, 10])


def test_bad_projections():
    x = normal(10, 3 * WIDTH)
    for projected, error, message in [
        ([], ValueError, "one, two or three tensors, got 0"),
        ([x[:, :-1]], ShapeError, r"\(10, 71\) do not hold 3 heads"),
        ([x[0]], ShapeError, "do not hold"),
        ([x[:, :WIDTH], x[None, :, WIDTH:]], ShapeError, "do not hold"),
        ([x.astype(np.float64)], TypeError, "float32"),
        ([x.astype(np.int64)], TypeError, "must be float32, got int64"),
        ([x[:, :WIDTH], x[:, WIDTH:-WIDTH], x[:5, :WIDTH]], ShapeError, "do not go together"),
    ]:
        with pytest.raises(error, match=message):
            packed_attention(projected, HEADS, offsets=[0, 10])


def test_offsets_may_change_after_the_forward_pass():
    offsets = np.array([0, 4, 10])
    x, dout = Tensor(normal(10, 3 * WIDTH), requires_grad=True), normal(10, WIDTH, seed=1)
    wanted = run([x.data], dout, offsets=[0, 4, 10])[1]
    out = packed_attention([x], HEADS, offsets=offsets)[0]
    offsets[1] = 9
    out.backward(dout)
    np.testing.assert_array_equal(x.grad, wanted)


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("cross", [False, True])
def test_multihead_attention(cross, rotary):
    manual_seed(0)
    layer = MultiheadAttention(WIDTH, HEADS, batch_first=True, rotary=rotary)
    lengths, key_lengths = np.array(LENGTHS), np.array(KEY_LENGTHS if cross else LENGTHS)
    offsets, key_offsets = offsets_of(lengths), offsets_of(key_lengths)
    x = Tensor(normal(offsets[-1], WIDTH))
    keys = Tensor(normal(key_offsets[-1], WIDTH, seed=1)) if cross else x
    packing = {"offsets": offsets, "key_offsets": key_offsets} if cross else {"offsets": offsets}
    out, weights = layer(x, keys, keys, need_weights=True, is_causal=not cross, **packing)
    q, k = Tensor(padded(x.data, offsets)), Tensor(padded(keys.data, key_offsets))
    k = k if cross else q
    wanted, wanted_weights = layer(q, k, k, need_weights=True, is_causal=not cross, lengths=key_lengths)
    np.testing.assert_array_equal(out.data, packed(wanted.data, lengths))
    for b, found in enumerate(weights):
        assert_close(found.data, wanted_weights.data[b, : lengths[b], : key_lengths[b]])
    whole = layer(x, keys, keys, need_weights=True, average_attn_weights=False, **packing)[1]
    assert whole[3].shape == (HEADS, lengths[3], key_lengths[3])
    with pytest.raises(ValueError, match="neither a mask nor lengths"):
        layer(x, x, x, np.zeros((1, len(x)), bool), offsets=offsets)
