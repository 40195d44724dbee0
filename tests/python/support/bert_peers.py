"""BERT in transformers, CTranslate2 and onnxruntime, from one folder: what ours is compared with.

The folder is one of Hugging Face, as `save_pretrained` of ours writes it, so that all have the same weights. Texts go
around as sequences of ids with their markers; here they are padded at the end.
"""

import json
import logging
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

PAD = 0

Texts = Sequence[np.ndarray]
"""Ids of each text."""


def padded(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """Return ids (B, longest) and which of them are real, 0 or 1; int64."""
    longest = max(len(ids) for ids in texts)
    ids, mask = np.full((len(texts), longest), PAD), np.zeros((len(texts), longest), np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    return ids, mask


def mean_of_rows(rows: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the mean (B, d) of the real ones of rows (B, T, d)."""
    return np.einsum("btd,bt->bd", rows, mask.astype(np.float32)) / mask.sum(1, keepdims=True)


# ---- transformers ----


def transformers_model(folder: str | Path, name: str = "BertModel", **options: Any) -> Any:
    """Return a model of transformers with the weights of `folder`, by PyTorch's fused attention, in evaluation mode."""
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    return getattr(transformers, name).from_pretrained(folder, attn_implementation="sdpa", **options).eval()


@torch.inference_mode()
def transformers_vectors(model: Any, texts: Texts) -> np.ndarray:
    """Return the mean of the last hidden states of each text, shape (B, d), of one padded batch."""
    ids, mask = (torch.from_numpy(array) for array in padded(texts))
    rows = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
    real = mask.unsqueeze(2).float()
    return ((rows * real).sum(1) / real.sum(1)).numpy()


# ---- CTranslate2 ----


def ctranslate2_encoder(folder: str | Path, compute_type: str, threads: int, workers: int = 1) -> Any:
    """Return a `ctranslate2.Encoder`, converted by its own converter."""
    import ctranslate2

    with tempfile.TemporaryDirectory() as made:
        ctranslate2.converters.TransformersConverter(str(folder)).convert(made, force=True)
        ways = {"inter_threads": workers, "intra_threads": threads}
        return ctranslate2.Encoder(made, "cpu", compute_type=compute_type, **ways)


def ctranslate2_vectors(encoder: Any, batches: Iterable[Texts]) -> list[np.ndarray]:
    """Return the means of the last hidden states of each batch, with as many batches at a time as it has workers."""

    def one(texts: Texts) -> np.ndarray:
        rows = np.array(encoder.forward_batch([ids.tolist() for ids in texts]).last_hidden_state)
        return mean_of_rows(rows, padded(texts)[1])

    with ThreadPoolExecutor(encoder.num_encoders) as pool:
        return list(pool.map(one, batches))


# ---- onnxruntime ----


def onnx_graph(folder: str | Path) -> Any:
    """Return BERT as an ONNX model of onnxruntime's fused operators, those that its own optimizer of BERT inserts.

    Inputs are ids and mask (B, T), int32; the output is the last hidden state (B, T, d).
    """
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import load_file

    config = json.loads((Path(folder) / "config.json").read_text("utf-8"))
    if config.get("hidden_act", "gelu") != "gelu":
        raise ValueError("BiasGelu is the exact GELU")
    epsilon = config.get("layer_norm_eps", 1e-12)
    weights = {name.removeprefix("bert."): w for name, w in load_file(Path(folder) / "model.safetensors").items()}
    nodes: list[Any] = []
    arrays: dict[str, np.ndarray] = {}

    def hold(name: str, values: np.ndarray) -> str:
        arrays[name] = np.ascontiguousarray(values)
        return name

    def held(*names: str) -> list[str]:
        return [hold(name, weights[name]) for name in names]

    def add(kind: str, inputs: list[str], output: str, *more: str, **options: Any) -> str:
        domain = "" if kind in {"MatMul"} else "com.microsoft"
        nodes.append(helper.make_node(kind, inputs, [output, *more], name=output, domain=domain, **options))
        return output

    tables = [f"embeddings.{kind}_embeddings.weight" for kind in ("word", "position", "token_type")]
    norm = held("embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias")
    x = add(
        "EmbedLayerNormalization",
        ["ids", "", hold(tables[0], weights[tables[0]]), hold(tables[1], weights[tables[1]]), "", *norm, "mask"],
        "embedded",
        "lengths",
        epsilon=epsilon,
    )
    # Without segment ids it adds none, so that segment 0 joins the positions.
    arrays[tables[1]] = arrays[tables[1]] + weights[tables[2]][0]
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        own = f"{layer}.attention.self"
        joint = {
            kind: np.concatenate([weights[f"{own}.{part}.{kind}"].T for part in ("query", "key", "value")], -1)
            for kind in ("weight", "bias")
        }
        inputs = [x, hold(f"{own}.weight", joint["weight"]), hold(f"{own}.bias", joint["bias"]), "lengths"]
        seen = add("Attention", inputs, f"{own}.seen", num_heads=config["num_attention_heads"])

        def product(a: str, name: str) -> str:
            return add("MatMul", [a, hold(f"{name}.weight", weights[f"{name}.weight"].T)], f"{name}.product")

        def normed(a: str, skip: str, name: str) -> str:
            parts = held(f"{name}.LayerNorm.weight", f"{name}.LayerNorm.bias", f"{name}.dense.bias")
            return add("SkipLayerNormalization", [a, skip, *parts], f"{name}.normed", epsilon=epsilon)

        x = normed(product(seen, f"{layer}.attention.output.dense"), x, f"{layer}.attention.output")
        wide = product(x, f"{layer}.intermediate.dense")
        active = add("BiasGelu", [wide, *held(f"{layer}.intermediate.dense.bias")], f"{layer}.active")
        x = normed(product(active, f"{layer}.output.dense"), x, f"{layer}.output")
    graph = helper.make_graph(
        nodes,
        "bert",
        [helper.make_tensor_value_info(name, TensorProto.INT32, ["B", "T"]) for name in ("ids", "mask")],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["B", "T", config["hidden_size"]])],
        [numpy_helper.from_array(values, name) for name, values in arrays.items()],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def onnxruntime_session(folder: str | Path, int8: bool, threads: int) -> Any:
    """Return an `onnxruntime.InferenceSession`, float32 or quantized dynamically by its own tool."""
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "model.onnx"
        onnx.save(onnx_graph(folder), path)
        if int8:
            exact, path = path, Path(made) / "int8.onnx"
            logging.disable(logging.WARNING)  # it recommends what fuses operators, which are fused
            quantize_dynamic(
                exact,
                path,
                op_types_to_quantize=["MatMul", "Attention"],
                per_channel=True,
                weight_type=QuantType.QInt8,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )
            logging.disable(logging.NOTSET)
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def onnxruntime_vectors(session: Any, texts: Texts) -> np.ndarray:
    """Return the mean of the last hidden states of each text, shape (B, d), of one padded batch."""
    ids, mask = padded(texts)
    (rows,) = session.run(None, {"ids": ids.astype(np.int32), "mask": mask.astype(np.int32)})
    return mean_of_rows(rows, mask)
