"""What a fitted estimator writes: searches of the core over sources in batches, in the order of the sources."""

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from mlcore._base import effective_n_jobs, seed_from
from mlcore._native import core
from mlcore.nn._runtime import n_threads, threads
from mlcore.seq._network import SequenceNetwork
from mlcore.seq._packed import Packed
from mlcore.seq._vocabulary import END

_ROWS = 256
"""Hypotheses that are written at once."""
_READ = 8192
"""Tokens that are read at once."""

BEAM_SIZE = Interval(Integral, 1, 10_000, closed="both")
"""What a beam, and a number of samples, may be: a larger one is an oversight, which would take all memory there is."""

_POSITIVE = [Interval(Integral, 1, 2**31 - 2, closed="both")]
_CONSTRAINTS: dict[str, list[Any]] = {
    "n_best": [BEAM_SIZE],
    "beam_size": [BEAM_SIZE],
    "length_penalty": [Interval(Real, None, None, closed="neither")],
    "max_length": _POSITIVE,
    "sampling": [StrOptions({"greedy", "beam", "sample"})],
    "temperature": [Interval(Real, 0, None, closed="neither")],
    "top_k": [*_POSITIVE, None],
    "top_p": [Interval(Real, 0, 1, closed="right"), None],
    "early_stopping": ["boolean", StrOptions({"never"})],
}


class Search(NamedTuple):
    """How to write."""

    n_best: int
    beam_size: int
    length_penalty: float
    max_length: int
    sampling: str
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    early_stopping: bool | str = False
    random_state: Any = None

    def check(self, who: str) -> None:
        """Raise ValueError where one is out of range, or they do not go together."""
        options = self._asdict()
        validate_parameter_constraints(_CONSTRAINTS, {name: options[name] for name in _CONSTRAINTS}, who)
        if self.sampling != "sample" and (self.temperature, self.top_k, self.top_p) != (1.0, None, None):
            raise ValueError(
                f"temperature, top_k and top_p say how to draw: they need sampling='sample', got {self.sampling!r}"
            )
        if self.sampling != "beam" and self.early_stopping:
            raise ValueError(f"early_stopping ends a beam search: it needs sampling='beam', got {self.sampling!r}")
        if self.sampling == "greedy" and self.n_best > 1:
            raise ValueError(f"greedy search finds one text, not n_best={self.n_best}: sampling='beam' finds more")
        if self.sampling == "beam" and self.n_best > self.beam_size:
            raise ValueError(f"n_best={self.n_best} must be at most beam_size={self.beam_size}")


def beam_of(beam_size: int | None, default: int, sampling: str) -> int:
    """Return how many hypotheses a search keeps; raise ValueError where it keeps none but is told how many."""
    if beam_size is None:
        return default
    if sampling != "beam" and beam_size != 1:
        raise ValueError(f"beam_size is of beam search: it needs sampling='beam', got {sampling!r}")
    return beam_size


class Written(NamedTuple):
    """A sequence that was written."""

    ids: list[int]
    score: float
    log_probability: float


def write(
    network: SequenceNetwork,
    decoder: Any,
    sources: Packed,
    begin: Any,
    longest: NDArray[np.int64],
    search: Search,
) -> list[list[Written]]:
    """Search the best sequences for each source.

    Parameters
    ----------
    network : SequenceNetwork
    decoder : object of the core
        Of the network.
    sources : Packed
        What is read; prompts of a language model.
    begin : int64 array (B,)
        The token that each begins with.
    longest : int64 array (B,)
        Most tokens of each, the end among them.
    search : Search

    Returns
    -------
    list of lists of Written
        For each source the best ones, the best first.
    """
    is_beam = search.sampling == "beam"
    seed = seed_from(search.random_state) if search.sampling == "sample" else 0
    found: list[list[Written]] = [[] for _ in longest]
    for rows in _groups(sources.lengths, search.beam_size if is_beam else search.n_best):
        network.start(decoder, sources.take(rows))
        batch = core.nn.search(
            decoder,
            begin=begin[rows],
            end=END,
            max_length=longest[rows],
            length_penalty=float(search.length_penalty),
            method=search.sampling,
            beam_size=int(search.beam_size),
            n_best=int(search.n_best),
            early_stopping=search.early_stopping,
            temperature=float(search.temperature),
            top_k=int(search.top_k or 0),
            top_p=float(1.0 if search.top_p is None else search.top_p),
            keys=rows.astype(np.int64),
            seed=seed,
            n_threads=n_threads(),
        )
        for row, hypotheses in zip(rows.tolist(), batch, strict=True):
            found[row] = [Written(ids.tolist(), score, log_p) for ids, score, log_p in hypotheses]
    return found


def _groups(lengths: NDArray[np.int64], n_hypotheses: int) -> list[NDArray[np.intp]]:
    """Return the sources of each batch: of like length, so that they end at about the same time; long ones first."""
    order = np.argsort(-lengths, kind="stable")
    most = max(1, _ROWS // n_hypotheses)
    groups, start = [], 0
    while start < len(order):
        n = min(most, max(1, _READ // max(1, int(lengths[order[start]]))))
        groups.append(order[start : start + n])
        start += n
    return groups


class DecoderCache:
    """The decoder of a fitted network, made once for its weights of now: packing them takes as long as some steps."""

    n_jobs: int | None
    module_: SequenceNetwork
    is_quantized_: bool

    def _write(
        self, sources: Packed, begin: NDArray[np.int64], longest: NDArray[np.int64], search: Search
    ) -> list[list[Written]]:
        with threads(effective_n_jobs(self.n_jobs)):
            key, decoder = self._take_decoder()
            found = write(self.module_, decoder, sources, begin, longest, search)
        self.__dict__["_cached_decoder"] = (key, decoder)
        return found

    def _take_decoder(self) -> tuple[Any, Any]:
        """Return the decoder and what it belongs to; nobody else has it until it is put back."""
        versions = [p._version.n_changes for p in self.module_.parameters()]
        key = (self.module_, versions, self.is_quantized_)
        cached = self.__dict__.pop("_cached_decoder", None)
        if cached is not None and cached[0][0] is self.module_ and cached[0][1:] == key[1:]:
            return key, cached[1]
        return key, self.module_.decoder(quantize=self.is_quantized_)
