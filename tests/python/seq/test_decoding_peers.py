"""The decoder beside CTranslate2 and transformers with the same weights: tokens, scores, rules of stopping.

Texts must be equal: rounding of these weights' logits decides between no two tokens.
"""

import numpy as np
import pytest

from mlcore._native import core
from mlcore.seq._packed import Packed

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")
pytest.importorskip("ctranslate2")
pytest.importorskip("transformers")

translators = pytest.importorskip("support.translators")
BEGIN, END = translators.BEGIN, translators.END
LENGTH = 14


class Case:
    """Weights whose texts end somewhere below the maximal length, in all libraries."""

    def __init__(self, **options):
        self.shape = translators.Shape(120, 32, 4, 2, 64, **options)
        self.weights = translators.random_weights(self.shape, seed=1)
        self.weights["output.bias"][END] = 0.6  # often among the likeliest, seldom the first
        rng = np.random.default_rng(0)
        lengths = [1, 2, 24, *rng.integers(3, 20, 13)]
        self.sources = [rng.integers(4, self.shape.vocabulary, n).tolist() for n in lengths]
        self.network = translators.mlcore_network(self.weights, self.shape).eval()
        self.decoder = self.network.decoder()

    def ours(self, beam=1, **options):
        return translators.mlcore_write(self.network, self.decoder, self.sources, beam, LENGTH, **options)

    def found(self, **options):
        """All hypotheses, as the core returns them: (ids, score, log-probability)."""
        self.network.start(self.decoder, Packed.of(self.sources))
        options = {"begin": BEGIN, "end": END, "max_length": LENGTH, "method": "beam", "n_threads": 2, **options}
        return core.nn.search(self.decoder, **options)


@pytest.fixture(
    scope="module",
    params=[{"tied": False}, {"tied": False, "norm_first": True}, {}],
    ids=["untied", "norm first", "tied"],
)
def case(request):
    return Case(**request.param)


@pytest.fixture(scope="module")
def marian_case():
    case = Case(tied=False)
    return case, translators.marian_model(case.weights, case.shape)


def test_greedy_texts_are_those_of_torch(case):
    model = translators.torch_model(case.weights, case.shape).eval()
    texts = case.ours()
    assert texts == model.greedy(case.sources, LENGTH)
    assert case.shape.tied or len({len(text) for text in texts}) > 1  # some end before the maximal length


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_texts_are_those_of_ctranslate2(case, beam):
    model = translators.ctranslate2_model(case.weights, case.shape, "float32", 1)
    # It stops when a beam is full, whatever may still come: early_stopping=True.
    options = {"early_stopping": True} if beam > 1 else {}
    assert case.ours(beam, **options) == translators.ctranslate2_write(model, case.sources, beam, LENGTH)


@pytest.mark.parametrize("early_stopping", [True, False, "never"])
@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
def test_beams_and_scores_are_those_of_transformers(marian_case, early_stopping, length_penalty):
    case, model = marian_case
    options = {"early_stopping": early_stopping, "length_penalty": length_penalty}
    ids = translators.padded(case.sources)
    with torch.no_grad():
        theirs = model.generate(
            ids,
            attention_mask=(ids != translators.PAD).long(),
            num_beams=4,
            num_return_sequences=4,
            max_new_tokens=LENGTH,
            do_sample=False,
            output_scores=True,
            return_dict_in_generate=True,
            **options,
        )
    rows = iter(zip(theirs.sequences.tolist(), theirs.sequences_scores.tolist(), strict=True))
    for hypotheses in case.found(beam_size=4, n_best=4, **options):
        assert len(hypotheses) == 4
        for tokens, score, log_probability in hypotheses:
            sequence, expected = next(rows)
            assert tokens.tolist() == [i for i in sequence[1:] if i not in (translators.PAD, END)]
            assert score == pytest.approx(expected, rel=1e-5, abs=1e-5)
            length = len(tokens) + (END in sequence)
            assert score == pytest.approx(log_probability / length**length_penalty, rel=1e-6)


def test_int8_is_as_near_to_float32_as_ctranslate2s():
    """Random weights write texts that a little noise changes; it must not be more than the peer's."""
    case = Case(tied=False)
    expected = case.ours()
    decoder = case.network.decoder(quantize=True)
    ours = translators.mlcore_write(case.network, decoder, case.sources, 1, LENGTH)
    model = translators.ctranslate2_model(case.weights, case.shape, "int8", 1)
    theirs = translators.ctranslate2_write(model, case.sources, 1, LENGTH)

    def same_tokens(texts):
        """Tokens up to the first that differs."""
        pairs = zip(texts, expected, strict=True)
        return sum(next((i for i, (a, b) in enumerate(zip(t, e, strict=False)) if a != b), len(e)) for t, e in pairs)

    assert same_tokens(ours) >= 0.8 * same_tokens(theirs)
