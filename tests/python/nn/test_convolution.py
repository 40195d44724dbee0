"""Convolution, pooling and batch norm against their twins, and the twins against finite differences."""

from typing import Any

import numpy as np
import pytest

from mlcore.nn._runtime import manual_seed, threads
from mlcore.nn.functional._batch_norm import batch_norm
from mlcore.nn.functional._convolution import conv1d, conv2d
from mlcore.nn.functional._pooling import adaptive_avg_pool2d, avg_pool1d, avg_pool2d, max_pool1d, max_pool2d
from mlcore.nn.layers._batch_norm import BatchNorm1d, BatchNorm2d
from mlcore.nn.layers._convolution import Conv1d, Conv2d
from mlcore.nn.layers._pooling import AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
from mlcore.nn.tensor import ShapeError, Tensor
from twins.nn import assert_close, finite_difference_check
from twins.nn import convolution as twin

# (x shape, w shape, stride, padding, dilation, groups)
CASES = [
    ((2, 3, 5, 6), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((3, 1, 8, 8), (16, 1, 3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((2, 3, 16, 17), (15, 3, 5, 2), (2, 3), (2, 0), (1, 1), 1),
    ((2, 4, 9, 11), (6, 2, 3, 3), (1, 2), (2, 1), (2, 3), 2),
    ((2, 6, 10, 40), (6, 1, 3, 3), (2, 1), (1, 1), (1, 2), 6),
    ((2, 3, 7, 7), (12, 1, 3, 3), (1, 1), (1, 1), (1, 1), 3),
    ((4, 33, 4, 4), (31, 33, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 5, 7, 9), (3, 5, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((1, 2, 1, 600), (3, 2, 1, 7), (1, 1), (0, 3), (1, 1), 1),
    ((1, 1, 1, 1), (1, 1, 1, 1), (1, 1), (0, 0), (1, 1), 1),
]


def leaf(shape: Any, seed: int = 0) -> Tensor:
    """A random tensor that requires a gradient."""
    return Tensor(np.random.default_rng(seed).normal(size=shape).astype(np.float32), requires_grad=True)


def wide(*tensors: Tensor) -> list[Any]:
    """The values in float64."""
    return [t.data.astype(np.float64) for t in tensors]


class TestTwins:
    """Gradients of the twins are those of finite differences."""

    @pytest.mark.parametrize("case", CASES[:6])
    def test_convolution(self, case: Any) -> None:
        x_shape, w_shape, *options = case
        x, w, b = wide(leaf(x_shape), leaf(w_shape, 1), leaf(w_shape[0], 2))
        finite_difference_check(
            lambda x, w, b: twin.convolution(x, w, b, *options),
            lambda dy, x, w, b: twin.convolution_backward(dy, x, w, *options),
            [x, w, b],
        )

    def test_pooling(self) -> None:
        x = wide(leaf((2, 3, 7, 8)))
        window = ((3, 2), (2, 1), (1, 1))
        finite_difference_check(
            lambda x: twin.max_pool(x, *window, (1, 2)),
            lambda dy, x: [twin.max_pool_backward(dy, x, *window, (1, 2))],
            x,
        )
        finite_difference_check(
            lambda x: twin.average_pool(x, *window), lambda dy, x: [twin.average_pool_backward(dy, x, *window)], x
        )

    @pytest.mark.parametrize("shape", [(5, 3), (4, 3, 5), (2, 3, 4, 2)])
    def test_batch_norm(self, shape: Any) -> None:
        inputs = wide(leaf(shape), leaf(3, 1), leaf(3, 2))
        finite_difference_check(
            lambda x, w, b: twin.batch_norm(x, w, b, 1e-3),
            lambda dy, x, w, b: twin.batch_norm_backward(dy, x, w, 1e-3),
            inputs,
        )


class TestConvolution:
    @pytest.mark.parametrize("case", CASES)
    def test_values_and_gradients(self, case: Any) -> None:
        x_shape, w_shape, *options = case
        x, w, b = leaf(x_shape), leaf(w_shape, 1), leaf(w_shape[0], 2)
        y = conv2d(x, w, b, *options)
        assert_close(y.data, twin.convolution(*wide(x, w, b), *options))
        dy = leaf(y.shape, 3)
        y.backward(dy)
        expected = twin.convolution_backward(*wide(dy, x, w), *options)
        for got, want in zip((x.grad, w.grad, b.grad), expected, strict=True):
            assert_close(got, want)

    @pytest.mark.parametrize("case", CASES[:6])
    def test_same_bits_for_any_number_of_threads(self, case: Any) -> None:
        x_shape, w_shape, *options = case
        x_shape = (40, *x_shape[1:])
        results = []
        for n in (1, 2, 3):
            x, w, b = leaf(x_shape), leaf(w_shape, 1), leaf(w_shape[0], 2)
            with threads(n):
                y = conv2d(x, w, b, *options)
                y.backward(leaf(y.shape, 3))
            results.append([a.tobytes() for a in (y.data, x.grad, w.grad, b.grad)])
        assert results[0] == results[1] == results[2]

    def test_conv1d_is_conv2d_of_one_row(self) -> None:
        x, w = leaf((2, 4, 19)), leaf((6, 2, 3), 1)
        y = conv1d(x, w, None, 2, 1, 2, 2)
        flat = conv2d(x.data[:, :, None], w.data[:, :, None], None, (1, 2), (0, 1), (1, 2), 2)
        np.testing.assert_array_equal(y.data, flat.data[:, :, 0])
        y.backward(leaf(y.shape, 2))
        assert x.grad.shape == x.shape
        assert w.grad.shape == w.shape

    def test_without_batch(self) -> None:
        x, w = leaf((3, 8, 8)), leaf((4, 3, 3, 3), 1)
        y = conv2d(x, w)
        assert y.shape == (4, 6, 6)
        np.testing.assert_array_equal(y.data, conv2d(x.data[None], w).data[0])
        y.backward(leaf(y.shape, 2))
        assert x.grad.shape == (3, 8, 8)

    @pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (4, 1), (2, 3), (1, 1)])
    def test_padding_same_keeps_the_size(self, kernel: int, dilation: int) -> None:
        x, w = leaf((2, 3, 9)), leaf((2, 3, kernel), 1)
        y = conv1d(x, w, padding="same", dilation=dilation)
        total = dilation * (kernel - 1)
        by_hand = np.pad(x.data, ((0, 0), (0, 0), (total // 2, total - total // 2)))
        assert y.shape == (2, 2, 9)
        np.testing.assert_array_equal(y.data, conv1d(by_hand, w, dilation=dilation).data)
        y.backward(leaf(y.shape, 2))
        assert x.grad.shape == x.shape

    @pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu", "silu"])
    def test_activation(self, activation: str) -> None:
        from mlcore._native import core

        x, w, b = leaf((2, 2, 5, 5)), leaf((3, 2, 3, 3), 1), leaf(3, 2)
        z = conv2d(x.data, w.data, b.data)
        y = conv2d(x, w, b, activation=activation)
        plain = core.nn.activation(z.data, activation=activation, n_threads=1)
        np.testing.assert_array_equal(y.data, plain)
        dy = leaf(y.shape, 3).data
        y.backward(dy)
        saved = plain if activation in ("relu", "tanh", "sigmoid") else z.data
        dz = core.nn.activation_backward(saved, dy, activation=activation, n_threads=1)
        assert_close(x.grad, twin.convolution_backward(*wide(Tensor(dz), x, w), (1, 1), (0, 0), (1, 1), 1)[0])

    def test_only_wanted_gradients(self) -> None:
        x, w = leaf((2, 2, 5, 5)), leaf((3, 2, 3, 3), 1)
        frozen = Tensor(x.data)
        conv2d(frozen, w).backward(np.ones((2, 3, 3, 3), np.float32))
        assert frozen.grad is None
        assert w.grad is not None

    def test_strided_input(self) -> None:
        x, w = leaf((5, 7, 3, 2)), leaf((4, 3, 3, 3), 1)
        channels_last = x.data.transpose(3, 2, 0, 1)
        got = conv2d(channels_last, w).data
        np.testing.assert_array_equal(got, conv2d(np.ascontiguousarray(channels_last), w).data)

    def test_bad_input(self) -> None:
        x, w = leaf((2, 3, 8, 8)), leaf((4, 3, 3, 3), 1)
        with pytest.raises(ShapeError, match=r"\(2, 3, 8, 8\) has 3 channels, weight of shape \(4, 2, 3, 3\)"):
            conv2d(x, leaf((4, 2, 3, 3)))
        with pytest.raises(ShapeError, match="larger than the input"):
            conv2d(leaf((2, 3, 2, 2)), w)
        with pytest.raises(ShapeError, match="empty axis"):
            conv2d(np.empty((2, 3, 0, 8), np.float32), w)
        with pytest.raises(ShapeError, match="must be"):
            conv2d(leaf((3, 8)), w)
        with pytest.raises(ShapeError, match="bias of shape"):
            conv2d(x, w, leaf(5))
        with pytest.raises(TypeError, match="float64"):
            conv2d(np.zeros((2, 3, 8, 8)), w)
        for options, match in (
            ({"stride": 0}, "stride must be at least 1"),
            ({"padding": -1}, "padding must be at least 0"),
            ({"dilation": (1, 0)}, "dilation"),
            ({"stride": (1, 2, 3)}, "stride must be an int or 2"),
            ({"groups": 3}, "groups must divide"),
            ({"padding": "full"}, "padding must be"),
            ({"padding": "same", "stride": 2}, "stride of 1"),
            ({"stride": 2**40}, "stride must be in"),
            ({"activation": "swish2"}, "swish2"),
        ):
            with pytest.raises(ValueError, match=match):
                conv2d(x, w, **options)

    def test_huge_padding_is_out_of_memory(self) -> None:
        with pytest.raises(MemoryError):
            conv2d(leaf((1, 1, 2, 2)), leaf((4, 1, 1, 1)), padding=2**30)

    def test_change_in_place_and_second_backward(self) -> None:
        x, w = leaf((1, 1, 4, 4)), leaf((1, 1, 2, 2), 1)
        y = conv2d(x, w)
        x._version.n_changes += 1
        with pytest.raises(RuntimeError, match="changed in place"):
            y.backward(np.ones(y.shape, np.float32))
        y = conv2d(x, w)
        y.backward(np.ones(y.shape, np.float32))
        with pytest.raises(RuntimeError, match="a second time"):
            y.backward(np.ones(y.shape, np.float32))


class TestPooling:
    @pytest.mark.parametrize("size", [(4, 4), (7, 9), (16, 34)])
    @pytest.mark.parametrize(
        ("kernel", "stride", "padding", "dilation"),
        [(2, 2, 0, 1), (3, 2, 1, 1), ((2, 3), (1, 2), (1, 0), (2, 1)), (1, 3, 0, 1)],
    )
    def test_values_and_gradients(self, size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> None:
        pairs = [v if isinstance(v, tuple) else (v, v) for v in (kernel, stride, padding, dilation)]
        x = leaf((3, 2, *size))
        y = max_pool2d(x, kernel, stride, padding, dilation)
        np.testing.assert_array_equal(y.data, twin.max_pool(x.data, *pairs))
        dy = leaf(y.shape, 1)
        y.backward(dy)
        assert_close(x.grad, twin.max_pool_backward(*wide(dy, x), *pairs))
        x.zero_grad()
        y = avg_pool2d(x, kernel, stride, padding)
        assert_close(y.data, twin.average_pool(*wide(x), *pairs[:3]))
        dy = leaf(y.shape, 1)
        y.backward(dy)
        assert_close(x.grad, twin.average_pool_backward(*wide(dy, x), *pairs[:3]))

    def test_along_one_axis(self) -> None:
        x = leaf((3, 2, 11))
        for pool, flat in ((max_pool1d, max_pool2d), (avg_pool1d, avg_pool2d)):
            y = pool(x, 3, 2, 1)
            np.testing.assert_array_equal(y.data, flat(x.data[:, :, None], (1, 3), (1, 2), (0, 1)).data[:, :, 0])
            y.backward(np.ones(y.shape, np.float32))
        assert max_pool1d(x.data[0], 3).shape == (2, 3)

    def test_ceil_mode_and_divisors(self) -> None:
        x = np.arange(7, dtype=np.float32).reshape(1, 1, 7)
        assert max_pool1d(x, 2, 2).shape == (1, 1, 3)
        np.testing.assert_array_equal(max_pool1d(x, 2, 2, ceil_mode=True).data[0, 0], [1, 3, 5, 6])
        np.testing.assert_array_equal(avg_pool1d(x, 2, 2, ceil_mode=True).data[0, 0], [0.5, 2.5, 4.5, 6])
        np.testing.assert_array_equal(avg_pool1d(x, 2, 2, 1).data[0, 0], [0, 1.5, 3.5, 5.5])
        padded = avg_pool1d(x + 1, 2, 2, 1, count_include_pad=False)
        np.testing.assert_array_equal(padded.data[0, 0], [1, 2.5, 4.5, 6.5])

    @pytest.mark.parametrize("out", [(1, 1), (3, 4), (7, 5), (9, 9)])
    def test_adaptive(self, out: Any) -> None:
        x = leaf((2, 3, 7, 5))
        y = adaptive_avg_pool2d(x, out)
        assert_close(y.data, twin.adaptive_average_pool(wide(x)[0], out))
        dy = leaf(y.shape, 1)
        y.backward(dy)
        step = np.random.default_rng(5).normal(size=x.shape)
        moved = twin.adaptive_average_pool(step, out)  # it is linear
        assert np.sum(x.grad * step) == pytest.approx(np.sum(dy.data * moved), rel=1e-4)
        assert adaptive_avg_pool2d(x, (None, 2)).shape == (2, 3, 7, 2)

    @pytest.mark.parametrize("kernel", [2, 3])
    def test_nan_and_infinities(self, kernel: int) -> None:
        x = np.full((1, 1, 6, 6), -np.inf, np.float32)
        x[0, 0, 1, 1], x[0, 0, 3, 3] = np.nan, np.inf
        t = Tensor(x, requires_grad=True)
        y = max_pool2d(t, kernel)
        np.testing.assert_array_equal(y.data, twin.max_pool(x, *[(kernel, kernel)] * 2, (0, 0), (1, 1)))
        y.backward(np.ones(y.shape, np.float32))
        assert t.grad.sum() == y.size
        assert t.grad[0, 0, 1, 1] == 1

    def test_same_bits_for_any_number_of_threads(self) -> None:
        results = []
        for n in (1, 2, 3):
            x = leaf((40, 8, 17, 16))
            with threads(n):
                for pool in (max_pool2d, avg_pool2d):
                    y = pool(x, 3, 2, 1)
                    y.backward(leaf(y.shape, 1))
            results.append((y.data.tobytes(), x.grad.tobytes()))
        assert results[0] == results[1] == results[2]

    def test_bad_input(self) -> None:
        x = leaf((2, 3, 8, 8))
        with pytest.raises(ShapeError, match="smaller than a window"):
            max_pool2d(x, 9)
        with pytest.raises(ShapeError, match="must be"):
            avg_pool2d(leaf((8, 8)), 2)
        with pytest.raises(ShapeError, match="empty axis"):
            max_pool1d(np.empty((2, 3, 0), np.float32), 2)
        with pytest.raises(ValueError, match="more than half"):
            max_pool2d(x, 2, padding=2)
        with pytest.raises(ValueError, match="kernel_size"):
            avg_pool2d(x, 0)
        with pytest.raises(ValueError, match="output_size"):
            adaptive_avg_pool2d(x, 0)
        with pytest.raises(ValueError, match="lies outside"):
            max_pool1d(leaf((1, 1, 1)), 2, padding=2, dilation=4)


class TestBatchNorm:
    @pytest.mark.parametrize("shape", [(6, 3), (300, 17), (5, 3, 1), (4, 5, 7), (3, 2, 70, 70), (33, 4, 5, 6)])
    @pytest.mark.parametrize("shift", [0.0, 100.0])
    def test_values_and_gradients(self, shape: Any, shift: float) -> None:
        x, w, b = leaf(shape), leaf(shape[1], 1), leaf(shape[1], 2)
        x.data += np.float32(shift)
        y = batch_norm(x, None, None, w, b, training=True)
        assert_close(y.data, twin.batch_norm(*wide(x, w, b), 1e-5), 2e-5)
        dy = leaf(shape, 3)
        y.backward(dy)
        tolerance = 1e-4 if shift else 3e-5  # x - mean has lost as many bits
        for got, want in zip((x.grad, w.grad, b.grad), twin.batch_norm_backward(*wide(dy, x, w), 1e-5), strict=True):
            assert_close(got, want, tolerance)

    def test_running_statistics(self) -> None:
        layer = BatchNorm2d(3)
        batches = [leaf((4, 3, 5, 5), seed).data for seed in range(3)]
        mean, variance = np.zeros(3), np.ones(3)
        for batch in batches:
            layer(batch)
            mean = 0.9 * mean + 0.1 * batch.mean(axis=(0, 2, 3))
            variance = 0.9 * variance + 0.1 * batch.var(axis=(0, 2, 3), ddof=1)
        assert_close(layer.running_mean, mean)
        assert_close(layer.running_var, variance)
        assert layer.num_batches_tracked == 3
        y = layer.eval()(batches[0])
        expected = (batches[0] - mean[:, None, None]) / np.sqrt(variance + 1e-5)[:, None, None]
        assert_close(y.data, expected)
        y.backward(np.ones(y.shape, np.float32))
        assert layer.num_batches_tracked == 3
        assert sorted(layer.state_dict()) == ["bias", "num_batches_tracked", "running_mean", "running_var", "weight"]
        other = BatchNorm2d(3)
        other.load_state_dict(layer.state_dict())
        np.testing.assert_array_equal(other.eval()(batches[0]).data, y.data)
        layer.reset_running_stats()
        assert layer.running_var.tolist() == [1, 1, 1]

    def test_momentum_none_is_the_plain_mean(self) -> None:
        layer = BatchNorm1d(2, momentum=None)
        batches = [leaf((6, 2), seed).data for seed in range(4)]
        for batch in batches:
            layer(batch)
        assert_close(layer.running_mean, np.mean([b.mean(axis=0) for b in batches], axis=0))

    def test_options(self) -> None:
        x = leaf((6, 2, 3))
        plain = BatchNorm1d(2, affine=False, track_running_stats=False)
        assert not plain.state_dict()
        np.testing.assert_array_equal(plain(x).data, plain.eval()(x).data)

    def test_same_bits_for_any_number_of_threads(self) -> None:
        results = []
        for shape in ((1000, 64), (50, 8, 33, 16)):
            for n in (1, 2, 3):
                x, w, b = leaf(shape), leaf(shape[1], 1), leaf(shape[1], 2)
                with threads(n):
                    y = batch_norm(x, None, None, w, b, training=True)
                    y.backward(leaf(shape, 3))
                results.append([a.tobytes() for a in (y.data, x.grad, w.grad, b.grad)])
        assert results[0] == results[1] == results[2]
        assert results[3] == results[4] == results[5]

    def test_bad_input(self) -> None:
        with pytest.raises(ShapeError, match=r"BatchNorm2d.*input of shape \(2, 3\)"):
            BatchNorm2d(3)(leaf((2, 3)))
        with pytest.raises(ShapeError, match="with 4 channels"):
            BatchNorm1d(4)(leaf((2, 3)))
        with pytest.raises(ValueError, match="more than one value"):
            BatchNorm1d(3)(leaf((1, 3)))
        with pytest.raises(ValueError, match="needs running_mean"):
            batch_norm(leaf((2, 3)), None, None)


class TestLayers:
    def test_names_shapes_and_texts(self) -> None:
        layer = Conv2d(4, 6, 3, padding=1, groups=2)
        assert {k: v.shape for k, v in layer.state_dict().items()} == {"weight": (6, 2, 3, 3), "bias": (6,)}
        assert repr(layer) == "Conv2d(4, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), groups=2)"
        assert list(Conv1d(4, 6, 3, bias=False).state_dict()) == ["weight"]
        assert layer(leaf((2, 4, 5, 5))).shape == (2, 6, 5, 5)
        assert Conv1d(4, 6, 3, 2, "valid")(leaf((2, 4, 9))).shape == (2, 6, 4)
        assert MaxPool2d(2)(leaf((2, 4, 5, 5))).shape == (2, 4, 2, 2)
        assert MaxPool1d(2, ceil_mode=True)(leaf((2, 4, 5))).shape == (2, 4, 3)
        assert AvgPool2d(2, 1)(leaf((2, 4, 5, 5))).shape == (2, 4, 4, 4)
        assert AvgPool1d(5)(leaf((2, 4, 5))).shape == (2, 4, 1)
        assert AdaptiveAvgPool2d(1)(leaf((2, 4, 5, 5))).shape == (2, 4, 1, 1)
        assert repr(AdaptiveAvgPool2d((2, None))) == "AdaptiveAvgPool2d(output_size=(2, None))"
        assert "kernel_size=(2, 2)" in repr(MaxPool2d(2))
        assert repr(BatchNorm2d(3)).startswith("BatchNorm2d(3, eps=1e-05, momentum=0.1")

    def test_initial_weights(self) -> None:
        manual_seed(3)
        layer = Conv2d(8, 64, 3)
        bound = 1 / np.sqrt(8 * 9)
        assert np.abs(layer.weight.data).max() <= bound
        assert layer.weight.data.std() == pytest.approx(bound / np.sqrt(3), rel=0.05)
        manual_seed(3)
        np.testing.assert_array_equal(Conv2d(8, 64, 3).weight.data, layer.weight.data)

    def test_bad_parameters(self) -> None:
        for arguments in ((0, 3, 3), (4, 6, 0), (4, 6, 3, 0), (4, 6, 3, 2, "same"), (4, 6, 3, 1, 0, 1, 4)):
            with pytest.raises(ValueError, match=r"must|needs"):
                Conv2d(*arguments)
        with pytest.raises(ShapeError, match=r"Conv2d\(4, 6.*has 3 channels"):
            Conv2d(4, 6, 3)(leaf((2, 3, 8, 8)))


def test_a_window_larger_than_memory() -> None:
    x = np.zeros((1, 4, 2, 2), np.float32)
    with pytest.raises(MemoryError):
        conv2d(x, x, padding=2**30 - 1, dilation=2**31 - 1)


def test_depthwise_weights_see_only_what_a_tap_meets() -> None:
    x = np.ones((1, 1, 1, 8), np.float32)
    x[..., -1] = np.inf
    w = Tensor(np.ones((1, 1, 1, 3), np.float32), requires_grad=True)
    conv2d(x, w).backward(np.ones((1, 1, 1, 6), np.float32))
    np.testing.assert_array_equal(w.grad.ravel(), [6, 6, np.inf])


class TestLastWindows:
    """PyTorch's rule: in ceil mode a window counts that starts within x or the padding before it."""

    def test_the_only_window_may_be_larger_than_x(self):
        x = np.float32([[[1, 2]]])
        assert max_pool1d(x, 3, ceil_mode=True).data.tolist() == [[[2]]]
        assert avg_pool1d(x, 3, ceil_mode=True).data.tolist() == [[[1.5]]]
        assert avg_pool1d(x, 3, padding=1, ceil_mode=True).data.tolist() == [[[1.0]]]
        image = np.float32([[[[1, 2], [3, 4]]]])
        leaf = Tensor(image, requires_grad=True)
        avg_pool2d(leaf, 3, ceil_mode=True).sum().backward()
        np.testing.assert_array_equal(leaf.grad, np.full((1, 1, 2, 2), 0.25))
        assert max_pool2d(image, (3, 2), ceil_mode=True).data.tolist() == [[[[4]]]]

    def test_no_window_is_an_error(self):
        with pytest.raises(ShapeError, match="smaller than a window of 5"):
            max_pool1d(np.zeros((1, 1, 2), np.float32), 5, 3, ceil_mode=True)
        with pytest.raises(ShapeError, match="smaller than a window of 3"):
            max_pool1d(np.zeros((1, 1, 2), np.float32), 3)
