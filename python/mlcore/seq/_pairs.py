"""What estimators from one sequence to another share: fit to pairs, predictions, BLEU, attention to look at."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import effective_n_jobs, fitting, seed_from
from mlcore.metrics import corpus_bleu
from mlcore.nn._runtime import Generator, threads
from mlcore.seq._attention import Attention
from mlcore.seq._base import BaseSequenceEstimator, rows_of
from mlcore.seq._generation import BEAM_SIZE, Search, Written, beam_of, write
from mlcore.seq._network import SequenceNetwork
from mlcore.seq._tokens import learn_tokens, pack_sources, pack_targets
from mlcore.seq._training import Pairs, check_cut
from mlcore.seq._vocabulary import BEGIN, END


class BasePairEstimator(BaseSequenceEstimator):
    """Fit, predict, generate and score of Seq2Seq and TransformerSeq2Seq."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSequenceEstimator._parameter_constraints,
        "scoring": [StrOptions({"loss", "bleu"})],
        "share_vocabulary": ["boolean", None],
        "beam_size": [BEAM_SIZE],
        "length_penalty": [Interval(Real, None, None, closed="neither")],
    }
    scoring: str
    share_vocabulary: bool | None
    beam_size: int
    length_penalty: float

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    # ---- fit ----

    def fit(self, X: Any, Y: Any, *, X_val: Any = None, Y_val: Any = None, resume: bool = False) -> Self:
        """Learn to write targets for sources.

        Parameters
        ----------
        X : iterable of n_pairs str, or of sequences of tokens with ``tokenizer=None``
            Sources: a list, a generator, or a column of NumPy, pandas, polars or Arrow. An empty text is one.
        Y : as X
            A target for each.
        X_val, Y_val : as X and Y, default=None
            Pairs to validate with after each epoch.
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
            If a parameter is out of range, there is no pair, there are other numbers of sources and targets, or an
            entry is missing.
        TypeError
            If entries are no texts, or with ``tokenizer=None`` no sequences of tokens.
        mlcore.nn.NonFiniteError
            If training diverges to numbers that are not finite.

        Warns
        -----
        UserWarning
            If entries are longer than `max_length` tokens, which are cut there.
        sklearn.exceptions.ConvergenceWarning
            If training did not get below the loss of the frequencies of the tokens; the network writes by them then.
        """
        self._validate_params()
        continuing = self._continues()
        with fitting(self, continuing=continuing):
            self._fit(X, Y, X_val, Y_val, continuing=continuing, resume=resume)
        return self

    def _fit(self, X: Any, Y: Any, X_val: Any, Y_val: Any, *, continuing: bool, resume: bool) -> None:
        name = type(self).__name__
        if Y is None:
            raise ValueError(f"This {name} estimator requires Y to be passed, but the target Y is None.")
        if (X_val is None) != (Y_val is None):
            given = "X_val" if Y_val is None else "Y_val"
            raise ValueError(f"X_val and Y_val of {name} must be given together, got only {given}")
        columns, names = [X, Y], [f"X of {name}", f"Y of {name}"]
        if continuing:
            ids = [self._source.encode(X, names[0]), self._target.encode(Y, names[1])]
        else:
            (self._source, self._target), ids = learn_tokens(
                columns,
                names,
                self.tokenizer,
                lowercase=bool(self.lowercase),
                min_count=int(self.min_count),
                max_vocab=self.max_vocab,
                share=self.share_vocabulary,
            )
        _check_numbers(ids[0], ids[1], "X", "Y", name)
        held_ids: list[list[list[int]]] = []
        if X_val is not None:
            held_ids = [self._source.encode(X_val, f"X_val of {name}"), self._target.encode(Y_val, f"Y_val of {name}")]
            _check_numbers(held_ids[0], held_ids[1], "X_val", "Y_val", name)
        pairs = self._pairs(ids, held_ids)
        generator = Generator(seed_from(self.random_state))
        kept, held = self._split(len(ids[0]), X_val is not None, generator.next_seed())
        training, validation = (rows_of(pairs, kept), rows_of(pairs, held)) if len(held) else (pairs, None)
        if X_val is not None:
            n = len(ids[0])
            every = np.arange(n + len(held_ids[0]))
            training, validation = rows_of(pairs, every[:n]), rows_of(pairs, every[n:])
        self._longest = int(training[1].lengths.max()) - 1
        self._train(training, validation, generator, continuing=continuing, resume=resume)

    def _pairs(self, *parts: list[list[list[int]]]) -> Pairs:
        """Return the sources and targets of some parts of the data, packed; warn once of what is cut."""
        sources = [entry for part in parts if part for entry in part[0]]
        targets = [entry for part in parts if part for entry in part[1]]
        most = int(self.max_length)
        whole = [len(entry) <= most for entry in targets]
        sources, n_cut = self._cut(sources)
        targets, n_too = self._cut(targets)
        check_cut(n_cut + n_too, len(sources) + len(targets), most, "sources and targets")
        return pack_sources(sources), pack_targets(targets, whole)

    def _monitor(self) -> str:
        return self.scoring

    def _validate(self, network: SequenceNetwork, validation: Any) -> dict[str, float]:
        """Return BLEU of greedy search."""
        source, target = validation
        search = Search(1, 1, 0.0, self._limit(), "greedy")
        n = len(source.offsets) - 1
        found = write(network, network.decoder(), source, np.full(n, BEGIN), np.full(n, search.max_length), search)
        bounds = target.offsets
        references = [target.ids[bounds[i] : bounds[i + 1]].tolist() for i in range(n)]
        return {"validation_bleu": self._bleu([written[0].ids for written in found], references)}

    # ---- writing ----

    def _limit(self) -> int:
        """Return how many tokens are written at most where a call does not say."""
        return min(int(self.max_length), 2 * self._longest + 10)

    def predict(self, X: Any) -> list[Any]:
        """Write the best target for each source: :meth:`generate` with its defaults.

        Parameters
        ----------
        X : as in `fit`
            Sources.

        Returns
        -------
        list of n_sources str, or lists of tokens with ``tokenizer=None``
        """
        return self.generate(X)  # type: ignore[no-any-return]

    def generate(
        self,
        X: Any,
        *,
        n_best: int = 1,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        max_length: int | None = None,
        sampling: str = "beam",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        early_stopping: bool | str = False,
        return_scores: bool = False,
        return_attention: bool = False,
        random_state: Any = None,
    ) -> Any:
        """Write targets for sources, by beam search or at random.

        What is written for a source does not depend on the others.

        Parameters
        ----------
        X : as in `fit`
            Sources.
        n_best : int, default=1
            Targets for each source, the best first; at most `beam_size` in a beam search, samples in sampling.
        beam_size : int or None, default=None
            Hypotheses that a beam search keeps at each step, at most 10,000; None: that of the estimator.
        length_penalty : float or None, default=None
            Hypotheses are compared by the sum of log p divided by ``length ** length_penalty``, the end token counted:
            0 prefers short ones, the larger the longer. None: that of the estimator.
        max_length : int or None, default=None
            Most tokens to write, the end among them; None: twice those of the longest target of the training and 10
            more, at most `max_length` of the estimator.
        sampling : {"beam", "greedy", "sample"}, default="beam"
            Beam search; the most probable token at each step; tokens drawn by their probabilities.
        temperature : float, default=1.0
            Of "sample": logits are divided by it; below 1 likely tokens are drawn even more often.
        top_k : int or None, default=None
            Of "sample": draw from the so many most probable tokens alone.
        top_p : float or None, default=None
            Of "sample": draw from the most probable tokens that together have this probability.
        early_stopping : bool or "never", default=False
            When a beam search is done: True, as soon as there are `beam_size` finished hypotheses; False, when no
            better one is likely; "never", when none is possible.
        return_scores : bool, default=False
            Whether the scores are returned too.
        return_attention : bool, default=False
            Whether it is returned too where the network looked.
        random_state : int, RandomState or None, default=None
            Seed of "sample".

        Returns
        -------
        targets : list of n_sources str, or of lists of str with `n_best` above 1
            With ``tokenizer=None`` lists of tokens in the place of str. A beam search can find fewer than `n_best`.
        scores : array of shape (n_sources,), or list of arrays with `n_best` above 1
            With `return_scores`: by which targets are compared; of "greedy" and "sample" the sum of log p, divided
            likewise. Probabilities are among the tokens that can be written: no marker but the end is.
        attention : list of Attention, or of lists of them with `n_best` above 1
            With `return_attention`: :func:`mlcore.plotting.plot_attention` draws each.

        Raises
        ------
        ValueError
            If a parameter is out of range, or a network without attention is asked for it.
        TypeError
            If sources are not what `fit` takes.
        """
        check_is_fitted(self)
        name = type(self).__name__
        search = Search(
            n_best,
            beam_of(beam_size, int(self.beam_size), sampling),
            float(self.length_penalty) if length_penalty is None else length_penalty,
            self._limit() if max_length is None else max_length,
            sampling,
            temperature,
            top_k,
            top_p,
            early_stopping,
            random_state,
        )
        search.check(f"generate of {name}")
        if search.max_length > self._most_positions():
            raise ValueError(f"max_length of generate must be at most {self._most_positions()}, got {max_length}")
        ids, n_cut = self._cut(self._source.encode(X, f"X of {name}"))
        check_cut(n_cut, len(ids), int(self.max_length), "sources")
        n = len(ids)
        sources = pack_sources(ids)
        found = self._write(sources, np.full(n, BEGIN), np.full(n, int(search.max_length)), search)
        results: list[Any] = [[[self._target.decode(w.ids) for w in written] for written in found]]
        if return_scores:
            results.append([np.array([w.score for w in written]) for written in found])
        if return_attention:
            results.append(self._attention(ids, found))
        if n_best == 1:
            results = [[entry[0] for entry in result] for result in results]
            if return_scores:
                results[1] = np.array(results[1], np.float64)
        return results[0] if len(results) == 1 else tuple(results)

    def _most_positions(self) -> int:
        """Return how many tokens can be written."""
        return 2**31 - 2

    def _attention(self, ids: list[list[int]], found: list[list[Written]]) -> list[list[Attention]]:
        """Ask the network once more, where it looks while it writes what it has written."""
        read, wrote = self._source.shown(), self._target.shown()
        owners = [b for b, written in enumerate(found) for _ in written]
        targets = [w.ids for written in found for w in written]
        with threads(effective_n_jobs(self.n_jobs)):
            weights = (
                self.module_.attention(pack_sources([ids[b] for b in owners]), pack_targets(targets)) if owners else []
            )
        made: list[list[Attention]] = [[] for _ in found]
        for b, target, values in zip(owners, targets, weights, strict=True):
            queries, keys = [wrote[i] for i in [*target, END]], [read[i] for i in [*ids[b], END]]
            made[b].append(Attention(values, queries, keys))
        return made

    # ---- how good ----

    def score(self, X: Any, Y: Any) -> float:
        """Return BLEU of the predictions for sources.

        Parameters
        ----------
        X : as in `fit`
            Sources.
        Y : as in `fit`
            A reference for each.

        Returns
        -------
        float
            Corpus BLEU, from 0 to 100, as :func:`mlcore.metrics.corpus_bleu` computes it (tokens of sacreBLEU's "13a",
            without case where `lowercase` is set). Orders of n-grams that all predictions are too short for are left
            out. With ``tokenizer=None`` n-grams are of the tokens as they are.
        """
        check_is_fitted(self)
        name = type(self).__name__
        references, found = self._read(Y, f"Y of {name}"), self.predict(X)
        _check_numbers(found, references, "X", "Y", name)
        return self._bleu_of(found, references)

    def _bleu(self, written: list[list[int]], references: list[list[int]]) -> float:
        """Return BLEU of ids."""
        decode = self._target.decode
        return self._bleu_of([decode(ids) for ids in written], [decode(ids) for ids in references])

    def _bleu_of(self, found: Sequence[Any], references: Sequence[Any]) -> float:
        options: dict[str, Any] = {"effective_order": True, "force": True, "n_jobs": self.n_jobs}
        if self.tokenizer is None:
            found, references = ([_as_words(tokens) for tokens in column] for column in (found, references))
            return corpus_bleu(found, [references], tokenize="none", **options).score
        return corpus_bleu(found, [references], lowercase=bool(self.lowercase), **options).score

    def quantize(self, X: Any = None, Y: Any = None) -> dict[str, float]:
        """Write with weights of int8 from now on: less memory to read for each token, and nearly the same texts.

        The network itself, and a file of the estimator, keep their float32; :meth:`fit` goes back to it.

        Parameters
        ----------
        X : as in `fit`, default=None
            Sources to compare on.
        Y : as in `fit`, default=None
            Their references.

        Returns
        -------
        dict of str to float
            With `X`: "agreement", BLEU of what int8 writes with what float32 writes as its reference, 100 if all is the
            same. With `Y` too: "bleu_float32" and "bleu_int8".
        """
        check_is_fitted(self)
        if X is None and Y is not None:
            raise ValueError(f"quantize of {type(self).__name__} needs X where Y is given")
        report: dict[str, float] = {}
        before = self.is_quantized_
        name = type(self).__name__
        sources = None if X is None else self._read(X, f"X of {name}")
        try:
            if sources is not None:
                self.is_quantized_ = False
                exact = self.predict(sources)
                self.is_quantized_ = True
                found = self.predict(sources)
                report["agreement"] = self._bleu_of(found, exact)
                if Y is not None:
                    references = self._read(Y, f"Y of {name}")
                    _check_numbers(sources, references, "X", "Y", name)
                    report["bleu_float32"] = self._bleu_of(exact, references)
                    report["bleu_int8"] = self._bleu_of(found, references)
        except BaseException:
            self.is_quantized_ = before
            raise
        self.is_quantized_ = True
        return report

    # ---- vocabularies ----

    @property
    def source_vocabulary_(self) -> list[str]:
        """Tokens of the sources as people read them, by their ids; the markers first."""
        return self._source.shown()

    @property
    def target_vocabulary_(self) -> list[str]:
        """Tokens of the targets likewise."""
        return self._target.shown()


def _check_numbers(sources: Sequence[Any], targets: Sequence[Any], x: str, y: str, name: str) -> None:
    if len(sources) != len(targets):
        raise ValueError(
            f"{x} and {y} of {name} must have the same number of entries, got {len(sources)} and {len(targets)}"
        )
    if not len(sources):
        raise ValueError(f"{x} of {name} must hold an entry or more, got none")


def _as_words(tokens: Sequence[Any]) -> str:
    """Return tokens as words between spaces."""
    return " ".join("\u2423".join(str(token).split(" ")) for token in tokens)
