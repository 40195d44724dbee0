"""linear: the product fused with bias, residual and activation, against plain NumPy in float64."""

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import functional as F
from twins.nn import assert_close, finite_difference_check
from twins.nn.linear import ACTIVATIONS, linear_backward, linear_forward


def problem(shape=(3, 7), n_out=5, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=shape), rng.normal(size=(n_out, shape[-1]))
    b, r = rng.normal(size=n_out), rng.normal(size=(*shape[:-1], n_out))
    return [a.astype(dtype) for a in (x, w, b, r)]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_of_the_twin(activation):
    finite_difference_check(
        lambda *p: linear_forward(*p, activation), lambda dy, *p: linear_backward(dy, *p, activation), problem()
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("shape", "n_out"), [((3, 7), 5), ((2, 9, 33), 47), ((1, 1), 1), ((130, 40), 34)], ids=str)
def test_against_the_twin(activation, shape, n_out):
    arrays = problem(shape, n_out, np.float32)
    x, w, b, r = (nn.Tensor(a, requires_grad=True) for a in arrays)
    y = F.linear(x, w, b, activation=activation, residual=r)
    assert_close(y.data, linear_forward(*(a.astype(float) for a in arrays), activation))
    dy = np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
    y.backward(dy)
    for tensor, expected in zip(
        (x, w, b, r), linear_backward(dy.astype(float), *(a.astype(float) for a in arrays), activation), strict=True
    ):
        assert_close(tensor.grad, expected, 2e-5)


def test_parts_that_are_left_out():
    x, w, b, r = (nn.Tensor(a, requires_grad=True) for a in problem(dtype=np.float32))
    assert_close(F.linear(x, w).data, x.data @ w.data.T)
    F.linear(x, w, residual=r).sum().backward()
    np.testing.assert_array_equal(r.grad, np.ones(r.shape))
    assert b.grad is None
    y = F.linear(x.detach(), w.detach(), b)
    y.sum().backward()
    assert_close(b.grad, np.full(5, 3.0))


def test_batches_of_no_rows():
    w = nn.Tensor(np.ones((5, 7), np.float32), requires_grad=True)
    y = F.linear(np.zeros((0, 7), np.float32), w)
    assert y.shape == (0, 5)
    y.sum().backward()
    np.testing.assert_array_equal(w.grad, np.zeros((5, 7)))


def test_wrong_shapes_say_both():
    x, w, b, r = problem(dtype=np.float32)
    with pytest.raises(nn.ShapeError, match=r"\(3, 6\).*\(5, 7\)"):
        F.linear(x[:, :6], w)
    with pytest.raises(nn.ShapeError, match=r"bias of shape \(4,\).*\(5, 7\)"):
        F.linear(x, w, b[:4])
    with pytest.raises(nn.ShapeError, match=r"residual of shape \(3, 4\).*\(3, 5\)"):
        F.linear(x, w, residual=r[:, :4])
    with pytest.raises(ValueError, match="activation must be"):
        F.linear(x, w, activation="swish")


def test_same_bits_for_any_number_of_threads():
    results = []
    for n in (1, 2, 3):
        with nn.threads(n):
            x, w, b, r = (nn.Tensor(a, requires_grad=True) for a in problem((400, 90), 130, np.float32))
            F.linear(x, w, b, activation="gelu", residual=r).sum().backward()
            results.append([t.grad for t in (x, w, b, r)])
    for others in zip(*results, strict=True):
        for other in others[1:]:
            np.testing.assert_array_equal(other, others[0])


@pytest.mark.peers
@pytest.mark.parametrize("activation", ["identity", "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid", "softplus"])
def test_as_in_pytorch(activation):
    torch = pytest.importorskip("torch")
    theirs = {
        "identity": lambda z: z,
        "gelu_tanh": lambda z: torch.nn.functional.gelu(z, approximate="tanh"),
        **{
            name: getattr(torch.nn.functional, name) for name in ("relu", "gelu", "silu", "tanh", "sigmoid", "softplus")
        },
    }[activation]
    arrays = problem((4, 6, 300), 70, np.float32)
    ours = [nn.Tensor(a, requires_grad=True) for a in arrays]
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = F.linear(*ours[:3], activation=activation, residual=ours[3])
    z = theirs(torch.nn.functional.linear(*tensors[:3]) + tensors[3])
    assert_close(y.data, z.detach().numpy())
    y.sum().backward()
    z.sum().backward()
    for tensor, other in zip(ours, tensors, strict=True):
        assert_close(tensor.grad, other.grad.numpy())


def test_no_inputs_give_the_bias():
    y = F.linear(np.zeros((2, 0), np.float32), np.zeros((3, 0), np.float32), np.float32([1, 2, 3]))
    np.testing.assert_array_equal(y.data, [[1, 2, 3], [1, 2, 3]])


def test_arrays_that_are_not_aligned_are_refused():
    x = np.zeros(4 * 6 + 1, np.uint8)[1:].view(np.float32).reshape(2, 3)
    with pytest.raises(ValueError, match="aligned"):
        F.linear(x, np.zeros((3, 3), np.float32))
