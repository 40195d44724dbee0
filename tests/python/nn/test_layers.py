"""Layers for images and sequences beside the convolutions: against their twins, gradients against differences."""

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import Tensor
from mlcore.nn import functional as F
from twins.nn import images as twin
from twins.nn.activation import activation
from twins.nn.tensor import differences


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def check(ours, theirs, *arrays, tolerance=2e-5):
    """Compare values, and gradients by all arrays with differences of the twin in float64."""
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    wide = [a.astype(np.float64) for a in arrays]
    y, right = ours(*leaves), theirs(*wide)
    assert y.shape == right.shape
    np.testing.assert_allclose(y.data, right, rtol=tolerance, atol=tolerance)
    dy = draw(*right.shape, seed=99)
    y.backward(dy)
    for i, leaf in enumerate(leaves):
        exact = differences(lambda a, i=i: theirs(*wide[:i], a, *wide[i + 1 :]), arrays[i], dy)
        scale = max(1.0, float(np.abs(exact).max(initial=0)))
        np.testing.assert_allclose(leaf.grad, exact, rtol=0, atol=tolerance * scale)


class TestActivations:
    @pytest.mark.parametrize("kind", ["elu", "hardswish", "mish"])
    def test_against_the_twin(self, kind):
        x = np.concatenate([np.linspace(-20, 20, 2001), [-100, 100, -1e-6, 1e-6, 0]]).astype(np.float32)
        leaf = Tensor(x, requires_grad=True)
        y = getattr(F, kind)(leaf)
        y.sum().backward()
        value, slope = activation(kind, x.astype(np.float64))
        np.testing.assert_allclose(y.data, value, rtol=1e-6, atol=1e-8)
        away = np.abs(np.abs(x) - 3) > 1e-3  # the corners of hardswish
        np.testing.assert_allclose(leaf.grad[away], slope[away], rtol=2e-6, atol=1e-6)
        assert np.isnan(getattr(F, kind)(np.float32([np.nan])).item())

    def test_elu_with_alpha(self):
        x = draw(50)
        check(lambda t: F.elu(t, 0.3), lambda a: np.where(a > 0, a, 0.3 * np.expm1(a)), x)
        assert repr(nn.ELU(0.3)) == "ELU(alpha=0.3)"

    @pytest.mark.parametrize("channels", [1, 3])
    def test_prelu(self, channels):
        x, w = draw(2, 3, 4), draw(channels, seed=1)
        check(F.prelu, lambda a, b: np.where(a > 0, a, b.reshape(-1, 1) * a), x, w)
        layer = nn.PReLU(channels)
        assert list(layer.state_dict()) == ["weight"]
        assert layer.weight.data.tolist() == [0.25] * channels
        np.testing.assert_array_equal(layer(x).data, np.where(x > 0, x, np.float32(0.25) * x))
        with pytest.raises(nn.ShapeError, match="weight of prelu"):
            F.prelu(x, draw(2))

    def test_fused_with_a_product(self):
        x, w = draw(5, 3), draw(4, 3, seed=1)
        for kind in ("elu", "hardswish", "mish"):
            check(
                lambda a, b, kind=kind: F.linear(a, b, activation=kind),
                lambda a, b, kind=kind: activation(kind, a @ b.T)[0],
                x,
                w,
            )


class TestBinaryCrossEntropy:
    def test_against_the_twin(self):
        p, t, w = 1 / (1 + np.exp(-draw(3, 4))), np.float32(draw(3, 4, seed=1) > 0), draw(4, seed=2) ** 2
        check(lambda x: F.binary_cross_entropy(x, t, w, "none"), lambda a: w * twin.binary_cross_entropy(a, t), p)
        check(lambda x: nn.BCELoss()(x, t), lambda a: twin.binary_cross_entropy(a, t).mean(), p)

    def test_certain_errors_cost_100(self):
        p = Tensor(np.float32([0, 1, 0, 1]), requires_grad=True)
        loss = F.binary_cross_entropy(p, np.float32([1, 0, 0, 1]), reduction="none")
        assert loss.data.tolist() == [100, 100, 0, 0]
        loss.sum().backward()
        np.testing.assert_allclose(p.grad, [-1e12, 1e12, 0, 0], rtol=1e-6)

    def test_bad_input(self):
        with pytest.raises(ValueError, match=r"input of binary_cross_entropy must be in \[0, 1\]"):
            F.binary_cross_entropy(np.float32([1.5]), np.float32([1]))
        with pytest.raises(ValueError, match="target of binary_cross_entropy"):
            F.binary_cross_entropy(np.float32([0.5]), np.float32([np.nan]))
        with pytest.raises(nn.ShapeError):
            F.binary_cross_entropy(np.float32([0.5]), np.float32([1, 0]))
        assert np.isnan(F.binary_cross_entropy(draw(0), draw(0)).item())


class TestNorms:
    @pytest.mark.parametrize("shape", [(2, 6), (2, 6, 5), (2, 6, 3, 2)], ids=str)
    @pytest.mark.parametrize("groups", [1, 2, 3])
    def test_groups(self, shape, groups):
        x, w, b = draw(*shape), draw(6, seed=1), draw(6, seed=2)
        check(lambda *t: F.group_norm(t[0], groups, *t[1:]), lambda *a: twin.group_norm(a[0], groups, *a[1:]), x, w, b)

    def test_instances(self):
        x, w, b = draw(2, 3, 4, 2), draw(3, seed=1), draw(3, seed=2)
        check(
            lambda *t: F.instance_norm(t[0], weight=t[1], bias=t[2]),
            lambda *a: twin.group_norm(a[0], 3, *a[1:]),
            x,
            w,
            b,
        )
        layer = nn.InstanceNorm2d(3, affine=True)
        np.testing.assert_allclose(
            layer(x).data, twin.group_norm(x.astype(np.float64), 3, np.ones(3), np.zeros(3)), rtol=1e-4, atol=1e-5
        )
        np.testing.assert_array_equal(layer(x[0]).data, layer(x[:1]).data[0])

    def test_running_averages(self):
        x = draw(4, 3, 10)
        layer = nn.InstanceNorm1d(3, track_running_stats=True)
        layer(x)
        np.testing.assert_allclose(layer.running_mean, 0.1 * x.mean(2).mean(0), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(layer.running_var, 0.9 + 0.1 * x.var(2, ddof=1).mean(0), rtol=1e-5)
        right = (x - layer.running_mean[:, None]) / np.sqrt(layer.running_var[:, None] + 1e-5)
        np.testing.assert_allclose(layer.eval()(x).data, right, rtol=1e-4, atol=1e-6)
        assert list(layer.state_dict()) == ["running_mean", "running_var", "num_batches_tracked"]

    def test_bad_input(self):
        with pytest.raises(ValueError, match="num_groups must divide"):
            nn.GroupNorm(4, 6)
        with pytest.raises(ValueError, match="num_groups must divide the 6"):
            F.group_norm(draw(2, 6), 4)
        with pytest.raises(ValueError, match="more than one position"):
            nn.InstanceNorm1d(3)(draw(2, 3, 1))
        with pytest.raises(nn.ShapeError, match="InstanceNorm2d"):
            nn.InstanceNorm2d(3)(draw(2, 4, 3, 3))


SIDES = [(1, 2), (2, 0, 1, 1), (0, 0, 2, 1)]


class TestPadding:
    @pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
    @pytest.mark.parametrize("sides", SIDES, ids=str)
    def test_against_the_twin(self, mode, sides):
        check(lambda t: F.pad(t, sides, mode), lambda a: twin.pad(a, sides, mode), draw(2, 3, 4, 5))

    def test_value_and_cuts(self):
        x = draw(2, 3, 5)
        check(lambda t: F.pad(t, (1, 1, 0, 2), value=2.5), lambda a: twin.pad(a, (1, 1, 0, 2), value=2.5), x)
        check(lambda t: F.pad(t, (-1, 2)), lambda a: twin.pad(a[..., 1:], (0, 2)), x)
        check(lambda t: F.pad(t, (-2, -1)), lambda a: a[..., 2:-1], x)
        check(lambda t: F.pad(t, (0, 0)), lambda a: a, x)
        check(lambda t: F.pad(t, (-1, 1), "reflect"), lambda a: twin.pad(a[..., 1:], (0, 1), "reflect"), x)

    def test_layers(self):
        x = draw(2, 3, 4, 5)
        for layer, mode in (
            (nn.ReflectionPad2d((1, 2, 3, 0)), "reflect"),
            (nn.ReplicationPad2d((1, 2, 3, 0)), "replicate"),
            (nn.CircularPad2d((1, 2, 3, 0)), "circular"),
            (nn.ZeroPad2d((1, 2, 3, 0)), "constant"),
        ):
            np.testing.assert_array_equal(layer(x).data, twin.pad(x, (1, 2, 3, 0), mode))
        for layer in (nn.ReflectionPad1d, nn.ReplicationPad1d, nn.CircularPad1d, nn.ZeroPad1d):
            assert layer(2)(x[0]).shape == (3, 4, 9)
        np.testing.assert_array_equal(nn.ConstantPad2d(1, 3.0)(x).data, twin.pad(x, (1, 1, 1, 1), value=3.0))
        np.testing.assert_array_equal(nn.ConstantPad1d((0, 1), -1.0)(x[0]).data, twin.pad(x[0], (0, 1), value=-1.0))

    @pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
    def test_convolutions(self, mode):
        x = draw(2, 3, 6, 5)
        layer = nn.Conv2d(3, 4, 3, padding=(2, 1), padding_mode=mode)
        right = F.conv2d(twin.pad(x, (1, 1, 2, 2), mode), layer.weight, layer.bias)
        np.testing.assert_array_equal(layer(x).data, right.data)
        same = nn.Conv1d(3, 4, 4, padding="same", padding_mode=mode)
        np.testing.assert_array_equal(
            same(x[:, :, 0]).data,
            F.conv1d(twin.pad(x[:, :, 0], (1, 2), mode), same.weight, same.bias).data,
        )
        assert f"padding_mode='{mode}'" in repr(layer)

    def test_bad_input(self):
        x = draw(2, 3, 4)
        for mode, sides in (("reflect", (4, 0)), ("circular", (0, 5)), ("constant", (-3, -2))):
            with pytest.raises(nn.ShapeError):
                F.pad(x, sides, mode)
        with pytest.raises(nn.ShapeError, match="a pair for each"):
            F.pad(x, (1,))
        with pytest.raises(ValueError, match="mode of pad"):
            F.pad(x, (1, 1), "mirror")
        with pytest.raises(ValueError, match="goes with mode 'constant'"):
            F.pad(x, (1, 1), "reflect", 2.0)
        with pytest.raises(ValueError, match="padding_mode"):
            nn.Conv1d(3, 3, 3, padding_mode="mirror")
        assert F.pad(draw(0, 3, 4), (1, 1), "reflect").shape == (0, 3, 6)


class TestTransposedConvolution:
    @pytest.mark.parametrize(
        ("stride", "padding", "extra", "groups", "dilation"),
        [
            ((1, 1), (0, 0), (0, 0), 1, (1, 1)),
            ((2, 3), (1, 2), (1, 0), 1, (1, 1)),
            ((2, 2), (1, 0), (1, 1), 2, (1, 2)),
            ((1, 2), (2, 1), (1, 0), 4, (2, 1)),
            ((3, 1), (0, 1), (2, 0), 1, (1, 3)),
        ],
    )
    def test_against_the_twin(self, stride, padding, extra, groups, dilation):
        x, w, b = draw(2, 4, 3, 4), draw(4, 2, 3, 2, seed=1), draw(2 * groups, seed=2)
        options = (stride, padding, extra, groups, dilation)
        check(lambda *t: F.conv_transpose2d(*t, *options), lambda *a: twin.conv_transpose2d(*a, *options), x, w, b)

    def test_sequences(self):
        x, w, b = draw(2, 4, 5), draw(4, 3, 4, seed=1), draw(3, seed=2)

        def right(x, w, b):
            return twin.conv_transpose2d(x[:, :, None], w[:, :, None], b, (1, 2), (0, 1), (0, 1), 1, (1, 1))[:, :, 0]

        check(lambda *t: F.conv_transpose1d(*t, 2, 1, 1), right, x, w, b)
        np.testing.assert_array_equal(
            F.conv_transpose1d(x[0], w, b, 2).data, F.conv_transpose1d(x[:1], w, b, 2).data[0]
        )

    def test_it_undoes_the_shape_of_a_convolution(self):
        x = draw(1, 3, 9, 8)
        down = nn.Conv2d(3, 5, 3, stride=2, padding=1)
        up = nn.ConvTranspose2d(5, 3, 3, stride=2, padding=1)
        assert up(down(x), output_size=(9, 8)).shape == x.shape
        assert list(up.state_dict()) == ["weight", "bias"]
        assert up.weight.shape == (5, 3, 3, 3)
        with pytest.raises(ValueError, match="output_size must be between"):
            up(down(x), output_size=(12, 8))

    def test_bits_do_not_depend_on_the_threads(self):
        x, w, b = draw(3, 8, 20, 20), draw(8, 6, 3, 3, seed=1), draw(6, seed=2)
        found = []
        for n in (1, 3):
            with nn.threads(n):
                leaves = [Tensor(a, requires_grad=True) for a in (x, w, b)]
                y = F.conv_transpose2d(*leaves, 2, 1, 1)
                y.backward(y.data)
                found.append([y.data.tobytes(), *(t.grad.tobytes() for t in leaves)])
        assert found[0] == found[1]

    def test_bad_input(self):
        x, w = draw(2, 4, 5), draw(4, 3, 3)
        with pytest.raises(nn.ShapeError, match="4 channels"):
            F.conv_transpose1d(draw(2, 3, 5), w)
        with pytest.raises(nn.ShapeError, match="leaves nothing"):
            F.conv_transpose1d(x, w, padding=4)
        with pytest.raises(ValueError, match="output_padding"):
            F.conv_transpose1d(x, w, output_padding=1)
        with pytest.raises(ValueError, match="groups must divide"):
            F.conv_transpose1d(x, w, groups=3)
        assert F.conv_transpose1d(x[:0], w).shape == (0, 3, 7)


class TestAdaptivePooling:
    @pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 7), (4, 4)], ids=str)
    def test_against_the_twin(self, size):
        check(lambda t: F.adaptive_max_pool2d(t, size), lambda a: twin.adaptive_max(a, size), draw(2, 3, 5, 7))

    def test_sequences_and_layers(self):
        x = draw(2, 3, 7)
        right = twin.adaptive_max(x[:, :, None], (1, 3))[:, :, 0]
        np.testing.assert_array_equal(nn.AdaptiveMaxPool1d(3)(x).data, right)
        np.testing.assert_allclose(nn.AdaptiveAvgPool1d(1)(x).data[..., 0], x.mean(2), rtol=1e-5, atol=1e-7)
        assert nn.AdaptiveMaxPool2d((None, 2))(x).shape == (2, 3, 2)
        assert np.isnan(F.adaptive_max_pool1d(np.float32([[[1, np.nan, 2]]]), 1).item())
        assert F.adaptive_max_pool1d(np.full((1, 1, 3), -np.inf, np.float32), 1).item() == -np.inf
        with pytest.raises(ValueError, match="output_size"):
            F.adaptive_max_pool1d(x, (1, 2))


class TestModuleDict:
    def test_modules_by_name(self):
        parts = nn.ModuleDict({"encoder": nn.Linear(2, 3), "decoder": nn.Linear(3, 2)})
        parts["extra"] = nn.ReLU()
        assert (list(parts), len(parts), "encoder" in parts) == (["encoder", "decoder", "extra"], 3, True)
        assert list(parts.state_dict()) == ["encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"]
        assert [name for name, _ in parts.items()] == list(parts.keys())
        assert parts.pop("extra") not in list(parts.values())
        del parts["decoder"]
        assert len(list(parts.parameters())) == 2
        parts.clear()
        assert len(parts) == 0
        with pytest.raises(TypeError, match="takes modules"):
            parts["a"] = 3
        with pytest.raises(ValueError, match="dot"):
            parts["a.b"] = nn.ReLU()
        with pytest.raises(KeyError):
            parts["none"]


class TestInit:
    def test_truncated_normal(self):
        nn.manual_seed(0)
        t = nn.init.trunc_normal_(Tensor(np.empty(100_000, np.float32)), mean=0.5, std=2.0, a=-1, b=1.5)
        assert (t.data.min() >= -1, t.data.max() <= 1.5) == (True, True)
        from scipy.stats import truncnorm

        law = truncnorm(-0.75, 0.5, loc=0.5, scale=2.0)
        # 100,000 draws: the mean is known to std / 316.
        assert abs(t.data.mean() - law.mean()) < 4 * law.std() / 316
        assert abs(t.data.std() - law.std()) < 0.01
        far = nn.init.trunc_normal_(Tensor(np.empty(1000, np.float32)), a=8, b=9)  # all in the upper tail
        assert 8 <= far.data.min() < far.data.max() < 9
        with pytest.raises(ValueError, match="a <= b"):
            nn.init.trunc_normal_(far, a=1, b=0)

    @pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (4, 2, 3)], ids=str)
    def test_orthogonal(self, shape):
        m = nn.init.orthogonal_(Tensor(np.empty(shape, np.float32)), gain=2.0).data.reshape(shape[0], -1)
        m = m if m.shape[0] <= m.shape[1] else m.T
        np.testing.assert_allclose(m @ m.T, 4 * np.eye(len(m)), atol=1e-5)
        with pytest.raises(ValueError, match="two axes"):
            nn.init.orthogonal_(Tensor(np.empty(3, np.float32)))

    def test_skipped(self):
        """Nothing is drawn or written, also where the tensor is given by name; afterwards all is as before."""
        nn.manual_seed(0)
        expected = nn.Linear(3, 2).weight.data.copy()
        nn.manual_seed(0)
        x = Tensor(np.full((3, 3), 7, np.float32))
        with nn.init.skipped():
            nn.Linear(3, 2)
            for fill in (nn.init.uniform_, nn.init.normal_, nn.init.zeros_, nn.init.orthogonal_, nn.init.trunc_normal_):
                assert fill(tensor=x) is x
        assert (x.data == 7).all()
        np.testing.assert_array_equal(nn.Linear(3, 2).weight.data, expected)
