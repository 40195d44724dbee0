"""BertTokenClassifier: tags of words."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._state import Array, Labels, Sizes, Spec
from mlcore._tables import Floats
from mlcore._validation import class_factors
from mlcore._warnings import warn
from mlcore.metrics import entity_score
from mlcore.metrics._entities import count_entities, is_entity_tag
from mlcore.nn import functional as F
from mlcore.nn.functional._offsets import positions_in
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.seq._inputs import read_texts
from mlcore.seq.bert.finetuning._batches import Rows
from mlcore.seq.bert.finetuning._class_labels import (
    NEXT_TO_NOTHING,
    reachable,
    take_class_labels,
    with_class_labels,
    with_reach,
)
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule
from mlcore.seq.bert.network._heads import BertForTokenClassification
from mlcore.seq.bert.network._network import IGNORED
from mlcore.seq.bert.spans._tags import (
    EntitySpan,
    WordPieces,
    accuracy,
    are_texts,
    by_sentence,
    entities,
    entity_tags,
    of_words,
    pieces_of_texts,
    pieces_of_words,
    read_tags,
    read_words,
    windows_of_words,
)
from mlcore.seq.bert.spans._token_outputs import BaseTokenEstimator
from mlcore.seq.bert.tokens._batch import BertBatch

Ints = NDArray[np.int64]

_FAR = 5.0
"""How far below 0 the log-odds of a rare tag begin at most."""


class BertTokenClassifier(BaseTokenEstimator):
    """Tags of words, such as names of persons and places, by fine-tuning BERT [1]_.

    A word is cut into pieces; a new layer reads what the network has made of the first one, and both are trained
    together. Tags are any labels of words. Where all of them are "O" or a prefix and a type, such as "B-person" and
    "I-person" (BIO; with "E-" and "S-", or "L-" and "U-", for last and only words), they are entities too, which
    :meth:`predict_spans` returns and :meth:`score` counts.

    Parameters
    ----------
    model : path-like, fitted estimator or None, default=None
        Where to start from: a folder of Hugging Face's (config.json, model.safetensors, and tokenizer.json or
        vocab.txt; nothing is downloaded), a fitted :class:`BertPretrainer`, :class:`BertEncoder` or any fine-tuned
        estimator, whose encoder and tokenizer are taken; the head is new. None: a network from scratch, with a
        vocabulary of WordPiece learned from the words.
    config : BertConfig, dict or None, default=None
        Sizes of a network from scratch, as entries of a config.json; `vocab_size` is the most tokens of the vocabulary
        there. What is not given: hidden_size 128, num_hidden_layers 2, num_attention_heads 2, intermediate_size 512,
        vocab_size 8000, positions for `max_length`, and the defaults of :class:`BertConfig`.
    lowercase : bool, default=True
        Whether a vocabulary from scratch is of lower-case texts without accents.
    freeze : int, "embeddings" or "all", default=0
        How many layers, from the lowest on, keep their weights, together with the embeddings; 0: none. "embeddings":
        those alone. "all": all layers; the head alone learns. What is frozen has no dropout.
    dropout : float or None, default=None
        Dropout rate while training, in the network and before the head, [0, 1). None: what the config
        says, 0.1 as a rule.
    max_length : int, default=512
        Most tokens that are read at once, two markers included, and at most the positions of the network. Longer
        sentences are read in windows that share up to 128 tokens; each word is tagged in the one that has most of its
        surroundings. Nothing is cut.
    max_epochs : int or None, default=None
        Passes through the sentences. None: 3, of small data as many as make 300 steps, at most 20; from scratch
        30, 600 and 300.
    batch_size : int, default=32
        Sentences of a batch, which are of like length.
    batch_tokens : int or None, default=None
        Tokens of a batch, instead of `batch_size`: batches of long sentences have fewer of them then.
    accumulate : int, default=1
        Batches that make one step together, with the gradient that they would have as one batch.
    learning_rate : float or None, default=None
        Of AdamW, at its peak. None: 5e-5, from scratch 5e-4.
    layer_decay : float, default=1.0
        Each layer has this times the rate of the layer above it, (0, 1]: the head the full one, the embeddings the
        smallest.
    weight_decay : float, default=0.01
        Of AdamW; not of norms and biases.
    warmup_ratio : float, default=0.1
        Share of all steps in which the learning rate rises linearly, [0, 1); then it falls linearly to 0.
    max_norm : float or None, default=1.0
        Gradients of all weights together are scaled down to this Euclidean norm at most; None: they are not.
    early_stopping : bool or "auto", default="auto"
        Whether training stops when validation sentences improve no more, and the weights of the best epoch are kept.
        "auto": where `X_val` is given. True: `validation_fraction` is set aside if it is not.
    validation_fraction : float, default=0.1
        Share of the sentences to set aside for ``early_stopping=True``.
    n_iter_no_change : int, default=3
        Epochs without an improvement before training stops (often called patience).
    tol : float, default=1e-4
        The least improvement that counts, as a share of the loss of a constant prediction, or of a score of 1.
    scoring : {"loss", "score"}, default="loss"
        What validation sentences are compared by: the loss, or what :meth:`score` returns.
    class_weight : dict, "balanced" or None, default=None
        Factor on the weights of each class, as a dict from label to factor; "balanced": such that all classes have the
        same sum of weights. A factor of 0 takes the rows of a class out of the fit. Classes are tags here, rows words.
    warm_start : bool, default=False
        Whether fit goes on with the network of the last fit, for `max_epochs` more epochs, with a new optimizer and its
        warm-up.
    checkpoint : str, path or None, default=None
        File to write after each epoch, for ``fit(..., resume=True)``.
    dtype : {"float32", "bfloat16", "int8"}, default="float32"
        Of the products of the encoder in predictions; training and the head are in float32.
    random_state : int, RandomState or None, default=None
        Seed of new weights, of dropout, of the order of the sentences and of those that are set aside.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar with sentences per second and the loss; 2: a line an epoch through
        ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        All tags of y, sorted.
    class_weight_ : array of shape (n_classes,)
        Factor on the weights of each class.
    class_prior_ : array of shape (n_classes,)
        Shares of the tags in the weights of all words. A tag without weight gets next to no probability; if one alone
        has weight, it is always predicted, and nothing is trained.
    module_ : BertForTokenClassification
        The network; its outputs are log-odds, up to a constant a token.
    tokenizer_ : BertTokenizer
        Words to tokens.
    history_ : History
        Losses and more of each epoch; :func:`mlcore.plotting.plot_history` draws it.
    loss_curve_ : array of shape (n_iter_,)
        Training loss of each epoch: ``history_["loss"]``.
    n_iter_ : int
        Epochs done.

    See Also
    --------
    BertClassifier : Labels of texts.
    mlcore.metrics.entity_score : Precision, recall and F1 of entities, and of each type.

    Notes
    -----
    A word that the tokenizer leaves nothing of, such as a zero-width space, is read as an unknown one: each word has a
    tag. A file of :func:`mlcore.save` holds neither paths nor other estimators: `model` and `checkpoint` of what is
    loaded are None, and `fit` starts from scratch unless `model` is set again, or `warm_start`.

    References
    ----------
    .. [1] J. Devlin, M.-W. Chang, K. Lee, K. Toutanova, "BERT: Pre-training of deep bidirectional transformers for
       language understanding", NAACL 2019.

    Examples
    --------
    >>> from mlcore import BertTokenClassifier
    >>> names, verbs = ("ann", "bob", "eve"), ("sees", "likes", "knows")
    >>> X = [[a, verb, b, "lee"] for a in names for verb in verbs for b in names] * 2
    >>> y = [["B-person", "O", "B-person", "I-person"]] * len(X)
    >>> model = BertTokenClassifier(config={"hidden_size": 32}, max_epochs=20, learning_rate=2e-3, random_state=0)
    >>> model.fit(X, y).predict([["eve", "knows", "ann", "lee"]])
    [['B-person', 'O', 'B-person', 'I-person']]
    >>> ["Bob likes Eve Lee"[a:b] for a, b, *_ in model.predict_spans(["Bob likes Eve Lee"])[0]]
    ['Bob', 'Eve Lee']
    """

    _HEAD: ClassVar[type[PretrainedModule]] = BertForTokenClassification
    _state_spec: ClassVar[Spec] = {
        "classes_": Labels(),
        "class_weight_": Array("f8", ("n_classes",), low=0, is_finite=True),
        "class_prior_": Array("f8", ("n_classes",), low=0, high=1, is_finite=True),
        **BaseTokenEstimator._state_spec,
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseTokenEstimator._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    classes_: NDArray[Any]
    class_weight_: Floats
    class_prior_: Floats

    def __init__(
        self,
        model: Any = None,
        *,
        config: Any = None,
        lowercase: bool = True,
        freeze: int | str = 0,
        dropout: float | None = None,
        max_length: int = 512,
        max_epochs: int | None = None,
        batch_size: int = 32,
        batch_tokens: int | None = None,
        accumulate: int = 1,
        learning_rate: float | None = None,
        layer_decay: float = 1.0,
        weight_decay: float = 0.01,
        warmup_ratio: float = 0.1,
        max_norm: float | None = 1.0,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        tol: float = 1e-4,
        scoring: str = "loss",
        class_weight: Any = None,
        warm_start: bool = False,
        checkpoint: Any = None,
        dtype: str = "float32",
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.config = config
        self.lowercase = lowercase
        self.freeze = freeze
        self.dropout = dropout
        self.max_length = max_length
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.batch_tokens = batch_tokens
        self.accumulate = accumulate
        self.learning_rate = learning_rate
        self.layer_decay = layer_decay
        self.weight_decay = weight_decay
        self.warmup_ratio = warmup_ratio
        self.max_norm = max_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.scoring = scoring
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        resume: bool = False,
    ) -> Self:
        """Train the network on tagged words.

        Parameters
        ----------
        X : iterable of sequences of str
            Sentences, each its words. A sentence without words is one.
        y : iterable of sequences of str or int
            A tag for each word.
        sample_weight : float or array of shape (n_sentences,), default=None
            Weights of the words of each sentence, not negative. 0 is the same as removing the sentence.
        X_val, y_val : as X and y, default=None
            Sentences to validate with after each epoch. Tags that are not in y count in no loss.
        sample_weight_val : float or array of shape (n_val,), default=None
            Their weights, which count in the loss.
        resume : bool, default=False
            Go on from `checkpoint`, if there is that file. With the same data and parameters the result is the same,
            bit for bit, as that of a fit that was never interrupted.

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted; with
            `warm_start`, as it was before.

        Raises
        ------
        ValueError
            If a parameter is out of range, there is no sentence, numbers of words and tags differ, there are fewer than
            two tags, or the start is no BERT with a tokenizer.
        TypeError
            If words are no str, or tags neither all str nor all int.
        FileNotFoundError
            If `model` names a folder that is not there, or lacks a file.
        mlcore.nn.NonFiniteError
            If training diverges to numbers that are not finite.

        Warns
        -----
        UserWarning
            If `y_val` has tags that `y` has not.
        sklearn.exceptions.ConvergenceWarning
            If training did not get below the loss of a constant prediction; the network gives that constant then.
        """
        options = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val, "resume": resume}
        return super().fit(X, y, sample_weight, **options)

    # ---- words and tags ----

    def _examples(self, X: Any, who: str) -> list[Any]:
        return read_words(X, who)

    def _texts_of(self, examples: list[Any]) -> Iterable[str]:
        return (" ".join(words) for words in examples)

    def _read_target(self, y: Any, examples: list[Any], *, reset: bool, name: str) -> list[Any]:
        owner = type(self).__name__
        tags = read_tags(y, examples, name=f"{name} of {owner}", who=name.replace("y", "X", 1))
        found = {tag for sentence in tags for tag in sentence}
        if reset:
            if len(found) < 2:
                raise ValueError(f"{name} of {owner} must hold at least 2 tags, got {sorted(found)!r:.80}")
            labels = sorted(found)
            self.classes_ = np.array(labels, dtype=object if isinstance(labels[0], str) else np.int64)
            return tags
        known = set(self.classes_.tolist())
        if unseen := sorted(found - known):
            what = f"{name} of {owner} holds tags that the model does not know: {unseen!r:.200}"
            if name == "y":
                raise ValueError(f"{what}; it knows {self.classes_.tolist()!r:.200}")
            warn(f"{what}: they count in no loss, and are wrong in the score", UserWarning)
        if not found & known:
            raise ValueError(f"{name} of {owner} must hold a tag that the model knows, got none")
        return tags

    def _codes(self, tags: list[Any]) -> Ints:
        """Return the class of each word of all sentences, `IGNORED` for tags that are none of the classes."""
        code_of = {tag: code for code, tag in enumerate(self.classes_.tolist())}
        return np.array([code_of.get(tag, IGNORED) for sentence in tags for tag in sentence], dtype=np.int64)

    def _class_weights(self, target: list[Any], weight: Floats | None, *, fits: bool) -> Floats | None:
        if fits:
            codes = self._codes(target).astype(np.int32)
            factors = class_factors(
                self.class_weight, self.classes_, codes, of_words(weight, target), type(self).__name__
            )
            self.class_weight_ = np.ones(len(self.classes_)) if factors is None else factors
        return weight

    def _measure(self, target: list[Any], weight: Floats | None, *, reset: bool) -> None:
        sums = np.bincount(self._codes(target), weights=of_words(weight, target), minlength=len(self.classes_))
        shares = sums * self.class_weight_
        if not shares.any():
            raise ValueError(f"y of {type(self).__name__} must hold a word with weight, got none")
        shares /= shares.sum()
        # A tag that was there before does not become impossible because it is missing now.
        self.class_prior_ = shares if reset else (shares + self.class_prior_) / 2

    def _is_settled(self) -> bool:
        return int((self.class_prior_ > 0).sum()) == 1

    def _rows(self, examples: list[Any], target: list[Any], weight: NDArray[np.float32], longest: int) -> Rows:
        windows = windows_of_words(
            self.tokenizer_, pieces_of_words(self.tokenizer_, examples, n_jobs=self.n_jobs), longest
        )
        labels = windows.labels(self._codes(target))
        return Rows(windows.batch, (labels, weight[windows.sentences]), windows.sentences)

    def _head_config(self, config: BertConfig) -> BertConfig:
        return with_class_labels(config, self.classes_)

    # ---- loss ----

    def _loss(self, outputs: Tensor, batch: Any, *, training: bool) -> tuple[Tensor, float]:  # noqa: ARG002
        inputs, labels, weight = batch
        is_first = labels.ids != IGNORED
        factors = np.zeros(len(labels.ids), np.float32)
        factors[is_first] = (np.repeat(weight, inputs.lengths) * self.class_weight_[labels.ids * is_first])[is_first]
        total = float(factors.sum(dtype=np.float64))
        losses = F.cross_entropy(outputs, labels.ids, ignore_index=IGNORED, reduction="none")
        return (losses * factors).sum() * (1 / (total or 1.0)), total

    def _score_of(self, network: Module, examples: list[Any], target: Any, rows: Rows) -> float:
        words = pieces_of_words(self.tokenizer_, examples, n_jobs=self.n_jobs)
        tokens = windows_of_words(self.tokenizer_, words, self._longest(network.config)).tokens
        tags = self._tags(reachable(self._outputs_of_rows(network, rows)[tokens], self.class_prior_), words.offsets)
        if self._has_entities():
            return count_entities(entity_tags(target), tags).f1
        return accuracy(target, tags)

    def _entropy(self, rows: Rows) -> float:  # noqa: ARG002
        p = self.class_prior_[self.class_prior_ > 0]
        return float(-(p * np.log(p)).sum())

    def _constant(self) -> NDArray[np.float32]:
        return np.log(np.maximum(self.class_prior_, np.exp(-NEXT_TO_NOTHING))).astype(np.float32)

    def _start_at_constant(self, network: Module) -> None:
        with no_grad():
            network.classifier.bias.copy_(np.maximum(self._constant(), -_FAR))

    def _constant_outputs(self, inputs: BertBatch) -> Tensor:
        return Tensor(np.tile(self._constant(), (len(inputs.ids), 1)))

    def _write_constant(self, network: Module) -> None:
        with no_grad():
            network.classifier.weight.fill_(0)
            network.classifier.bias.copy_(self._constant())

    # ---- outputs ----

    def _log_odds(self, words: WordPieces) -> NDArray[np.float32]:
        """Return log-odds of the tags of each word, (n_words, n_classes)."""
        windows = windows_of_words(self.tokenizer_, words, self._longest(self.module_.config))
        return reachable(self._outputs(windows.batch)[windows.tokens], self.class_prior_)

    def _words(self, X: Any) -> tuple[WordPieces, Ints | None]:
        """Return the words of sentences, or of texts and where they stand."""
        check_is_fitted(self)
        who = f"X of {type(self).__name__}"
        if isinstance(X, Iterator):
            X = list(X)
        if are_texts(X):
            return pieces_of_texts(self.tokenizer_, read_texts(X, who), n_jobs=self.n_jobs)
        return pieces_of_words(self.tokenizer_, read_words(X, who), n_jobs=self.n_jobs), None

    def _tags(self, log_odds: NDArray[np.float32], offsets: Ints) -> list[list[Any]]:
        """Return the most probable tag of each word, by sentence."""
        return by_sentence(self.classes_[log_odds.argmax(axis=1)].tolist(), offsets)

    def _has_entities(self) -> bool:
        """Whether the tags are those of entities."""
        return all(map(is_entity_tag, self.classes_.tolist()))

    def predict(self, X: Any) -> list[list[Any]]:
        """Return the most probable tag of each word.

        Parameters
        ----------
        X : iterable of sequences of str, or of str
            Sentences, each its words; or texts, whose words are those of :meth:`split`.

        Returns
        -------
        list of lists
            For each sentence a tag for each word, of the type that fit was given.
        """
        words, _ = self._words(X)
        return self._tags(self._log_odds(words), words.offsets)

    def predict_proba(self, X: Any) -> list[Floats]:
        """Return the probability of each tag of each word.

        Parameters
        ----------
        X
            As for :meth:`predict`.

        Returns
        -------
        list of arrays of shape (n_words, n_classes)
            Columns in the order of `classes_`; rows sum to 1.
        """
        words, _ = self._words(X)
        return by_sentence(softmax(self._log_odds(words).astype(np.float64), axis=1), words.offsets)

    def predict_log_proba(self, X: Any) -> list[Floats]:
        """Return the logarithm of the probability of each tag of each word; it is finite however small that is.

        Parameters
        ----------
        X
            As for :meth:`predict`.

        Returns
        -------
        list of arrays of shape (n_words, n_classes)
            Columns in the order of `classes_`.
        """
        words, _ = self._words(X)
        return by_sentence(log_softmax(self._log_odds(words).astype(np.float64), axis=1), words.offsets)

    def predict_spans(self, X: Any) -> list[list[EntitySpan]]:
        """Return entities.

        Tags need not make sense. They are read as conlleval and seqeval's default read them: "I-" begins an entity
        where none of its type is open, in "I-place" after "O" as in "I-place" after "B-person".

        Parameters
        ----------
        X
            As for :meth:`predict`.

        Returns
        -------
        list of lists of EntitySpan
            For each sentence or text its entities ``(start, end, type, score)``, from the left to the right. `start`
            and `end` count words, of texts characters; ``words[start:end]`` is the entity.

        Raises
        ------
        ValueError
            If a tag of the model is neither "O" nor a prefix and a type.
        """
        words, spans = self._words(X)
        if not self._has_entities():
            raise ValueError(
                f"predict_spans of {type(self).__name__} needs tags of entities, 'O' or such as 'B-person', got "
                f"{self.classes_.tolist()!r:.200}"
            )
        places = spans if spans is not None else positions_in(words.offsets)[:, None] + np.array([0, 1])
        log_odds = self._log_odds(words)
        probabilities = softmax(log_odds.astype(np.float64), axis=1).max(axis=1)
        parts = [by_sentence(each, words.offsets) for each in (probabilities, places)]
        return [entities(*each) for each in zip(self._tags(log_odds, words.offsets), *parts, strict=True)]

    def split(self, texts: Iterable[str]) -> list[list[str]]:
        """Return the words of texts, as the tokenizer takes them apart: at white space and punctuation marks.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        list of lists of str
            Those that :meth:`predict` tags.
        """
        check_is_fitted(self)
        found = read_texts(texts, f"texts of {type(self).__name__}")
        words, spans = pieces_of_texts(self.tokenizer_, found, n_jobs=self.n_jobs)
        places = by_sentence(spans.tolist(), words.offsets)
        return [[text[begin:end] for begin, end in part] for text, part in zip(found, places, strict=True)]

    def score(self, X: Any, y: Any) -> float:
        """Return the F1 of entities; of tags that are not those of entities, the share of words with the right tag.

        Parameters
        ----------
        X : iterable of sequences of str
            Sentences, each its words.
        y : iterable of sequences of str or int
            A tag for each word.

        Returns
        -------
        float
            In [0, 1]. Of entities what :func:`mlcore.metrics.entity_score` calls `f1`.
        """
        name = type(self).__name__
        check_is_fitted(self)
        sentences = read_words(X, f"X of {name}")
        tags = read_tags(y, sentences, name=f"y of {name}", who="X")
        predicted = self.predict(sentences)
        return entity_score(tags, predicted).f1 if self._has_entities() else accuracy(tags, predicted)

    # ---- folders and files ----

    def _take_labels(self, module: PretrainedModule) -> None:
        self.classes_ = take_class_labels(module)
        n = len(self.classes_)
        self.class_weight_, self.class_prior_ = np.ones(n), np.full(n, 1 / n)
        module.config = self._head_config(module.config)

    def _to_export(self) -> PretrainedModule:
        return with_reach(self.module_, self.class_prior_)

    def _check_config(self, config: BertConfig, state: dict[str, Any], sizes: Sizes) -> None:
        if config.n_labels != sizes["n_classes"]:
            raise ValueError(f"the network has {config.n_labels} outputs, classes_ {sizes['n_classes']}")
        if not state["class_prior_"].any():
            raise ValueError("class_prior_ leaves no class")
