"""Training of the network of TransformerSeq2Seq beside PyTorch's layers, with equal initial weights and batches."""

import numpy as np
import pytest

from mlcore import nn
from mlcore.seq._packed import Packed

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")

translators = pytest.importorskip("support.translators")
BEGIN, END = translators.BEGIN, translators.END
N_STEPS, WARMUP, PEAK, SMOOTHING = 50, 20, 2e-3, 0.1


def batches(vocabulary, n, seed=0):
    """Ragged sources and, for each token of one, a token of the target: what can be learned."""
    rng = np.random.default_rng(seed)
    table = rng.integers(4, vocabulary, vocabulary)
    for _ in range(n):
        sources = [rng.integers(4, vocabulary, length) for length in rng.integers(1, 14, 12)]
        yield sources, [np.r_[BEGIN, table[source], END] for source in sources]


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("tied", [True, False])
def test_loss_curves(norm_first, tied):
    shape = translators.Shape(150, 64, 4, 2, 128, norm_first=norm_first, tied=tied)
    torch.manual_seed(0)
    weights = translators.TorchTransformer(shape).weights()
    ours = translators.mlcore_network(weights, shape, label_smoothing=SMOOTHING).train()
    theirs = translators.torch_model(weights, shape).train()
    adam = {"lr": PEAK, "betas": (0.9, 0.98), "eps": 1e-9}
    optimizer, peer = nn.optim.Adam(ours.parameters(), **adam), torch.optim.Adam(theirs.parameters(), **adam)
    schedule = nn.optim.InverseSqrtLR(optimizer, WARMUP)
    curve = torch.optim.lr_scheduler.LambdaLR(peer, lambda n: min((n + 1) / WARMUP, (WARMUP / (n + 1)) ** 0.5))
    losses = []
    for source, target in batches(shape.vocabulary, N_STEPS):
        optimizer.zero_grad()
        loss, n_tokens = ours.loss(Packed.of(source), Packed.of(target))
        loss.backward()
        optimizer.step()
        schedule.step()
        peer.zero_grad()
        expected = theirs.loss(translators.padded(source), translators.padded(target), SMOOTHING)
        expected.backward()
        peer.step()
        curve.step()
        assert n_tokens == sum(len(ids) - 1 for ids in target)
        losses.append((loss.item(), expected.item()))
    curves = np.array(losses)
    assert curves[-1, 1] < curves[0, 1] - 0.5  # it learns
    # Rounding of both: Adam divides by the root of second moments, and makes steps of gradients of any size.
    np.testing.assert_allclose(curves[:, 0], curves[:, 1], rtol=0, atol=1e-4)


@pytest.mark.parametrize("attention", ["general", "additive"])
def test_loss_curves_of_the_recurrent_network(attention):
    recurrent = pytest.importorskip("support.recurrent_translators")
    ours, theirs = recurrent.pair(150, 24, 32, attention=attention, label_smoothing=SMOOTHING)
    ours.train()
    optimizer, peer = nn.optim.Adam(ours.parameters(), lr=PEAK), torch.optim.Adam(theirs.parameters(), lr=PEAK)
    losses = []
    for source, target in batches(150, N_STEPS):
        optimizer.zero_grad()
        loss, _ = ours.loss(Packed.of(source), Packed.of(target))
        loss.backward()
        optimizer.step()
        peer.zero_grad()
        expected = theirs.loss(translators.padded(source), translators.padded(target), SMOOTHING)
        expected.backward()
        peer.step()
        losses.append((loss.item(), expected.item()))
    curves = np.array(losses)
    assert curves[-1, 1] < curves[0, 1] - 0.1
    np.testing.assert_allclose(curves[:, 0], curves[:, 1], rtol=0, atol=1e-4)


def test_logits_are_those_of_torch():
    shape = translators.Shape(150, 32, 4, 2, 64)
    weights = translators.random_weights(shape, never=())
    ours = translators.mlcore_network(weights, shape).eval()
    theirs = translators.torch_model(weights, shape).eval()
    ((source, target),) = batches(shape.vocabulary, 1)
    inputs = [ids[:-1] for ids in target]
    logits = ours(Packed.of(source), Packed.of(inputs)).data
    with torch.no_grad():
        expected = theirs(translators.padded(source), translators.padded(inputs)).numpy()
    rows = np.concatenate([expected[b, : len(ids)] for b, ids in enumerate(inputs)])
    np.testing.assert_allclose(logits, rows, rtol=1e-4, atol=1e-4)
