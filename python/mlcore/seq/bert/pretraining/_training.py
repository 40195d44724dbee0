"""Training of BertPretrainer: where it starts, what it reads, and how good the network is at the end."""

import dataclasses
import os
from collections.abc import Collection
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from mlcore._warnings import warn
from mlcore.nn import optim
from mlcore.nn._runtime import Generator
from mlcore.nn.tensor import no_grad
from mlcore.nn.training._trained import Shapes, Trained
from mlcore.nn.training._trainer import Trainer
from mlcore.seq._tokens import is_subword_tokenizer
from mlcore.seq._training import epochs_for, former_history, go_on, log_frequencies
from mlcore.seq.bert._rates import parameter_groups
from mlcore.seq.bert._start import check_tokenizer, new_start, start_of
from mlcore.seq.bert._state import BertState, pretraining_shapes
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule
from mlcore.seq.bert.network._model import BertModel
from mlcore.seq.bert.network._network import IGNORED
from mlcore.seq.bert.network._pretraining_heads import BertForMaskedLM, BertForPreTraining
from mlcore.seq.bert.pretraining._batches import PretrainingBatch, PretrainingBatches
from mlcore.seq.bert.pretraining._documents import Corpus, corpus_of
from mlcore.seq.bert.pretraining._loss import measures, train_step, write_constant
from mlcore.seq.bert.pretraining._masking import Masking
from mlcore.seq.bert.pretraining._sentence_pairs import longest_sentence
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer
from mlcore.text._subword_tokenizer import SubwordTokenizer

Floats = NDArray[np.float64]

MINI: dict[str, Any] = {
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
}
"""Sizes of a network, where they are not given: BERT-Mini of Turc et al., "Well-read students learn better", 2019."""

_AUTOMATIC = 10, 1000, 100
"""Of a training that is chosen by itself: epochs, steps at least, and epochs at most that are done for their sake."""

_MOST_TOKENS, _FEWEST_TOKENS, _BATCHES = 4096, 256, 50
"""Of a batch that is chosen by itself; of an epoch, where that leaves so many."""

_SAMPLE = 8192
"""Tokens of the training that the network is compared with the frequencies on."""

_GAIN = 0.01
"""Share of the loss of the frequencies that is gained at least where something was learned of the language."""

_JSON = "tokenizer.json"
"""Under which name a file holds a parameter `tokenizer`."""


class Pretraining(Trained, BertState, BaseEstimator):  # type: ignore[misc]
    """What :class:`BertPretrainer` does with its parameters."""

    dtype = "float32"  # in which the network predicts
    model: Any
    config: Any
    tokenizer: Any
    lowercase: bool
    mlm_probability: float
    whole_word: bool
    next_sentence: bool | str
    max_length: int
    max_epochs: int | None
    max_steps: int | None
    batch_tokens: int | str
    accumulate: int
    learning_rate: float
    warmup_ratio: float
    weight_decay: float
    max_norm: float | None
    dropout: float | None
    early_stopping: bool | str
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    checkpoint: Any
    checkpoint_every: int | None
    n_jobs: int | None
    verbose: int

    # ---- the start ----

    def _network(self, documents: list[list[str]], who: str, *, continuing: bool) -> tuple[PretrainedModule, Corpus]:
        """Set the tokenizer; return the network to train, and the tokens of the documents."""
        start = self._start(documents, continuing=continuing)
        config = self._config_of(start)
        corpus = self._corpus(documents, config, who)
        has_pairs = self._has_pairs(corpus, continuing=continuing)
        network = (BertForPreTraining if has_pairs else BertForMaskedLM)(config)
        if not isinstance(start, BertConfig):
            _take_weights(start, network)
        _start_at(network, log_frequencies(corpus.pieces.ids, config.vocab_size))
        return network, corpus

    def _start(self, documents: list[list[str]], *, continuing: bool) -> PretrainedModule | BertConfig:
        """Set the tokenizer, and return the network to go on from, or the config of a new one."""
        if continuing:
            return self.module_
        if isinstance(self.model, str | os.PathLike):
            network = BertForPreTraining.from_pretrained(self.model, new_head=True)
            self.tokenizer_ = BertTokenizer.from_pretrained(self.model)
            check_tokenizer(self.tokenizer_, network.config)
            return network
        if self.model is not None:
            _, self.tokenizer_ = start_of(self.model, type(self).__name__)
            found: PretrainedModule = self.model.module_
            return found
        texts = (sentence for document in documents for sentence in document)
        config, self.tokenizer_ = new_start(
            self.config if isinstance(self.config, BertConfig) else {**MINI, **(self.config or {})},
            texts,
            type(self).__name__,
            lowercase=bool(self.lowercase),
            max_length=int(self.max_length),
            tokenizer=None if self.tokenizer is None else _tokenizer_of(self.tokenizer),
        )
        return config

    def _config_of(self, start: PretrainedModule | BertConfig) -> BertConfig:
        """Return the config of the network, with the dropout that was asked for."""
        config = start if isinstance(start, BertConfig) else start.config
        if self.dropout is None:
            return config
        rate = float(self.dropout)
        return dataclasses.replace(config, hidden_dropout_prob=rate, attention_probs_dropout_prob=rate)

    def _corpus(self, documents: list[list[str]], config: BertConfig, who: str) -> Corpus:
        longest = longest_sentence(self._longest(config))
        whole_word = bool(self.whole_word)
        corpus = corpus_of(documents, self.tokenizer_, longest, with_words=whole_word, n_jobs=self.n_jobs)
        if np.isin(corpus.pieces.ids, self._markers()).all():
            raise ValueError(f"no token of {who} is known to the tokenizer: there is nothing to mask")
        return corpus

    def _longest(self, config: BertConfig) -> int:
        """Return how many tokens a sequence may have."""
        most = config.max_position_embeddings
        if most < 8:
            raise ValueError(f"max_position_embeddings of config must be at least 8, got {most}")
        return min(int(self.max_length), most)

    def _markers(self) -> tuple[int, ...]:
        """Return the tokens that are never to be predicted."""
        found = self.tokenizer_
        return tuple(
            token for token in (found.cls, found.sep, found.unknown, found.mask, found.pad) if token is not None
        )

    def _has_pairs(self, corpus: Corpus, *, continuing: bool) -> bool:
        wanted = isinstance(self.module_, BertForPreTraining) if continuing else self.next_sentence
        if wanted == "auto":
            return corpus.has_neighbours
        if wanted and not corpus.could_have_neighbours:
            raise ValueError(
                f"next_sentence=True of {type(self).__name__} needs two documents or more, and one of several "
                f"sentences; got {len(corpus.documents) - 1} of {len(corpus.sentences) - 1} together: pass lists of "
                "sentences, or next_sentence=False"
            )
        return bool(wanted)

    # ---- training ----

    def _batches(
        self, corpus: Corpus, network: PretrainedModule, batch_tokens: int, **options: Any
    ) -> PretrainingBatches:
        tokenizer = self.tokenizer_
        if tokenizer.mask is None:
            raise ValueError(f"the tokenizer of {type(self).__name__} has no [MASK]")
        return PretrainingBatches(
            corpus,
            Masking(
                float(self.mlm_probability), tokenizer.mask, len(tokenizer), self._markers(), bool(self.whole_word)
            ),
            tokenizer.cls,
            tokenizer.sep,
            max_length=self._longest(network.config),
            batch_tokens=batch_tokens,
            has_pairs=isinstance(network, BertForPreTraining),
            **options,
        )

    def _train(
        self,
        network: PretrainedModule,
        corpus: Corpus,
        held: Corpus | None,
        generator: Generator,
        *,
        continuing: bool,
        resume: bool,
    ) -> None:
        history, accumulate = former_history(self, continuing=continuing), int(self.accumulate)
        size = self.batch_tokens
        if size == "auto":
            size = min(max(corpus.n_tokens // _BATCHES, _FEWEST_TOKENS), _MOST_TOKENS)
        n_batches = None if self.max_steps is None else int(self.max_steps) * accumulate
        batches = self._batches(corpus, network, int(size), n_batches=n_batches, first_epoch=len(history))
        n_each = -(-len(batches) // accumulate)
        n_epochs = batches.n_epochs if self.max_steps is not None else epochs_for(n_each, self.max_epochs, _AUTOMATIC)
        n_steps = n_each * n_epochs if self.max_steps is None else int(self.max_steps)
        validation = None
        if held is not None:
            validation = self._held(held, network)

        def validate(module: Any) -> dict[str, float]:
            return {f"validation_{name}": value for name, value in measures(module, validation or []).items()}

        stops = validation is not None and self.early_stopping is not False
        log_p = log_frequencies(corpus.pieces.ids, network.config.vocab_size)
        rate = float(self.learning_rate)
        groups = parameter_groups(
            network,
            network.config.num_hidden_layers,
            learning_rate=rate,
            layer_decay=1.0,
            weight_decay=float(self.weight_decay),
        )
        trainer = Trainer(
            network,
            step=train_step,
            optimizer=optim.AdamW(groups, lr=rate, eps=1e-6, max_norm=self.max_norm),
            schedule=lambda rule, _: optim.warmup_linear(rule, int(float(self.warmup_ratio) * n_steps), n_steps),
            accumulate=accumulate,
            validate=None if validation is None else validate,
            monitor="loss" if validation is None else "validation_loss",
            patience=int(self.n_iter_no_change) if stops else None,
            min_delta=float(self.tol) * float(-log_p @ np.exp(log_p)),
            checkpoint=self.checkpoint,
            checkpoint_every=self.checkpoint_every,
            verbose=int(self.verbose),
        )
        trainer.generator, trainer.name = generator, type(self).__name__
        trainer._flow.warns = False
        go_on(trainer, history, n_epochs)
        trainer.fit(batches, resume=resume)
        self._compare_with_frequencies(network, batches, log_p)
        self.module_, self.history_, self.n_iter_ = network.eval(), trainer.history, len(trainer.history)

    def _held(self, corpus: Corpus, network: PretrainedModule) -> list[PretrainingBatch]:
        """Return batches to measure a network on: the same pairs and masks each time."""
        if isinstance(network, BertForPreTraining) and not corpus.could_have_neighbours:
            raise ValueError(
                "documents to score must be two or more, and one of several sentences, as the network predicts which "
                f"sentence follows another; got {len(corpus.documents) - 1} of {len(corpus.sentences) - 1} together"
            )
        return list(self._batches(corpus, network, _MOST_TOKENS, shuffle=False).epoch(0, 0))

    def _compare_with_frequencies(self, network: PretrainedModule, batches: PretrainingBatches, log_p: Floats) -> None:
        """Warn if the network predicts masked tokens no better than their frequencies do; let it be no worse."""
        sample: list[PretrainingBatch] = []
        for batch in batches.sample():
            sample.append(batch)
            if sum(len(each.input_ids) for each in sample) >= _SAMPLE:
                break
        labels = np.concatenate([batch.labels[batch.labels != IGNORED] for batch in sample])
        constant, found = -float(log_p[labels].mean()), measures(network, sample)
        write_constant(
            network,
            log_p if not found["masked_loss"] <= constant else None,
            sentences=not found.get("next_sentence_loss", 0.0) <= np.log(2),
        )
        if not found["masked_loss"] <= (1 - _GAIN) * constant:
            warn(
                f"{type(self).__name__} predicts masked tokens no better than their frequencies do: loss "
                f"{found['masked_loss']:.4g}, that of the frequencies {constant:.4g}. More steps, another "
                "learning_rate, or text that does not repeat itself may help",
                ConvergenceWarning,
            )

    # ---- files ----

    def _make_module(self, config: BertConfig, names: Collection[str] = ()) -> PretrainedModule:
        return BertForPreTraining(config) if _has_relation(names) else BertForMaskedLM(config)

    def _module_shapes(self, config: BertConfig, names: Collection[str]) -> Shapes:
        return pretraining_shapes(config, sentences=_has_relation(names))

    def _file_params(self) -> dict[str, Any]:
        params = super()._file_params()
        if self.tokenizer is not None:
            params["tokenizer"] = {_JSON: _tokenizer_of(self.tokenizer).to_json()}
        return params

    @classmethod
    def _of_file_params(cls, params: dict[str, Any]) -> Self:
        tokenizer = params.get("tokenizer")
        if isinstance(tokenizer, dict) and tokenizer.keys() == {_JSON} and isinstance(tokenizer[_JSON], str):
            params = {**params, "tokenizer": BertTokenizer.from_json(tokenizer[_JSON])}
        return super()._of_file_params(params)


def _tokenizer_of(tokenizer: Any) -> BertTokenizer:
    """Return a tokenizer of users as one of BERT."""
    if isinstance(tokenizer, BertTokenizer):
        return tokenizer
    if isinstance(tokenizer, SubwordTokenizer):
        return BertTokenizer(tokenizer)
    if is_subword_tokenizer(tokenizer):
        return BertTokenizer(SubwordTokenizer(tokenizer))
    raise TypeError(f"tokenizer of BertPretrainer must be one of subwords, got a {type(tokenizer).__name__}")


def _has_relation(names: Collection[str]) -> bool:
    """Whether weights of these names are those of a network that predicts next sentences."""
    return "cls.seq_relationship.weight" in names


def _take_weights(start: PretrainedModule, network: PretrainedModule) -> None:
    """Give a network the encoder and the heads of another, as far as both have them."""
    prefix = "bert." if isinstance(start, BertModel) else ""
    state = {prefix + name: values for name, values in start.state_dict().items()}
    network.load_state_dict({name: values for name, values in state.items() if not name.startswith(_OTHER)}, False)


_OTHER = ("classifier.", "qa_outputs.")
"""Heads of fine-tuning."""


def _start_at(network: Any, log_frequencies: Floats) -> None:
    """Let a new head begin with the frequencies of tokens: without them it takes hundreds of steps to find them."""
    bias = network.output_layer()[1]
    if not bias.data.any():
        with no_grad():
            bias.copy_(log_frequencies.astype(np.float32))
