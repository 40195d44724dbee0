"""BertEncoder: vectors of texts and of tokens, masked words, folders of sentence-transformers, what users get wrong."""

import json
import logging
import pickle
import random
import shutil
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import mlcore
from mlcore.nn import no_grad
from mlcore.seq.bert import BertEncoder, BertForMaskedLM, BertForPreTraining, BertModel
from mlcore.seq.bert.tokens._order import batches_by_length
from support.bert import needs_minilm, packaged_minilm, write_folder

pytest.importorskip("tokenizers", reason="the extra nlp is not installed")

TEXTS = ["the big cat sees a dog", "", "a bird", "one two three, the red house?", "☃ 字", "the cat\0s here[SEP]x"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("model"), BertModel)


@pytest.fixture(scope="module")
def words_folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("words"), BertForMaskedLM)


@pytest.fixture(scope="module")
def encoder(folder):
    return BertEncoder.from_pretrained(folder)


@pytest.fixture(scope="module")
def minilm():
    return BertEncoder.from_pretrained(packaged_minilm())


def rows_of(model, tokenizer, text, pair=None):
    """Return the vectors of the tokens of one text, by the network itself."""
    batch = tokenizer.encode([text], None if pair is None else [pair]).batch
    with no_grad():
        found = model(batch.ids, token_type_ids=batch.types, offsets=batch.offsets).last_hidden_state
    return found.numpy()


def pool(rows, pooling):
    """One vector of the vectors of tokens."""
    return {"mean": rows.mean(0), "cls": rows[0], "max": rows.max(0)}[pooling]


# ---- folders ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"pooling": "cls", "normalize": True, "max_length": 9, "dtype": "int8"}])
def test_a_saved_folder_makes_the_same_vectors(words_folder, tmp_path, options):
    encoder = BertEncoder.from_pretrained(words_folder, **options)
    encoder.save_pretrained(tmp_path / "new")
    again = BertEncoder.from_pretrained(tmp_path / "new", dtype=encoder.dtype)
    assert (again.pooling_, again.normalize_, again.max_length_) == (
        encoder.pooling_,
        encoder.normalize_,
        encoder.max_length_,
    )
    np.testing.assert_array_equal(
        again.transform(["a big dog", "the cat sees"]), encoder.transform(["a big dog", "the cat sees"])
    )
    assert again.fill_mask("a [MASK]") == encoder.fill_mask("a [MASK]")
    BertEncoder.from_pretrained(tmp_path / "new", normalize=False).save_pretrained(tmp_path / "new")
    assert not BertEncoder.from_pretrained(tmp_path / "new").normalize_
    with pytest.raises(NotFittedError):
        BertEncoder(words_folder).save_pretrained(tmp_path)


# ---- vectors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("normalize", [False, True])
def test_vectors_are_pooled_vectors_of_tokens(folder, pooling, normalize):
    encoder = BertEncoder.from_pretrained(folder, pooling=pooling, normalize=normalize)
    found = encoder.transform(TEXTS)
    assert found.dtype == np.float32
    assert found.shape == (len(TEXTS), 32)
    for text, vector in zip(TEXTS, found, strict=True):
        expected = pool(rows_of(encoder.module_, encoder.tokenizer_, text), pooling)
        expected = expected / np.linalg.norm(expected) if normalize else expected
        np.testing.assert_allclose(vector, expected, rtol=2e-4, atol=2e-5)


def test_vectors_of_tokens(encoder):
    found = encoder.token_vectors(TEXTS)
    for text, vectors in zip(TEXTS, found, strict=True):
        expected = rows_of(encoder.module_, encoder.tokenizer_, text)
        np.testing.assert_allclose(vectors.vectors, expected, rtol=2e-4, atol=2e-5)
        assert [vectors.tokens[0], vectors.tokens[-1]] == ["[CLS]", "[SEP]"]
        assert vectors.words[[0, -1]].tolist() == [-1, -1]
        assert {len(part) for part in vectors} == {len(expected)}
        for token, (begin, end) in zip(vectors.tokens[1:-1], vectors.spans[1:-1].tolist(), strict=True):
            part = text[begin:end].replace("\0", "")
            assert token in (part, f"##{part}", "[UNK]")
    assert found[0].words.tolist() == [-1, 0, 1, 2, 3, 4, 5, -1]
    mean = np.array([part.vectors.mean(0) for part in found])
    np.testing.assert_allclose(mean, encoder.transform(TEXTS), rtol=1e-4, atol=1e-5)


def test_vectors_of_tokens_of_pairs(encoder):
    texts, pairs = ["the cat", "a dog runs", ""], ["a bird sees", "", "the"]
    examples = list(zip(texts, pairs, strict=True))
    vectors = encoder.token_vectors(iter(examples))
    for text, pair, found in zip(texts, pairs, vectors, strict=True):
        expected = rows_of(encoder.module_, encoder.tokenizer_, text, pair)
        np.testing.assert_allclose(found.vectors, expected, rtol=2e-4, atol=2e-5)
        second = text.count(" ") + bool(text) + 2
        assert found.types.tolist() == [0] * second + [1] * (len(expected) - second)
    mean = np.array([part.vectors.mean(0) for part in vectors])
    for form in (examples, np.array(examples), pd.DataFrame({"a": texts, "b": pairs})):
        np.testing.assert_allclose(encoder.transform(form), mean, rtol=1e-4, atol=1e-5)


def test_same_bits_in_any_batch_and_order_and_for_any_n_jobs(encoder):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["the", "cat", "sees", "a", "dogs", "字"], rng.integers(0, 19))) for _ in range(80)]
    expected = encoder.transform(texts)
    order = rng.permutation(len(texts))
    model = clone(encoder)
    for options in ({"n_jobs": 1}, {"n_jobs": 2}, {"n_jobs": 3}, {"batch_tokens": 1}, {"batch_tokens": 100}):
        model = clone(encoder).set_params(**options).fit()
        assert np.array_equal(model.transform([texts[i] for i in order]), expected[order]), options
    for i in order[:10]:
        assert np.array_equal(encoder.transform([texts[i]])[0], expected[i])
    tokens = encoder.token_vectors(texts)
    assert np.array_equal(encoder.token_vectors([texts[7]])[0].vectors, tokens[7].vectors)


def test_a_shuffled_sentence_alone_and_in_a_batch(minilm_or_small):
    """Scripts of well-known reports: batches of 32 or 64 and of 1 gave other numbers."""
    random.seed(42)
    words = ["Any", "shuffled", "words", "form", "a", "sentence", "."]
    texts = [" ".join(random.choice(words) for _ in range(random.randint(1, 10))) for _ in range(24)]
    expected = minilm_or_small.transform(texts).tolist()
    assert [minilm_or_small.transform([text])[0].tolist() for text in texts] == expected
    assert minilm_or_small.transform(["Hello", *texts])[1:].tolist() == expected  # beside a text of another length
    alike = minilm_or_small.transform(["test test"] * 100)  # 64 and 36 of them gave two vectors
    assert (alike == minilm_or_small.transform(["test test"])).all()


@pytest.fixture
def minilm_or_small(encoder, request):
    return encoder if packaged_minilm() is None else request.getfixturevalue("minilm")


def test_no_text_and_texts_of_unknown_characters(encoder):
    assert encoder.transform([]).shape == (0, 32)
    assert encoder.token_vectors([]) == []
    found = encoder.transform(["", " \n", "\0\ufffd"])
    assert np.array_equal(found, np.repeat(found[:1], 3, axis=0))  # the markers are left
    unknown = encoder.transform(["☃☃☃", "字"])
    assert np.isfinite(unknown).all()
    assert encoder.token_vectors(["☃ 字"])[0].tokens == ["[CLS]", "[UNK]", "[UNK]", "[SEP]"]


def test_long_texts_are_cut_at_the_positions_of_the_network(encoder):
    assert encoder.max_length_ == 40
    with pytest.warns(UserWarning, match="1 of 2 texts are longer than max_length=40 tokens") as found:
        vectors = encoder.transform(["the " * 10_000, "a"])
    assert [warning.filename for warning in found] == [__file__]
    assert np.array_equal(vectors[0], encoder.transform(["the " * 38])[0])
    with pytest.warns(UserWarning, match="1 of 1 texts are longer than max_length=5 tokens"):
        short = clone(encoder).set_params(max_length=5).fit().transform(["the cat sees a dog"])
    assert np.array_equal(short, encoder.transform(["the cat sees"]))
    with pytest.raises(ValueError, match="max_length of BertEncoder must be at most 40, the positions"):
        clone(encoder).set_params(max_length=41).fit()


def test_markers_in_texts_are_text(encoder):
    tokens = encoder.token_vectors(["a[SEP]the[MASK]"])[0].tokens
    assert tokens.count("[SEP]") == 1
    assert "[MASK]" not in tokens


def test_batches_are_filled():
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 30, 200)
    for most in (1, 30, 64, 10_000):
        batches = list(batches_by_length(lengths, most))
        assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(200))
        sizes = [lengths[rows].sum() for rows in batches]
        assert all(size <= most or len(rows) == 1 for size, rows in zip(sizes, batches, strict=True))
        for rows, after in pairwise(batches):
            assert lengths[rows].sum() + lengths[after[0]] > most
        assert (np.diff(lengths[np.concatenate(batches)]) <= 0).all()
    assert list(batches_by_length(np.empty(0, np.int64), 9)) == []


def test_progress(folder, caplog, capsys):
    encoder = BertEncoder.from_pretrained(folder, verbose=2, batch_tokens=12)
    with caplog.at_level(logging.INFO, logger="mlcore"):
        encoder.transform(TEXTS)
    assert caplog.messages[-1].startswith("BertEncoder 6/6")
    encoder.set_params(verbose=1).transform(TEXTS)
    assert "6/6" in capsys.readouterr().err


# ---- as a transformer of scikit-learn --------------------------------------------------------------------------------


def test_forms_of_texts_and_of_vectors(encoder):
    expected = encoder.transform(TEXTS)
    pl = pytest.importorskip("polars")
    forms = [tuple(TEXTS), iter(TEXTS), np.array(TEXTS, object), pd.Series(TEXTS, index=range(3, 9)), pl.Series(TEXTS)]
    for form in forms:
        assert np.array_equal(encoder.transform(form), expected), type(form)
    names = encoder.get_feature_names_out()
    assert names[[0, -1]].tolist() == ["bertencoder0", "bertencoder31"]
    model = clone(encoder).fit().set_output(transform="pandas")
    frame = model.transform(forms[3])
    assert frame.columns.tolist() == names.tolist()
    assert frame.index.tolist() == list(range(3, 9))
    assert np.array_equal(frame.to_numpy(), expected)
    assert model.set_output(transform="polars").transform(TEXTS).shape == expected.shape
    assert np.array_equal(clone(encoder).fit_transform(iter(TEXTS)), expected)


def test_in_a_pipeline(folder):
    texts = ["the cat sees", "a cat runs", "cats", "one dog", "the dog likes", "dogs"]
    model = make_pipeline(BertEncoder(folder), LogisticRegression(C=100)).fit(texts, [0, 0, 0, 1, 1, 1])
    assert model.predict(texts).tolist() == [0, 0, 0, 1, 1, 1]


def test_files_pickles_and_clones(encoder, words_folder, tmp_path):
    for model in (encoder, BertEncoder.from_pretrained(words_folder, pooling="max", normalize=True, max_length=9)):
        expected = model.transform(TEXTS[:3])
        mlcore.save(model, tmp_path / "model")
        for found in (mlcore.load(tmp_path / "model"), pickle.loads(pickle.dumps(model)), clone(model).fit()):
            assert np.array_equal(found.transform(TEXTS[:3]), expected)
            assert (found.pooling_, found.max_length_) == (model.pooling_, model.max_length_)
        assert mlcore.load(tmp_path / "model").model is None  # paths are no part of a file
        assert len(pickle.dumps(model)) < 600_000  # the weights once


def test_another_estimator_is_a_start(encoder, words_folder):
    assert np.array_equal(BertEncoder(encoder).fit().transform(TEXTS), encoder.transform(TEXTS))
    words = BertEncoder.from_pretrained(words_folder)
    found = BertEncoder(words, pooling="cls").fit()
    assert found.fill_mask("a [MASK]") == words.fill_mask("a [MASK]")
    found.module_.bert.embeddings.word_embeddings.weight.data[:] = 0
    assert words.fill_mask("a [MASK]") == BertEncoder.from_pretrained(words_folder).fill_mask("a [MASK]")
    with pytest.raises(NotFittedError):
        BertEncoder(BertEncoder(words_folder)).fit()
    with pytest.raises(TypeError, match=r"model of BertEncoder must be an estimator of mlcore\.seq\.bert"):
        BertEncoder(LogisticRegression().fit([[0], [1]], [0, 1])).fit()


def test_changed_weights_are_seen(folder):
    encoder = BertEncoder.from_pretrained(folder)
    before = encoder.transform(TEXTS)
    with no_grad():
        encoder.module_.embeddings.LayerNorm.bias.add_(1.0)
    assert not np.allclose(encoder.transform(TEXTS), before)


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("the cat", ValueError, "got one document"),
        (["a", None], ValueError, "entry 1 of X of BertEncoder is missing"),
        ([float("nan")], ValueError, "is missing"),
        (["a \ud800"], ValueError, "half of a surrogate pair"),
        ([7], TypeError, "text 0 of X of BertEncoder must be a str"),
        ([("the", "cat", "sees")], TypeError, "pairs of two texts"),
        (["the", ("cat", "sees")], TypeError, "pairs of two texts, all of them"),
        (pd.DataFrame({"a": ["b"]}), TypeError, "pass its column"),
        (None, TypeError, "must be an iterable of documents"),
    ],
)
def test_what_is_no_text(encoder, texts, error, message):
    for call in (encoder.transform, encoder.token_vectors, encoder.quantize)[: 2 + (texts is not None)]:
        with pytest.raises(error, match=message):
            call(texts)


def test_before_a_fit(folder):
    encoder = BertEncoder(folder)
    for call in (encoder.transform, encoder.token_vectors, encoder.fill_mask, encoder.quantize):
        with pytest.raises(NotFittedError):
            call(["the cat"])
    with pytest.raises(ValueError, match="model of BertEncoder must be a folder or a fitted estimator"):
        BertEncoder().fit()
    for name, value in {"pooling": "sum", "dtype": "int4", "batch_tokens": 0, "max_length": 3, "exclude": "a"}.items():
        with pytest.raises(ValueError, match=f"The '{name}' parameter of BertEncoder must be"):
            BertEncoder(folder, **{name: value}).fit()
    with pytest.raises(ValueError, match="exclude must name modules of the encoder"):
        BertEncoder(folder, exclude=["encoder.layer.2"]).fit()


# ---- folders ---------------------------------------------------------------------------------------------------------


def test_what_a_folder_lacks(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        BertEncoder.from_pretrained(tmp_path / "none")
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        place = tmp_path / name
        shutil.copytree(folder, place)
        (place / name).unlink()
        with pytest.raises(FileNotFoundError, match=r"has (no|neither)"):
            BertEncoder.from_pretrained(place)
    encoder = BertEncoder.from_pretrained(folder)
    with pytest.raises(FileNotFoundError):
        encoder.set_params(model=tmp_path / "none").fit()
    assert not hasattr(encoder, "module_")


def test_more_tokens_than_vectors(tmp_path):
    write_folder(tmp_path, BertModel, vocab_size=40)
    with pytest.raises(ValueError, match="the tokenizer has 61 tokens, its network vectors for vocab_size=40"):
        BertEncoder.from_pretrained(tmp_path)


def test_a_folder_without_a_pooler(tmp_path, folder):
    expected = BertEncoder.from_pretrained(folder)
    write_folder(tmp_path, BertModel)
    module = BertModel(expected.module_.config, add_pooling_layer=False)
    module.load_state_dict(
        {name: values for name, values in expected.module_.state_dict().items() if not name.startswith("pooler")}
    )
    module.save_pretrained(tmp_path)
    found = BertEncoder.from_pretrained(tmp_path)
    assert found.module_.pooler is None
    assert np.array_equal(found.transform(TEXTS), expected.transform(TEXTS))
    again = pickle.loads(pickle.dumps(found))
    assert again.module_.pooler is None


def write_sentence_files(folder, pooling, modules, **transformer):
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize", "3_Dense": "Dense"}
    entries = [{"idx": i, "path": path, "type": f"x.models.{kinds[path]}"} for i, path in enumerate(modules)]
    (folder / "modules.json").write_text(json.dumps(entries))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text(json.dumps(transformer))


def test_options_of_sentence_transformers(tmp_path):
    write_folder(tmp_path, BertModel)
    for name, pooling in (("cls_token", "cls"), ("mean_tokens", "mean"), ("max_tokens", "max")):
        modes = {f"pooling_mode_{mode}": mode == name for mode in ("cls_token", "mean_tokens", "max_tokens")}
        write_sentence_files(tmp_path, modes, ["", "1_Pooling", "2_Normalize"], max_seq_length=12)
        encoder = BertEncoder.from_pretrained(tmp_path)
        assert (encoder.pooling_, encoder.normalize_, encoder.max_length_) == (pooling, True, 12)
    write_sentence_files(tmp_path, {"pooling_mode": "cls"}, ["", "1_Pooling"])
    encoder = BertEncoder.from_pretrained(tmp_path)
    assert (encoder.pooling_, encoder.normalize_, encoder.max_length_) == ("cls", False, 40)
    found = BertEncoder.from_pretrained(tmp_path, pooling="max", normalize=True, max_length=7)
    assert (found.pooling_, found.normalize_, found.max_length_) == ("max", True, 7)
    write_sentence_files(tmp_path, {"pooling_mode": "mean"}, ["", "1_Pooling"], max_seq_length=3)
    with pytest.raises(ValueError, match="3 tokens of a text, by its folder, are too few"):
        BertEncoder.from_pretrained(tmp_path)
    write_sentence_files(tmp_path, {"pooling_mode": "mean"}, ["", "1_Pooling"], max_seq_length=512)
    assert BertEncoder.from_pretrained(tmp_path).max_length_ == 40


def test_what_sentence_transformers_do_and_we_do_not(tmp_path):
    write_folder(tmp_path, BertModel)
    for modes, modules, what in (
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, ["", "1_Pooling"], "'mean and max'"),
        ({"pooling_mode_weightedmean_tokens": True}, ["", "1_Pooling"], "'weightedmean_tokens'"),
        ({"pooling_mode": "mean"}, ["", "1_Pooling", "3_Dense"], "'mean' and Dense"),
    ):
        write_sentence_files(tmp_path, modes, modules)
        with pytest.raises(ValueError, match=f"need pooling {what}, which BertEncoder does not have"):
            BertEncoder.from_pretrained(tmp_path)
        assert BertEncoder.from_pretrained(tmp_path, pooling="mean").pooling_ == "mean"
    write_sentence_files(tmp_path, {"pooling_mode": "mean"}, ["", "1_Pooling"])
    path = tmp_path / "config_sentence_transformers.json"
    path.write_text('{"prompts": {"query": "query: ", "none": ""}, "default_prompt_name": "query"}')
    with pytest.raises(ValueError, match="need pooling 'mean' and the prompt 'query: ' before texts"):
        BertEncoder.from_pretrained(tmp_path)
    path.write_text('{"prompts": {"query": "query: "}, "default_prompt_name": null}')
    assert BertEncoder.from_pretrained(tmp_path).pooling_ == "mean"
    (tmp_path / "modules.json").write_text('[{"type": "x.Pooling", "path": "../1_Pooling"}]')
    with pytest.raises(ValueError, match="must be a folder within"):
        BertEncoder.from_pretrained(tmp_path)
    for text, message in (("{}", "a list of dicts"), ("[7]", "a list of dicts"), ("[", "damaged")):
        (tmp_path / "modules.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            BertEncoder.from_pretrained(tmp_path)


def test_an_old_folder_of_sentence_transformers(tmp_path, folder):
    shutil.copytree(folder, tmp_path / "0_BERT")
    (tmp_path / "modules.json").write_text('[{"type": "x.Transformer", "path": "0_BERT"}]')
    config = tmp_path / "0_BERT" / "sentence_bert_config.json"
    (tmp_path / "0_BERT" / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    config.write_text('{"max_seq_length": 20, "do_lower_case": true}')
    found = BertEncoder.from_pretrained(tmp_path)
    assert found.max_length_ == 20
    assert found.token_vectors(["THE"])[0].tokens[1] == "the"
    config.write_text('{"max_seq_length": "20"}')
    with pytest.raises(ValueError, match=r"max_seq_length of .* must be an int >= 1"):
        BertEncoder.from_pretrained(tmp_path)


# ---- masked words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [BertForMaskedLM, BertForPreTraining])
@pytest.mark.parametrize("entries", [{}, {"tie_word_embeddings": False}])
def test_masked_words(tmp_path, cls, entries):
    encoder = BertEncoder.from_pretrained(write_folder(tmp_path, cls, **entries))
    text = "the [MASK] sees a[MASK] house"
    first, second = encoder.fill_mask(text, top_k=4)
    module = BertForMaskedLM.from_pretrained(tmp_path)
    batch = encoder.tokenizer_.encode([text], special_tokens=True).batch
    places = np.flatnonzero(batch.ids == encoder.tokenizer_.mask)
    with no_grad():
        logits = module(batch.ids, offsets=batch.offsets).numpy()[places].astype(float)
    logits = logits[:, : len(encoder.tokenizer_)]  # vectors without a token
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for found, row in zip((first, second), p, strict=True):
        best = np.argsort(-row)[:4]
        assert [filled.token for filled in found] == encoder.tokenizer_.tokens(best)
        np.testing.assert_allclose([filled.score for filled in found], row[best], rtol=1e-3)
    for filled in first:
        piece = filled.token.removeprefix("##")
        begin = "the" if filled.token.startswith("##") else "the "
        assert filled.text == f"{begin}{piece} sees a[MASK] house"
    assert {filled.text for filled in second} == {
        f"the [MASK] sees a{filled.token.removeprefix('##')} house" for filled in second
    }
    assert sum(filled.score for filled in encoder.fill_mask("[MASK]", top_k=10_000)[0]) == pytest.approx(1)
    assert isinstance(encoder.module_, cls)
    mlcore.save(encoder, tmp_path / "model")
    for again in (mlcore.load(tmp_path / "model"), BertEncoder(encoder).fit()):
        assert again.fill_mask(text, top_k=4) == [first, second]


def test_masked_words_that_cannot_be(encoder, words_folder):
    with pytest.raises(ValueError, match="head of the masked language model"):
        encoder.fill_mask("the [MASK]")
    words = BertEncoder.from_pretrained(words_folder, max_length=6)
    for text in ("the cat", "the [mask]", ""):
        with pytest.raises(ValueError, match=r"text of fill_mask must hold \[MASK\] once or more"):
            words.fill_mask(text)
    with pytest.raises(TypeError, match="text of fill_mask must be a str"):
        words.fill_mask(["the [MASK]"])
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        words.fill_mask("\ud800 [MASK]")
    for top_k in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="top_k of fill_mask must be an int >= 1"):
            words.fill_mask("[MASK]", top_k)
    with pytest.warns(UserWarning, match="max_length=6"), pytest.raises(ValueError, match="beyond its first 6 tokens"):
        words.fill_mask("the big red cat [MASK]")
    (((_, score, text),),) = words.fill_mask("a [MASK]", 1)
    assert 0 < score < 1
    assert text.startswith("a")


# ---- attention -------------------------------------------------------------------------------------------------------


def test_attention(encoder, words_folder):
    found = encoder.attention("the cat[SEP]", "a dog", layer=0, head=1)
    assert found.queries == found.keys == encoder.token_vectors([("the cat[SEP]", "a dog")])[0].tokens
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-5)
    last = encoder.attention("the cat")
    heads = [encoder.attention("the cat", layer=1, head=head).weights for head in range(4)]
    np.testing.assert_allclose(last.weights, np.mean(heads, axis=0), rtol=1e-5)
    assert BertEncoder.from_pretrained(words_folder).attention("the cat").weights.shape == (4, 4)
    for options in ({"layer": 2}, {"head": 4}, {"pair": "\ud800"}):
        with pytest.raises(ValueError, match=r"must be in|surrogate"):
            encoder.attention("the cat", **options)
    with pytest.raises(TypeError, match="text of attention must be a str"):
        encoder.attention(["the cat"])


# ---- lower precision -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "least"), [("int8", 0.98), ("bfloat16", 0.9995)])
def test_lower_precision(folder, dtype, least):
    encoder = BertEncoder.from_pretrained(folder)
    exact = encoder.transform(TEXTS)
    report = encoder.quantize(TEXTS, dtype=dtype)
    assert encoder.dtype == dtype
    found = encoder.transform(TEXTS)
    cosine = (found * exact).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(exact, axis=1)
    assert report == {"cosine": pytest.approx(cosine.mean()), "least_cosine": pytest.approx(cosine.min())}
    assert least < report["least_cosine"] < report["cosine"] < 1 - 1e-7
    assert np.array_equal(encoder.transform(TEXTS[3:4])[0], found[3])
    assert np.array_equal(clone(encoder).fit().transform(TEXTS), found)
    assert np.array_equal(pickle.loads(pickle.dumps(encoder)).transform(TEXTS), found)
    closer = encoder.quantize(TEXTS, dtype=dtype, exclude=["encoder.layer.0"])
    assert closer["cosine"] > report["cosine"]
    assert encoder.quantize(dtype=dtype, exclude=["encoder"]) == {}
    assert np.array_equal(encoder.transform(TEXTS), exact)
    for wrong in ({"dtype": "int4"}, {"exclude": ["layer"]}, {"X": []}):
        with pytest.raises(ValueError, match=r"dtype|exclude|must hold a text"):
            encoder.quantize(**wrong)
        assert (encoder.dtype, encoder.exclude) == (dtype, ["encoder"])
    assert np.array_equal(encoder.set_params(dtype="float32").transform(TEXTS), exact)


# ---- real weights ----------------------------------------------------------------------------------------------------

SENTENCES = ["The cat sleeps on the mat.", "", "☃ zzz\u200b ÉCOLE 字", "Packed, never padded. " * 120]
FIRST_SIX = [
    [0.12181435, -0.0174936, -0.0382071, 0.08191261, -0.00217812, 0.05896328],
    [-0.1188384, 0.04829876, -0.00254816, -0.01101123, 0.05195068, 0.01029175],
    [-0.02025113, 0.020152, 0.10278274, -0.017627, -0.00048248, -0.04167422],
    [0.03546773, 0.01620703, 0.007635, 0.01531223, 0.00155352, -0.04696134],
]
WEIGHTED = [-60.69681, 232.497925, -39.210365, -256.761066]
"""Of transformers 5.24, cut at 256, mean pooling and norm, as sentence-transformers has it: the first numbers of each
vector, and the sum of all, each times its place."""


@needs_minilm
def test_vectors_of_minilm(minilm):
    assert (minilm.pooling_, minilm.normalize_, minilm.max_length_) == ("mean", True, 256)
    with pytest.warns(UserWarning, match="1 of 4 texts are longer than max_length=256"):
        found = minilm.transform(SENTENCES)
    np.testing.assert_allclose(found[:, :6], FIRST_SIX, rtol=0, atol=1e-5)
    # 384 numbers, each off by some 1e-7, times places of 200 on average
    np.testing.assert_allclose(found.astype(float) @ np.arange(1, 385), WEIGHTED, rtol=0, atol=2e-3)
    with pytest.raises(ValueError, match="head of the masked language model"):
        minilm.fill_mask("the [MASK]")


@needs_minilm
def test_minilm_knows_what_is_alike(minilm):
    found = minilm.transform(["A cat is sleeping.", "The kitten naps.", "Interest rates rise.", "Banks lend at more."])
    cosine = found @ found.T
    assert cosine[0, 1] > 0.5 > 0.2 > cosine[0, 2]
    assert cosine[2, 3] > cosine[1, 3]


@needs_minilm
@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_vectors_are_those_of_transformers_with_mean_pooling(minilm):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    model = transformers.AutoModel.from_pretrained(packaged_minilm()).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(packaged_minilm())
    texts = [*SENTENCES, "a" * 101, "Wörter, Wörter!", "re-do don't 3.14"]
    inputs = tokenizer(texts, return_tensors="pt", truncation=True, max_length=256, padding="longest")
    with torch.no_grad():
        hidden = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"][..., None].float()
    expected = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy()
    np.testing.assert_allclose(minilm.transform(texts), expected, rtol=0, atol=1e-5)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_masked_words_are_those_of_transformers(words_folder):
    transformers = pytest.importorskip("transformers")
    encoder = BertEncoder.from_pretrained(words_folder)
    model = transformers.BertForMaskedLM.from_pretrained(words_folder)
    encoder.tokenizer_.save_pretrained(words_folder, max_length=40)
    tokenizer = transformers.BertTokenizerFast.from_pretrained(words_folder)
    fill = transformers.pipeline("fill-mask", model=model, tokenizer=tokenizer, device="cpu")
    for text in ("the [MASK] sees a dog.", "[MASK][MASK], the red bird"):
        theirs = fill(text, top_k=3)
        theirs = [theirs] if isinstance(theirs[0], dict) else theirs
        for found, expected in zip(encoder.fill_mask(text, 3), theirs, strict=True):
            assert [filled.token for filled in found] == [entry["token_str"] for entry in expected]
            # theirs counts the vectors that no token has
            ratio = [filled.score / entry["score"] for filled, entry in zip(found, expected, strict=True)]
            np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
