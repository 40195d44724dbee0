"""How a file is damaged or forged: blindly, by lines and words, or by somebody who knows the format."""

import copy
import json
import struct

import numpy as np

from mlcore._files import DTYPES, checksum, header_checksum

NUMBERS = [0, 1, -1, 2, 3, 7, 127, 128, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53, 2**62]
NUMBERS += [2**63 - 1, 2**63, -(2**63), 2**64, 10**30, 0.5, -0.5, 1e-300, 1e300, -1e300, 1e38]
FLOATS = [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e-45, 1e38, 1e308, -1e308, 0.5, 3e9]
TEXTS = ["", "a", "\0", "é", "字", "\ud800", "x" * 300, "rbf", "linear", "precomputed", "callable", "softmax", "logit"]
TEXTS += ["identity", "log", "nan", "inf", "-1", "1e400", "0x10", "lbfgs", "adam", "ns", "hs", "cbow", "None", "True"]


def mutate_bytes(data, rng, others):
    """Change bytes, without any idea of what they mean."""
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        if not data:
            return bytes(data)
        at, kind = int(rng.integers(len(data))), int(rng.integers(9))
        length = int(rng.integers(1, 2 + min(64, len(data))))
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at] = int(rng.integers(256))
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = data[at : at + length]
        elif kind == 4:
            data[at:at] = rng.bytes(length)
        elif kind == 5:
            del data[at:]
        elif kind == 6:
            value = NUMBERS[int(rng.integers(len(NUMBERS)))]
            packed = struct.pack("<q", min(max(int(value), -(2**63)), 2**63 - 1))[: int(rng.choice([1, 2, 4, 8]))]
            data[at : at + len(packed)] = packed
        elif kind == 7:
            other = others[int(rng.integers(len(others)))]
            begin = int(rng.integers(len(other) + 1))
            data[at : at + length] = other[begin : begin + length]
        else:
            data[at : at + length] = bytes(len(data[at : at + length]))
    return bytes(data)


def mutate_text(data, rng, others):
    """Change lines and words of a text."""
    lines = [line.split(b" ") for line in data.split(b"\n")]
    for _ in range(int(rng.integers(1, 4))):
        i = int(rng.integers(len(lines)))
        line = lines[i]
        j = int(rng.integers(len(line)))
        kind = int(rng.integers(9))
        if kind == 0:
            line[j] = str(NUMBERS[int(rng.integers(len(NUMBERS)))]).encode()
        elif kind == 1:
            line[j] = TEXTS[int(rng.integers(len(TEXTS)))].encode(errors="replace")
        elif kind == 2:
            del line[j]
            if not line:
                line.append(b"")
        elif kind == 3:
            line.insert(j, line[int(rng.integers(len(line)))])
        elif kind == 4:
            lines[i] = list(lines[int(rng.integers(len(lines)))])
        elif kind == 5:
            lines.insert(i, list(lines[int(rng.integers(len(lines)))]))
        elif kind == 6 and len(lines) > 1:
            del lines[i]
        elif kind == 7:
            other = others[int(rng.integers(len(others)))].split(b"\n")
            lines[i] = other[int(rng.integers(len(other)))].split(b" ")
        else:
            key, colon, value = line[j].partition(b":")
            value = str(NUMBERS[int(rng.integers(len(NUMBERS)))]).encode()
            line[j] = (value + colon + key if rng.integers(2) else key + b":" + value) if colon else value
    return b"\n".join(b" ".join(line) for line in lines)


class Forgery:
    """A safetensors file of ours, parsed once; each :meth:`forged` is a changed copy with right checksums."""

    def __init__(self, data):
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        self.metadata = header.pop("__metadata__")
        self.tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            place = data[8 + length + begin : 8 + length + end]
            self.tensors[name] = np.frombuffer(place, dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"])
        self.key = next((key for key in ("mlcore", "mlcore_checkpoint") if key in self.metadata), None)
        self.header = json.loads(self.metadata[self.key]) if self.key else None

    def forged(self, rng):
        header, tensors = copy.deepcopy(self.header), dict(self.tensors)
        for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
            if tensors and (header is None or rng.integers(2)):
                self._change_tensor(tensors, rng)
            else:
                _change_json(header, rng)
        metadata = dict(self.metadata)
        if self.key:
            text = json.dumps(header)
            metadata = {self.key: text}
            metadata["mlcore_crc32"] = checksum(text, tensors)
            if self.key == "mlcore":
                metadata["mlcore_header_crc32"] = header_checksum(text, tensors)
        return _file(tensors, metadata)

    def _change_tensor(self, tensors, rng):
        name = list(tensors)[int(rng.integers(len(tensors)))]
        tensor = tensors[name]
        kind = int(rng.integers(12))
        if kind <= 3 and tensor.size:
            tensor = tensor.copy()
            count = 1 if kind < 3 else int(rng.integers(1, tensor.size + 1))
            for _ in range(min(count, 5)):
                _change_entry(tensor, rng)
        elif kind == 4:
            other = list(DTYPES.values())[int(rng.integers(len(DTYPES)))]
            with np.errstate(all="ignore"):
                tensor = tensor.astype(other)
        elif kind == 5:
            tensor = tensor[: int(rng.integers(len(tensor) + 1))] if tensor.ndim else tensor.reshape(1)
        elif kind == 6:
            tensor = np.concatenate([tensor, tensor]) if tensor.ndim else tensor.reshape(1, 1)
        elif kind == 7:
            tensor = np.ascontiguousarray(tensor.T)
        elif kind == 8:
            tensor = tensor.reshape((*tensor.shape, 1)) if rng.integers(2) else tensor.reshape(-1)
        elif kind == 9:
            tensor = tensors[list(tensors)[int(rng.integers(len(tensors)))]]
        elif kind == 10:
            tensor = np.sort(tensor, axis=0)[::-1].copy() if tensor.ndim else tensor
        else:
            shape = (0, *tensor.shape[1:]) if rng.integers(2) else (*tensor.shape[:1], 0)
            tensor = np.empty(shape, dtype=tensor.dtype)
        if kind == 11 and rng.integers(4) == 0:
            tensors.pop(name)
        else:
            tensors[name] = np.ascontiguousarray(tensor).reshape(tensor.shape)


def _change_entry(tensor, rng):
    at = np.unravel_index(int(rng.integers(tensor.size)), tensor.shape)
    if tensor.dtype.kind == "f":
        with np.errstate(all="ignore"):
            tensor[at] = FLOATS[int(rng.integers(len(FLOATS)))]
    elif tensor.dtype.kind == "b":
        tensor[at] = not tensor[at]
    elif rng.integers(2):
        low, high = np.iinfo(tensor.dtype).min, np.iinfo(tensor.dtype).max
        tensor[at] = min(max(int(NUMBERS[int(rng.integers(len(NUMBERS) - 7))]), int(low)), int(high))
    else:
        with np.errstate(all="ignore"):
            tensor[at] += np.array(int(rng.choice([-1, 1, 2]))).astype(tensor.dtype)


def _change_json(header, rng):
    """Change one place of a tree of dicts, lists and values."""
    places = []

    def walk(node):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(header)
    first = len(header) if rng.integers(20) else 0  # seldom the entries at the top, which are few and checked at once
    node, key = places[int(rng.integers(min(first, len(places) - 1), len(places)))]
    kind = int(rng.integers(10))
    if kind == 0:
        if isinstance(node, dict):
            node.pop(key)
        else:
            del node[key]
    elif kind == 1:
        other, place = places[int(rng.integers(len(places)))]
        node[key] = copy.deepcopy(other[place])
    elif kind == 2 and isinstance(node, dict):
        node[TEXTS[int(rng.integers(len(TEXTS)))] + "_" * int(rng.integers(2))] = node[key]
    elif kind == 3 and isinstance(node[key], int | float) and not isinstance(node[key], bool):
        node[key] += int(rng.choice([-1, 1]))
    elif kind == 4 and isinstance(node[key], list):
        node[key] = node[key] * int(rng.choice([0, 2, 40]))
    elif kind == 5 and isinstance(node[key], str):
        node[key] = node[key] + "x" if rng.integers(2) else node[key][:-1]
    else:
        node[key] = _value(rng)


def _value(rng):
    kind = int(rng.integers(9))
    if kind <= 1:
        return NUMBERS[int(rng.integers(len(NUMBERS)))]
    if kind == 2:
        return TEXTS[int(rng.integers(len(TEXTS)))]
    return [None, True, False, [], {}, {"!float": "nan"}, {"!float": "inf"}, [[1]], [1, "a"], {"!tuple": [1, 2]},
            {"a": 1}, {"!tensor": "0"}, {"!array": ["a", "b"], "dtype": "O", "shape": [2]},
            {"!array": [1, None], "dtype": "U", "shape": [2]}, {"!dict": [[1, 2]]}, {"!set": [1]}][
        int(rng.integers(16))
    ]  # fmt: skip


def _file(tensors, metadata):
    names = {dtype: name for name, dtype in DTYPES.items()}
    header, parts, end = {"__metadata__": metadata}, [], 0
    for name, tensor in sorted(tensors.items(), key=lambda item: -item[1].itemsize):
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": names[tensor.dtype], "shape": tensor.shape, "data_offsets": [begin, end]}
        parts.append(tensor.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)
