"""BLEU, chrF and their bootstrap beside sacreBLEU: the same counts, scores, texts and signatures."""

import lzma
import os
import random
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.metrics import corpus_bleu, corpus_bootstrap, corpus_chrf, paired_bootstrap, sentence_bleu, sentence_chrf
from mlcore.metrics._bleu import Bleu
from mlcore.metrics._chrf import Chrf

pytestmark = pytest.mark.peers
sacrebleu = pytest.importorskip("sacrebleu")
regex = pytest.importorskip("regex")
significance = pytest.importorskip("sacrebleu.significance")

DATA = Path(os.environ.get("MLCORE_DATA", Path(__file__).parents[4] / "shared" / "data")) / "mt"
TOKENIZERS = ("13a", "intl", "zh", "char", "none")
PIECES = [
    *"aB5- .,'($+\n\t&<;é²½“。中ア😀\u2009\xa0\x1c\x85\u3000",
    "&quot;",
    "&amp;",
    "&lt;",
    "<skipped>",
    "-\n",
    "3.14",
]


def same_category(c):
    """Characters whose category the running Python and the package regex agree on: they know other Unicode versions."""
    category = unicodedata.category(c)[0]
    return category == "C" or all(bool(regex.match(rf"\p{{{name}}}", c)) == (category == name) for name in "PSN")


texts = st.lists(st.one_of(st.sampled_from(PIECES), st.characters(exclude_categories=["Cn"])), max_size=25)
texts = texts.map(lambda parts: "".join(filter(lambda part: len(part) > 1 or same_category(part), parts)))


def perturbed(text, rng):
    """A sentence with words left out, exchanged, written otherwise and put in."""
    words = text.split(" ")
    for _ in range(max(1, len(words) // 5)):
        i, j = rng.randrange(len(words)), rng.randrange(len(words))
        match rng.randrange(4):
            case 0 if len(words) > 1:
                del words[i]
            case 1:
                words[i], words[j] = words[j], words[i]
            case 2:
                words[i] = words[i].upper()
            case _:
                words.insert(i, rng.choice(["1.5", "(rot)", "zwei-drei", "&quot;", "d'", "...", "été"]))
    return " ".join(words)


def same(ours, peer, metric):
    """Equal to 1e-9 in the score and to the last printed digit."""
    assert ours.score == pytest.approx(peer.score, rel=1e-12, abs=1e-12)
    assert str(ours) == str(peer)
    assert ours.format(width=9) == peer.format(width=9)
    signature = str(metric.get_signature())
    assert ours.signature.rsplit("|", 1)[0] == signature.rsplit("|", 1)[0]
    fields = f"{signature.rsplit('|', 1)[0]}|version:x"
    assert ours.format(signature=fields, is_json=True) == peer.format(signature=fields, is_json=True)


@st.composite
def corpora(draw):
    """Hypotheses and up to three streams of references, of which the second and third may miss some."""
    n = draw(st.integers(1, 4))
    hypotheses = draw(st.lists(texts, min_size=n, max_size=n))
    near = [st.one_of(texts, st.just(text), st.just(text[1:]), texts.map(text.__add__)) for text in hypotheses]
    more = [[draw(st.one_of(st.none(), text)) for text in near] for _ in range(draw(st.integers(0, 2)))]
    return hypotheses, [[draw(text) for text in near], *more]


@settings(max_examples=500, deadline=None)
@given(
    corpora(),
    st.sampled_from(TOKENIZERS),
    st.sampled_from([("exp", None), ("none", None), ("floor", None), ("floor", 0.3), ("add-k", None), ("add-k", 0.5)]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 6),
)
def test_bleu_of_random_texts(corpus, tokenize, smoothing, effective_order, lowercase, max_ngram_order):
    hypotheses, streams = corpus
    options = {
        "tokenize": tokenize,
        "smooth_method": smoothing[0],
        "smooth_value": smoothing[1],
        "effective_order": effective_order,
        "lowercase": lowercase,
        "max_ngram_order": max_ngram_order,
    }
    metric = sacrebleu.BLEU(**options)
    peer = metric.corpus_score(hypotheses, streams)
    ours = corpus_bleu(hypotheses, streams, **options)
    same(ours, peer, metric)
    assert (ours.counts, ours.totals) == (peer.counts, peer.totals)
    assert (ours.sys_len, ours.ref_len) == (peer.sys_len, peer.ref_len)
    assert ours.precisions == pytest.approx(peer.precisions, rel=1e-15)
    assert (ours.bp, ours.ratio) == (peer.bp, peer.ratio)


@settings(max_examples=500, deadline=None)
@given(
    corpora(),
    st.integers(0, 8),
    st.integers(0, 3),
    st.sampled_from([1, 2, 3, 0.5]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_chrf_of_random_texts(corpus, char_order, word_order, beta, whitespace, lowercase, eps_smoothing):
    hypotheses, streams = corpus
    options = {
        "char_order": char_order + (char_order + word_order == 0),
        "word_order": word_order,
        "beta": beta,
        "lowercase": lowercase,
        "eps_smoothing": eps_smoothing,
    }
    metric = sacrebleu.CHRF(whitespace=whitespace, **options)
    peer = metric.corpus_score(hypotheses, streams)
    same(corpus_chrf(hypotheses, streams, remove_whitespace=not whitespace, **options), peer, metric)


@settings(max_examples=300, deadline=None)
@given(corpora())
def test_sentences(corpus):
    hypotheses, streams = corpus
    for hypothesis, *references in zip(hypotheses, *streams, strict=True):
        assert str(sentence_bleu(hypothesis, references)) == str(sacrebleu.sentence_bleu(hypothesis, references))
        assert str(sentence_chrf(hypothesis, references)) == str(sacrebleu.sentence_chrf(hypothesis, references))
        ours = sentence_chrf(hypothesis, references, word_order=2)
        assert str(ours) == str(sacrebleu.sentence_chrf(hypothesis, references, word_order=2))


@pytest.mark.skipif(not DATA.exists(), reason="the data sets of machine translation are not beside the checkout")
@pytest.mark.parametrize("language", ["de", "fr", "en"])
@pytest.mark.parametrize("n_lines", [1000, pytest.param(None, marks=pytest.mark.slow)], ids=["some", "all"])
def test_lines_of_the_data(language, n_lines):
    rng = random.Random(0)
    for path in sorted(DATA.glob(f"*.{language}.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            references = file.read().split("\n")[:n_lines]
        hypotheses = [perturbed(text, rng) for text in references]
        for tokenize in TOKENIZERS:
            ours, _ = Bleu(tokenize=tokenize).statistics(hypotheses, [references], 2)
            peer = sacrebleu.BLEU(tokenize=tokenize)._extract_corpus_statistics(hypotheses, [references])
            assert np.array_equal(ours, peer), (path.name, tokenize)
        for word_order in (0, 2):
            ours, _ = Chrf(word_order=word_order).statistics(hypotheses, [references], 2)
            peer = sacrebleu.CHRF(word_order=word_order)._extract_corpus_statistics(hypotheses, [references])
            assert np.array_equal(ours, peer), (path.name, word_order)


@pytest.mark.parametrize("name", ["bleu", "chrf", "chrf++"])
@pytest.mark.parametrize("in_double", [True, False])
def test_paired_bootstrap(name, in_double):
    rng = random.Random(1)
    words = ["der", "Mann", "geht", "langsam", "in", "die", "große", "Stadt", ",", "und", "das", "ist", "gut", "."]
    references = [" ".join(rng.choices(words, k=12)) for _ in range(300)]
    first, second, third = ([perturbed(text, rng) for text in references] for _ in range(3))
    metric = {"bleu": sacrebleu.BLEU(), "chrf": sacrebleu.CHRF(), "chrf++": sacrebleu.CHRF(word_order=2)}[name]
    # NumPy 2 divides float32 by float32 in single precision: with Python's floats the peer's scores are exact.
    if in_double:
        score = metric._compute_score_from_stats
        metric._compute_score_from_stats = lambda sums: score([float(value) for value in sums])
    systems = [("baseline", first), ("b", second), ("c", third)]
    signatures, peers = significance.PairedTest(systems, {name: metric}, [references], test_type="bs")()
    (label,) = signatures
    ours = paired_bootstrap(first, {"b": second, "c": third}, [references], metric=name)
    for result, peer in zip(ours, peers[label], strict=True):
        assert result.score == pytest.approx(peer.score, rel=1e-12)
        assert (result.mean, result.ci) == pytest.approx((peer.mean, peer.ci), rel=1e-12 if in_double else 1e-5)
        assert result.p_value == peer.p_value
        assert result.metric == label
        assert result.signature.rsplit("|", 1)[0] == str(signatures[label]).rsplit("|", 1)[0]


def test_interval_of_one_system():
    rng = random.Random(1)
    references = [" ".join(rng.choices("abcdefg", k=12)) for _ in range(200)]
    hypotheses = [perturbed(text, rng) for text in references]
    metric = sacrebleu.BLEU()
    peer = metric.corpus_score(hypotheses, [references], n_bootstrap=500)
    ours = corpus_bootstrap(hypotheses, [references], n_resamples=500)
    assert (ours.mean, ours.ci) == pytest.approx((peer._mean, peer._ci), rel=1e-5)  # single precision, see above
    assert str(peer).startswith(str(ours).rsplit(")", 1)[0])
    assert ours.signature.rsplit("|", 1)[0] == str(metric.get_signature()).rsplit("|", 1)[0]
