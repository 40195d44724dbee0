"""Layer norm and RMS norm against their formulas."""

import numpy as np
import pytest

from mlcore.nn._runtime import threads
from mlcore.nn.functional._norm import layer_norm, rms_norm
from mlcore.nn.layers._norm import LayerNorm, RMSNorm
from mlcore.nn.tensor import ShapeError, Tensor
from twins.nn import assert_close, finite_difference_check
from twins.nn import norm as twin

SIZES = [1, 2, 7, 15, 16, 17, 31, 33, 64, 65, 768, 5000]


def normal(*shape, seed=0, shift=0.0):
    return (shift + np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


@pytest.mark.parametrize("centered", [True, False])
def test_twin_has_the_right_gradients(centered):
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(4, 6)), rng.normal(size=6), rng.normal(size=6)]
    finite_difference_check(
        lambda x, w, b: twin.layer_norm(x, w, b, 1e-3, centered),
        lambda dy, x, w, b: twin.layer_norm_backward(dy, x, w, b, 1e-3, centered)[:3],
        inputs,
    )


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("centered", [True, False])
def test_against_twin(n, centered):
    for m in (1, 3, 67):
        x, w, b, dy = normal(m, n, shift=1.0), normal(n, seed=1), normal(n, seed=2), normal(m, n, seed=3)
        tensors = [Tensor(a, requires_grad=True) for a in ((x, w, b) if centered else (x, w))]
        y = layer_norm(tensors[0], n, *tensors[1:], 1e-3) if centered else rms_norm(tensors[0], n, tensors[1], 1e-3)
        y.backward(dy)
        wide = [a.astype(np.float64) for a in (x, w, b if centered else 0 * b)]
        assert_close(y.data, twin.layer_norm(*wide, 1e-3, centered))
        expected = twin.layer_norm_backward(dy, *wide, 1e-3, centered)
        for t, gradient in zip(tensors, expected, strict=False):
            assert_close(t.grad, gradient)


def test_a_mean_far_from_zero_costs_no_accuracy():
    x = normal(3, 640, shift=1e4)
    wide = x.astype(np.float64)
    assert_close(layer_norm(x, 640).data, twin.layer_norm(wide, 1, 0, 1e-5), 2e-3)


def test_several_axes_and_missing_parameters():
    x, dy = normal(2, 3, 4, 5), normal(2, 3, 4, 5, seed=1)
    for affine, bias in ((True, True), (True, False), (False, False)):
        layer = LayerNorm((4, 5), elementwise_affine=affine, bias=bias)
        assert list(layer.state_dict()) == ["weight"] * affine + ["bias"] * (affine and bias)
        t = Tensor(x, requires_grad=True)
        layer(t).backward(dy)
        flat = x.reshape(6, 20).astype(np.float64)
        dx, dw, db = twin.layer_norm_backward(dy.reshape(6, 20), flat, np.ones(20), 0, 1e-5)[:3]
        assert_close(t.grad, dx.reshape(x.shape))
        if affine:
            assert_close(layer.weight.grad, dw.reshape(4, 5))
        if bias:
            assert_close(layer.bias.grad, db.reshape(4, 5))
    frozen = RMSNorm(5)
    frozen.requires_grad_(False)
    t = Tensor(x, requires_grad=True)
    frozen(t).backward(dy)
    assert frozen.weight.grad is None
    assert_close(t.grad, twin.layer_norm_backward(dy, x.astype(np.float64), np.ones(5), 0, 2**-23, False)[0])


def test_constant_rows_are_finite():
    t = Tensor(np.full((2, 8), 3, np.float32), requires_grad=True)
    y = layer_norm(t, 8)
    y.backward(normal(2, 8))
    assert not y.data.any()
    assert np.isfinite(t.grad).all()


def test_same_bits_for_any_number_of_threads():
    x, w, b, dy = normal(1001, 96), normal(96, seed=1), normal(96, seed=2), normal(1001, 96, seed=3)
    results = []
    for n in (1, 2, 3):
        with threads(n):
            tensors = [Tensor(a, requires_grad=True) for a in (x, w, b)]
            layer_norm(tensors[0], 96, *tensors[1:]).backward(dy)
            results.append([t.grad.tobytes() for t in tensors])
    assert results[0] == results[1] == results[2]


def test_large_arrays_are_stored_past_the_caches_with_the_same_bits():
    x, w, dy = normal(8193, 512), normal(512, seed=1), normal(8193, 512, seed=2)  # just above 16 MiB
    whole = Tensor(x, requires_grad=True)
    y = layer_norm(whole, 512, w)
    y.backward(dy)
    for rows in (slice(0, 3), slice(4000, 4100), slice(8100, None)):
        part = Tensor(x[rows], requires_grad=True)
        z = layer_norm(part, 512, w)
        z.backward(dy[rows])
        assert np.array_equal(y.data[rows], z.data)
        assert np.array_equal(whole.grad[rows], part.grad)


def test_bad_input():
    with pytest.raises(ShapeError, match=r"LayerNorm.*\(2, 3\).*\(4,\)"):
        LayerNorm(4)(normal(2, 3))
    with pytest.raises(ShapeError, match=r"weight of layer_norm has shape \(4,\)"):
        layer_norm(normal(2, 3), 3, normal(4))
    with pytest.raises(ShapeError, match="normalized_shape"):
        LayerNorm(0)
    with pytest.raises(TypeError, match="float32"):
        layer_norm(np.arange(4), 4)
    with pytest.raises(ValueError, match="epsilon"):
        layer_norm(normal(2, 3), 3, eps=-1.0)
    assert layer_norm(normal(0, 3), 3).shape == (0, 3)


def test_changed_input_is_noticed():
    t, w = Tensor(normal(2, 3)), Tensor(normal(3), requires_grad=True)
    y = layer_norm(t, 3, w)
    t.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward(normal(2, 3))
