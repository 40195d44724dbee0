"""The network of Seq2Seq beside its twin, and its decoder beside the network."""

import numpy as np
import pytest

from mlcore import nn
from mlcore._native import core
from mlcore.nn import functional as F
from mlcore.nn import optim
from mlcore.seq import Packed, RecurrentNetwork
from mlcore.seq._network import inputs_and_labels
from mlcore.seq._recurrent_network import recurrent_shapes
from twins.nn import assert_close
from twins.nn import seq2seq as twin

RNG = np.random.default_rng(0)
SOURCES = [RNG.integers(4, 15, n) for n in (5, 1, 9, 5)]
TARGETS = [np.array([2, *RNG.integers(4, 12, n), 3]) for n in (4, 0, 7, 7)]
SOURCE, TARGET = Packed.of(SOURCES), Packed.of(TARGETS)
PLAIN = {"cell": "lstm", "n_layers": 1, "bidirectional": True, "attention": "additive", "input_feeding": False}
KINDS = [
    PLAIN | {"cell": cell, "attention": attention, "bidirectional": bidirectional, "n_layers": n_layers}
    for cell in ("rnn", "gru", "lstm")
    for attention in (None, "additive", "dot", "general")
    for bidirectional, n_layers in ((True, 1), (False, 2), (True, 2))
] + [
    PLAIN | {"cell": cell, "attention": attention, "input_feeding": True, "n_layers": 2}
    for cell in ("gru", "lstm")
    for attention in ("additive", "dot", "general")
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(str(value) for value in kind.values()))
ATTENTIONS = pytest.mark.parametrize("attention", [None, "additive", "dot", "general"])


def make(n_source=15, seed=0, **options):
    nn.manual_seed(seed)
    network = RecurrentNetwork(12, n_source, **{"embedding_size": 6, "hidden_size": 9, "dropout": 0.0, **options})
    for parameter in network.parameters():
        parameter.data *= 1.5  # so that nothing is nearly linear
    return network.eval()


def state_of(network):
    return {name: np.asarray(values, np.float64) for name, values in network.state_dict().items()}


def step_by_step(network, source, target):
    """Logits by the decoder, as the network orders them, its sequences dropped as they end."""
    inputs, _ = inputs_and_labels(target)
    decoder = network.decoder()
    network.start(decoder, source)
    found = np.empty((len(inputs.ids), network.n_tokens), np.float32)
    rows = np.arange(len(inputs.lengths))
    for t in range(inputs.lengths.max()):
        going_on = np.flatnonzero(inputs.lengths > t)
        parents = np.searchsorted(rows, going_on).astype(np.int32)
        places = inputs.offsets[going_on] + t
        found[places] = decoder.step(parents, inputs.ids[places].astype(np.int32), n_threads=2)
        rows = going_on
    return found


@every_kind
def test_against_the_twin(kind):
    network = make(**kind)
    state, inputs = state_of(network), inputs_and_labels(TARGET)[0]
    values = network(SOURCE, inputs).data
    looked = network.attention(SOURCE, TARGET) if kind["attention"] else None
    for b in range(4):
        rows = slice(inputs.offsets[b], inputs.offsets[b + 1])
        expected, weights = twin.logits(state, SOURCES[b], TARGETS[b][:-1], **kind)
        assert_close(values[rows], expected)
        if looked:
            assert_close(looked[b], weights)
    loss, n = network.loss(SOURCE, TARGET)
    assert n == sum(len(t) - 1 for t in TARGETS)
    assert loss.item() == pytest.approx(twin.loss(state, SOURCES, TARGETS, **kind), abs=1e-5)


@every_kind
def test_gradient_along_a_direction(kind):
    network = make(**kind)
    network.zero_grad()
    network.loss(SOURCE.take([0, 1]), TARGET.take([0, 1]))[0].backward()
    state = state_of(network)
    for name, parameter in network.named_parameters():
        direction = np.random.default_rng(len(name)).normal(size=parameter.shape)
        step = 1e-5
        ends = [
            twin.loss(state | {name: state[name] + sign * step * direction}, SOURCES[:2], TARGETS[:2], **kind)
            for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / (2 * step)
        assert np.sum(parameter.grad * direction) == pytest.approx(slope, rel=1e-3, abs=1e-5), name


@every_kind
def test_the_decoder_takes_the_steps_of_the_network(kind):
    for n_source, target in ((15, TARGET), (None, TARGET)):
        network = make(n_source, **kind, never=(0, 1))
        source = SOURCE if n_source else Packed.of([s % 12 for s in SOURCES])
        expected = network(source, inputs_and_labels(target)[0]).data
        found = step_by_step(network, source, target)
        assert np.isneginf(found[:, :2]).all()
        np.testing.assert_allclose(found[:, 2:], expected[:, 2:], rtol=0, atol=1e-5)


@every_kind
def test_shapes_are_those_of_the_state(kind):
    for n_source in (15, None):
        state = make(n_source, **kind).state_dict()
        shapes = recurrent_shapes(12, n_source, embedding_size=6, hidden_size=9, **kind)
        assert {name: values.shape for name, values in state.items()} == shapes


@ATTENTIONS
@pytest.mark.parametrize("input_feeding", [False, True])
def test_a_sequence_does_not_depend_on_its_batch(attention, input_feeding):
    if input_feeding and attention is None:
        return
    network = make(attention=attention, input_feeding=input_feeding, hidden_size=33)
    inputs, _ = inputs_and_labels(TARGET)
    logits, steps = network(SOURCE, inputs).data, step_by_step(network, SOURCE, TARGET)
    for b in range(4):
        rows = slice(inputs.offsets[b], inputs.offsets[b + 1])
        alone = SOURCE.take([b]), TARGET.take([b])
        np.testing.assert_array_equal(logits[rows], network(alone[0], inputs.take([b])).data)
        np.testing.assert_array_equal(steps[rows], step_by_step(network, *alone))


@pytest.mark.parametrize("options", [{}, {"attention": "general", "teacher_forcing": 0.5}, {"input_feeding": True}])
def test_the_number_of_threads_does_not_change_a_bit(options):
    source = Packed.of([RNG.integers(4, 15, n) for n in RNG.integers(1, 30, 40)])
    target = Packed.of([[2, *RNG.integers(4, 12, n), 3] for n in RNG.integers(0, 30, 40)])
    results = []
    for n in (1, 2, 3):
        network = make(**options, hidden_size=70, dropout=0.3).train()
        with nn.threads(n):
            nn.manual_seed(1)
            loss, _ = network.loss(source, target)
            loss.backward()
            network.eval()
            results.append([loss.data, *(p.grad for p in network.parameters()), step_by_step(network, source, target)])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@ATTENTIONS
def test_whole_sentences_and_single_steps_are_the_same(attention):
    network = make(attention=attention, n_layers=2).train()
    gradients = []
    for teacher_forcing in (1.0, np.nextafter(1.0, 0)):  # the second never leaves the target, but goes step by step
        network.teacher_forcing = teacher_forcing
        network.zero_grad()
        nn.manual_seed(0)
        loss, _ = network.loss(SOURCE, TARGET)
        loss.backward()
        gradients.append([loss.data, *(p.grad for p in network.parameters())])
    for a, b in zip(*gradients, strict=True):
        assert_close(a, b)


def test_without_teacher_forcing_it_reads_what_it_writes():
    network = make(teacher_forcing=0.0, never=(0, 1, 2)).train()
    inputs, _ = inputs_and_labels(TARGET)
    logits = network(SOURCE, inputs).data
    for b in range(4):
        first, last = inputs.offsets[b : b + 2]
        best = logits[first:last].copy()
        best[:, :3] = -np.inf
        own = np.array([2, *best.argmax(axis=1)[:-1]])
        expected, _ = twin.logits(state_of(network), SOURCES[b], own, **PLAIN)
        assert_close(logits[first:last], expected)
    network.eval()  # where nothing is trained the target is read
    expected, _ = twin.logits(state_of(network), SOURCES[2], TARGETS[2][:-1], **PLAIN)
    assert_close(network(SOURCE, inputs).data[inputs.offsets[2] : inputs.offsets[3]], expected)


def reversed_digits(n, seed):
    rng = np.random.default_rng(seed)
    sequences = [rng.integers(4, 12, rng.integers(1, 7)) for _ in range(n)]
    return Packed.of([[*s, 3] for s in sequences]), Packed.of([[2, *s[::-1], 3] for s in sequences])


@pytest.mark.parametrize("options", [{}, {"attention": "general", "cell": "gru"}])
def test_it_learns_to_reverse(options):
    nn.manual_seed(0)
    network = RecurrentNetwork(12, embedding_size=16, hidden_size=48, never=(0, 1, 2), **options)
    optimizer = optim.Adam(network.parameters(), lr=0.01)
    source, target = reversed_digits(2000, 0)
    rng = np.random.default_rng(1)
    for _ in range(150):
        rows = rng.integers(0, 2000, 64)
        optimizer.zero_grad()
        network.loss(source.take(rows), target.take(rows))[0].backward()
        optimizer.step()
    network.eval()
    source, target = reversed_digits(200, 1)
    decoder = network.decoder()
    network.start(decoder, source)
    found = core.nn.search(decoder, begin=2, end=3, max_length=20, n_threads=2)
    right = [
        hypotheses[0][0].tolist() == target.ids[a + 1 : b - 1].tolist()
        for hypotheses, a, b in zip(found, target.offsets[:-1], target.offsets[1:], strict=True)
    ]
    assert np.mean(right) >= 0.98
    looked = network.attention(source, target)
    assert all(np.allclose(weights.sum(axis=1), 1, atol=1e-5) for weights in looked)


def test_hypotheses_take_their_states_along():
    network = make(input_feeding=True, n_layers=2)
    decoder = network.decoder()
    network.start(decoder, SOURCE)
    decoder.step(np.array([0, 0, 2, 2, 2], np.int32), np.array([2, 4, 2, 5, 6], np.int32), n_threads=1)
    found = decoder.step(np.array([1, 4, 2, 4], np.int32), np.array([7, 8, 9, 8], np.int32), n_threads=1)
    for row, (b, tokens) in enumerate([(0, [4, 7]), (2, [6, 8]), (2, [2, 9]), (2, [6, 8])]):
        expected, _ = twin.logits(
            state_of(network), SOURCES[b], tokens, **PLAIN | {"input_feeding": True, "n_layers": 2}
        )
        assert_close(found[row], expected[-1])
    np.testing.assert_array_equal(found[1], found[3])


def test_weights_of_int8_are_nearly_the_same():
    network = make(hidden_size=64)
    inputs, _ = inputs_and_labels(TARGET)
    exact = network(SOURCE, inputs).data[inputs.offsets[:-1]]
    decoder = network.decoder(quantize=True)
    network.start(decoder, SOURCE)
    found = decoder.step(np.arange(4, dtype=np.int32), np.full(4, 2, np.int32), n_threads=1)
    assert 0 < np.abs(found - exact).max() < 0.1 * np.abs(exact).max()


def test_what_does_not_fit():
    for options, message in (
        ({"cell": "tree"}, "cell must be"),
        ({"attention": "self"}, "attention must be"),
        ({"attention": None, "input_feeding": True}, "input_feeding"),
        ({"teacher_forcing": 1.5}, "teacher_forcing"),
    ):
        with pytest.raises(ValueError, match=message):
            make(**options)
    network = make()
    with pytest.raises(ValueError, match="3 sources for 4 targets"):
        network.loss(SOURCE.take([0, 1, 2]), TARGET)
    with pytest.raises(ValueError, match="sequence 1 holds no steps"):
        network.loss(Packed.of([[4], [], [5, 6], [4]]), TARGET)
    with pytest.raises(ValueError, match="99"):
        network.loss(Packed.of([[4], [99], [5, 6], [4]]), TARGET)
    with pytest.raises(ValueError, match="none to look at"):
        make(attention=None).attention(SOURCE, TARGET)


def test_a_decoder_checks_what_it_is_given():
    network = make()
    decoder = network.decoder()
    memory, offsets, states = network.encode(SOURCE)
    h, c, rows = *(s.data for s in states), memory.data
    one = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match="parents"):  # nothing is there to continue
        decoder.step(one, one, n_threads=1)
    for arguments, message in (
        ((h[:, :2], c, rows, offsets), "c must|c of|shape"),
        ((h, None, rows, offsets), "second state of an LSTM"),
        ((h, c, None, offsets), "memory"),
        ((h, c, rows[:, :3].copy(), offsets), "memory"),
        ((h, c, rows[:5], offsets), "offsets"),
        ((h, c, rows, offsets[:-1].copy()), "offsets"),
        ((h, c, rows, np.array([0, 9, 5, 15, 20], np.int64)), "offsets"),
        ((h.astype(np.float64), c, rows, offsets), "h"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            decoder.start(*arguments, n_threads=1)
    network.start(decoder, SOURCE)
    for parents, tokens, message in (
        ([4], [2], "parents"),
        ([-1], [2], "parents"),
        ([1, 0], [2, 2], "order of their sources"),
        ([0], [12], "tokens"),
        ([0], [-1], "tokens"),
    ):
        with pytest.raises(ValueError, match=message):
            decoder.step(np.array(parents, np.int32), np.array(tokens, np.int32), n_threads=1)
    assert decoder.step(one[:0], one[:0], n_threads=1).shape == (0, 12)

    state = {name: values.copy() for name, values in network.attend.state_dict().items()}
    layer = {
        name: getattr(network.decoder_stack, f"{name}_l0").data
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    whole = {
        "cell": "lstm",
        "layers": [layer],
        "embedding": network.embedding.weight.data,
        "output_weight": network.output.weight.data,
        "attention": "additive",
        "attention_arrays": state,
        "n_threads": 1,
    }
    core.nn.RecurrentDecoder(**whole)
    for wrong in (
        {"cell": "gru"},
        {"layers": []},
        {"layers": [layer, layer]},
        {"layers": [{**layer, "bias_hh": None}]},
        {"layers": [{"weight_ih": layer["weight_ih"]}]},
        {"layers": [3]},
        {"embedding": np.zeros((0, 6), np.float32)},
        {"output_weight": np.zeros((12, 8), np.float32)},
        {"attention": "dot"},
        {"attention": "self"},
        {"attention_arrays": None},
        {"attention_arrays": {**state, "weight": state["weight"][:3]}},
        {"attention": None, "input_feeding": True},
    ):
        with pytest.raises((ValueError, TypeError)):
            core.nn.RecurrentDecoder(**{**whole, **wrong})


def test_it_begins_with_the_frequencies():
    network = make()
    log_p = np.log(np.arange(1, 13) / 78)
    network.write_frequencies(log_p)
    logits = network(SOURCE, inputs_and_labels(TARGET)[0])
    np.testing.assert_allclose(F.log_softmax(logits, -1).data, np.broadcast_to(log_p, logits.shape), atol=1e-5)
