"""Loaders, and what a user does with what was loaded: none of it may fail."""

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

import mlcore
from mlcore.nn.layers._serialization import load_weights
from mlcore.nn.training._gradient_flow import NonFiniteError
from mlcore.seq._base import BaseSequenceEstimator
from mlcore.seq.bert import BertForSequenceClassification

from . import seeds
from .mutations import Forgery, mutate_bytes, mutate_text

_FEW = 2000  # features: rows of more are not made


@dataclass
class Loader:
    """One way to read a file."""

    name: str
    files: list[bytes]
    load: Callable[[Path], Any]
    use: Callable[[Any], None]
    suffix: str = ""
    is_text: bool = False
    forgeries: list[Forgery] | None = None
    _n_files: int = field(init=False)

    def __post_init__(self) -> None:
        self._n_files = len(self.files)

    def make(self, index: int) -> bytes:
        """Return file number `index`; the same at any time."""
        rng = np.random.default_rng([index, sum(map(ord, self.name))])
        which = int(rng.integers(self._n_files))
        if self.forgeries and rng.integers(8):
            return self.forgeries[which].forged(rng)
        if self.is_text and rng.integers(8):
            return mutate_text(self.files[which], rng, self.files)
        return mutate_bytes(self.files[which], rng, self.files)


def all_loaders() -> dict[str, Loader]:
    found = []
    for name, files in seeds.model_files().items():
        forgeries = [Forgery(data) for data in files]
        found.append(Loader(f"model-{name}", files, mlcore.load, use_model, forgeries=forgeries))
        found.append(Loader(f"mapped-{name}", files, _load_mapped, use_mapped, forgeries=forgeries))
    for name, files in seeds.libsvm_files().items():
        cls = getattr(mlcore, name)
        found.append(Loader(f"libsvm-{name}", files, cls.load_libsvm, use_model, is_text=True))
    tables = seeds.vector_files()
    for ending, options in {
        ".txt": {},
        ".bin": {"binary": True},
        ".gz": {},
        ".xz": {},
    }.items():
        for errors in ("strict", "replace"):

            def load(path, options=options, errors=errors):
                return mlcore.KeyedVectors.load_word2vec_format(path, errors=errors, n_jobs=1, **options)

            is_text = ending == ".txt"
            found.append(Loader(f"vectors{ending}-{errors}", tables[ending], load, use_model, ending, is_text=is_text))
    found.append(Loader("vectors-no-header", tables[".txt"], _load_without_header, use_model, is_text=True))
    found.append(Loader("vectors-counts", tables[".vocab"], _load_counts(tables[".txt"][0]), use_model, is_text=True))
    files = seeds.weight_files()
    found.append(Loader("weights", files, _load_weights, _use_network, forgeries=[Forgery(data) for data in files]))
    files = seeds.checkpoint_files()
    found.append(Loader("checkpoint", files, _load_checkpoint, _resume, forgeries=[Forgery(data) for data in files]))
    folder = seeds.bert_folder()
    for name, files in (("bert-weights", "model.safetensors"), ("bert-config", "config.json")):
        data, is_text = folder[files], files.endswith("json")
        forgeries = None if is_text else [Forgery(data)]
        load = _load_folder(folder, files)
        found.append(Loader(name, [data], load, _use_bert, is_text=is_text, forgeries=forgeries))
    return {loader.name: loader for loader in found}


def _load_mapped(path):
    return mlcore.load(path, mmap_mode="r")


def _load_without_header(path):
    return mlcore.KeyedVectors.load_word2vec_format(path, no_header=True, limit=3, n_jobs=1)


def _load_counts(vectors):
    def load(path):
        table = path.with_suffix(".table")
        if not table.exists():
            table.write_bytes(vectors)
        return mlcore.KeyedVectors.load_word2vec_format(table, fvocab=path, n_jobs=1)

    return load


def _load_weights(path):
    network = seeds.network()
    load_weights(network, path)
    return network


def _use_network(network):
    network.state_dict()
    network(seeds.X[:3].astype(np.float32))


def _load_folder(files, forged):
    """Return a loader of folders with one forged file."""

    def load(path):
        folder = path.with_suffix(".bert")
        folder.mkdir(exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(path.read_bytes() if name == forged else data)
        return BertForSequenceClassification.from_pretrained(folder)

    return load


def _use_bert(network):
    ids = np.arange(1, 6) % network.config.vocab_size
    network.loss(ids, offsets=[0, 2, 5], labels=np.zeros(2, int)).backward()
    network(ids[None], attention_mask=[[1, 1, 0, 1, 0]])
    network.config.to_dict()


def _load_checkpoint(path):
    """Return the trainer that can go on from the file: the kinds refuse each other's."""
    refusals = []
    for make in seeds.trainers(path):
        trainer = make()
        try:
            trainer._prepare(trainer._source(*seeds.rows_for_trainers(), shuffle=True), resume=True)
        except ValueError as error:
            refusals.append(error)
        else:
            return trainer
    raise refusals[0]


def _resume(trainer):
    trainer.checkpoint = None
    trainer.checkpoint_every = None
    with contextlib.suppress(mlcore.nn.NonFiniteError):  # weights and rates of any size are weights and rates
        trainer.fit(*seeds.rows_for_trainers())
    trainer.predict(seeds.X[:3].astype(np.float32))
    list(trainer.history)


# ---- models ----------------------------------------------------------------------------------------------------------

DOCUMENTS = ["the cat", "", "字 und Wort", "never seen"]
PLAIN = {"input": "content", "norm": None}
WORDS = ["the", "cat", "dog", "字", "a", "ab", "never seen"]


def use_mapped(model):
    """Use a mapped model; what it does not read at load may be refused later."""
    if isinstance(model, mlcore.KeyedVectors):
        try:
            use_model(model)
        except ValueError:
            return
    else:
        use_model(model)


def use_model(model):
    """Call all that a user could call on a model, fitted or not."""
    if hasattr(model, "get_params"):
        params = model.get_params()
        model.set_params(**{name: value for name, value in {"n_jobs": 1, "verbose": 0}.items() if name in params})
    if isinstance(model, mlcore.KeyedVectors):
        _use_vectors(model)
    elif isinstance(model, mlcore.Word2Vec):
        _use_word2vec(model)
    elif isinstance(model, mlcore.CountVectorizer | mlcore.HashingVectorizer):
        _use_vectorizer(model)
    elif isinstance(model, mlcore.TfidfTransformer):
        _use_weights(model)
    elif isinstance(model, BaseSequenceEstimator):
        _use_sequences(model)
    elif isinstance(model, mlcore.BertEncoder):
        _use_encoder(model)
    elif isinstance(model, mlcore.BertPretrainer):
        _use_pretrainer(model)
    elif isinstance(model, mlcore.BertTokenClassifier | mlcore.BertQuestionAnswering):
        _use_spans(model)
    elif isinstance(model, mlcore.HDBSCAN):
        _use_hdbscan(model)
    elif isinstance(model, mlcore.AgglomerativeClustering):
        _use_merges(model)
    elif isinstance(model, mlcore.NearestNeighbors):
        _use_neighbors(model)
    elif isinstance(model, mlcore.DBSCAN):
        repr(
            [
                getattr(model, name)
                for name in ("labels_", "core_sample_indices_", "components_")
                if hasattr(model, name)
            ]
        )
    elif isinstance(model, mlcore.Phrases):
        if hasattr(model, "phrases_"):
            model.transform(["the cat and the dog", ""])
    elif model.__sklearn_is_fitted__() if hasattr(model, "__sklearn_is_fitted__") else hasattr(model, "n_features_in_"):
        _use_estimator(model)
    model._get_state()


def _use_hdbscan(model):
    if not hasattr(model, "labels_") or model.n_features_in_ > _FEW:
        return
    model.condensed_tree_.to_numpy()
    model.dbscan_clustering(1.0)
    model.reselect(min_cluster_size=3, allow_single_cluster=True)
    if model._points is not None:
        list(model.exemplars_)
        rows = np.linspace(-3, 3, 4 * model.n_features_in_).reshape(4, -1)
        model.approximate_predict(rows)
        model.approximate_predict_scores(rows)
        model.membership_vector(rows)
        model.all_points_membership_vectors()


def _use_merges(model):
    if hasattr(model, "children_"):
        assert len(model.linkage_matrix_) == len(model.children_)
        assert len(model.cut(n_clusters=1)) == len(model.labels_)
        model.cut(distance_threshold=1.0)


def _use_neighbors(model):
    if not hasattr(model, "n_features_in_") or model.n_features_in_ > _FEW or model.metric == "precomputed":
        return
    with contextlib.suppress(ValueError):  # more neighbours than points, directions of nothing
        rows = next(_rows(model))
        model.kneighbors(rows, 1)
        model.radius_neighbors(rows, 1.0)
        model.kneighbors_graph(rows, 1).check_format()


def _use_estimator(model):
    if model.n_features_in_ > _FEW:
        return
    if getattr(model, "break_ties", False):
        model.set_params(decision_function_shape="ovr")  # the two exclude each other, whatever is in the file
    rows, *others = _rows(model)
    for other in others:
        if model.__sklearn_tags__().input_tags.sparse or not sp.issparse(other):
            model.predict(other)
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples", "apply"):
        if hasattr(model, name):
            getattr(model, name)(rows)
    for name in ("staged_predict", "staged_predict_proba", "staged_decision_function"):
        if hasattr(model, name):
            list(getattr(model, name)(rows))
    target = model.predict(rows)
    if hasattr(model, "score") and (target.dtype.kind != "f" or np.isfinite(target).all()):
        model.score(rows, target)
    if hasattr(model, "module_"):
        list(model.history_)
        repr(model.history_)
    for name in ("importance", "trees_to_frame"):
        if hasattr(model, name):
            getattr(model, name)()
    if not hasattr(model, "_kernel") or model._kernel.name == "linear":
        for name in ("coef_", "sparse_coef_", "feature_importances_", "trees_"):
            getattr(model, name, None)
    _refit(model, rows)
    if hasattr(model, "sparsify"):
        model.sparsify()
        model.predict(next(_rows(model)))
        model.densify()
    if hasattr(model, "save_libsvm"):
        _save_libsvm(model)


def _use_vectorizer(model):
    if isinstance(model, mlcore.HashingVectorizer):
        with contextlib.suppress(ValueError, TypeError):  # parameters that are seen through when they are needed
            _rows_of(model, DOCUMENTS)
        return
    if not hasattr(model, "fixed_vocabulary_"):
        return
    if model._table.n_columns:
        assert len(model.get_feature_names_out()) == len(model.vocabulary_)
        X = _rows_of(model, DOCUMENTS)
        if np.isfinite(X.data).all():
            model.inverse_transform(X)
    with contextlib.suppress(ValueError):  # counts that are not there, no term that remains
        model.partial_fit(DOCUMENTS)
        _rows_of(model, DOCUMENTS)


def _rows_of(model, documents):
    model.set_params(**{name: value for name, value in PLAIN.items() if name in model.get_params()})
    with np.errstate(all="ignore"):
        X = model.transform(documents)
    X.check_format()
    return X


def _use_weights(model):
    if not hasattr(model, "document_counts_") or model.n_features_in_ > _FEW:
        return
    with np.errstate(all="ignore"), contextlib.suppress(ValueError):  # weights without a norm
        X = np.abs(next(_rows(model)))
        model.transform(X)
        model.partial_fit(X).transform(sp.csr_array(X))


def _refit(model, rows):
    """Go on with a fit, where that is asked for. Parameters and data may not fit each other: that is a ValueError."""
    if not getattr(model, "warm_start", False):
        return
    few = {"n_estimators": getattr(model, "n_iter_", 0), "max_iter": 3, "batch_size": None}
    if isinstance(few["n_estimators"], int):
        few["n_estimators"] += 1
    model.set_params(**{name: value for name, value in few.items() if name in model.get_params()})
    target = np.resize(model.classes_, 4) if hasattr(model, "classes_") else np.arange(4.0)
    with contextlib.suppress(ValueError):
        model.fit(rows, target)
        model.predict(rows)


def _save_libsvm(model):
    path = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")
    path = path / f"fuzz-{id(model)}"
    try:
        model.save_libsvm(path)
    except ValueError as error:
        if "labels in a libsvm model file are whole numbers" not in str(error):
            raise
    else:
        type(model).load_libsvm(path, n_features=model.n_features_in_)
    finally:
        path.unlink(missing_ok=True)


def _rows(model):
    rng = np.random.default_rng(0)
    columns = [rng.normal(size=4) for _ in range(model.n_features_in_)]
    categories = getattr(model, "categories_", [])
    for j, known in enumerate(categories):
        if known is not None:
            unknown = "never seen" if known.dtype == object else 77.0
            columns[j] = np.array([*known[:3].tolist(), unknown, unknown, unknown, unknown][:4], dtype=object)
    dense = np.column_stack(columns)
    yield dense
    is_precomputed = getattr(getattr(model, "_kernel", None), "name", "") == "precomputed"
    if dense.dtype != object and not hasattr(model, "module_") and not is_precomputed:
        yield sp.csr_array(dense.astype(np.float32) * (dense > 0))


def _use_word2vec(model):
    if not hasattr(model, "vectors_"):
        return
    model.transform(["the cat", "never seen", ""])
    known = model.words_[:2]
    model.score([known, known[::-1]])
    model.predict_context(known)
    model.get_feature_names_out()
    _use_vectors(model.keyed_vectors_)
    with contextlib.suppress(ValueError):  # parameters that no longer fit
        few = {"epochs": 1, "window": 2, "negative": 2, "vector_size": model.vectors_.shape[1], "max_vocab_size": None}
        model.set_params(**few).partial_fit([[*known, "new", "new"]] * 5)
        model.transform([known])


def _use_sequences(model):
    if not hasattr(model, "module_"):
        return
    texts = ["the cat", "", "never seen"] if model.tokenizer is not None else [[1, 2], []]
    is_lm = isinstance(model, mlcore.TransformerLM)
    most = min(3, model.max_length)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # texts that are longer than the max_length of a file
        try:
            if is_lm:
                assert len(model.score_samples(texts)) == len(texts)
                model.generate(texts, n_best=2, max_length=most, temperature=2.0, random_state=0)
            else:
                model.set_params(beam_size=2)
                model.generate(texts, n_best=2, max_length=most, return_scores=True)
                model.generate(texts, sampling="greedy", max_length=most, return_attention=True)
        except ValueError as error:
            if "logits that are NaN or infinite" not in str(error):  # of weights that are huge
                raise
        if model.warm_start:
            model.set_params(max_epochs=1, batch_tokens=1000, accumulate=1, average_last=1)
            with contextlib.suppress(ValueError, NonFiniteError):  # parameters that do not fit, weights that are huge
                model.fit(texts) if is_lm else model.fit(texts, texts)


def _use_encoder(model):
    if not hasattr(model, "module_"):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # texts that are longer than the max_length of a file
        assert len(model.transform(DOCUMENTS)) == len(DOCUMENTS)
        model.token_vectors(list(zip(DOCUMENTS, DOCUMENTS[::-1], strict=True)))
        try:
            model.fill_mask("a [MASK]", 3)
        except ValueError as error:
            if "fill_mask" not in str(error):
                raise


def _use_pretrainer(model):
    if not hasattr(model, "module_"):
        return
    try:
        assert "masked_loss" in model.evaluate([DOCUMENTS, DOCUMENTS[::-1]])
    except ValueError as error:  # a vocabulary may know none of the words, and positions be few
        if not any(part in str(error) for part in ("nothing to mask", "no [MASK]", "must be at least 8")):
            raise


def _use_spans(model):
    if not hasattr(model, "module_"):
        return
    try:
        if isinstance(model, mlcore.BertTokenClassifier):
            assert len(model.predict_proba(DOCUMENTS)) == len(model.predict(DOCUMENTS)) == len(DOCUMENTS)
            model.predict_spans(DOCUMENTS)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # questions that are longer than the sizes of a file
                model.predict_spans(list(zip(DOCUMENTS, DOCUMENTS[::-1], strict=True)), n_best=3)
    except ValueError as error:  # tags may be any labels, and positions few
        if "needs tags of entities" not in str(error) and "needs a network of" not in str(error):
            raise


def _use_vectors(vectors):
    known = list(vectors.index_to_key[:3]) + [word for word in WORDS if word in vectors]
    vectors.most_similar(known[0], topn=3)
    vectors.most_similar(positive=known, topn=None)
    vectors.similarity(known[0], known[-1])
    vectors.doesnt_match(known)
    vectors.distances(known[0])
    vectors.mean_vector(known)
    vectors.get_normed_vectors()
    vectors.rank(known[0], known[-1])
    assert len(vectors.key_to_index) == len(vectors)
    if isinstance(vectors, mlcore.FastTextVectors):
        assert vectors.ngram_vectors.shape[1] == vectors.vector_size
        try:
            vectors["abc"]
            vectors.most_similar("abcd")
        except KeyError:  # no n-grams
            pass
