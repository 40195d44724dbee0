"""Terms that are learned from documents, in one pass or in parts, and counted in others.

:class:`~mlcore.CountVectorizer` shows it to users. What is known of terms is one table (`_terms.py`), which is replaced
as a whole, so that whoever asks meanwhile sees the former one or the new one. After `partial_fit` there also is a
counter of the core, to which further documents are added; the table is made of it when it is asked for.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mlcore._base import StateMixin, effective_n_jobs
from mlcore._native import core
from mlcore._progress import Progress
from mlcore._state import Flag, Sizes, Spec
from mlcore._warnings import warn
from mlcore.text._analysis import AnalysisMixin
from mlcore.text._documents import batches, length_of
from mlcore.text._matrix import Parts, as_matrix, check_dtype, core_dtype
from mlcore.text._terms import TERM_TABLE, Limits, TermTable, check_term_table, check_vocabulary


class TermLearner(AnalysisMixin, StateMixin):
    """What vectorizers with a vocabulary do; the parameters are those of CountVectorizer."""

    max_df: float
    min_df: float
    max_features: int | None
    vocabulary: Any
    binary: bool
    dtype: Any
    n_jobs: int | None
    verbose: int

    _documents_name = "raw_documents"
    _private_state = ("_table", "_counter")
    _state_spec: ClassVar[Spec] = {"fixed_vocabulary_": Flag(), "_table": TERM_TABLE}
    fixed_vocabulary_: bool
    _table: TermTable

    # ---- learning ----------------------------------------------------------------------------------------------------

    def _given_vocabulary(self, *, is_fit: bool = False) -> dict[str, int] | None:
        if self.vocabulary is None:
            return None
        vocabulary = check_vocabulary(self.vocabulary, f"vocabulary of {type(self).__name__}")
        if is_fit and self.lowercase and any(any(map(str.isupper, term)) for term in vocabulary):
            warn(
                f"vocabulary of {type(self).__name__} has terms with upper case letters: no document holds them, since "
                "lowercase=True"
            )
        return vocabulary

    def _fit(self, raw_documents: Any, vocabulary: dict[str, int] | None, n_threads: int, *, with_rows: bool) -> Any:
        """Learn from documents; return their rows, if so wanted."""
        self.fixed_vocabulary_ = vocabulary is not None
        if vocabulary is not None:
            table = TermTable.of_vocabulary(vocabulary)
            self._table, X = self._seen(raw_documents, table, n_threads, with_rows=with_rows)
            return X
        counter = self._count(raw_documents, n_threads, keep_rows=with_rows)
        table = self._table_of(counter, n_threads)
        if table.n_columns == 0:
            raise self._limits().why_empty(table, type(self).__name__)
        self._table = table if self._limits().keep_all else table.kept()
        if not with_rows:
            return None
        columns = np.arange(counter.n_terms, dtype=np.int32) if table.columns is None else table.columns
        dtype = check_dtype(self.dtype, type(self).__name__)
        rows = counter.rows(columns, binary=self.binary, dtype=core_dtype(dtype), n_threads=n_threads)
        return as_matrix([rows], table.n_columns, dtype)

    def _continue(self, raw_documents: Any, vocabulary: dict[str, int] | None) -> None:
        """Learn from further documents."""
        n_threads = effective_n_jobs(self.n_jobs)
        is_first = "_table" not in vars(self)
        if vocabulary is not None:
            is_new = is_first or not self.fixed_vocabulary_
            table = TermTable.of_vocabulary(vocabulary) if is_new else self._table
            self._table, _ = self._seen(raw_documents, table, n_threads, with_rows=False)
            self.fixed_vocabulary_ = True
            vars(self).pop("_counter", None)
            return
        counter = vars(self).get("_counter")
        if counter is None and not is_first:
            counter = self._counter_of(self._table)
        found = self._count(raw_documents, n_threads, keep_rows=False)
        if counter is None:
            counter = found
        else:
            counter.merge(found)  # all or nothing
        self._counter = counter
        self._table = TermTable.empty()  # made again when it is asked for: sorting all terms takes longer than counting
        self.fixed_vocabulary_ = False

    def _counter_of(self, table: TermTable) -> "core.text.TermCounter":
        """Return a counter that goes on from a table."""
        if table.document_counts is None or table.term_counts is None:
            raise ValueError(
                f"partial_fit of {type(self).__name__} must know the counts of all terms, but those of terms without a "
                "column are gone after fit: begin with partial_fit"
            )
        counter = core.text.TermCounter(None)
        counter.restore(table.utf8, table.starts, table.document_counts, table.term_counts, table.n_documents)
        return counter

    def _count(self, raw_documents: Any, n_threads: int, *, keep_rows: bool) -> "core.text.TermCounter":
        """Count the terms of documents."""
        pipeline = self._pipeline()
        counter = core.text.TermCounter(pipeline.analysis)
        with self._progress(raw_documents) as progress:
            for batch in self._batches(raw_documents, pipeline):
                begin = progress.done
                if pipeline.analysis is None:
                    counter.add_tokens(batch, keep_rows=keep_rows, n_threads=n_threads)
                else:
                    report = progress.callback("terms", begin=begin)
                    counter.add(batch, keep_rows=keep_rows, report=report, n_threads=n_threads)
                progress.update(begin + len(batch) - progress.done)
        return counter

    def _seen(self, raw_documents: Any, table: TermTable, n_threads: int, *, with_rows: bool) -> tuple[TermTable, Any]:
        """Return the table of a given vocabulary after further documents, and their rows, if so wanted."""
        X = None
        if with_rows:
            dtype = check_dtype(self.dtype, type(self).__name__)
            X = as_matrix(list(self._rows(raw_documents, table, n_threads)), table.n_columns, dtype)
            n_documents = X.shape[0]
        else:  # nothing is learned from them
            n_documents = sum(map(len, self._batches(raw_documents, self._pipeline())))
        return table.changed(n_documents=table.n_documents + n_documents), X

    def _table_of(self, counter: "core.text.TermCounter", n_threads: int) -> TermTable:
        """Return the table of all that was counted."""
        utf8, starts, document_counts, term_counts = counter.terms(n_threads=n_threads)
        table = TermTable(utf8, starts, None, document_counts, term_counts, counter.n_documents)
        return replace(table, columns=self._limits().columns(table))

    def _limits(self) -> Limits:
        return Limits(self.max_df, self.min_df, self.max_features, self.binary, self.dtype)

    def _settled(self) -> TermTable:
        """Return the table of all documents that were seen."""
        counter = vars(self).get("_counter")
        if counter is not None and self._table.n_documents != counter.n_documents:
            self._table = self._table_of(counter, effective_n_jobs(self.n_jobs))
        return self._table

    # ---- asking ------------------------------------------------------------------------------------------------------

    def _ready(self) -> TermTable:
        """Return the table, with one column at least. Raises NotFittedError if there is none, and ValueError."""
        if "_table" not in vars(self):
            vocabulary = self._given_vocabulary()
            if vocabulary is None:
                check_is_fitted(self)
            else:
                self.fixed_vocabulary_ = True
                self._table = TermTable.of_vocabulary(vocabulary)
        table = self._settled()
        if table.n_columns == 0:
            raise self._limits().why_empty(table, type(self).__name__)
        return table

    def _rows(self, raw_documents: Any, table: TermTable, n_threads: int) -> Iterator[Parts]:
        """Count the terms of a table, batch by batch."""
        pipeline = self._pipeline()
        dtype = core_dtype(check_dtype(self.dtype, type(self).__name__))
        options: dict[str, Any] = {"dtype": dtype, "binary": self.binary, "n_threads": n_threads}
        with self._progress(raw_documents) as progress:
            for batch in self._batches(raw_documents, pipeline):
                if pipeline.analysis is None:
                    yield table.index.transform_tokens(batch, **options)
                else:
                    yield table.index.transform(batch, pipeline.analysis, **options)
                progress.update(len(batch))

    def _weighed(self, X: Any, table: TermTable, n_threads: int) -> Any:  # noqa: ARG002
        """Return the rows for the user; `X` may be changed."""
        return X

    def _batches(self, raw_documents: Any, pipeline: Any) -> Any:
        who = f"raw_documents of {type(self).__name__}"
        return batches(raw_documents, who, pipeline.prepare, is_plain=pipeline.is_plain)

    def _progress(self, raw_documents: Any) -> Progress:
        return Progress(length_of(raw_documents), self.verbose, type(self).__name__, unit=" documents")

    # ---- pickle and files --------------------------------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return "_table" in vars(self)

    def _get_state(self) -> dict[str, Any]:
        state = super()._get_state()
        for name in ("_counter", "_checked_stop_words"):
            state.pop(name, None)
        if "_table" in state:
            state["_table"] = self._settled().to_state()
        return state

    def _set_state(self, state: dict[str, Any]) -> None:
        if "_table" in state:
            state = {**state, "_table": TermTable(**state["_table"])}
        super()._set_state(state)

    def _check_loaded(self, *, is_mapped: bool) -> None:  # noqa: ARG002
        check_dtype(self.dtype, type(self).__name__)
        self._given_vocabulary()
        self._pipeline()

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        check_term_table(state["_table"], sizes)
