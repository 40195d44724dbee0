"""Small valid files of every kind, made afresh, and the golden ones."""

import gzip
import lzma
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

import mlcore
from mlcore.nn import Linear, Sequential, optim
from mlcore.nn.functional import cross_entropy
from mlcore.nn.layers._serialization import save_weights
from mlcore.nn.training._averaging import EMA
from mlcore.nn.training._trainer import Trainer
from mlcore.seq.bert import BertConfig, BertForSequenceClassification

GOLDEN = Path(__file__).parents[1] / "python" / "golden"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).round(2)
NUMBERS = X @ [1.0, -2.0, 0.5]
NAMES = np.array(["low", "middle", "high"])[np.digitize(NUMBERS, [-1, 1])]
TEXTS = ["the cat drinks milk", "the dog drinks water", "a cat and a dog", "字 und Wort und Wort"] * 5
SPARSE = sp.csr_array(X * (np.abs(X) > 0.8))
FRAME = pd.DataFrame({"size": X[:, 0], "colour": pd.Categorical(np.tile(["red", "é", "b", "c"], 10)), "n": X[:, 1]})
FRAME["code"] = pd.Categorical(np.arange(40) % 5 * 10)


def models():
    """Yield fitted estimators, and some that are not, of every class that a file may hold.

    A class that is not made here comes from its golden files.
    """
    made = set()
    for model in _made():
        made.add(type(model))
        yield model
    for path in sorted(GOLDEN.glob("*.safetensors")):
        if type(model := mlcore.load(path)) not in made:
            yield model


def _made():
    fast = {"n_estimators": 3, "max_leaf_nodes": 5, "random_state": 0, "min_samples_leaf": 3}
    yield mlcore.GBDTClassifier(**fast).fit(FRAME, NAMES)
    yield mlcore.GBDTClassifier(warm_start=True, **fast).fit(SPARSE, NUMBERS > 0, X_val=SPARSE, y_val=NUMBERS > 0)
    yield mlcore.GBDTClassifier()
    yield mlcore.GBDTRegressor(**fast).fit(FRAME, NUMBERS)
    yield mlcore.GBDTRegressor(loss="poisson", **fast).fit(X, np.exp(NUMBERS / 4))
    for kernel in ("linear", "rbf", "poly", "sigmoid"):
        yield mlcore.SVC(kernel=kernel, max_iter=50).fit(X, NAMES)
        yield mlcore.SVR(kernel=kernel, max_iter=50).fit(SPARSE, NUMBERS)
    yield mlcore.SVC(kernel="linear", break_ties=True).fit(SPARSE, NAMES)
    yield mlcore.SVC(kernel="precomputed").fit(X @ X.T, NUMBERS > 0)
    yield mlcore.SVC(class_weight={"low": 2.0}).fit(FRAME[["size", "n"]], NAMES)
    yield mlcore.NuSVC(nu=0.2).fit(X, np.digitize(NUMBERS, [-1, 1]))
    yield mlcore.NuSVC(nu=0.2).fit(SPARSE, NUMBERS > 0)
    yield mlcore.NuSVR(nu=0.2).fit(X, NUMBERS)
    yield mlcore.NuSVR(nu=0.2, kernel="precomputed").fit(X @ X.T, NUMBERS)
    yield mlcore.OneClassSVM(nu=0.2).fit(X)
    yield mlcore.OneClassSVM(nu=0.2).fit(SPARSE)
    yield mlcore.LinearSVC().fit(X, NAMES)
    yield mlcore.LinearSVC().fit(X, NUMBERS > 0).sparsify()
    yield mlcore.LinearSVR().fit(X, NUMBERS)
    yield mlcore.LogisticRegression(warm_start=True).fit(X, NAMES)
    yield mlcore.LogisticRegression(l1_ratio=1, C=0.1).fit(X, NUMBERS > 0).sparsify()
    for kind in (mlcore.Ridge, mlcore.Lasso, mlcore.ElasticNet):
        yield kind(alpha=0.1).fit(X, NUMBERS)
        yield kind(alpha=0.1).fit(X, np.column_stack([NUMBERS, -NUMBERS]))
    yield mlcore.LassoCV(alphas=3, cv=2).fit(X, NUMBERS)
    yield mlcore.ElasticNetCV(alphas=3, cv=2, l1_ratio=[0.5, 1.0]).fit(X, NUMBERS)
    yield mlcore.RidgeCV(alphas=[0.1, 1.0]).fit(X, NUMBERS)
    yield mlcore.RidgeCV(alphas=[0.1, 1.0], store_cv_results=True).fit(X, np.column_stack([NUMBERS, -NUMBERS]))
    yield mlcore.LogisticRegressionCV(Cs=2, cv=2).fit(X, NAMES)
    yield mlcore.LogisticRegressionCV(Cs=2, cv=2).fit(X, NUMBERS > 0)
    yield mlcore.NeuralClassifier(hidden_layer_sizes=(4, 3), max_iter=2, random_state=0).fit(X, NAMES)
    yield mlcore.NeuralRegressor(hidden_layer_sizes=5, max_iter=2, random_state=0).fit(X, NUMBERS)
    yield mlcore.NeuralRegressor(max_iter=1, hidden_layer_sizes=(2,)).fit(X, np.column_stack([NUMBERS, NUMBERS]))
    words = {"vector_size": 3, "min_count": 1, "sample": 0, "epochs": 1, "random_state": 0, "n_jobs": 1}
    yield (ns := mlcore.Word2Vec(**words).fit(TEXTS))
    yield mlcore.Word2Vec(loss="hs", algorithm="cbow", doc_weights="tfidf", **words).fit(TEXTS)
    yield ns.keyed_vectors_
    yield mlcore.KeyedVectors(["a", "b", "é"], [[1, 2], [3, 4], [5, 7]])
    yield mlcore.FastTextVectors(["ab", "bc"], np.eye(2), np.ones((4, 2)), min_n=2, max_n=3, counts=[2, 1])
    network = {"d_model": 4, "n_heads": 2, "n_layers": 1, "dim_feedforward": 6, "max_epochs": 1, "random_state": 0}
    yield mlcore.TransformerSeq2Seq(**network).fit(TEXTS, TEXTS[::-1])
    yield (int8 := mlcore.TransformerSeq2Seq(**network, tokenizer="bpe", max_vocab=270).fit(TEXTS, TEXTS[::-1]))
    int8.quantize()
    yield int8
    options = {"tokenizer": None, "positions": "learned", "norm_first": True, "tied_embeddings": False}
    yield mlcore.TransformerSeq2Seq(**network, **options).fit([[1, 2], [3]], [["a"], ["b", "c"]])
    yield mlcore.TransformerLM(**network, tokenizer="char", warm_start=True).fit(TEXTS)
    yield mlcore.TransformerLM()
    recurrent = {"embedding_size": 3, "hidden_size": 4, "max_epochs": 1, "random_state": 0}
    yield mlcore.Seq2Seq(**recurrent).fit(TEXTS, TEXTS[::-1])
    options = {"cell": "gru", "attention": "dot", "n_layers": 2, "bidirectional": False, "input_feeding": True}
    yield mlcore.Seq2Seq(**recurrent, **options, warm_start=True).fit(TEXTS, TEXTS[::-1])
    yield mlcore.Phrases(min_count=1, threshold=0.1, connector_words=["and"]).fit(TEXTS)


def model_files():
    """Return files by the names of classes."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "model")
        for model in models():
            mlcore.save(model, path)
            found.setdefault(type(model).__name__, []).append(path.read_bytes())
    for path in sorted(GOLDEN.glob("*.safetensors")):
        found[type(mlcore.load(path)).__name__].append(path.read_bytes())
    return found


def trainers(checkpoint):
    """Yield functions that make trainers, all with the same checkpoint."""
    for make in (
        lambda p: optim.AdamW(p, lr=0.01),
        lambda p: optim.SGD([{"params": list(p), "lr": 0.1}], 0.1, 0.9, nesterov=True),
        lambda p: optim.RMSprop(p),
    ):

        def trainer(make=make, **options):
            mlcore.nn.manual_seed(0)
            model = Sequential(Linear(3, 4, activation="relu"), Linear(4, 3))
            settings = {"max_epochs": 2, "batch_size": 10, "patience": 5, "average": EMA(0.9), "random_state": 0}
            schedule = lambda optimizer, n_steps: optim.CosineAnnealingLR(optimizer, n_steps)  # noqa: E731
            return Trainer(
                model, cross_entropy, optimizer=make, schedule=schedule, checkpoint=checkpoint, **(settings | options)
            )

        yield trainer


def rows_for_trainers():
    return X.astype(np.float32), np.digitize(NUMBERS, [-1, 1])


def checkpoint_files():
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint")
        for make in trainers(path):
            make(max_epochs=1).fit(*rows_for_trainers())
            found.append(path.read_bytes())
            make(checkpoint_every=3).fit(*rows_for_trainers())
            found.append(path.read_bytes())
    return found


def libsvm_files():
    """Return files by the names of classes."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "model")
        codes = np.digitize(NUMBERS, [-1, 1])
        for model in (
            mlcore.SVC().fit(X, codes),
            mlcore.SVC(kernel="linear").fit(SPARSE, codes > 0),
            mlcore.SVC(kernel="precomputed").fit(X @ X.T, codes),
            mlcore.NuSVC(nu=0.2, kernel="poly").fit(X, codes),
            mlcore.SVR(kernel="sigmoid").fit(X, NUMBERS),
            mlcore.NuSVR().fit(SPARSE, NUMBERS),
            mlcore.OneClassSVM(nu=0.2).fit(X),
        ):
            model.save_libsvm(path)
            found.setdefault(type(model).__name__, []).append(path.read_bytes())
    return found


def vector_files():
    """Return files by their endings."""
    vectors = mlcore.KeyedVectors(["the", "New York", "é字", "x"], RNG.normal(size=(4, 3)), [9, 4, 2, 1])
    names = mlcore.KeyedVectors(["the", "york", "é字", "x"], RNG.normal(size=(4, 3)), [9, 4, 2, 1])
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path, counts = Path(folder, "vectors"), Path(folder, "counts")
        for table in (vectors, names):
            try:
                table.save_word2vec_format(path, fvocab=counts)
            except ValueError:
                continue
            text, count = path.read_bytes(), counts.read_bytes()
            table.save_word2vec_format(path, binary=True)
            found = {".txt": [text, text.partition(b"\n")[2]], ".bin": [path.read_bytes()], ".vocab": [count]}
            found |= {".gz": [gzip.compress(text)], ".xz": [lzma.compress(text)]}
    return found


def weight_files():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights")
        save_weights(network(), path)
        return [path.read_bytes()]


def bert_folder():
    """The files of a small classifier, under the names that they have in a folder."""
    sizes = {"vocab_size": 9, "hidden_size": 4, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(**sizes, intermediate_size=5, max_position_embeddings=6, num_labels=3)
    with tempfile.TemporaryDirectory() as folder:
        BertForSequenceClassification(config).save_pretrained(folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def network():
    return Sequential(Linear(3, 4, activation="relu"), Linear(4, 3))
