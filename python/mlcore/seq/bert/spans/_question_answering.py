"""BertQuestionAnswering: answers to questions, as places in a text."""

import copy
import dataclasses
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._state import Number, Sizes, Spec
from mlcore._tables import Floats
from mlcore._warnings import warn
from mlcore.metrics import SquadScore, squad_score
from mlcore.metrics._answers import answer_f1
from mlcore.nn import functional as F
from mlcore.nn.functional._offsets import positions_in
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.seq.bert.finetuning._batches import Rows
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule
from mlcore.seq.bert.network._heads import BertForQuestionAnswering, BertForQuestionAnsweringOutput
from mlcore.seq.bert.network._inputs import padded_rows
from mlcore.seq.bert.spans._answer_spans import AnswerSpan, Found, found_in_windows
from mlcore.seq.bert.spans._best_spans import best_threshold
from mlcore.seq.bert.spans._questions import Questions, read_questions
from mlcore.seq.bert.spans._token_outputs import BaseTokenEstimator, Outputs
from mlcore.seq.bert.tokens._batch import BertBatch
from mlcore.seq.bert.tokens._pieces import Pieces
from mlcore.seq.bert.tokens._windows import QuestionWindows, piece_spans, question_windows
from mlcore.text._subwords import check_count

_IN_X: Any = object()
"""Stands for a `y` that is not given: answers are in X."""

_THRESHOLD = "null_threshold"
"""Key of the config of a folder."""

_FEWEST_TOKENS = 6
"""Of a window: three markers, a token of the question, and two of the context."""


class BertQuestionAnswering(BaseTokenEstimator):
    """Answers to questions, as places in a text, by fine-tuning BERT [1]_.

    The network reads the question and the text, called context, and a new layer says of each token of the context how
    likely the answer begins, and ends, with it. Long contexts are read in windows. That a window holds no answer is
    learned as a span of its first marker, so that questions need not have one [2]_.

    Parameters
    ----------
    model : path-like, fitted estimator or None, default=None
        Where to start from: a folder of Hugging Face's (config.json, model.safetensors, and tokenizer.json or
        vocab.txt; nothing is downloaded), a fitted :class:`BertPretrainer`, :class:`BertEncoder` or any fine-tuned
        estimator, whose encoder and tokenizer are taken; the head is new. None: a network from scratch, with a
        vocabulary of WordPiece learned from questions and contexts.
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
    max_length : int, default=384
        Most tokens of a question and a window of its context together, three markers included, and at most the
        positions of the network.
    doc_stride : int, default=128
        Tokens that neighbouring windows of a context share, but not more than half of what a window holds of it.
    max_question_length : int, default=64
        Most tokens of a question, and at most half of `max_length`; what follows is cut off.
    max_answer_length : int, default=30
        Most tokens of an answer that is predicted.
    null_threshold : float or "auto", default="auto"
        By how much the score of no answer must exceed that of the best answer for none to be predicted. "auto": where
        training has questions without an answer, the one with the best F1 on validation questions, or 0 without any;
        else no question is left without an answer.
    max_epochs : int or None, default=None
        Passes through the windows. None: 3, of small data as many as make 300 steps, at most 20; from scratch 30,
        600 and 300.
    batch_size : int, default=32
        Windows of a batch, which are of like length.
    batch_tokens : int or None, default=None
        Tokens of a batch, instead of `batch_size`: batches of long windows have fewer of them then.
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
        Whether training stops when validation questions improve no more, and the weights of the best epoch are kept.
        "auto": where `X_val` is given. True: `validation_fraction` is set aside if it is not.
    validation_fraction : float, default=0.1
        Share of the questions to set aside for ``early_stopping=True``.
    n_iter_no_change : int, default=3
        Epochs without an improvement before training stops (often called patience).
    tol : float, default=1e-4
        The least improvement that counts, as a share of the loss of a constant prediction, or of a score of 1.
    scoring : {"loss", "score"}, default="loss"
        What validation questions are compared by: the loss, or the F1 of answers, where "auto" is a threshold of 0.
    warm_start : bool, default=False
        Whether fit goes on with the network of the last fit, for `max_epochs` more epochs, with a new optimizer and its
        warm-up.
    checkpoint : str, path or None, default=None
        File to write after each epoch, for ``fit(..., resume=True)``.
    dtype : {"float32", "bfloat16", "int8"}, default="float32"
        Of the products of the encoder in predictions; training and the head are in float32.
    random_state : int, RandomState or None, default=None
        Seed of new weights, of dropout, of the order of the questions and of those that are set aside.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar with windows per second and the loss; 2: a line an epoch through
        ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    null_threshold_ : float
        What `null_threshold` came to; infinity: no question is left without an answer. May be set, and
        :meth:`tune_null_threshold` sets it.
    module_ : BertForQuestionAnswering
        The network.
    tokenizer_ : BertTokenizer
        Texts to tokens.
    history_ : History
        Losses and more of each epoch; :func:`mlcore.plotting.plot_history` draws it.
    loss_curve_ : array of shape (n_iter_,)
        Training loss of each epoch: ``history_["loss"]``.
    n_iter_ : int
        Epochs done.

    See Also
    --------
    mlcore.metrics.squad_score : Exact match and F1 of answers.

    Notes
    -----
    A file of :func:`mlcore.save` holds neither paths nor other estimators: `model` and `checkpoint` of what is loaded
    are None, and `fit` starts from scratch unless `model` is set again, or `warm_start`.

    References
    ----------
    .. [1] J. Devlin, M.-W. Chang, K. Lee, K. Toutanova, "BERT: Pre-training of deep bidirectional transformers for
       language understanding", NAACL 2019.
    .. [2] P. Rajpurkar, R. Jia, P. Liang, "Know what you don't know: Unanswerable questions for SQuAD", ACL 2018.

    Examples
    --------
    >>> from mlcore import BertQuestionAnswering
    >>> contexts = [f"{a} has a {b} ." for a in ("ann", "bob", "eve") for b in ("cat", "dog", "fish")] * 6
    >>> X = [(question, context) for context in contexts for question in ("who ?", "what ?")]
    >>> y = [context.split()[0 if question == "who ?" else 3] for question, context in X]
    >>> small = {"hidden_size": 32, "initializer_range": 0.15}
    >>> model = BertQuestionAnswering(config=small, max_epochs=30, learning_rate=5e-3, random_state=0)
    >>> model.fit(X, y).predict([("what ?", "Bob has a fish ."), ("who ?", "Eve has a cat .")])
    ['fish', 'Eve']
    """

    _HEAD: ClassVar[type[PretrainedModule]] = BertForQuestionAnswering
    _OUTPUT: ClassVar[str] = "qa_outputs"
    _state_spec: ClassVar[Spec] = {
        "null_threshold_": Number(),
        **BaseTokenEstimator._state_spec,
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseTokenEstimator._parameter_constraints,
        "max_length": [Interval(Integral, 8, 2**31 - 2, closed="both")],
        "doc_stride": [Interval(Integral, 0, None, closed="left")],
        "max_question_length": [Interval(Integral, 1, None, closed="left")],
        "max_answer_length": [Interval(Integral, 1, None, closed="left")],
        "null_threshold": [Interval(Real, None, None, closed="both"), StrOptions({"auto"})],
    }
    null_threshold_: float

    def __init__(
        self,
        model: Any = None,
        *,
        config: Any = None,
        lowercase: bool = True,
        freeze: int | str = 0,
        dropout: float | None = None,
        max_length: int = 384,
        doc_stride: int = 128,
        max_question_length: int = 64,
        max_answer_length: int = 30,
        null_threshold: float | str = "auto",
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
        self.doc_stride = doc_stride
        self.max_question_length = max_question_length
        self.max_answer_length = max_answer_length
        self.null_threshold = null_threshold
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
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags

    # ---- fit ----

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        resume: bool = False,
    ) -> Self:
        """Fine-tune the network.

        Parameters
        ----------
        X : dict, list or table
            Questions, and contexts that answer them or not: the dict of a file of SQuAD, or its articles; a list of
            dicts, or a table, with "question", "context" and "answers"; or a list of pairs (question, context).
        y : iterable or None, default=None
            Answers to each question, in the place of those in X: a text, a list of texts, a dict with "text" and
            "answer_start" as SQuAD has it, a list of these, or one dict of lists. "", None or an empty list: the
            context does not answer the question. Of several, the first one is learned. Where "answer_start" is missing,
            the answer is learned where it first stands.
        sample_weight : array of shape (n_questions,) or None, default=None
            Weights of the questions.
        X_val, y_val, sample_weight_val
            The same to validate with, for early stopping and the threshold. Where `y` is given, so must be `y_val`.
        resume : bool, default=False
            Go on from the file `checkpoint`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If answers are missing, stand somewhere else, or no question has one.
        TypeError
            If X or y has none of these forms.
        """
        if y is None:
            y, y_val = _IN_X, _IN_X if y_val is None and X_val is not None else y_val
        options = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val, "resume": resume}
        return super().fit(X, y, sample_weight, **options)

    def _examples(self, X: Any, who: str) -> list[Any]:
        found = read_questions(X, who=who)
        contexts = (found.contexts[i] for i in found.context_of)
        return list(zip(found.questions, contexts, found.answers, strict=True))

    def _texts_of(self, examples: list[Any]) -> Iterable[str]:
        yield from (question for question, _, _ in examples)
        yield from dict.fromkeys(context for _, context, _ in examples)

    def _read_target(self, y: Any, examples: list[Any], *, reset: bool, name: str) -> list[Any]:  # noqa: ARG002
        who = f"{name.replace('y', 'X', 1)} of {type(self).__name__}"
        found = _questions(examples, None if y is _IN_X else y, who)
        spans = found.spans(who).tolist()
        if name == "y" and all(start < 0 for start, _ in spans):
            raise ValueError(f"{who} must have an answer to one question at least, got none")
        return list(zip(spans, found.gold(who), strict=True))

    def _rows(self, examples: list[Any], target: list[Any], weight: NDArray[np.float32], longest: int) -> Rows:
        found = _questions(examples)
        windows, contexts = self._windows(found, longest, warns=True)
        characters = np.array([span for span, _ in target], dtype=np.int64).reshape(-1, 2)
        spans = piece_spans(contexts, found.context_of, characters)
        if (lost := np.flatnonzero((characters[:, 0] >= 0) & (spans[:, 0] < 0))).size:
            answer = target[lost[0]][1][0]
            raise ValueError(f"the tokenizer leaves nothing of the answer {answer!r:.60} to question {int(lost[0])}")
        targets = (*windows.targets(spans), weight[windows.questions])
        return Rows(windows.batch, targets, windows.questions)

    def _head_config(self, config: BertConfig) -> BertConfig:
        return dataclasses.replace(config, num_labels=2, id2label=None, problem_type=None)

    def _measure(self, target: list[Any], weight: Floats | None, *, reset: bool) -> None:  # noqa: ARG002
        if self.null_threshold != "auto":
            self.null_threshold_ = float(self.null_threshold)
        elif reset or np.isinf(self.null_threshold_):
            self.null_threshold_ = np.inf if all(start >= 0 for (start, _), _ in target) else 0.0

    def _train(self, network: PretrainedModule, training: Rows, validation: Any, *args: Any, **options: Any) -> None:
        super()._train(network, training, validation, *args, **options)
        if validation is not None and self.null_threshold == "auto" and np.isfinite(self.null_threshold_):
            examples, target, _ = validation
            self._tune(_questions(examples), [gold for _, gold in target])

    # ---- loss ----

    def _loss(
        self,
        outputs: BertForQuestionAnsweringOutput,
        batch: Any,
        *,
        training: bool,  # noqa: ARG002
    ) -> tuple[Tensor, float]:
        inputs, starts, ends, weight = batch
        shape = len(starts), int(inputs.lengths.max())
        places = positions_in(inputs.offsets) + np.repeat(np.arange(shape[0]) * shape[1], inputs.lengths)
        losses = [
            F.cross_entropy(padded_rows(logits, places, shape, -np.inf), target, reduction="none")
            for logits, target in zip(outputs, (starts, ends), strict=True)
        ]
        return ((losses[0] + losses[1]) * (0.5 * weight)).mean(), len(weight)

    def _score_of(self, network: Module, examples: list[Any], target: Any, rows: Rows) -> float:
        found = self._found(_questions(examples), self._longest(network.config), self._outputs_of_rows(network, rows))
        answers = [each.answers(1, self.null_threshold_)[0].text for each in found]
        return float(np.mean([answer_f1(text, gold) for text, (_, gold) in zip(answers, target, strict=True)]))

    def _entropy(self, rows: Rows) -> float:
        return float(np.log(rows.inputs.lengths).mean())

    def _constant_outputs(self, inputs: BertBatch) -> BertForQuestionAnsweringOutput:
        zeros = Tensor(np.zeros(len(inputs.ids), np.float32))
        return BertForQuestionAnsweringOutput(zeros, zeros)

    def _write_constant(self, network: Module) -> None:
        with no_grad():
            network.qa_outputs.weight.fill_(0)
            network.qa_outputs.bias.fill_(0)

    # ---- answers ----

    def _windows(self, questions: Questions, longest: int, *, warns: bool = False) -> tuple[QuestionWindows, Pieces]:
        """Return windows of contexts with their questions, and the contexts as pieces; warn of what is cut."""
        if longest < _FEWEST_TOKENS:
            raise ValueError(
                f"{type(self).__name__} needs a network of {_FEWEST_TOKENS} positions or more, got {longest}"
            )
        contexts = self.tokenizer_.pieces(questions.contexts, keep=["spans"], n_jobs=self.n_jobs)
        pieces = self.tokenizer_.pieces(questions.questions, n_jobs=self.n_jobs)
        most = min(int(self.max_question_length), longest // 2 - 2)
        if warns and (n_cut := int((pieces.lengths > most).sum())):
            warn(f"{n_cut} of {len(questions)} questions are longer than {most} tokens, and are cut there", UserWarning)
        sizes = {"max_length": longest, "max_question_length": most, "doc_stride": int(self.doc_stride)}
        return question_windows(self.tokenizer_, pieces, contexts, questions.context_of, **sizes), contexts

    def _found(
        self,
        questions: Questions,
        longest: int,
        outputs: Outputs | None = None,
        *,
        n_best: int = 1,
        warns: bool = False,
    ) -> Iterator[Found]:
        """Yield what is found for each question, with the outputs of a network, or those of the fitted one."""
        windows, contexts = self._windows(questions, longest, warns=warns)
        return found_in_windows(
            self._outputs(windows.batch) if outputs is None else outputs,
            windows,
            contexts,
            questions.context_of,
            questions.contexts,
            max_answer_length=int(self.max_answer_length),
            n_best=n_best,
        )

    def _answers(self, X: Any, n_best: int = 1) -> Iterator[Found]:
        check_is_fitted(self)
        questions = read_questions(X, who=f"X of {type(self).__name__}")
        return self._found(questions, self._longest(self.module_.config), n_best=n_best, warns=True)

    def predict(self, X: Any) -> list[str]:
        """Return the answer to each question.

        Parameters
        ----------
        X : dict, list or table
            Questions and contexts in one of the forms of :meth:`fit`. Answers in it are not looked at.

        Returns
        -------
        list of str
            As they stand in the contexts; "" where there is no answer.
        """
        return [found.answers(1, self.null_threshold_)[0].text for found in self._answers(X)]

    def predict_spans(self, X: Any, *, n_best: int = 1) -> list[list[AnswerSpan]]:
        """Return the best answers to each question, where they stand and how probable they are.

        Parameters
        ----------
        X
            As for :meth:`predict`.
        n_best : int, default=1
            Answers to each question at most.

        Returns
        -------
        list of lists of AnswerSpan
            For each question its answers ``(text, start, end, score)``, best first: ``context[start:end]`` is the text.
            The score is the probability among all places of the context, in all of its windows, and that there is no
            answer. The latter, "" with -1 for both places, comes first where :meth:`predict` says so, however probable.
        """
        check_count("n_best", n_best)
        return [found.answers(int(n_best), self.null_threshold_) for found in self._answers(X, int(n_best))]

    def null_odds(self, X: Any) -> Floats:
        """Return how much the score of no answer exceeds that of the best answer.

        Parameters
        ----------
        X
            As for :meth:`predict`.

        Returns
        -------
        array of shape (n_questions,)
            Logarithms of ratios of probabilities. Where they exceed `null_threshold_`, no answer is predicted; infinity
            where a context has no words.
        """
        return np.array([found.margin for found in self._answers(X)], dtype=np.float64)

    def tune_null_threshold(self, X: Any, y: Any = None) -> float:
        """Set `null_threshold_` to what gives the best F1.

        Parameters
        ----------
        X, y
            Questions, contexts and answers in one of the forms of :meth:`fit`; not those that it was fitted to.

        Returns
        -------
        float
            The threshold.
        """
        check_is_fitted(self)
        who = f"X of {type(self).__name__}"
        questions = read_questions(X, y, who=who)
        if not len(questions):
            raise ValueError(f"{who} must hold a question or more, got none")
        self._tune(questions, questions.gold(who))
        return self.null_threshold_

    def _tune(self, questions: Questions, gold: list[list[str]]) -> None:
        rows = []
        for found, answers in zip(self._found(questions, self._longest(self.module_.config)), gold, strict=True):
            if np.isfinite(found.margin):
                text = found.answers(1, np.inf)[0].text
                rows.append((found.margin, answer_f1(text, answers), answer_f1("", answers)))
        if rows:
            self.null_threshold_ = best_threshold(*np.array(rows).T)

    def evaluate(self, X: Any, y: Any = None) -> SquadScore:
        """Return exact match and F1 of the answers.

        Parameters
        ----------
        X, y
            Questions, contexts and right answers in one of the forms of :meth:`fit`.

        Returns
        -------
        SquadScore
            As :func:`mlcore.metrics.squad_score` has it: in percent, and of questions with and without answers alone.
        """
        who = f"X of {type(self).__name__}"
        questions = read_questions(X, y, who=who)
        gold = questions.gold(who)
        pairs = list(zip(questions.questions, (questions.contexts[i] for i in questions.context_of), strict=True))
        return squad_score(self.predict(pairs), gold)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the F1 of the answers.

        Parameters
        ----------
        X, y
            As for :meth:`evaluate`.

        Returns
        -------
        float
            In [0, 100], as the official script of SQuAD has it.
        """
        return self.evaluate(X, y).f1

    # ---- folders and files ----

    def _take_labels(self, module: PretrainedModule) -> None:
        if module.config.n_labels != 2:
            raise ValueError(f"{type(self).__name__} reads networks of two outputs, this has {module.config.n_labels}")
        said = module.config.other.get(_THRESHOLD, 0.0)
        if self.null_threshold != "auto":
            said = self.null_threshold
        elif said is None:
            said = np.inf  # which JSON has not
        if isinstance(said, bool) or not isinstance(said, Real):
            raise ValueError(f"{_THRESHOLD} of config.json must be a number, got {said!r:.80}")
        self.null_threshold_ = float(said)

    def _to_export(self) -> PretrainedModule:
        """Return the network with the threshold in its config."""
        module = copy.copy(self.module_)
        said = self.null_threshold_ if np.isfinite(self.null_threshold_) else None
        module.config = dataclasses.replace(module.config, other={**module.config.other, _THRESHOLD: said})
        return module

    def _check_config(self, config: BertConfig, state: dict[str, Any], sizes: Sizes) -> None:  # noqa: ARG002
        if config.n_labels != 2:
            raise ValueError(f"the network must have two outputs, got {config.n_labels}")
        if config.type_vocab_size < 2:
            raise ValueError("the network must tell questions from contexts, and has one type of tokens")
        if np.isnan(state["null_threshold_"]):
            raise ValueError("null_threshold_ must be a number, got NaN")


def _questions(examples: list[Any], y: Any = None, who: str = "X") -> Questions:
    """Return examples (question, context, answers), as `_examples` has them, with answers y in the place of theirs."""
    if y is not None:
        return read_questions([example[:2] for example in examples], y, who=who)
    numbers: dict[str, int] = {}
    context_of = [numbers.setdefault(context, len(numbers)) for _, context, _ in examples]
    return Questions(
        [question for question, _, _ in examples],
        list(numbers),
        np.array(context_of, dtype=np.int64),
        [answers for _, _, answers in examples],
    )
