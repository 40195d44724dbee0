"""What users have reported of scikit-learn's vectorizers over the years, tried here; the numbers are of its tracker."""

import json
import pickle
import threading

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import mlcore
from mlcore import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer


def test_stop_words_with_a_preprocessor_of_records():
    """#12256: the stop words were given to the preprocessor, which takes records."""
    records = [{"title": "the cat"}, {"title": "a dog"}]
    model = TfidfVectorizer(stop_words=["the"], preprocessor=lambda record: record["title"], token_pattern=r"\w{1,}")
    assert sorted(model.fit(records).vocabulary_) == ["a", "cat", "dog"]


def test_ties_do_not_depend_on_the_order_of_documents():
    """#17939: with max_features terms of the same count were chosen by which came first."""
    documents = ["b a", "d c", "f e"]
    orders = (documents, documents[::-1], [documents[1], documents[0], documents[2]])
    models = [CountVectorizer(max_features=3, token_pattern=r"\w").fit(order) for order in orders]
    assert models[0].vocabulary_ == models[1].vocabulary_ == models[2].vocabulary_


def test_gaps_and_repeats_in_a_vocabulary():
    """#2353: columns that are not 0, 1, 2 and so on gave matrices that later code read outside."""
    for vocabulary in ({"a": 1, "b": 2}, {"a": 0, "b": 0}, {"a": -1, "b": 0}, {"a": 0, "b": 10**12}):
        with pytest.raises(ValueError, match="column"):
            CountVectorizer(vocabulary=vocabulary).fit(["a b"])


def test_a_vocabulary_of_ngrams():
    """#16017: terms of a given vocabulary are n-grams, where n-grams are counted."""
    model = CountVectorizer(vocabulary=["the cat", "cat", "sat on the"], ngram_range=(1, 3))
    assert model.transform(["The cat sat on the cat"]).toarray().tolist() == [[2, 2, 1]]
    model = CountVectorizer(vocabulary=["ab", "b "], analyzer="char_wb", ngram_range=(2, 2))
    assert model.transform(["ab  aab"]).toarray().tolist() == [[2, 2]]
    model = CountVectorizer(vocabulary=["not a token", "cat"])  # no document holds it
    assert model.transform(["not a token, a cat"]).toarray().tolist() == [[0, 1]]


def test_indices_are_sorted_and_flags_are_true():
    """Rows of fit_transform had unsorted indices under a flag that said sorted; some operations then failed."""
    documents = ["d c b a", "a b c d", "c c a"]
    for X in (
        CountVectorizer(token_pattern=r"\w").fit_transform(documents),
        TfidfVectorizer(token_pattern=r"\w").fit_transform(documents),
        HashingVectorizer(token_pattern=r"\w").fit_transform(documents),
    ):
        assert X.has_sorted_indices
        assert X.has_canonical_format
        ends = X.indptr[1:-1]
        rises = np.diff(X.indices) > 0
        rises[ends - 1] = True
        assert rises.all()
        X.check_format()
        assert (X.tocoo().tocsr() != X).nnz == 0


def test_a_vocabulary_can_be_written_as_json():
    """Columns were NumPy integers after pruning, which the json module refuses."""
    model = CountVectorizer(max_df=0.9, max_features=2).fit(["a cat", "a dog", "the dog"])
    assert json.loads(json.dumps(model.vocabulary_)) == model.vocabulary_


def test_rare_terms_do_not_stay_in_a_model():
    """CVE-2024-5206: terms that were pruned, such as passwords, were kept in the attribute `stop_words_`."""
    documents = ["my password is hunter2", "my cat is my cat", "is my dog a dog"]
    for options in ({"min_df": 2}, {"max_features": 2}):
        model = CountVectorizer(**options).fit(documents)
        assert b"hunter2" not in pickle.dumps(model)
    assert b"hunter2" in pickle.dumps(CountVectorizer(min_df=2).partial_fit(documents))  # as docs/text.md says


def test_weights_of_float32_stay_float32():
    """#16080: float32 counts became float64 by idf, and matrices twice as large."""
    X = TfidfVectorizer(dtype=np.float32).fit_transform(["a cat", "the cat"])
    assert X.dtype == np.float32
    transformer = TfidfTransformer().fit(X)
    assert transformer.idf_.dtype == np.float32
    assert transformer.transform(X).dtype == np.float32


def test_a_transformer_does_not_change_counts():
    """The counts of the user were changed in place where no copy was made on the way."""
    for form in (sp.csr_array, sp.csr_matrix, np.array):
        counts = form(np.array([[1.0, 2.0], [0.0, 3.0]]))
        before = counts.copy()
        TfidfTransformer(sublinear_tf=True).fit_transform(counts)
        assert (counts != before).sum() == 0
    counts = sp.csr_array(np.array([[1, 2], [0, 3]]))
    TfidfTransformer().fit_transform(counts)
    assert counts.dtype == np.int64


def test_a_table_is_not_taken_for_its_column_names():
    """#16148 and many questions: a frame was read as its column names, one document a column, without a word."""
    frame = pd.DataFrame({"text": ["a cat", "a dog"], "label": [0, 1]})
    with pytest.raises(TypeError, match="got a DataFrame: pass its column of texts"):
        CountVectorizer().fit_transform(frame)
    assert CountVectorizer().fit_transform(frame["text"]).shape == (2, 2)


def test_missing_texts_are_named():
    """#9197 and others: 'np.nan is an invalid document' did not say which; None failed as having no `lower`."""
    for missing in (None, np.nan):
        with pytest.raises(ValueError, match="document 2 of raw_documents of TfidfVectorizer is missing"):
            TfidfVectorizer().fit_transform(pd.Series(["a cat", "a dog", missing]))


def test_hashing_before_fit_and_with_one_document():
    """#28070: transform of an estimator that needs no fit; and an empty row has no norm, not NaN."""
    X = HashingVectorizer(n_features=16).transform(["", "a b"])
    assert X.shape == (2, 16)
    assert X.nnz == 0
    assert not np.isnan(TfidfVectorizer().fit(["a cat"]).transform(["", "nothing of it"]).toarray()).any()


def test_transform_in_threads():
    """#25525 and others: web servers ask one vectorizer from many threads."""
    model = TfidfVectorizer(ngram_range=(1, 2)).partial_fit(["the cat sat", "the dog sat", "no cat"])
    model.partial_fit(["a bird"])  # columns are given when they are first asked for: by all at once
    expected = pickle.loads(pickle.dumps(model)).transform(["the cat sat"]).toarray()
    found = [None] * 8

    def ask(i):
        for _ in range(50):
            found[i] = model.transform(["the cat sat"]).toarray()

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found:
        np.testing.assert_array_equal(one, expected)


def test_models_stay_small():
    """#2372 and others: a pickle of the dict of a large vocabulary was slow and large."""
    rng = np.random.default_rng(0)
    documents = [" ".join(f"word{i}" for i in rng.integers(0, 50_000, 100)) for _ in range(1000)]
    model = TfidfVectorizer().fit(documents)
    n = len(model.vocabulary_)
    size = len(pickle.dumps(model))
    assert size < 45 * n  # 9 bytes a term, its start, idf, and counts for partial_fit
    assert mlcore.CountVectorizer(min_df=2).fit(documents).get_feature_names_out()[0].startswith("word")
