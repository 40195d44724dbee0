"""Metrics of labels give scikit-learn's figures, its errors and its warnings, for labels of every kind."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as peer
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from mlcore import metrics
from support.metrics import compare

KINDS = {
    "small": lambda codes: codes,
    "negative": lambda codes: codes - 3,
    "bytes": lambda codes: codes.astype(np.int8),
    "unsigned": lambda codes: codes.astype(np.uint16),
    "wide": lambda codes: codes * 10**15,
    "middling": lambda codes: codes * 1000,
    "float": lambda codes: codes.astype(np.float64),
    "float32": lambda codes: codes.astype(np.float32),
    "text": lambda codes: np.array(["b", "a", "ccc", "", "é", "𝔘"])[codes],
    "objects": lambda codes: np.array(["b", "a", "ccc", "", "é", "𝔘"], dtype=object)[codes],
    "list": lambda codes: codes.tolist(),
    "list of text": lambda codes: [f"label {c}" for c in codes],
    "tuple of floats": lambda codes: tuple(float(c) for c in codes),
    "strided": lambda codes: np.repeat(codes, 3)[::3],
    "reversed": lambda codes: codes[::-1].copy()[::-1],
    "column": lambda codes: codes[:, None],
    "Series": pd.Series,
    "text Series": lambda codes: pd.Series([f"label {c}" for c in codes]),
    "category": lambda codes: pd.Series(pd.Categorical(codes, categories=[5, 4, 3, 2, 1, 0])),
    "category of text": lambda codes: pd.Series(pd.Categorical([f"{c}" for c in codes], categories=list("543210"))),
    "nullable": lambda codes: pd.Series(codes, dtype="Int64"),
}

PLAIN = {
    "accuracy_score": [{}, {"normalize": False}],
    "zero_one_loss": [{}, {"normalize": False}],
    "hamming_loss": [{}],
    "balanced_accuracy_score": [{}, {"adjusted": True}],
    "confusion_matrix": [{}, {"normalize": "true"}, {"normalize": "pred"}, {"normalize": "all"}],
    "multilabel_confusion_matrix": [{}],
    "matthews_corrcoef": [{}],
    "cohen_kappa_score": [{}, {"weights": "linear"}, {"weights": "quadratic"}],
    "precision_recall_fscore_support": [{}, {"average": "micro"}, {"average": "weighted", "beta": 0.5}],
    "precision_score": [{"average": "macro"}, {"average": None, "zero_division": 1}],
    "recall_score": [{"average": "macro", "zero_division": np.nan}, {"average": "weighted"}],
    "f1_score": [{"average": a} for a in (None, "micro", "macro", "weighted")],
    "fbeta_score": [{"average": "macro", "beta": b} for b in (0, 2, np.inf)],
    "jaccard_score": [{"average": a} for a in (None, "micro", "macro", "weighted")],
    "classification_report": [{}, {"digits": 5}, {"output_dict": True}, {"zero_division": np.nan}],
}


def columns(seed, n=40, k=4):
    rng = np.random.default_rng(seed)
    return rng.integers(0, k, n), rng.integers(0, k, n), rng.random(n)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_label(kind):
    t, p, w = columns(0)
    as_kind = KINDS[kind]
    for name, calls in PLAIN.items():
        if kind == "nullable" and name == "classification_report":
            continue  # scikit-learn reads the integers as floats, and prints them so
        for options in calls:
            compare(name, as_kind(t), as_kind(p), **options)
        compare(name, as_kind(t), as_kind(p), **calls[0], sample_weight=w)


@settings(max_examples=15, deadline=None)
@given(
    data=st.data(),
    kind=st.sampled_from(["small", "negative", "wide", "text", "objects", "float"]),
    weights=st.sampled_from([None, "float", "int", "list", "float32", "zeros", "signed"]),
)
def test_random_labels(data, kind, weights):
    label = st.integers(0, data.draw(st.integers(0, 5)))
    t, p = (
        np.array(data.draw(st.lists(label, min_size=n, max_size=n)), dtype=int)
        for n in [data.draw(st.integers(1, 12))] * 2
    )
    rng = np.random.default_rng(len(t))
    w = {
        None: None,
        "float": rng.random(len(t)),
        "int": rng.integers(0, 3, len(t)),
        "list": rng.random(len(t)).tolist(),
        "float32": rng.integers(1, 4, len(t)).astype(np.float32) / 4,  # sums of quarters are exact in float32 too
        "zeros": np.zeros(len(t)),
        "signed": rng.integers(-2, 5, len(t)) / 2,
    }[weights]
    as_kind = KINDS[kind]
    for name, calls in PLAIN.items():
        if weights == "signed" and name in ("balanced_accuracy_score", "matthews_corrcoef"):
            continue  # 0 / 0 and x / 0 of cells that cancel each other: neither is a figure
        for options in calls:
            compare(name, as_kind(t), as_kind(p), **options, sample_weight=w)


@pytest.mark.parametrize(
    "pair", [("small", "float"), ("float", "small"), ("bytes", "wide"), ("list", "small"), ("objects", "text")]
)
def test_kinds_that_meet(pair):
    t, p, _ = columns(1)
    for name, calls in PLAIN.items():
        compare(name, KINDS[pair[0]](t), KINDS[pair[1]](p), **calls[0])
    for a, b in ((t > 1, p), (t, p > 1), (t > 1, (p > 1).astype(int)), (t > 9, p > 1), ((t > 1).astype(float), p > 1)):
        compare("classification_report", a, b)
        compare("accuracy_score", a, b)


@pytest.mark.parametrize("pos_label", [1, 0, 2, None, True, 1.0, "1", "no"])
@pytest.mark.parametrize("labels", ["numbers", "text", "one", "three", "booleans"])
def test_positive_label(labels, pos_label):
    if labels == "one" and pos_label is None:
        pytest.skip("scikit-learn fails to sort None among numbers; ours says that it is no label")
    t, p, _ = columns(2, k=2)
    as_kind = {
        "numbers": lambda c: c,
        "text": lambda c: np.array(["no", "yes"])[c],
        "one": np.zeros_like,
        "three": lambda c: c + np.arange(len(c)) % 2,
        "booleans": lambda c: c == 1,
    }[labels]
    for name in ("precision_score", "recall_score", "f1_score", "jaccard_score"):
        compare(name, as_kind(t), as_kind(p), pos_label=pos_label)
        compare(name, as_kind(t), as_kind(p), pos_label=pos_label, average="macro")


@pytest.mark.parametrize(
    "labels", [[0, 1], [3, 1, 0], [7, 1], [7, 8], [1, 1, 0], [2], [], np.array([2.0, 0.0]), ["0", "1"]]
)
def test_chosen_labels(labels):
    t, p, w = columns(3)
    many = isinstance(labels, list) and labels == ["0", "1"]  # text among numbers: scikit-learn makes text of all
    for name in ("confusion_matrix", "cohen_kappa_score", "multilabel_confusion_matrix"):
        if many and name != "multilabel_confusion_matrix":
            continue
        if len(labels) == 0 and name == "multilabel_confusion_matrix":
            continue
        compare(name, t, p, labels=labels)
        compare(name, t, p, labels=labels, sample_weight=w)
    if len(labels) > 0:
        for average in (None, "micro", "macro", "weighted"):
            compare("precision_recall_fscore_support", t, p, labels=labels, average=average, zero_division=0.0)
            compare("jaccard_score", t, p, labels=labels, average=average)
        compare("classification_report", t, p, labels=labels)
        compare("classification_report", t, p, labels=labels, target_names=["x"] * len(labels))
        compare("classification_report", t, p, labels=labels, target_names=["x"])
    compare("class_likelihood_ratios", t, p, labels=labels)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", ["dense", "boolean", "float", "sparse", "list", "frame"])
def test_indicator_matrices(form, weighted):
    rng = np.random.default_rng(4)
    t, p = (rng.random((30, 5)) < share for share in (0.3, 0.4))
    t[:3] = p[:2] = False
    t[:, 4] = False
    w = rng.random(30) if weighted else None
    as_form = {
        "dense": lambda y: y.astype(int),
        "boolean": lambda y: y,
        "float": lambda y: y.astype(float),
        "sparse": lambda y: csr_array(y.astype(int)),
        "list": lambda y: y.astype(int).tolist(),
        "frame": lambda y: pd.DataFrame(y.astype(int)),
    }[form]
    if form == "list":
        as_form = lambda y: y.astype(int)  # noqa: E731 - a list of lists is the legacy format, an error
    t, p = as_form(t), as_form(p)
    for name in ("accuracy_score", "zero_one_loss", "hamming_loss", "multilabel_confusion_matrix"):
        compare(name, t, p, sample_weight=w)
    compare("multilabel_confusion_matrix", t, p, samplewise=True, sample_weight=w)
    compare("multilabel_confusion_matrix", t, p, labels=[3, 0], sample_weight=w)
    compare("multilabel_confusion_matrix", t, p, labels=[5])
    compare("multilabel_confusion_matrix", t, p, labels=[-1])
    for average in (None, "micro", "macro", "weighted", "samples", "binary"):
        for zero_division in ("warn", 0, 1):
            compare("jaccard_score", t, p, average=average, sample_weight=w, zero_division=zero_division)
            compare(
                "precision_recall_fscore_support", t, p, average=average, sample_weight=w, zero_division=zero_division
            )
    compare("f1_score", t, p, average="macro", labels=[0, 4], sample_weight=w)
    compare("classification_report", t, p, sample_weight=w, zero_division=0)
    compare("confusion_matrix", t, p)
    compare("matthews_corrcoef", t, p)


def test_ratios():
    rng = np.random.default_rng(5)
    for _ in range(20):
        t, p = rng.integers(0, 2, (2, 6))
        compare("class_likelihood_ratios", t, p)
        compare("class_likelihood_ratios", t, p, replace_undefined_by=1.0)
        compare("class_likelihood_ratios", t, p, replace_undefined_by={"LR+": 2.0, "LR-": 0.5})
    compare("class_likelihood_ratios", t, p, replace_undefined_by={"LR+": 0.5, "LR-": 0.5})
    compare("class_likelihood_ratios", t, p, replace_undefined_by={"LR+": 2.0})


def test_many_labels():
    """Beyond what a square matrix holds."""
    rng = np.random.default_rng(6)
    t = rng.integers(0, 50_000, 60_000)
    p = np.where(rng.random(len(t)) < 0.5, t, rng.integers(0, 50_000, len(t)))
    for name in ("accuracy_score", "matthews_corrcoef"):
        if name == "matthews_corrcoef":  # scikit-learn makes a square of 20 GB
            expected = peer.matthews_corrcoef(t % 2000, p % 2000)
            assert metrics.matthews_corrcoef(t % 2000, p % 2000) == pytest.approx(expected, rel=1e-12)
            continue
        compare(name, t, p)
    compare("f1_score", t, p, average=None, zero_division=0)
    compare("f1_score", t, p, average="macro", zero_division=0)
    compare("precision_recall_fscore_support", t, p, average="weighted", sample_weight=rng.random(len(t)))
    t, p = t % 400, p % 400
    for options in ({}, {"sample_weight": rng.random(len(t))}):
        compare("confusion_matrix", t, p, **options)
        compare("cohen_kappa_score", t, p, weights="quadratic", **options)
        compare("cohen_kappa_score", t, p, **options)
        compare("balanced_accuracy_score", t, p, **options)


@pytest.mark.parametrize(
    ("t", "p"),
    [
        ([], []),
        ([0, 1], [0]),
        ([0, 1, "a"], [0, 1, 1]),
        (["a", "b"], [0, 1]),
        ([0.5, 1.0], [0, 1]),
        ([0, 1], [0.5, 1.0]),
        ([np.nan, 1.0], [0.0, 1.0]),
        ([np.inf, 1.0], [0.0, 1.0]),
        ([0, 1], [np.nan, 1.0]),
        ([None, 1], [0, 1]),
        (np.array(["a", None], dtype=object), ["a", "b"]),
        (np.array([b"a", b"b"]), np.array([b"a", b"b"])),
        ([[0, 1]], [0]),
        ([[0, 1], [1, 0]], [[0, 1, 1], [1, 0, 1]]),
        ([[0, 2], [1, 3]], [[0, 2], [1, 3]]),
        (5, 5),
        ("abc", "abc"),
        (csr_array([[0], [1]]), [0, 1]),
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2))),
        (np.array([1, 2], dtype=object), np.array([1, 2], dtype=object)),
        (np.array([2**63, 1], dtype=np.uint64), np.array([2**63, 1], dtype=np.uint64)),
        (np.array([2**63 - 1, -(2**63)]), np.array([2**63 - 1, 0])),
        (np.array([1j, 2j]), np.array([1j, 2j])),
    ],
)
def test_what_is_no_pair_of_labels(t, p):
    for name in ("accuracy_score", "confusion_matrix", "f1_score", "matthews_corrcoef"):
        compare(name, t, p)


@pytest.mark.parametrize(
    "weight",
    [
        [1.0],
        [[1.0, 1.0, 1.0]],
        [np.nan, 1, 1],
        [np.inf, 1, 1],
        [0, 0, 0],
        3,
        "abc",
        [1, -1, 0],
    ],
)
def test_weights(weight):
    for name in ("accuracy_score", "f1_score", "confusion_matrix", "hamming_loss"):
        compare(name, [0, 1, 1], [0, 1, 0], sample_weight=weight)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("f1_score", {"average": "mean"}),
        ("f1_score", {"average": "samples"}),
        ("f1_score", {"zero_division": 0.5}),
        ("f1_score", {"zero_division": "no"}),
        ("f1_score", {"pos_label": [1]}),
        ("fbeta_score", {"beta": -1}),
        ("fbeta_score", {"beta": "1"}),
        ("jaccard_score", {"zero_division": np.nan}),
        ("confusion_matrix", {"normalize": "rows"}),
        ("cohen_kappa_score", {"weights": "cubic"}),
        ("cohen_kappa_score", {"replace_undefined_by": 2}),
        ("multilabel_confusion_matrix", {"samplewise": True}),
        ("classification_report", {"digits": -1}),
        ("classification_report", {"target_names": ["a"]}),
        ("precision_recall_fscore_support", {"warn_for": "precision"}),
        ("accuracy_score", {"normalize": "yes"}),
        ("class_likelihood_ratios", {"replace_undefined_by": 3}),
    ],
)
def test_options_that_there_are_not(name, options):
    compare(name, [0, 1, 1], [0, 1, 0], **options)
