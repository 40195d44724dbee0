"""Softmax, cross-entropy and the other losses against their formulas, and where formulas fail: huge logits."""

import numpy as np
import pytest

from mlcore._native import core
from mlcore.nn._runtime import threads
from mlcore.nn.functional import _cross_entropy as classes
from mlcore.nn.functional import _losses as losses
from mlcore.nn.functional import _softmax as F
from mlcore.nn.layers import _losses as layers
from mlcore.nn.tensor import ShapeError, Tensor, no_grad
from twins.nn import assert_close, finite_difference_check
from twins.nn import softmax as twin

SIZES = [1, 2, 7, 15, 16, 17, 31, 33, 64, 65, 100, 4096, 4097, 9000]
KINDS = ["squared", "absolute", "smooth_absolute", "huber", "logistic", "focal", "divergence", "log_divergence"]
INF = np.float32(np.inf)


def normal(*shape, seed=0, scale=2.0):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def gradient_of(function, *inputs, dy=None):
    tensors = [Tensor(x, requires_grad=True) for x in inputs]
    y = function(*tensors)
    y.backward(dy)
    return y.data, [t.grad for t in tensors]


def test_twins_have_the_right_gradients():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(5, 7)), rng.uniform(0.5, 2, 7)
    for op in ("softmax", "log_softmax", "logsumexp"):
        finite_difference_check(getattr(twin, op), getattr(twin, f"{op}_backward"), [x])
    target = np.array([0, 3, -100, 6, 2])
    q = twin.class_distribution(target, 7, -100, 0.1)
    finite_difference_check(twin.cross_entropy, twin.cross_entropy_backward, [x, q, w])
    finite_difference_check(twin.focal, twin.focal_backward, [x, np.maximum(target, 0), w, 1.7])
    for kind in KINDS:
        t = rng.uniform(0.01, 0.99, x.shape)
        options = {"weight": 1.3, "beta": 0.8, "gamma": 1.7, "alpha": 0.3}
        options |= {"positive": 2.0} if kind == "logistic" else {}
        finite_difference_check(
            lambda x, t, kind=kind, o=options: twin.pointwise(kind, x, t, **o)[0],
            lambda dy, x, t, kind=kind, o=options: [dy * twin.pointwise(kind, x, t, **o)[1], None],
            [x, t],
        )


def test_softmax_of_huge_logits_is_exact():
    assert F.softmax([10000.0, 5000.0, 2000.0], 0).data.tolist() == [1, 0, 0]
    assert F.softmax([-10000.0, -1000.0, -34343.0], 0).data.tolist() == [0, 1, 0]
    assert F.log_softmax([10000.0, 5000.0, 2000.0], 0).data.tolist() == [0, -5000, -8000]
    assert F.logsumexp([-10000.0, -1000.0, -34343.0], 0).item() == -1000


def test_rows_without_a_finite_logit():
    nothing = np.full((2, 5), -np.inf, np.float32)
    assert F.softmax(nothing, 1).data.tolist() == [[0] * 5] * 2
    assert F.log_softmax(nothing, 1).data.tolist() == [[-np.inf] * 5] * 2
    assert F.logsumexp(nothing, 1).data.tolist() == [-np.inf] * 2
    assert F.logsumexp(np.array([1, INF], np.float32), 0).item() == np.inf
    some = np.array([-INF, 3, -INF], np.float32)
    assert F.softmax(some, 0).data.tolist() == [0, 1, 0]
    for row in ([np.nan] * 3, [np.nan, 1, 2], [1, np.nan, -INF]):  # is never hidden
        assert np.isnan(F.softmax(np.array(row, np.float32), 0).data).all()
        assert np.isnan(F.logsumexp(np.array(row, np.float32), 0).data)


@pytest.mark.parametrize("op", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize("n", SIZES)
def test_softmax_family_against_twin(op, n):
    x = normal(3, n, seed=n)
    y = getattr(twin, op)(x.astype(np.float64))
    dy = normal(*y.shape, seed=n + 1)
    got, (dx,) = gradient_of(lambda t: getattr(F, op)(t, -1), x, dy=dy)
    assert_close(got, y)
    assert_close(dx, getattr(twin, f"{op}_backward")(dy, x.astype(np.float64))[0])


@pytest.mark.parametrize("dim", [0, 1, 2, -2])
def test_any_axis(dim):
    x = normal(4, 5, 6)
    for op in ("softmax", "log_softmax", "logsumexp"):
        moved = np.moveaxis(x, dim, -1)
        expected = getattr(twin, op)(moved)
        dy = normal(*expected.shape, seed=3)
        dx = np.moveaxis(getattr(twin, f"{op}_backward")(dy, moved)[0], -1, dim)
        if op != "logsumexp":
            expected, dy = np.moveaxis(expected, -1, dim), np.moveaxis(dy, -1, dim)
        got, (gradient,) = gradient_of(lambda t, op=op: getattr(F, op)(t, dim), x, dy=dy)
        assert_close(got, expected)
        assert_close(gradient, dx)
    assert F.logsumexp(x, dim, keepdim=True).shape == tuple(1 if i == dim % 3 else s for i, s in enumerate(x.shape))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(("smoothing", "weighted"), [(0, False), (0, True), (0.1, False), (0.1, True)])
def test_cross_entropy_against_twin(n, smoothing, weighted):
    rng = np.random.default_rng(n)
    x, target = normal(6, n, seed=n), rng.integers(0, n, 6)
    target[2] = -100
    w = rng.uniform(0.5, 2, n).astype(np.float32) if weighted else np.ones(n, np.float32)
    q = twin.class_distribution(target, n, -100, smoothing)
    expected = twin.cross_entropy(x.astype(np.float64), q, w)
    weights = np.where(target == -100, 0, w[np.maximum(target, 0)])
    for reduction, dy in (("none", normal(6, seed=1)), ("sum", None), ("mean", np.float32(3))):
        loss, (dx,) = gradient_of(
            lambda t, r=reduction: classes.cross_entropy(
                t, target, w if weighted else None, reduction=r, label_smoothing=smoothing
            ),
            x,
            dy=dy,
        )
        scale = {"none": dy, "sum": np.ones(6), "mean": np.full(6, 3 / weights.sum())}[reduction]
        reduced = {"none": expected, "sum": expected.sum(), "mean": expected.sum() / weights.sum()}[reduction]
        assert_close(loss, reduced)
        assert_close(dx, twin.cross_entropy_backward(scale, x.astype(np.float64), q, w)[0])


@pytest.mark.parametrize("n", [1, 16, 33, 5000])
def test_cross_entropy_of_distributions(n):
    rng = np.random.default_rng(n)
    x, q, w = normal(5, n), rng.dirichlet(np.ones(n), 5).astype(np.float32), rng.uniform(0.5, 2, n).astype(np.float32)
    mixed = 0.9 * q.astype(np.float64) + 0.1 / n
    loss, (dx,) = gradient_of(lambda t: classes.cross_entropy(t, q, w, label_smoothing=0.1), x)
    assert_close(loss, twin.cross_entropy(x.astype(np.float64), mixed, w).mean())
    assert_close(dx, twin.cross_entropy_backward(np.full(5, 0.2), x.astype(np.float64), mixed, w)[0])


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 3.5])
def test_focal_loss_against_twin(gamma):
    rng = np.random.default_rng(0)
    x, target, w = normal(9, 21), rng.integers(0, 21, 9), rng.uniform(0.5, 2, 21).astype(np.float32)
    dy = normal(9, seed=4)
    loss, (dx,) = gradient_of(lambda t: classes.focal_loss(t, target, gamma, w, reduction="none"), x, dy=dy)
    assert_close(loss, twin.focal(x.astype(np.float64), target, w, gamma))
    assert_close(dx, twin.focal_backward(dy, x.astype(np.float64), target, w, gamma)[0])
    for logit in (-1e4, 1e4):  # a target as sure, and as wrong, as can be
        _, (dx,) = gradient_of(lambda t: classes.focal_loss(t, 0, gamma), np.array([logit, 0], np.float32))
        assert np.isfinite(dx).all()


def test_cross_entropy_over_several_axes():
    x, target = normal(3, 4, 5, 2), np.random.default_rng(0).integers(0, 4, (3, 5, 2))
    rows, flat = np.moveaxis(x, 1, -1).reshape(-1, 4), target.reshape(-1)
    q = twin.class_distribution(flat, 4, -100, 0)
    loss, (dx,) = gradient_of(lambda t: classes.cross_entropy(t, target), x)
    assert_close(loss, twin.cross_entropy(rows, q, np.ones(4)).mean())
    expected = twin.cross_entropy_backward(np.full(30, 1 / 30), rows, q, np.ones(4))[0]
    assert_close(dx, np.moveaxis(expected.reshape(3, 5, 2, 4), -1, 1))
    assert classes.cross_entropy(x, target, reduction="none").shape == target.shape
    assert classes.cross_entropy(x[0, :, 0, 0], target[0, 0, 0]).shape == ()


def test_nll_loss_is_cross_entropy_after_log_softmax():
    x, target, w = normal(6, 5), np.array([0, 4, -100, 2, 2, 1]), np.linspace(1, 2, 5, dtype=np.float32)
    for reduction in ("mean", "sum", "none"):
        dy = normal(6) if reduction == "none" else None
        ours = gradient_of(lambda t, r=reduction: classes.cross_entropy(t, target, w, reduction=r), x, dy=dy)
        nll = gradient_of(
            lambda t, r=reduction: classes.nll_loss(F.log_softmax(t, 1), target, w, reduction=r), x, dy=dy
        )
        assert_close(nll[0], ours[0])
        assert_close(nll[1][0], ours[1][0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 15, 17, 4095, 4097, 10000])
def test_pointwise_losses_against_twin(kind, n):
    rng = np.random.default_rng(n)
    x, t = normal(n, seed=n), rng.uniform(0, 1, n).astype(np.float32)
    t[:1] = 0
    w, pw = rng.uniform(0.5, 2, (2, n)).astype(np.float32)
    options = {"beta": 0.75, "gamma": 1.5, "alpha": 0.25}
    value, slope = twin.pointwise(kind, x.astype(np.float64), t, w, pw if kind == "logistic" else 1, **options)
    for reduction, scale in (("none", normal(n, seed=9)), ("sum", 1), ("mean", 1 / n)):
        loss, dx = core.nn.pointwise_loss(
            x, t, weight=w, positive_weight=pw, dy=scale if reduction == "none" else None, kind=kind,
            reduction=reduction, with_gradient=True, n_threads=2, **options,
        )  # fmt: skip
        assert_close(loss, value if reduction == "none" else value.sum() * scale)
        assert_close(dx, slope * scale)


def test_losses_of_entries_by_their_public_names():
    x, t = normal(3, 4), np.random.default_rng(0).uniform(0.1, 0.9, (3, 4)).astype(np.float32)
    for name, kind, options in [
        ("mse_loss", "squared", {}),
        ("l1_loss", "absolute", {}),
        ("smooth_l1_loss", "smooth_absolute", {"beta": 0.5}),
        ("huber_loss", "huber", {"delta": 0.5}),
        ("binary_cross_entropy_with_logits", "logistic", {}),
        ("sigmoid_focal_loss", "focal", {"alpha": 0.4, "gamma": 1.5}),
        ("kl_div", "divergence", {}),
    ]:
        inner = {"beta" if k == "delta" else k: v for k, v in options.items()}
        value, slope = twin.pointwise(kind, x.astype(np.float64), t, **inner)
        loss, (dx,) = gradient_of(lambda a, n=name, o=options: getattr(losses, n)(a, t, reduction="mean", **o), x)
        assert_close(loss, value.mean())
        assert_close(dx, slope / x.size)
        assert_close(getattr(losses, name)(x, t, reduction="none", **options), value)
    value = twin.pointwise("divergence", x.astype(np.float64), t)[0]
    assert_close(losses.kl_div(x, t, "batchmean"), value.sum() / 3)
    assert_close(losses.kl_div(x, np.log(t), "sum", log_target=True), value.sum())


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_of_differences_have_a_gradient_by_the_target(name, reduction):
    x, t = normal(3, 4), normal(3, 4, seed=1)
    dy = normal(3, 4, seed=2) if reduction == "none" else np.float32(2)
    loss = getattr(losses, name)
    dx = gradient_of(lambda a: loss(a, t, reduction), x, dy=dy)[1][0]
    both = gradient_of(lambda a, b: loss(a, b, reduction), x, t, dy=dy)[1]
    assert_close(both[0], dx)
    assert_close(both[1], -dx)


def test_weights_of_binary_cross_entropy_broadcast():
    x, t = normal(3, 4), (normal(3, 4, seed=1) > 0).astype(np.float32)
    w, pw = normal(3, 1, seed=2) ** 2, normal(4, seed=3) ** 2
    value, slope = twin.pointwise("logistic", x.astype(np.float64), t, w, pw)
    loss, (dx,) = gradient_of(lambda a: losses.binary_cross_entropy_with_logits(a, t, w, "sum", pw), x)
    assert_close(loss, value.sum())
    assert_close(dx, slope)
    for logit in (-1e4, 1e4):
        for label in (0, 1):
            value = losses.binary_cross_entropy_with_logits(np.float32([logit]), np.float32([label])).item()
            assert value == (1e4 if (logit > 0) != bool(label) else 0)


def test_same_bits_for_any_number_of_threads():
    x, target, t = normal(70, 5000), np.random.default_rng(0).integers(0, 5000, 70), normal(70, 5000, seed=1)
    functions = [
        lambda a: F.softmax(a, 1),
        lambda a: F.log_softmax(a, 0),
        lambda a: F.logsumexp(a, 1),
        lambda a: classes.cross_entropy(a, target, label_smoothing=0.1),
        lambda a: classes.cross_entropy(a, target, reduction="none"),
        lambda a: losses.mse_loss(a, t),
        lambda a: losses.huber_loss(a, t, "none"),
    ]
    for function in functions:
        results = []
        for n in (1, 2, 3):
            with threads(n):
                dy = normal(*function(x).shape, seed=5)
                y, (dx,) = gradient_of(function, x, dy=dy)
                results.append((y.tobytes(), dx.tobytes()))
        assert results[0] == results[1] == results[2]


def test_gradient_is_made_once_and_again_for_a_second_walk():
    x, target = Tensor(normal(4, 6), requires_grad=True), np.arange(4)
    loss = classes.cross_entropy(x, target)
    loss.backward(retain_graph=True)
    first = x.grad.copy()
    x.grad *= 100  # the array is the caller's
    x.zero_grad()
    loss.backward(np.float32(2))
    assert_close(x.grad, 2 * first)
    with no_grad():
        assert not classes.cross_entropy(x, target).requires_grad
    again = classes.cross_entropy(x, target)
    with no_grad():
        x.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        again.backward()


def test_all_targets_ignored():
    loss, (dx,) = gradient_of(lambda t: classes.cross_entropy(t, np.full(3, -100)), normal(3, 4))
    assert loss == 0
    assert not dx.any()


def test_layers_compute_what_the_functions_do():
    x, target, w = normal(6, 5), np.array([0, 4, -1, 2, 2, 1]), np.linspace(1, 2, 5, dtype=np.float32)
    t = (normal(6, 5, seed=1) > 0).astype(np.float32)
    pairs = [
        (layers.CrossEntropyLoss(w, -1, "sum", 0.1), classes.cross_entropy(x, target, w, -1, "sum", 0.1), target),
        (layers.NLLLoss(w, -1, "sum"), classes.nll_loss(x, target, w, -1, "sum"), target),
        (layers.FocalLoss(1.5, w, -1), classes.focal_loss(x, target, 1.5, w, -1), target),
        (layers.SigmoidFocalLoss(0.3, 1.5), losses.sigmoid_focal_loss(x, t, 0.3, 1.5, "mean"), t),
        (layers.BCEWithLogitsLoss(w, "sum", w), losses.binary_cross_entropy_with_logits(x, t, w, "sum", w), t),
        (layers.MSELoss(), losses.mse_loss(x, t), t),
        (layers.L1Loss("sum"), losses.l1_loss(x, t, "sum"), t),
        (layers.SmoothL1Loss(beta=2.0), losses.smooth_l1_loss(x, t, beta=2.0), t),
        (layers.HuberLoss(delta=0.5), losses.huber_loss(x, t, delta=0.5), t),
        (layers.KLDivLoss("batchmean"), losses.kl_div(x, t, "batchmean"), t),
    ]
    for layer, expected, y in pairs:
        assert layer(x, y).item() == expected.item(), layer
    assert set(layers.BCEWithLogitsLoss(w, "sum", w).state_dict()) == {"weight", "pos_weight"}
    assert "label_smoothing" not in layers.CrossEntropyLoss().state_dict()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.softmax(normal(2, 3), 2), ShapeError, r"dim=2 .* \(2, 3\)"),
        (lambda: F.softmax(np.arange(3), 0), TypeError, "float32"),
        (lambda: F.softmax(np.ones(3), 0), TypeError, "float64"),
        (lambda: classes.cross_entropy(normal(4, 3), np.array([0, 1, 2, 3])), ValueError, "target 3 at position 3"),
        (lambda: classes.cross_entropy(normal(4, 3), np.array([0, 1, 2, -1])), ValueError, "target -1"),
        (lambda: classes.cross_entropy(normal(4, 3), np.arange(3)), ShapeError, r"\(3,\).*\(4, 3\)"),
        (lambda: classes.cross_entropy(normal(4, 3), normal(4, 2)), ShapeError, r"\(4, 2\)"),
        (lambda: classes.cross_entropy(normal(4, 3), np.ones(4, bool)), TypeError, "bool"),
        (lambda: classes.cross_entropy(normal(4, 3), np.zeros(4, int), normal(4)), ShapeError, "3 classes"),
        (lambda: classes.cross_entropy(normal(4, 3), np.zeros(4, int), reduction="avg"), ValueError, "reduction"),
        (lambda: classes.cross_entropy(normal(4, 3), np.zeros(4, int), label_smoothing=2), ValueError, "smoothing"),
        (lambda: classes.cross_entropy(normal(4, 3), Tensor(normal(4, 3), True)), ValueError, "target.detach"),
        (lambda: classes.focal_loss(normal(4, 3), np.zeros(4, int), -1.0), ValueError, "gamma"),
        (lambda: classes.focal_loss(normal(4, 3), normal(4, 3)), ValueError, "gamma"),
        (lambda: classes.nll_loss(normal(4, 3), np.array([0, 1, 5, 2])), ValueError, "target 5 at position 2"),
        (lambda: losses.mse_loss(normal(4), normal(5)), ShapeError, r"\(5,\).*\(4,\)"),
        (lambda: losses.huber_loss(normal(4), normal(4), delta=0.0), ValueError, "positive"),
        (
            lambda: losses.binary_cross_entropy_with_logits(normal(4), normal(4), normal(3)),
            ShapeError,
            "weight .*does not fit",
        ),
        (lambda: layers.CrossEntropyLoss(reduction="avg"), ValueError, "CrossEntropyLoss"),
        (lambda: core.nn.softmax(normal(3, 4).T, n_threads=1), ValueError, "C order"),
        (lambda: core.nn.softmax_backward(normal(3, 4), normal(4, 3), n_threads=1), ValueError, "shape"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_layer_is_named_in_errors():
    with pytest.raises(ShapeError, match=r"CrossEntropyLoss.*\(3,\)"):
        layers.CrossEntropyLoss()(normal(4, 3), np.arange(3))


def test_nan_is_not_hidden() -> None:
    for row in ([np.inf, np.nan], [np.nan, np.inf], [-np.inf, np.nan]):
        assert np.isnan(F.logsumexp(np.float32([row]), 1).data).all()
    assert np.isnan(losses.kl_div(np.float32([[0.5]]), np.float32([[np.nan]])).data).all()


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30, float(np.finfo(np.float32).max)])
def test_gradients_of_equal_scores_are_equal_shares(scale):
    """M + log n is m where m is large: the share of a score must not be taken from it."""
    for sign in (1, -1):
        x = Tensor(np.full((2, 4), sign * scale, np.float32), requires_grad=True)
        F.logsumexp(x, 1).sum().backward()
        np.testing.assert_allclose(x.grad, 0.25, rtol=1e-6)
        np.testing.assert_allclose(F.softmax(x, 1).data, 0.25, rtol=1e-6)
        np.testing.assert_allclose(F.log_softmax(x, 1).data, -np.log(4), rtol=1e-6)
        np.testing.assert_allclose(classes.cross_entropy(x, np.zeros(2, int)).item(), np.log(4), rtol=1e-6)
