"""Searches beside twins that recompute everything, and what they owe to any batch and any number of threads."""

import threading

import numpy as np
import pytest

from mlcore._native import core
from support.decoders import D, V, both, decoder_options, ending_options, packed, values
from support.process import in_child
from twins.nn.decoder import beam, best_of_all, greedy

BEGIN, END = 2, 3
LENGTHS = [4, 1, 9, 2]


def started(decoder, lengths=LENGTHS, n_threads=1):
    memories = [values(n, D, seed=n) for n in lengths]
    decoder.start(*packed(*memories), n_threads=n_threads)
    return memories


def search(decoder, n_threads=1, **options):
    return core.nn.search(decoder, **{"begin": BEGIN, "end": END, "max_length": 12, "n_threads": n_threads} | options)


def plain(found):
    """With ids as lists, to be compared."""
    return [[(ids.tolist(), score, log_p) for ids, score, log_p in hypotheses] for hypotheses in found]


def test_greedy_search():
    decoder, twin = both(n_layers=1, positions="sinusoidal", output_bias=np.float32(10 * (np.arange(V) == END)))
    memories = started(decoder)
    found = search(decoder, length_penalty=1.0)
    ended = 0
    for memory, [(ids, score, log_p)] in zip(memories, found, strict=True):
        tokens, total = greedy(lambda t, m=memory: twin.log_probabilities(t, m), [BEGIN], END, 12)
        assert ids.tolist() == tokens
        assert ids.dtype == np.int64
        length = len(tokens) + (len(tokens) < 12)
        ended += len(tokens) < 12
        np.testing.assert_allclose([log_p, score], [total, total / length], atol=1e-4)
    assert 0 < ended < 4  # both ways to end are seen


@pytest.mark.parametrize("early_stopping", [True, False, "never"])
@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_beam_search(k, length_penalty, early_stopping):
    decoder, twin = both(**ending_options(END))
    memories = started(decoder)
    options = {"length_penalty": length_penalty, "early_stopping": early_stopping}
    found = search(decoder, max_length=8, method="beam", beam_size=k, n_best=k, **options)
    for memory, hypotheses in zip(memories, found, strict=True):
        expected = beam(lambda t, m=memory: twin.log_probabilities(t, m), [BEGIN], END, 8, k, **options)
        assert [ids.tolist() for ids, _, _ in hypotheses] == [tokens for _, tokens, _ in expected]
        np.testing.assert_allclose([s for _, s, _ in hypotheses], [s for s, _, _ in expected], atol=1e-4)
        np.testing.assert_allclose([p for _, _, p in hypotheses], [p for _, _, p in expected], atol=1e-4)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
def test_a_wide_beam_finds_the_best_of_all(length_penalty):
    options = decoder_options(n_layers=1, v=4, positions="sinusoidal")
    decoder, twin = both(n_layers=1, v=4, positions="sinusoidal")
    assert len(options["embedding"]) == 4
    memories = started(decoder)
    found = search(
        decoder, max_length=5, method="beam", beam_size=200, length_penalty=length_penalty, early_stopping="never"
    )
    for memory, [(ids, score, _)] in zip(memories, found, strict=True):
        best = best_of_all(lambda t, m=memory: twin.log_probabilities(t, m), [BEGIN], END, 4, 5, length_penalty)
        assert ids.tolist() == best[1]
        np.testing.assert_allclose(score, best[0], atol=1e-5)


METHODS = {
    "greedy": {},
    "beam": {"method": "beam", "beam_size": 4, "n_best": 3, "length_penalty": 0.6},
    "sample": {"method": "sample", "n_best": 3, "seed": 5, "top_p": 0.9},
}


@pytest.mark.parametrize("options", METHODS.values(), ids=METHODS)
def test_a_source_does_not_depend_on_the_others(options):
    decoder = core.nn.TransformerDecoder(**decoder_options(positions="rotary", n_heads=2), n_threads=3)
    lengths = [5, 1, 0, 13, 5, 8, 2] * 5
    limits = np.arange(len(lengths)) % 9
    keys = 10 * np.arange(len(lengths))
    together = []
    for n_threads in [1, 2, 3]:
        started(decoder, lengths, n_threads)
        together.append(plain(search(decoder, n_threads, max_length=limits, keys=keys, **options)))
    assert together[0] == together[1] == together[2]
    for s in range(9):
        started(decoder, lengths[s : s + 1])
        alone = search(decoder, max_length=int(limits[s]), keys=keys[s : s + 1], **options)
        assert plain(alone)[0] == together[0][s]


def test_prompts():
    decoder, twin = both(memory=False, positions="sinusoidal")
    prompts = [[BEGIN, 5, 7], [BEGIN], [BEGIN, 9, 9, 1]]
    decoder.start_prompts(*packed(*map(np.array, prompts)), n_threads=1)
    begin = np.array([p[-1] for p in prompts])
    found = search(decoder, begin=begin, max_length=np.array([6, 7, 8]), method="beam", beam_size=3)
    for prompt, longest, [(ids, _, log_p)] in zip(prompts, [6, 7, 8], found, strict=True):
        expected = beam(twin.log_probabilities, prompt, END, longest, 3)[0]
        assert ids.tolist() == expected[1]
        np.testing.assert_allclose(log_p, expected[2], atol=1e-4)


def test_shortest_length():
    decoder, _ = both(positions="sinusoidal", output_bias=np.float32(60 * (np.arange(V) == END)))
    started(decoder)
    assert all(len(ids) == 0 for [(ids, _, _)] in search(decoder))
    for options in METHODS.values():
        started(decoder)
        found = search(decoder, min_length=5, **options | {"n_best": 1})
        assert all(len(ids) >= 4 for [(ids, _, _)] in found)
        assert all(END not in ids for [(ids, _, _)] in found)


def test_no_end_and_no_length():
    decoder, _ = both()
    started(decoder)
    for options in METHODS.values():
        started(decoder)
        assert all(len(ids) == 6 for h in search(decoder, end=None, max_length=6, **options) for ids, _, _ in h)
        started(decoder)
        nothing = search(decoder, max_length=0, **options)
        assert all((len(ids), score, log_p) == (0, 0, 0) for h in nothing for ids, score, log_p in h)
        assert all(len(h) >= 1 for h in nothing)
        started(decoder)
        one = search(decoder, max_length=1, **options)
        assert all(len(ids) <= 1 for h in one for ids, _, _ in h)


@pytest.mark.parametrize("v", [1, 2, 3])
def test_tiny_vocabularies(v):
    """A beam wider than the vocabulary finds as much as there is."""
    decoder, twin = both(v=v, n_layers=1)
    for end in [0, None]:
        memories = started(decoder)
        found = search(decoder, begin=0, end=end, max_length=4, method="beam", beam_size=7, n_best=7)
        for memory, hypotheses in zip(memories, found, strict=True):
            expected = beam(lambda t, m=memory: twin.log_probabilities(t, m), [0], end, 4, 7)
            assert [ids.tolist() for ids, _, _ in hypotheses] == [tokens for _, tokens, _ in expected]
        for options in [{}, {"method": "sample", "top_k": 5, "top_p": 0.5}]:
            started(decoder)
            assert len(search(decoder, begin=0, end=end, **options)) == 4


def with_bias(logits):
    """A decoder that gives these logits whatever it reads."""
    options = decoder_options(v=len(logits), n_layers=1)
    options["output_weight"] = np.zeros_like(options["output_weight"])
    decoder = core.nn.TransformerDecoder(**options, output_bias=np.float32(logits), n_threads=1)
    decoder.start(values(3, D), np.array([0, 3]), n_threads=1)
    return decoder


def first_tokens(logits, n=4000, **options):
    found = search(with_bias(logits), begin=0, end=None, max_length=1, method="sample", n_best=n, **options)
    return np.bincount([ids[0] for ids, _, _ in found[0]], minlength=len(logits)) / n


def test_samples_have_the_distribution():
    logits = np.random.default_rng(0).normal(size=40) * 2
    p = np.exp(logits) / np.exp(logits).sum()
    error = 4 * np.sqrt(p * (1 - p) / 4000) + 1e-3
    assert (np.abs(first_tokens(logits) - p) < error).all()
    assert (np.abs(first_tokens(logits, seed=1) - p) < error).all()
    hot = np.exp(logits / 3) / np.exp(logits / 3).sum()
    assert np.abs(first_tokens(logits, temperature=3.0) - hot).max() < 0.03
    best = np.argsort(-p)
    k = p * np.isin(np.arange(40), best[:3])
    assert np.abs(first_tokens(logits, top_k=3) - k / k.sum()).max() < 0.03
    n = np.searchsorted(np.cumsum(p[best]), 0.8) + 1
    top = p * np.isin(np.arange(40), best[:n])
    assert np.abs(first_tokens(logits, top_p=0.8) - top / top.sum()).max() < 0.03
    with_k = k / k.sum() * np.isin(np.arange(40), best[: np.searchsorted(np.cumsum(p[best[:3]]) / k.sum(), 0.6) + 1])
    assert np.abs(first_tokens(logits, top_p=0.6, top_k=3) - with_k / with_k.sum()).max() < 0.03


def test_samples_at_the_edges():
    logits = [0.0, 1.0, 1.0, -np.inf, 0.5]
    np.testing.assert_array_equal(first_tokens(logits, 500, top_k=1), [0, 1, 0, 0, 0])  # of ties, the lower id
    np.testing.assert_array_equal(first_tokens(logits, 500, top_p=1e-9), [0, 1, 0, 0, 0])
    for cold in [1e-6, 1e-37]:
        half = first_tokens(logits, temperature=cold)
        assert abs(half[1] - 0.5) < 0.05
        assert half[1] + half[2] == 1
    hot = first_tokens(logits, temperature=1e6)
    assert hot[3] == 0
    np.testing.assert_allclose(hot[[0, 1, 2, 4]], 0.25, atol=0.05)
    assert first_tokens(logits, top_p=0.999999)[3] == 0
    wide = first_tokens(np.zeros(5000), 300, top_p=0.99)
    assert wide[4951:].sum() == 0  # 99 % of equal tokens, those with the lower ids


def test_equal_logits():
    """The lower id goes first, of the better hypothesis."""
    logits = np.zeros(70)
    found = search(with_bias(logits), begin=0, end=None, max_length=2, method="beam", beam_size=3, n_best=3)
    assert [ids.tolist() for ids, _, _ in found[0]] == [[0, 0], [0, 1], [0, 2]]
    assert search(with_bias(logits), begin=0, end=None, max_length=2)[0][0][0].tolist() == [0, 0]


@pytest.mark.parametrize("options", METHODS.values(), ids=METHODS)
def test_logits_that_are_no_distribution(options):
    for wrong in [np.nan, np.inf]:
        with pytest.raises(ValueError, match="NaN or infinite"):
            search(with_bias([0.0] * 50 + [wrong, 1.0]), begin=0, end=None, **options)
    with pytest.raises(ValueError, match="NaN or infinite"):
        search(with_bias([-np.inf] * 5), begin=0, end=None, **options)
    never = search(with_bias([-np.inf, 0.0, -np.inf, -np.inf]), begin=0, end=None, max_length=3, **options)
    assert all(ids.tolist() == [1, 1, 1] for ids, _, _ in never[0])
    with pytest.raises(ValueError, match="shorter than min_length"):
        search(with_bias([0.0, -np.inf, -np.inf]), begin=1, end=0, min_length=4, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"begin": V}, "begin must be a token"),
        ({"begin": -1}, "begin must be a token"),
        ({"begin": 2**40}, "begin must be a token"),
        ({"begin": np.zeros(3, np.int64)}, "begin"),
        ({"end": V}, "end must be a token"),
        ({"end": -1}, "end must be a token"),
        ({"max_length": -1}, "max_length must be at least 0"),
        ({"max_length": np.zeros(5, np.int64)}, "max_length"),
        ({"min_length": -1}, "min_length"),
        ({"length_penalty": np.inf}, "length_penalty"),
        ({"method": "best"}, "method must be"),
        ({"method": "beam", "beam_size": 0}, "beam_size must be at least 1"),
        ({"method": "beam", "beam_size": 2, "n_best": 3}, "n_best must be between 1 and beam_size, 2, got 3"),
        ({"early_stopping": "always"}, "early_stopping"),
        ({"method": "sample", "temperature": 0.0}, "temperature must be above 0"),
        ({"method": "sample", "temperature": np.nan}, "temperature"),
        ({"method": "sample", "top_p": 0.0}, "top_p must be in"),
        ({"method": "sample", "n_best": 0}, "n_samples"),
        ({"method": "sample", "keys": np.zeros(1, np.int64)}, "keys"),
    ],
)
def test_wrong_options(options, message):
    decoder, _ = both()
    started(decoder)
    with pytest.raises(ValueError, match=message):
        search(decoder, **options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"end": "3"}, TypeError, "end must be an int"),
        ({"end": 3.0}, TypeError, "end must be an int"),
        ({"end": 2**63}, ValueError, "end must fit into 64 bits"),
        ({"begin": -(2**70)}, ValueError, "begin must fit into 64 bits"),
    ],
)
def test_tokens_that_are_no_numbers(options, error, message):
    decoder, _ = both()
    started(decoder)
    with pytest.raises(error, match=message):
        search(decoder, **options)
    started(decoder)
    assert search(decoder, end=np.int64(END), max_length=2)


def test_no_source():
    decoder, _ = both()
    for options in METHODS.values():
        decoder.start(np.zeros((0, D), np.float32), np.array([0]), n_threads=1)
        assert search(decoder, **options) == []


def test_a_search_needs_a_start():
    decoder, _ = both()
    started(decoder)
    search(decoder)
    with pytest.raises(ValueError, match="start it again"):
        search(decoder)
    started(decoder)
    decoder.step(np.zeros(4, np.int32), np.zeros(4, np.int32), n_threads=1)
    with pytest.raises(ValueError, match="start it again"):
        search(decoder)


def test_a_start_that_fails_is_none():
    decoder, _ = both(memory=False, positions=values(3, D))
    with pytest.raises(ValueError, match="table of positions"):
        decoder.start_prompts(np.arange(5), np.array([0, 5]), n_threads=1)
    with pytest.raises(ValueError, match="start it again"):
        search(decoder)


def test_one_search_at_a_time():
    """Of threads that share a decoder one is answered, the others get an error, never each other's tokens."""
    decoder, _ = both(positions="sinusoidal")
    started(decoder, [5] * 50)
    expected = plain(search(decoder, max_length=30, end=None))
    outcomes = []

    def work():
        try:
            outcomes.append(plain(search(decoder, max_length=30, end=None)))
        except ValueError as error:
            outcomes.append(str(error))

    for _ in range(3):
        started(decoder, [5] * 50)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = [outcome for outcome in outcomes if not isinstance(outcome, str)]
        assert found == [expected]
        assert all("another thread" in f or "start it again" in f for f in outcomes if isinstance(f, str))
        outcomes.clear()


def test_a_forked_child_searches():
    decoder, _ = both(positions="rotary", n_heads=2)
    lengths = [9, 3, 7] * 20
    started(decoder, lengths, 2)
    expected = plain(search(decoder, 2, method="beam"))

    def work():
        started(decoder, lengths, 2)
        assert plain(search(decoder, 2, method="beam")) == expected

    started(decoder, lengths, 2)  # what the parent has begun, the child has too
    assert in_child(work) == 0, "see the child's error in stderr"
    assert plain(search(decoder, 2, method="beam")) == expected


def test_ctrl_c_ends_a_search(run_python):
    code = """
from nn import test_search as t
from support.process import interrupted
decoder, _ = t.both()
t.started(decoder, [5] * 100)
assert interrupted(lambda: t.search(decoder, 2, end=None, max_length=10**7), 0.5).wall < 5
t.started(decoder)
assert len(t.search(decoder)) == 4
"""
    result = run_python(code)
    assert result.returncode == 0, result.stderr
