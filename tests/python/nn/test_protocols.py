"""Tensors as numbers, as arrays of NumPy, and their axes: what PyTorch's users expect, or a clear error."""

import copy

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import Tensor
from mlcore.nn import functional as F


def leaf(*values):
    return Tensor(np.float32(values), requires_grad=True)


FUNCTIONS = {
    "asarray": np.asarray,
    "array": np.array,
    "array of several": lambda x: np.array([x, x]),
    "maximum": lambda x: np.maximum(x, 0),
    "sum": np.sum,
    "mean": np.mean,
    "stack": lambda x: np.stack([x, x]),
    "concatenate": lambda x: np.concatenate((x, np.ones(1, np.float32))),
    "where": lambda x: np.where([True, False, True], x, 0),
    "dot": lambda x: np.dot(x, x),
    "einsum": lambda x: np.einsum("i,i->", x, x),
    "clip": lambda x: np.clip(x, 0, 1),
    "tanh": np.tanh,
    "reduce": np.add.reduce,
    "in place": lambda x: np.add(x, 1, out=np.zeros(3, np.float32)),
    "as an exponent": lambda x: np.float32([1, 2, 3]) ** x,
    "norm": np.linalg.norm,
    "float64": lambda x: np.asarray(x, np.float64),
}

CALLS = {
    "sum": lambda x, d: x.sum(d),
    "sum of several": lambda x, d: x.sum((0, d)),
    "mean": lambda x, d: x.mean(d),
    "max": lambda x, d: x.max(d).values,
    "min": lambda x, d: x.min(d).values,
    "argmax": lambda x, d: x.argmax(d),
    "argmin": lambda x, d: x.argmin(d),
    "prod": lambda x, d: x.prod(d),
    "cumsum": lambda x, d: x.cumsum(d),
    "var": lambda x, d: x.var(d),
    "std": lambda x, d: x.std(d),
    "any": lambda x, d: x.any(d),
    "all": lambda x, d: x.all(d),
    "squeeze": lambda x, d: x.squeeze(d),
    "transpose": lambda x, d: x.transpose(0, d),
    "permute": lambda x, d: x.permute(0, 1, d),
    "flatten": lambda x, d: x.flatten(0, d),
    "gather": lambda x, d: x.gather(d, np.zeros((1, 1, 1), int)),
    "softmax": lambda x, d: F.softmax(x, d),
    "log_softmax": lambda x, d: F.log_softmax(x, d),
    "logsumexp": lambda x, d: F.logsumexp(x, d),
    "concatenate": lambda x, d: nn.concatenate([x, x], d),
}


class TestNumbers:
    def test_one_entry_is_a_number(self):
        t = Tensor(np.float32(1.5))
        assert (float(t), int(t), bool(t), f"{t:.3f}", f"{t}", t.item()) == (1.5, 1, True, "1.500", "1.5", 1.5)
        assert f"{Tensor(np.float32([2.25])):6.1f}" == "   2.2"
        assert f"{Tensor(np.int64(7)):04d}" == "0007"
        assert not Tensor(np.zeros((1, 1), np.float32))
        assert float(leaf(2.5)) == 2.5  # with a gradient too
        assert [10, 20, 30][Tensor(np.int64(1))] == 20
        assert list(range(Tensor(np.int64(2)))) == [0, 1]

    def test_several_are_none(self):
        for t in (Tensor(np.zeros(2, np.float32)), Tensor(np.zeros(0, np.float32))):
            with pytest.raises(RuntimeError, match="truth value"):
                bool(t)
            for convert in (float, int, Tensor.item):
                with pytest.raises(ValueError, match="is no number"):
                    convert(t)
            with pytest.raises(TypeError):
                f"{t:.2f}"
        with pytest.raises(TypeError, match="only one integer"):
            [1, 2][Tensor(np.float32(1))]
        with pytest.raises(TypeError, match="no len"):
            len(Tensor(np.float32(1)))
        with pytest.raises(TypeError, match="iterated over"):
            iter(Tensor(np.float32(1)))

    def test_comparisons_go_entry_by_entry(self):
        a, b = leaf(1, 2, 3), leaf(3, 2, 1)
        for got, right in (
            (a == b, [False, True, False]),
            (a != b, [True, False, True]),
            (a < b, [True, False, False]),
            (a <= 2, [True, True, False]),
            (a > 2, [False, False, True]),
            (a >= np.float32([1, 5, 3]), [True, False, True]),
            (np.float32([1, 5, 3]) == a, [True, False, True]),
            (np.float32([1, 5, 3]) < a, [False, False, False]),
        ):
            assert isinstance(got, Tensor)
            assert (got.data.tolist(), got.dtype, got.requires_grad) == (right, np.bool_, False)
        assert ((a > 1) & ~(a > 2)).data.tolist() == [False, True, False]
        assert ((a == 1) | (a == 3)).sum().item() == 2
        assert 2 in a
        assert 7 not in a
        with pytest.raises(nn.ShapeError, match=r"\(3,\) and \(2,\)"):
            a == leaf(1, 2)  # noqa: B015
        with pytest.raises(TypeError, match="of bool"):
            a & b

    def test_what_is_no_number_is_not_equal(self):
        a = leaf(1)
        assert (a == None, a != None, a == "x") == (False, True, False)  # noqa: E711

    def test_hash_stays_identity(self):
        a, b = leaf(1, 2), leaf(1, 2)
        assert {a: 1, b: 2}[a] == 1
        assert len({a, b, a}) == 2
        net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        nn.optim.Adam(net.parameters()).step()
        assert len(list(copy.deepcopy(net).parameters())) == 4


class TestNumpy:
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_no_gradient_is_lost_in_silence(self, name):
        for x in (leaf(1, 2, 3), leaf(1, 2, 3) * 2):
            with pytest.raises(RuntimeError, match="would lose it"):
                FUNCTIONS[name](x)
            FUNCTIONS[name](x.detach())  # without one it is an array

    def test_an_array_does_not_swallow_a_tensor_in_place(self):
        a = np.ones(3, np.float32)
        with pytest.raises(RuntimeError, match="would lose it"):
            a += leaf(1, 2, 3)
        np.testing.assert_array_equal(a, 1)

    @pytest.mark.parametrize(
        ("call", "slope"),
        [
            (np.exp, np.exp([1.0, 2, 3])),
            (np.log, [1, 1 / 2, 1 / 3]),
            (np.sqrt, 0.5 / np.sqrt([1.0, 2, 3])),
            (np.negative, [-1, -1, -1]),
            (lambda x: np.multiply(x, 3), [3, 3, 3]),
            (lambda x: np.float32([1, 2, 3]) * x, [1, 2, 3]),
            (lambda x: np.float32([1, 2, 3]) - x, [-1, -1, -1]),
            (lambda x: np.float64(2) * x, [2, 2, 2]),
            (lambda x: np.float32([1, 2, 3]) @ x, [1, 2, 3]),
        ],
    )
    def test_what_has_an_operation_is_recorded(self, call, slope):
        x = leaf(1, 2, 3)
        call(x).sum().backward()
        np.testing.assert_allclose(x.grad, slope, rtol=1e-6)

    def test_looking_is_allowed_and_writing_is_not(self):
        x = leaf(1, 2, 3)
        assert (np.shape(x), np.ndim(x), np.size(x)) == ((3,), 1, 3)
        t = Tensor(np.zeros(3, np.float32))
        with pytest.raises(ValueError, match="read-only"):
            np.copyto(t, 1)
        with pytest.raises(ValueError, match="read-only"):
            np.exp(np.ones(3, np.float32), out=t)

    def test_scikit_learn_takes_tensors_without_a_gradient(self):
        from sklearn.linear_model import Ridge
        from sklearn.metrics import accuracy_score

        x = Tensor(np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32))
        assert Ridge().fit(x, Tensor(np.arange(20))).predict(x).shape == (20,)
        assert accuracy_score(Tensor(np.arange(3)), Tensor(np.arange(3))) == 1
        with pytest.raises(RuntimeError, match="would lose it"):
            Ridge().fit(Tensor(x, requires_grad=True), np.arange(20))


class TestAxes:
    X = np.zeros((2, 1, 3), np.float32)

    @pytest.mark.parametrize("name", CALLS)
    def test_out_of_range_is_an_error(self, name):
        call, x = CALLS[name], Tensor(self.X)
        for d in (3, -4, 10**6):
            with pytest.raises(IndexError):
                call(x, d)
            with pytest.raises(nn.ShapeError):
                call(x, d)
        with pytest.raises(TypeError):
            call(x, 1.5)
        np.testing.assert_array_equal(call(x, np.int64(2)).data, call(x, 2).data)
        np.testing.assert_array_equal(call(x, np.int32(-1)).data, call(x, -1).data)

    def test_new_axes(self):
        x = Tensor(self.X)
        first, last = (1, 2, 1, 3), (2, 1, 3, 1)
        assert [x.unsqueeze(d).shape for d in (0, 3, -1, -4)] == [first, last, last, first]
        assert nn.stack([x, x], np.int64(3)).shape == (2, 1, 3, 2)
        for call in (x.unsqueeze, lambda d: nn.stack([x, x], d)):
            for d in (4, -5):
                with pytest.raises(IndexError, match="dim"):
                    call(d)

    def test_shapes(self):
        x = Tensor(self.X)
        assert (x.squeeze().shape, x.squeeze((0, 1)).shape) == ((2, 3), (2, 3))
        assert x.reshape(np.int64(3), np.int64(2)).shape == x.reshape(np.array([3, 2])).shape == (3, 2)
        assert x.reshape(6).shape == x.reshape(np.int64(6)).shape == (6,)
        assert x.expand(-1, 4, -1).shape == (2, 4, 3)
        with pytest.raises(nn.ShapeError, match="comes twice"):
            x.sum((0, -3))
        with pytest.raises(nn.ShapeError, match="comes after"):
            x.flatten(2, 1)

    def test_a_tensor_without_axes_is_taken_to_have_one(self):
        x = Tensor(np.float32(3))
        assert (x.sum(0).item(), x.mean(-1).item(), x.cumsum(0).item(), x.flatten().shape) == (3, 3, 3, (1,))
        with pytest.raises(IndexError, match="dim 1"):
            x.sum(1)
