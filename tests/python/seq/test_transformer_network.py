"""The networks of TransformerSeq2Seq and TransformerLM."""

import numpy as np
import pytest

from mlcore import nn
from mlcore._native import core
from mlcore.nn import functional as F
from mlcore.seq import Packed, TransformerLMNetwork, TransformerNetwork
from mlcore.seq._network import inputs_and_labels
from mlcore.seq._transformer_network import transformer_shapes

RNG = np.random.default_rng(0)
SOURCE = Packed.of([RNG.integers(4, 20, n) for n in (5, 1, 9)])
TARGET = Packed.of([[2, *RNG.integers(4, 30, n), 3] for n in (4, 0, 7)])
SIZES = {"d_model": 16, "n_layers": 2, "dim_feedforward": 24}
KINDS = [
    {"norm_first": norm_first, "positions": positions, "tied_embeddings": tied}
    for norm_first, positions, tied in [(False, "sinusoidal", True), (True, "learned", False), (True, "rotary", True)]
]


def make(n_source=20, **options):
    nn.manual_seed(0)
    return TransformerNetwork(30, n_source, n_heads=2, dropout=0.0, max_positions=12, **SIZES, **options).eval()


def test_inputs_and_labels():
    inputs, labels = inputs_and_labels(Packed.of([[2, 7, 8, 3], [2, 3]]))
    np.testing.assert_array_equal(inputs.ids, [2, 7, 8, 2])
    np.testing.assert_array_equal(inputs.offsets, [0, 3, 4])
    np.testing.assert_array_equal(labels, [7, 8, 3, 3])
    with pytest.raises(ValueError, match="two tokens or more"):
        inputs_and_labels(Packed.of([[2, 3], [2]]))
    for offsets in ([0, 2**40], [1, 5], [0, 3]):
        with pytest.raises(ValueError, match="offsets must"):
            inputs_and_labels(Packed(np.full(5, 6), np.array(offsets)))


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("n_source", [20, None])
def test_shapes_are_those_of_the_state(options, n_source):
    sizes = {**SIZES, **options, "max_positions": 12}
    expected = transformer_shapes(30, n_source, has_encoder=True, **sizes)
    assert {name: v.shape for name, v in make(n_source, **options).state_dict().items()} == expected
    model = TransformerLMNetwork(30, n_heads=2, max_positions=12, **SIZES, **options)
    expected = transformer_shapes(30, None, has_encoder=False, **sizes)
    assert {name: v.shape for name, v in model.state_dict().items()} == expected


@pytest.mark.parametrize("options", KINDS)
def test_the_loss_is_that_of_the_logits(options):
    for network, source in ((make(**options), SOURCE), (TransformerLMNetwork(30, n_heads=2, **SIZES, **options), None)):
        network.eval()
        loss, n = network.loss(source, TARGET)
        inputs, labels = inputs_and_labels(TARGET)
        expected = F.cross_entropy(network(source, inputs), labels)
        assert n == len(labels)
        np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-5)
        loss.backward()
        assert all(p.grad is not None for p in network.parameters())
        sums = network.negative_log_likelihoods(TARGET, source)
        np.testing.assert_allclose(sums.sum() / n, loss.item(), rtol=1e-5)


@pytest.mark.parametrize("options", KINDS)
def test_a_pair_has_the_same_bits_in_any_batch(options):
    network = make(**options)
    inputs, _ = inputs_and_labels(TARGET)
    with nn.no_grad():
        together = network(SOURCE, inputs).data
        for b in range(3):
            alone = network(SOURCE.take([b]), inputs.take([b])).data
            np.testing.assert_array_equal(alone, together[inputs.offsets[b] : inputs.offsets[b + 1]])


def test_a_token_does_not_see_those_after_it():
    network = make()
    inputs, _ = inputs_and_labels(TARGET)
    other = Packed(inputs.ids.copy(), inputs.offsets)
    other.ids[-1] = 29
    with nn.no_grad():
        np.testing.assert_array_equal(network(SOURCE, inputs).data[:-1], network(SOURCE, other).data[:-1])
        assert not np.array_equal(network(SOURCE, inputs).data[-1], network(SOURCE, other).data[-1])


def test_label_smoothing_is_for_training_alone():
    network = make(label_smoothing=0.3)
    evaluated = network.loss(SOURCE, TARGET)[0].item()
    assert evaluated == make().loss(SOURCE, TARGET)[0].item()
    assert network.train().loss(SOURCE, TARGET)[0].item() != evaluated


@pytest.mark.parametrize("options", KINDS)
def test_attention_is_one_look_for_each_token_written(options):
    found = make(**options).attention(SOURCE, TARGET)
    assert [weights.shape for weights in found] == [(5, 5), (1, 1), (8, 9)]
    for weights in found:
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(make(**options).attention(SOURCE.take([2]), TARGET.take([2]))[0], found[2])


@pytest.mark.parametrize("options", KINDS)
def test_it_can_become_the_frequencies_of_tokens(options):
    log_p = np.log(RNG.dirichlet(np.ones(30)))
    for network, source in ((make(**options), SOURCE), (TransformerLMNetwork(30, n_heads=2, **SIZES, **options), None)):
        network.eval().write_frequencies(log_p)
        logits = network(source, inputs_and_labels(TARGET)[0]).data
        np.testing.assert_allclose(logits, np.tile(log_p, (len(logits), 1)), rtol=1e-5)


@pytest.mark.parametrize("options", KINDS)
def test_it_starts_its_decoder_with_and_without_a_tape(options):
    network, found = make(**options), []
    for has_tape in (True, False):
        decoder = network.decoder()
        if has_tape:
            with nn.no_grad():
                decoder.start(network.encode(SOURCE).data, SOURCE.offsets, n_threads=1)
        else:
            network.start(decoder, SOURCE)
        found.append(core.nn.search(decoder, begin=2, end=3, max_length=8, n_threads=1))
    for (one,), (other,) in zip(*found, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_allclose(one[2], other[2], rtol=1e-4)


def test_what_it_refuses():
    with pytest.raises(ValueError, match="positions must be"):
        make(positions="none")
    network = make(positions="learned")
    with pytest.raises(ValueError, match=r"leaves \[0, 12\)"):
        network(SOURCE, Packed.of([np.full(13, 5)] * 3))
    for offsets in ([0, 2**31, 2**40, 5], [0, 3, 1, 5], [0, 1, 2, 3]):  # before anything is as large as they say
        lie = Packed(np.full(5, 6), np.array(offsets))
        with pytest.raises(ValueError, match="offsets must"):
            make().loss(lie, TARGET)
