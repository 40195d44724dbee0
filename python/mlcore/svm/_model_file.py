"""Model files of libsvm (``svm-train``, ``svm_save_model``): text, a few lines of header, then a support vector a line.

    svm_type c_svc                      nr_class 2 for anything but a classifier
    kernel_type rbf                     degree, gamma, coef0 where the kernel has them
    gamma 0.5
    nr_class 3
    total_sv 45
    rho 0.04 0.17 0.14                  one a pair of classes: minus the intercept
    label 0 1 2                         whole numbers, in the order of the blocks below
    nr_sv 7 19 19
    SV
    0.5 1 1:5.1 3:1.4                   nr_class - 1 coefficients, then index:value from index 1, zeros left out
    0.5 0 0:24                          (precomputed kernel: the number of the training row, from 1)

Numbers are written with as many digits as it takes to read the same float64 again. The lines of libsvm's own
probability model (probA, probB, prob_density_marks) are read over with a warning.
"""

import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mlcore._files import replacing
from mlcore._tables import Floats, Rows
from mlcore.svm._kernel import Kernel

KINDS = ("c_svc", "nu_svc", "one_class", "epsilon_svr", "nu_svr")
_KERNELS = {"linear": "linear", "poly": "polynomial", "rbf": "rbf", "sigmoid": "sigmoid", "precomputed": "precomputed"}
_USED_BY = {"degree": ("poly",), "gamma": ("poly", "rbf", "sigmoid"), "coef0": ("poly", "sigmoid")}
_PROBABILITY = ("probA", "probB", "prob_density_marks")
_LARGEST = 2**31 - 1  # libsvm counts in ints of C
_LINES = 4096  # written at once


@dataclass(frozen=True)
class LibsvmModel:
    """What such a file holds, in libsvm's signs and order of classes."""

    kind: str
    kernel: Kernel
    n_classes: int
    rho: list[float]
    labels: list[int] | None
    n_support: list[int] | None
    dual_coef: Floats
    """Shape (n_classes - 1, n_support_vectors)."""
    vectors: Rows | None
    """Shape (n_support_vectors, n_features); None for a precomputed kernel."""
    positions: NDArray[np.int32] | None
    """Their positions among the training rows, for a precomputed kernel."""
    n_features: int


# ---- write -----------------------------------------------------------------------------------------------------------


def write_model(path: str | os.PathLike[str], model: LibsvmModel) -> None:
    """Write the file; an older one stays as it was until the new one is whole. Raises OSError."""
    kernel = model.kernel
    header = [f"svm_type {model.kind}", f"kernel_type {_KERNELS[kernel.name]}"]
    header += [f"{name} {getattr(kernel, name)!r}" for name, users in _USED_BY.items() if kernel.name in users]
    header += [f"nr_class {model.n_classes}", f"total_sv {model.dual_coef.shape[1]}", _line("rho", model.rho)]
    if model.labels is not None and model.n_support is not None:
        header += [_line("label", model.labels), _line("nr_sv", model.n_support)]
    with replacing(Path(path)) as (file,):
        file.write("\n".join([*header, "SV", ""]).encode())
        lines = _vector_lines(model)
        while block := [line for _, line in zip(range(_LINES), lines, strict=False)]:
            file.write("".join(block).encode())


def _line(name: str, values: list[Any]) -> str:
    return " ".join([name, *map(repr, values)])


def _vector_lines(model: LibsvmModel) -> Iterator[str]:
    coefs = model.dual_coef.T
    if model.vectors is None:
        assert model.positions is not None
        for coef, position in zip(coefs, model.positions.tolist(), strict=True):
            yield f"{' '.join(map(repr, coef.tolist()))} 0:{position + 1} \n"
        return
    for t, coef in enumerate(coefs):
        if isinstance(model.vectors, sp.csr_array):
            part = slice(model.vectors.indptr[t], model.vectors.indptr[t + 1])
            columns, values = model.vectors.indices[part].tolist(), model.vectors.data[part].tolist()
        else:
            columns, values = range(model.vectors.shape[1]), model.vectors[t].tolist()
        terms = [(j + 1, value) for j, value in zip(columns, values, strict=True) if value != 0]
        yield f"{' '.join(map(repr, coef.tolist()))} {' '.join(f'{j}:{value!r}' for j, value in terms)} \n"


# ---- read ------------------------------------------------------------------------------------------------------------


class _DamageError(Exception):
    """What is wrong with a line; the caller knows which file and line."""


def read_model(path: str | os.PathLike[str], n_features: int | None) -> LibsvmModel:
    """Read the file.

    Parameters
    ----------
    path : str or path-like
    n_features : int or None
        Number of features (of training rows for a precomputed kernel); None: the largest index that occurs.

    Raises
    ------
    ValueError
        If the file is damaged or none of libsvm's, naming the line, or has an index beyond `n_features`.
    OSError
        If it cannot be read.
    """
    number = 0
    with Path(path).open("rb") as file:
        try:
            header: dict[str, list[str]] = {}
            for number, line in enumerate(file, 1):  # noqa: B007
                name, *values = _text(line).split() or [""]
                if name == "SV" and not values:
                    break
                _keep(header, name, values)
            else:
                raise _DamageError("the file ends before its support vectors, at")
            model = _from_header(header)
            coefs: list[list[float]] = []
            indices: list[int] = []
            data: list[float] = []
            indptr = [0]
            for line in file:
                number += 1
                if len(coefs) == int(header["total_sv"][0]):
                    raise _DamageError(f"there are more than the {len(coefs)} support vectors of total_sv, at")
                fields = _text(line).split()
                if len(fields) < model.n_classes - 1:
                    raise _DamageError(
                        f"a support vector needs {model.n_classes - 1} coefficients, got {line[:60]!r} in"
                    )
                coefs.append([_number(field) for field in fields[: model.n_classes - 1]])
                _take_terms(fields[model.n_classes - 1 :], model.kernel.name == "precomputed", indices, data)
                indptr.append(len(indices))
            if len(coefs) != int(header["total_sv"][0]):
                raise _DamageError(f"the file ends after {len(coefs)} of {header['total_sv'][0]} support vectors, at")
        except _DamageError as error:
            raise ValueError(f"{path} is no libsvm model file or is damaged: {error} line {number}") from None
    if left_out := [name for name in _PROBABILITY if name in header]:
        warnings.warn(
            f"{path}: {', '.join(left_out)} of libsvm's probability model are left out; CalibratedClassifierCV of "
            "scikit-learn gives probabilities",
            UserWarning,
            stacklevel=3,
        )
    dual_coef = np.array(coefs, dtype=np.float64).reshape(len(coefs), model.n_classes - 1).T.copy()
    model = replace(model, dual_coef=dual_coef, **_vectors(path, model.kernel, indices, data, indptr, n_features))
    return model if model.labels is None else _sorted_by_label(model)


def _text(line: bytes) -> str:
    if not line.endswith(b"\n"):  # a number may be cut
        raise _DamageError("the file ends in the middle of")
    try:
        return line.decode("ascii")
    except UnicodeDecodeError:
        raise _DamageError(f"{line[:60]!r} is no text in") from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _DamageError(f"{text[:60]!r} is no number in") from None
    if not math.isfinite(value):
        raise _DamageError(f"{text!r} is not finite in")
    return value


def _whole(text: str, least: int = -_LARGEST) -> int:
    try:
        value = int(text) if len(text) < 12 else _LARGEST + 1
    except ValueError:
        raise _DamageError(f"{text[:60]!r} is no whole number in") from None
    if not least <= value <= _LARGEST:
        raise _DamageError(f"{text[:60]} must be a whole number from {least} to {_LARGEST} in")
    return value


def _keep(header: dict[str, list[str]], name: str, values: list[str]) -> None:
    """Check a line of the header as far as it can be checked alone."""
    if name in header:
        raise _DamageError(f"{name!r} occurs a second time in")
    if name in ("svm_type", "kernel_type"):
        known = KINDS if name == "svm_type" else tuple(_KERNELS.values())
        if len(values) != 1 or values[0] not in known:
            raise _DamageError(f"{name} must be one of {', '.join(known)}, got {' '.join(values)[:60]!r} in")
    elif name in ("degree", "nr_class", "total_sv"):
        if len(values) != 1:
            raise _DamageError(f"{name} must be one number, got {len(values)} in")
        _whole(values[0], {"degree": 0, "nr_class": 2, "total_sv": 0}[name])
    elif name in ("gamma", "coef0"):
        if len(values) != 1:
            raise _DamageError(f"{name} must be one number, got {len(values)} in")
        _number(values[0])
    elif name in ("label", "nr_sv"):
        numbers = [_whole(value, -_LARGEST - 1 if name == "label" else 0) for value in values]
        if name == "label" and len(set(numbers)) != len(numbers):
            raise _DamageError("a label occurs a second time in")
    elif name == "rho" or name in _PROBABILITY:
        for value in values:
            _number(value)
    else:
        raise _DamageError(f"unknown entry {name[:60]!r} in")
    header[name] = values


def _from_header(header: dict[str, list[str]]) -> LibsvmModel:
    """Check that the lines of the header belong together."""
    needed = ["svm_type", "kernel_type", "nr_class", "total_sv", "rho"]
    is_classifier = header.get("svm_type", [""])[0] in ("c_svc", "nu_svc")
    needed += ["label", "nr_sv"] if is_classifier else []
    kernel_type = header.get("kernel_type", [""])[0]
    name = next((name for name, theirs in _KERNELS.items() if theirs == kernel_type), "")
    needed += [key for key, users in _USED_BY.items() if name in users]
    for key in needed:
        if key not in header:
            raise _DamageError(f"{key!r} is missing before")
    n_classes = int(header["nr_class"][0])
    counts = {"rho": n_classes * (n_classes - 1) // 2}
    if is_classifier:
        counts |= {"label": n_classes, "nr_sv": n_classes}
    elif n_classes != 2:
        raise _DamageError(f"nr_class of {header['svm_type'][0]} must be 2, got {n_classes} before")
    for key, count in counts.items():
        if len(header[key]) != count:
            raise _DamageError(
                f"{key!r} must have {count} numbers for nr_class {n_classes}, got {len(header[key])} before"
            )
    n_support = [int(value) for value in header["nr_sv"]] if is_classifier else None
    if n_support is not None and sum(n_support) != int(header["total_sv"][0]):
        raise _DamageError(f"nr_sv sums to {sum(n_support)}, and total_sv is {header['total_sv'][0]}, before")
    gamma = float(header["gamma"][0]) if "gamma" in header else 0.0
    if gamma < 0:
        raise _DamageError(f"gamma must be >= 0, got {gamma} before")
    return LibsvmModel(
        kind=header["svm_type"][0],
        kernel=Kernel(name, gamma, int(header.get("degree", ["3"])[0]), float(header.get("coef0", ["0"])[0])),
        n_classes=n_classes,
        rho=[float(value) for value in header["rho"]],
        labels=[int(value) for value in header["label"]] if is_classifier else None,
        n_support=n_support,
        dual_coef=np.empty((0, 0)),
        vectors=None,
        positions=None,
        n_features=0,
    )


def _take_terms(fields: list[str], is_precomputed: bool, indices: list[int], data: list[float]) -> None:
    """Append the terms ``index:value`` of one support vector."""
    if is_precomputed:
        if len(fields) != 1 or not fields[0].startswith("0:"):
            raise _DamageError("a support vector of a precomputed kernel must be one term 0:number, which is not so in")
        indices.append(int(_whole_float(fields[0][2:])) - 1)
        data.append(1.0)
        return
    before = 0
    for field in fields:
        index, colon, value = field.partition(":")
        if not colon:
            raise _DamageError(f"{field[:60]!r} is no index:value in")
        j = _whole(index, 1)
        if j <= before:
            raise _DamageError(f"index {j} comes after {before} in")
        before = j
        indices.append(j - 1)
        data.append(_number(value))


def _whole_float(text: str) -> int:
    value = _number(text)
    if value != int(value) or not 1 <= value <= _LARGEST:
        raise _DamageError(f"{text[:60]!r} is no number of a training row in")
    return int(value)


def _vectors(
    path: Any, kernel: Kernel, indices: list[int], data: list[float], indptr: list[int], n_features: int | None
) -> dict[str, Any]:
    columns = np.array(indices, dtype=np.int32)
    least = int(columns.max(initial=-1)) + 1
    if n_features is not None and n_features < least:
        raise ValueError(f"n_features={n_features}, but {path} has index {least}")
    n_features = max(least, 1) if n_features is None else n_features
    if kernel.name == "precomputed":
        return {"positions": columns, "n_features": n_features}
    # int32 places as long as they suffice
    places = np.array(indptr, dtype=np.int32 if len(indices) <= _LARGEST else np.int64)
    vectors = sp.csr_array((np.array(data), columns.astype(places.dtype), places), shape=(len(indptr) - 1, n_features))
    is_dense = 4 * vectors.nnz >= vectors.shape[0] * n_features
    return {"vectors": vectors.toarray() if is_dense else vectors, "n_features": n_features}


# ---- classes ---------------------------------------------------------------------------------------------------------


def whole_labels(classes: NDArray[Any], owner: str) -> list[int]:
    """Return labels as such a file can hold them. Raises ValueError."""
    labels = []
    for label in classes.tolist():
        if isinstance(label, (bool, int)) or (isinstance(label, float) and label.is_integer()):
            labels.append(int(label))
        if len(labels) == 0 or labels[-1] != label or not -_LARGEST <= labels[-1] <= _LARGEST:
            raise ValueError(
                f"labels in a libsvm model file are whole numbers, and {owner} has {label!r}: fit it to the codes of a "
                "LabelEncoder, or use mlcore.save"
            )
    return labels


def _sorted_by_label(model: LibsvmModel) -> LibsvmModel:
    """Return a classifier with its classes in ascending order, as scikit-learn has them; a file has any order.

    Where two classes change places, so do the signs of their pair.
    """
    assert model.labels is not None
    assert model.n_support is not None
    k = model.n_classes
    order = sorted(range(k), key=model.labels.__getitem__)  # new position -> old one
    ends = np.cumsum(model.n_support)
    blocks = [np.arange(end - n, end) for end, n in zip(ends, model.n_support, strict=True)]
    pair_of = {pair: p for p, pair in enumerate(combinations(range(k), 2))}
    columns = np.concatenate([blocks[old] for old in order])
    dual_coef = np.empty_like(model.dual_coef)
    rho = [0.0] * len(model.rho)
    for p, (i, j) in enumerate(combinations(range(k), 2)):
        a, b = order[i], order[j]
        sign = 1.0 if a < b else -1.0
        rho[p] = sign * model.rho[pair_of[min(a, b), max(a, b)]]
        dual_coef[j - 1, blocks[a]] = sign * model.dual_coef[b - 1 if b > a else b, blocks[a]]
        dual_coef[i, blocks[b]] = sign * model.dual_coef[a - 1 if a > b else a, blocks[b]]
    return replace(
        model,
        labels=[model.labels[old] for old in order],
        n_support=[model.n_support[old] for old in order],
        rho=rho,
        dual_coef=dual_coef[:, columns],
        vectors=None if model.vectors is None else model.vectors[columns],
        positions=None if model.positions is None else model.positions[columns],
    )
