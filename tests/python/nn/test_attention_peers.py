"""Attention beside PyTorch: values and gradients."""

import numpy as np
import pytest

from mlcore.nn.functional._attention import scaled_dot_product_attention
from mlcore.nn.layers._attention import MultiheadAttention
from mlcore.nn.tensor import Tensor
from twins.nn import assert_close

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask_kind", [None, "bool", "float"])
@pytest.mark.parametrize("shape", [(2, 3, 60, 60, 64, 64), (1, 2, 33, 300, 32, 48), (2, 1, 200, 129, 16, 16)])
def test_scaled_dot_product_attention(shape, mask_kind, causal):
    b, h, n_queries, n_keys, depth, value_depth = shape
    q, k, v = normal(b, h, n_queries, depth), normal(b, h, n_keys, depth, seed=1), normal(b, h, n_keys, value_depth)
    dout = normal(b, h, n_queries, value_depth, seed=2)
    mask = {None: None, "bool": normal(n_queries, n_keys) > 0, "float": normal(b, 1, n_queries, n_keys)}[mask_kind]
    if mask_kind == "bool":
        mask[:, 0] = True  # PyTorch gives NaN to a query that sees nothing
    if mask_kind is not None and causal:
        later = ~np.tri(n_queries, n_keys, dtype=bool)
        both = mask & ~later if mask_kind == "bool" else np.where(later, -np.inf, mask).astype(np.float32)
        theirs_mask, their_causal = torch.tensor(both), False
    else:
        theirs_mask, their_causal = None if mask is None else torch.tensor(mask), causal
    ours = [Tensor(x, requires_grad=True) for x in (q, k, v)]
    theirs = [torch.tensor(x, requires_grad=True) for x in (q, k, v)]
    out = scaled_dot_product_attention(*ours, mask, is_causal=causal)
    their_out = torch.nn.functional.scaled_dot_product_attention(*theirs, theirs_mask, is_causal=their_causal)
    assert_close(out.data, their_out.detach().numpy())
    out.backward(dout)
    their_out.backward(torch.tensor(dout))
    for a, b_ in zip(ours, theirs, strict=True):
        assert_close(a.grad, b_.grad.numpy())


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kind", "kdim"), [("self", None), ("cross", None), ("cross", 20), ("memory", None), ("memory", 20)]
)
def test_multihead_attention(kind, bias, kdim, batch_first):
    vdim = kdim if kind == "memory" else None
    ours = MultiheadAttention(24, 3, bias=bias, kdim=kdim, vdim=vdim, batch_first=batch_first)
    theirs = torch.nn.MultiheadAttention(24, 3, bias=bias, kdim=kdim, vdim=vdim, batch_first=batch_first)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.tensor(x) for name, x in ours.state_dict().items()})

    def sequence(n, depth, seed):
        x = normal(4, n, depth, seed=seed)
        x = x if batch_first else x.swapaxes(0, 1).copy()
        return Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)

    q, their_q = sequence(7, 24, 0)
    n_keys = 7 if kind == "self" else 9
    k, their_k = (q, their_q) if kind == "self" else sequence(n_keys, kdim or 24, 1)
    v, their_v = (k, their_k) if kind != "cross" else sequence(n_keys, 24, 2)
    padding = np.arange(n_keys) >= np.array([n_keys, 3, 2, 5])[:, None]
    mask = np.random.default_rng(0).random((7, n_keys)) < 0.3
    mask[:, 0] = False
    out, weights = ours(q, k, v, padding, True, mask)
    their_out, their_weights = theirs(their_q, their_k, their_v, torch.tensor(padding), True, torch.tensor(mask))
    assert_close(out.data, their_out.detach().numpy())
    assert_close(weights.data, their_weights.detach().numpy())
    dout = normal(*out.shape, seed=5)
    out.backward(dout)
    their_out.backward(torch.tensor(dout))
    for a, b in ((q, their_q), (k, their_k), (v, their_v), *zip(ours.parameters(), theirs.parameters(), strict=True)):
        assert_close(a.grad, b.grad.numpy())
