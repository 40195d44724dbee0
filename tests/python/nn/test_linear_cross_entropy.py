"""Output layer and cross-entropy in one operation: against its formulas, against the two operations, and bad input."""

from itertools import pairwise

import numpy as np
import pytest

import mlcore.nn.functional as F
from mlcore import nn
from mlcore.nn._runtime import threads
from mlcore.nn.functional._reduction_log import reduction_log
from mlcore.nn.tensor import ShapeError, Tensor, no_grad
from twins.nn import assert_close, finite_difference_check
from twins.nn import softmax as twin

# Around a tile and a vector, several chunks of rows; a single class.
SHAPES = [(1, 1, 1), (3, 1, 4), (5, 2, 0), (5, 7, 3), (17, 33, 16), (255, 40, 9), (257, 17000, 4), (600, 8200, 5)]


def normal(*shape, seed=0, scale=1.0):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def case(n, v, k, ignored=0.0, seed=0):
    rng = np.random.default_rng(seed)
    target = np.where(rng.random(n) < ignored, -100, rng.integers(0, v, n))
    return normal(n, k, seed=seed + 1), normal(v, k, seed=seed + 2), normal(v, seed=seed + 3), target


def evaluate(x, w, target, b=None, dy=None, **options):
    """Return the loss and the gradients."""
    tensors = [None if a is None else Tensor(a, requires_grad=True) for a in (x, w, b)]
    loss = F.linear_cross_entropy(tensors[0], tensors[1], target, tensors[2], **options)
    loss.backward(dy)
    return [loss.data, *(t.grad for t in tensors if t is not None)]


def apart(x, w, target, b=None, dy=None, **options):
    """The same by the two operations."""
    tensors = [None if a is None else Tensor(a, requires_grad=True) for a in (x, w, b)]
    loss = F.cross_entropy(F.linear(*tensors), target, **options)
    loss.backward(dy)
    return [loss.data, *(t.grad for t in tensors if t is not None)]


def test_twin_has_the_right_gradients():
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(5, 3)), rng.normal(size=(7, 3)), rng.normal(size=7)
    q = twin.class_distribution(np.array([0, 3, -100, 6, 2]), 7, -100, 0.1)
    finite_difference_check(twin.linear_cross_entropy, twin.linear_cross_entropy_backward, [x, w, b, q])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("ignored", "smoothing", "bias"), [(0, 0, False), (0, 0.1, True), (0.6, 0.1, True)])
def test_against_twin(shape, ignored, smoothing, bias):
    x, w, b, target = case(*shape, ignored)
    q = twin.class_distribution(target, len(w), -100, smoothing)
    wide = x.astype(np.float64), w.astype(np.float64), b.astype(np.float64) if bias else np.zeros(len(w))
    losses, used = twin.linear_cross_entropy(*wide, q), max(np.count_nonzero(target != -100), 1)
    for reduction, dy in (("none", normal(len(x), seed=9)), ("sum", None), ("mean", np.float32(3))):
        got = evaluate(x, w, target, b if bias else None, dy, label_smoothing=smoothing, reduction=reduction)
        scale = {"none": dy, "sum": np.ones(len(x)), "mean": np.full(len(x), 3 / used)}[reduction]
        assert_close(got[0], {"none": losses, "sum": losses.sum(), "mean": losses.sum() / used}[reduction])
        expected = twin.linear_cross_entropy_backward(scale, *wide, q)
        for gradient, wanted in zip(got[1:], expected, strict=False):
            assert_close(gradient, wanted, 3e-5)  # dx is a sum of 9,000 terms in float


def test_the_same_as_two_operations():
    x, w, b, target = case(600, 5000, 24)
    options = {"label_smoothing": 0.1}
    for ours, theirs in zip(evaluate(x, w, target, b, **options), apart(x, w, target, b, **options), strict=True):
        assert_close(ours, theirs, 1e-6)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_bits_do_not_depend_on_threads(reduction):
    x, w, b, target = case(900, 4100, 20, ignored=0.2)
    dy = normal(900, seed=3) if reduction == "none" else None
    found = []
    for n_jobs in (1, 2, 3, 8):
        with threads(n_jobs):
            found.append(evaluate(x, w, target, b, dy, label_smoothing=0.1, reduction=reduction))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert one.tobytes() == two.tobytes()


def test_an_ignored_row_changes_nothing():
    x, w, b, target = case(40, 50, 6)
    expected = evaluate(x, w, target, b)
    at = np.sort(np.random.default_rng(1).permutation(60)[:40])
    more, classes = np.full((60, 6), np.nan, np.float32), np.full(60, -1)
    more[at], classes[at] = x, target
    got = evaluate(more, w, classes, b, ignore_index=-1)
    others = np.delete(np.arange(60), at)
    assert not got[1][others].any()
    got[1] = got[1][at]
    for one, two in zip(got, expected, strict=True):
        assert one.tobytes() == two.tobytes()


def test_an_ignored_class_may_be_one_of_the_classes():
    x, w, _, target = case(30, 4, 3)
    for ours, theirs in zip(evaluate(x, w, target, ignore_index=2), apart(x, w, target, ignore_index=2), strict=True):
        assert_close(ours, theirs)


def test_all_ignored_and_no_rows():
    x, w, b, _ = case(5, 7, 3)
    ignored = np.full(5, -100)
    for reduction, dy in (("mean", None), ("sum", None), ("none", normal(5))):
        assert not any(np.any(value) for value in evaluate(x, w, ignored, b, dy, reduction=reduction))
    nothing, none = np.zeros((0, 3), np.float32), np.zeros(0, np.int64)
    loss, dx, dw, db = evaluate(nothing, w, none, b)
    assert np.isnan(loss)
    assert dx.shape == (0, 3)
    assert not dw.any()
    assert not db.any()
    assert evaluate(nothing, w, none, b, reduction="sum")[0] == 0
    assert evaluate(nothing, w, none, b, np.zeros(0, np.float32), reduction="none")[0].shape == (0,)


def test_huge_logits():
    w = np.array([[1], [-1], [0]], np.float32)
    loss, dx, dw = evaluate(np.array([[1e4], [1e30]], np.float32), w, [0, 1], reduction="sum")
    assert loss == np.float32(2e30)
    assert dx.tolist() == [[0], [2]]
    assert np.isfinite(dw).all()


def test_nan_and_infinity_are_not_hidden():
    w = normal(5, 3)
    for bad in (np.nan, np.inf):
        x = normal(2, 3)
        x[1, 1] = bad
        losses, dx, dw = evaluate(x, w, [0, 1], dy=np.ones(2, np.float32), reduction="none")
        assert np.isfinite(losses[0])
        assert np.isnan(losses[1])
        assert np.isfinite(dx[0]).all()
        assert np.isnan(dx[1]).any()
        assert np.isnan(dw).any()


def test_a_table_of_embeddings_gets_both_gradients():
    table, ids, target = normal(11, 4), np.array([3, 3, 7, 0]), np.array([3, 1, 7, 10])
    for sparse in (False, True):
        w = Tensor(table, requires_grad=True)
        F.linear_cross_entropy(F.embedding(ids, w, sparse=sparse), w, target).backward()
        other = Tensor(table, requires_grad=True)
        F.cross_entropy(F.linear(F.embedding(ids, other), other), target).backward()
        assert_close(w.grad, other.grad, 1e-6)


def test_only_what_is_wanted():
    x, w, b, target = case(6, 5, 4)
    full = evaluate(x, w, target, b)
    for i in range(3):
        tensors = [Tensor(a, requires_grad=i == j) for j, a in enumerate((x, w, b))]
        F.linear_cross_entropy(tensors[0], tensors[1], target, tensors[2]).backward()
        for j, t in enumerate(tensors):
            assert (t.grad is None) if i != j else t.grad.tobytes() == full[j + 1].tobytes()
    with no_grad():
        loss = F.linear_cross_entropy(Tensor(x, requires_grad=True), w, target, b)
    assert not loss.requires_grad
    assert loss.data.tobytes() == full[0].tobytes()


def test_second_backward_and_changes_in_place():
    x, w, _, target = case(6, 5, 4)
    tensors = Tensor(x, requires_grad=True), Tensor(w, requires_grad=True)
    loss = F.linear_cross_entropy(*tensors, target)
    loss.backward(retain_graph=True)
    once = [t.grad.copy() for t in tensors]
    loss.backward(retain_graph=True)
    for t, g in zip(tensors, once, strict=True):
        assert_close(t.grad, 2 * g, 1e-6)
    with no_grad():
        tensors[1].mul_(2)
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_what_the_mean_is_over():
    x, w, _, target = case(20, 5, 4, ignored=0.5)
    with reduction_log() as log:
        loss = F.linear_cross_entropy(x, w, target)
        assert log.weight(loss, 20) == np.count_nonzero(target != -100)
        assert log.weight(F.linear_cross_entropy(x, w, target, reduction="sum"), 20) is None


def test_any_layout_and_read_only():
    x, w, b, target = case(30, 12, 8)
    expected = evaluate(x, w, target, b)
    strided = [np.asfortranarray(x), np.repeat(w, 2, axis=0)[::2], np.repeat(target, 3)[::3].astype(np.int32)]
    for a in (x, w, b, target):
        a.flags.writeable = False
    for arrays in ([x, w, target], strided):
        for one, two in zip(evaluate(*arrays, b), expected, strict=True):
            assert one.tobytes() == two.tobytes()


def test_bad_input():
    x, w, b, target = case(6, 5, 4)
    for wrong in (5, -1, -101, np.iinfo(np.int64).max):
        classes = target.copy()
        classes[3] = wrong
        with pytest.raises(ValueError, match=f"target {wrong} at position 3 is outside the classes"):
            F.linear_cross_entropy(x, w, classes)
    for args in (
        (x[0], w, target),
        (x, w[0], target),
        (x[:, :3], w, target),
        (x[None], w, target),
        (x, w[:0], target),
        (x, w, target[:5]),
        (x, w, target[:, None]),
        (x, w, target, b[:3]),
        (x, w, target, b[None]),
    ):
        with pytest.raises(ShapeError):
            F.linear_cross_entropy(*args)
    for args in (
        (x, w, None),
        (x.astype(np.float64), w, target),
        (x, w.astype(np.float64), target),
        (x, w, target.astype(np.float32)),
        (x, w, target == 1),
        (x, w, target, b.astype(np.float64)),
        (x, w, normal(6, 5)),
    ):
        with pytest.raises(TypeError):
            F.linear_cross_entropy(*args)
    for smoothing in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="label_smoothing"):
            F.linear_cross_entropy(x, w, target, label_smoothing=smoothing)
    with pytest.raises(ValueError, match="reduction"):
        F.linear_cross_entropy(x, w, target, reduction="average")


def test_logits_are_never_held():
    x, w, _, target = case(4000, 9000, 16)
    tensors = Tensor(x, requires_grad=True), Tensor(w, requires_grad=True)
    with threads(2):
        nn.release_memory()
        F.linear_cross_entropy(*tensors, target, label_smoothing=0.1).backward()
        idle = nn.idle_memory()  # all that has been asked for but the gradients
    assert idle < 36 << 20, "4,000 x 9,000 logits are 144 MB"


def test_small_batches_of_different_numbers_of_tokens_make_the_big_one():
    """Losses summed and divided by the tokens of all, or means weighted by tokens: the gradients of the whole batch."""
    x, w, b, target = case(500, 300, 32, ignored=0.3)
    whole = evaluate(x, w, target, b, label_smoothing=0.1)
    total = np.count_nonzero(target != -100)
    cuts = [0, 3, 120, 121, 380, 500]
    weight, bias = Tensor(w, requires_grad=True), Tensor(b, requires_grad=True)
    loss, dx = 0.0, []
    for begin, end in pairwise(cuts):
        rows, classes = Tensor(x[begin:end], requires_grad=True), target[begin:end]
        mean = F.linear_cross_entropy(rows, weight, classes, bias, label_smoothing=0.1)
        share = mean * (np.count_nonzero(classes != -100) / total)
        share.backward()
        loss += share.item()
        dx.append(rows.grad)
    for got, expected in zip([loss, np.concatenate(dx), weight.grad, bias.grad], whole, strict=True):
        assert_close(got / np.abs(expected).max(), expected / np.abs(expected).max(), 2e-6)
