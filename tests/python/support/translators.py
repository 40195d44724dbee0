"""One Transformer for translation in PyTorch, CTranslate2 and transformers: what ours is compared with.

The network is that of Vaswani et al. (2017): one table of embeddings for source, target and output, scaled by sqrt(d)
where it is read, and sinusoidal positions. Weights go around as a dict of arrays with the names of `TorchTransformer`,
which are those of PyTorch's layers. transformers has it as Marian, with the norm after each sublayer only.
"""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

PAD, UNKNOWN, BEGIN, END = range(4)
"""Special ids, as the vocabularies of mlcore.seq number them."""

Weights = Mapping[str, np.ndarray]
TF = torch.nn.functional


@dataclass(frozen=True)
class Shape:
    """Sizes of a network."""

    vocabulary: int
    d_model: int
    n_heads: int = 4
    n_layers: int = 4
    dim_feedforward: int = 1024
    norm_first: bool = False
    activation: str = "relu"
    max_length: int = 512
    tied: bool = True
    """Whether the output has the weight of the embeddings; else its own."""


def sinusoids(n: int, d: int) -> np.ndarray:
    """Return the positions (n, d) of the paper: sines in even columns, cosines in odd ones."""
    angles = np.arange(n)[:, None] / 10000 ** (np.arange(0, d, 2) / d)
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(n, -1)[:, :d].astype(np.float32)


# ---- PyTorch ----


class TorchTransformer(torch.nn.Module):
    """The network by PyTorch's layers, on padded batches."""

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        d, lib = shape.d_model, torch.nn
        options = (d, shape.n_heads, shape.dim_feedforward, dropout, shape.activation)
        more = {"batch_first": True, "norm_first": shape.norm_first}

        def norm() -> torch.nn.Module | None:
            return lib.LayerNorm(d) if shape.norm_first else None

        self.embedding = lib.Embedding(shape.vocabulary, d)
        self.encoder = lib.TransformerEncoder(
            lib.TransformerEncoderLayer(*options, **more), shape.n_layers, norm(), enable_nested_tensor=False
        )
        self.decoder = lib.TransformerDecoder(lib.TransformerDecoderLayer(*options, **more), shape.n_layers, norm())
        self.output = lib.Linear(d, shape.vocabulary)
        self.dropout = lib.Dropout(dropout)
        self.register_buffer("positions", torch.from_numpy(sinusoids(shape.max_length, d)), persistent=False)
        causal = lib.Transformer.generate_square_subsequent_mask(shape.max_length)
        self.register_buffer("causal", causal, persistent=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                lib.init.xavier_uniform_(parameter)
        lib.init.zeros_(self.output.bias)
        lib.init.normal_(self.embedding.weight, std=d**-0.5)
        if shape.tied:
            self.output.weight = self.embedding.weight

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids) * math.sqrt(self.shape.d_model)
        return self.dropout(x + self.positions[: ids.shape[1]])

    def encode(self, source: torch.Tensor, padding: torch.Tensor | None = None) -> torch.Tensor:
        return self.encoder(self.embed(source), src_key_padding_mask=padding)

    def decode(self, target: torch.Tensor, memory: torch.Tensor, padding: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits (B, T, V) of the tokens after each of `target` (B, T)."""
        mask = self.causal[: target.shape[1], : target.shape[1]]
        options = {"tgt_mask": mask, "tgt_is_causal": True, "memory_key_padding_mask": padding}
        return self.output(self.decoder(self.embed(target), memory, **options))

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        padding = source == PAD
        mask = padding if bool(padding.any()) else None
        return self.decode(target, self.encode(source, mask), mask)

    def loss(self, source: torch.Tensor, target: torch.Tensor, label_smoothing: float = 0.1) -> torch.Tensor:
        """Return the mean over the tokens of `target` (B, T) behind the first, without padding."""
        logits = self(source, target[:, :-1])
        labels = target[:, 1:].reshape(-1)
        return TF.cross_entropy(logits.flatten(0, 1), labels, ignore_index=PAD, label_smoothing=label_smoothing)

    def weights(self) -> dict[str, np.ndarray]:
        return {name: values.numpy().copy() for name, values in self.state_dict().items()}

    @torch.no_grad()
    def greedy(self, sources: Sequence[Sequence[int]], max_length: int) -> list[list[int]]:
        """Write without a cache, one source at a time: slow, and simple enough to be believed."""
        found = []
        for source in sources:
            memory, ids = self.encode(torch.tensor([list(source)])), [BEGIN]
            for _ in range(max_length):
                ids.append(int(self.decode(torch.tensor([ids]), memory)[0, -1].argmax()))
                if ids[-1] == END:
                    break
            found.append([i for i in ids[1:] if i != END])
        return found


def random_weights(shape: Shape, seed: int = 0, never: Sequence[int] = (PAD, UNKNOWN, BEGIN)) -> dict[str, np.ndarray]:
    """Return weights at random, of norms and biases too; the ids in `never` are not written.

    With END among them no text ends before its maximal length: all libraries then do the same work. Without `tied`
    texts are varied; with it the likeliest token is the one just read, because of the residual connections.
    """
    torch.manual_seed(seed)
    weights = TorchTransformer(shape).weights()
    rng = np.random.default_rng(seed)
    for name, values in weights.items():
        if "norm" in name and name.endswith("weight"):
            weights[name] = (values * rng.uniform(0.7, 1.3, values.shape)).astype(np.float32)
        elif "attn.in_proj_weight" in name:
            weights[name] = values * np.float32(3)  # attention to few tokens instead of a little to all
        elif values.ndim == 1:
            weights[name] = rng.normal(0, 0.02, values.shape).astype(np.float32)
    if not shape.tied:
        weights["embedding.weight"] *= 4
    weights["output.bias"][list(never)] = -1e4
    return weights


def torch_model(weights: Weights, shape: Shape, dropout: float = 0.0) -> TorchTransformer:
    model = TorchTransformer(shape, dropout)
    model.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in weights.items()})
    return model


# ---- CTranslate2 ----


def _set_linear(spec: Any, weights: Weights, name: str, rows: slice = slice(None), joint: str = ".") -> None:
    spec.weight, spec.bias = weights[f"{name}{joint}weight"][rows], weights[f"{name}{joint}bias"][rows]


def _set_norm(spec: Any, weights: Weights, name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _set_feed_forward(spec: Any, weights: Weights, layer: str, norm: str) -> None:
    _set_linear(spec.linear_0, weights, f"{layer}.linear1")
    _set_linear(spec.linear_1, weights, f"{layer}.linear2")
    _set_norm(spec.layer_norm, weights, f"{layer}.{norm}")


def ctranslate2_model(weights: Weights, shape: Shape, compute_type: str, threads: int, workers: int = 1) -> Any:
    """Return a `ctranslate2.Translator`; token i is the string str(i), but for the special ones."""
    import ctranslate2
    from ctranslate2.specs import TransformerSpec
    from ctranslate2.specs.common_spec import Activation

    weights = {name: values.copy() for name, values in weights.items()}  # it quantizes in place
    d = shape.d_model
    activation = {"relu": Activation.RELU, "gelu": Activation.GELU}[shape.activation]
    spec = TransformerSpec.from_config(shape.n_layers, shape.n_heads, pre_norm=shape.norm_first, activation=activation)
    embedding = weights["embedding.weight"]
    for side in (spec.encoder, spec.decoder):
        side.position_encodings.encodings = sinusoids(shape.max_length, d)
        side.scale_embeddings = True
    spec.encoder.embeddings[0].weight = spec.decoder.embeddings.weight = embedding
    _set_linear(spec.decoder.projection, weights, "output")
    for i, layer in enumerate(spec.encoder.layer):
        name = f"encoder.layers.{i}"
        _set_linear(layer.self_attention.linear[0], weights, f"{name}.self_attn.in_proj", joint="_")
        _set_linear(layer.self_attention.linear[1], weights, f"{name}.self_attn.out_proj")
        _set_norm(layer.self_attention.layer_norm, weights, f"{name}.norm1")
        _set_feed_forward(layer.ffn, weights, name, "norm2")
    for i, layer in enumerate(spec.decoder.layer):
        name = f"decoder.layers.{i}"
        _set_linear(layer.self_attention.linear[0], weights, f"{name}.self_attn.in_proj", joint="_")
        _set_linear(layer.self_attention.linear[1], weights, f"{name}.self_attn.out_proj")
        _set_norm(layer.self_attention.layer_norm, weights, f"{name}.norm1")
        look = f"{name}.multihead_attn"
        _set_linear(layer.attention.linear[0], weights, f"{look}.in_proj", slice(0, d), "_")
        _set_linear(layer.attention.linear[1], weights, f"{look}.in_proj", slice(d, None), "_")
        _set_linear(layer.attention.linear[2], weights, f"{look}.out_proj")
        _set_norm(layer.attention.layer_norm, weights, f"{name}.norm2")
        _set_feed_forward(layer.ffn, weights, name, "norm3")
    if shape.norm_first:
        _set_norm(spec.encoder.layer_norm, weights, "encoder.norm")
        _set_norm(spec.decoder.layer_norm, weights, "decoder.norm")
    tokens = ["<pad>", "<unk>", "<s>", "</s>", *(str(i) for i in range(4, shape.vocabulary))]
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.layer_norm_epsilon = 1e-5
    spec.validate()
    spec.optimize(quantization=None if compute_type == "float32" else compute_type)
    with tempfile.TemporaryDirectory() as folder:
        spec.save(folder)
        return ctranslate2.Translator(
            folder, "cpu", compute_type=compute_type, inter_threads=workers, intra_threads=threads
        )


def ctranslate2_write(
    translator: Any, sources: Sequence[Sequence[int]], beam_size: int, max_length: int, length_penalty: float = 1.0
) -> list[list[int]]:
    """Return the ids that CTranslate2 writes, without the end token."""
    n_workers = translator.num_translators
    results = translator.translate_batch(
        [[str(i) for i in source] for source in sources],
        max_batch_size=-(-len(sources) // n_workers) if n_workers > 1 else 0,
        beam_size=beam_size,
        length_penalty=length_penalty,
        max_decoding_length=max_length,
        max_input_length=0,
    )
    special = {"<pad>": PAD, "<unk>": UNKNOWN, "<s>": BEGIN, "</s>": END}
    return [[special[t] if t in special else int(t) for t in result.hypotheses[0]] for result in results]


# ---- transformers ----


def marian_model(weights: Weights, shape: Shape) -> Any:
    """Return a `transformers.MarianMTModel`, in evaluation mode."""
    from transformers import MarianConfig, MarianMTModel

    if shape.norm_first:
        raise ValueError("Marian has its norms after the sublayers")
    d = shape.d_model
    sizes = {
        f"{side}_{name}": size
        for side in ("encoder", "decoder")
        for name, size in (
            ("layers", shape.n_layers),
            ("attention_heads", shape.n_heads),
            ("ffn_dim", shape.dim_feedforward),
        )
    }
    config = MarianConfig(
        vocab_size=shape.vocabulary,
        d_model=d,
        **sizes,
        activation_function=shape.activation,
        scale_embedding=True,
        share_encoder_decoder_embeddings=True,
        tie_word_embeddings=shape.tied,
        max_position_embeddings=shape.max_length,
        pad_token_id=PAD,
        bos_token_id=BEGIN,
        eos_token_id=END,
        decoder_start_token_id=BEGIN,
        forced_eos_token_id=None,
        dropout=0.0,
    )
    model = MarianMTModel(config).eval()
    tables = ("shared", "encoder.embed_tokens", "decoder.embed_tokens")
    state = {
        **{f"model.{name}.weight": weights["embedding.weight"] for name in tables},
        "lm_head.weight": weights["output.weight"],
        "final_logits_bias": weights["output.bias"][None],
    }
    for name, values in weights.items():
        if ".layers." not in name:
            continue
        side, _, index, rest = name.split(".", 3)
        layer = f"model.{side}.layers.{index}"
        rest = rest.replace("linear1", "fc1").replace("linear2", "fc2").replace("multihead_attn", "encoder_attn")
        norms = ["self_attn_layer_norm", "final_layer_norm"]
        if side == "decoder":
            norms.insert(1, "encoder_attn_layer_norm")
        for k, norm in enumerate(norms, 1):
            rest = rest.replace(f"norm{k}.", f"{norm}.")
        if ".in_proj_" in rest:
            attention, kind = rest.split(".in_proj_")
            for part, array in zip("qkv", np.split(values, 3), strict=True):
                state[f"{layer}.{attention}.{part}_proj.{kind}"] = array
        else:
            state[f"{layer}.{rest}"] = values
    tensors = {name: torch.from_numpy(np.array(values)) for name, values in state.items()}
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    positions = {f"model.{side}.embed_positions.weight" for side in ("encoder", "decoder")}
    if unexpected or not set(missing) <= positions:
        raise ValueError(f"the names of Marian's weights have changed: {missing}, {unexpected}")
    for side in (model.model.encoder, model.model.decoder):
        side.embed_positions.weight = torch.nn.Parameter(torch.from_numpy(sinusoids(shape.max_length, d)), False)
    return model


def padded(sequences: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return ids (B, longest), padded at the end."""
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(list(s)) for s in sequences], True, PAD)


@torch.no_grad()
def marian_write(
    model: Any, sources: Sequence[Sequence[int]], beam_size: int, max_length: int, **options: Any
) -> list[list[int]]:
    """Return the ids that transformers' `generate` writes, without begin, end and padding."""
    ids = padded(sources)
    found = model.generate(
        ids,
        attention_mask=(ids != PAD).long(),
        num_beams=beam_size,
        do_sample=False,
        max_new_tokens=max_length,
        **options,
    )
    return [[i for i in row[1:] if i not in (PAD, END)] for row in found.tolist()]


# ---- ours ----


def mlcore_network(weights: Weights, shape: Shape, dropout: float = 0.0, label_smoothing: float = 0.0) -> Any:
    """Return the network of `mlcore.seq.TransformerSeq2Seq`."""
    from mlcore.seq._transformer_network import TransformerNetwork

    if shape.activation != "relu":
        raise ValueError("the network of TransformerSeq2Seq has relu between its linear layers")
    network = TransformerNetwork(
        shape.vocabulary,
        d_model=shape.d_model,
        n_heads=shape.n_heads,
        n_layers=shape.n_layers,
        dim_feedforward=shape.dim_feedforward,
        dropout=dropout,
        norm_first=shape.norm_first,
        tied_embeddings=shape.tied,
        label_smoothing=label_smoothing,
    )
    state = dict(weights)
    state["output_bias"], state["output_weight"] = state.pop("output.bias"), state.pop("output.weight")
    if shape.tied:
        del state["output_weight"]
    for name in [name for name in state if name.startswith(("encoder.", "decoder."))]:
        side, rest = name.split(".", 1)
        state[f"{side}_stack.{rest}"] = state.pop(name)
    network.load_state_dict(state)
    return network


def mlcore_write(
    network: Any,
    decoder: Any,
    sources: Sequence[Sequence[int]],
    beam_size: int,
    max_length: int,
    length_penalty: float = 1.0,
    **options: Any,
) -> list[list[int]]:
    """Return the ids that ours writes, without the end token; `decoder` is one of `network.decoder()`."""
    from mlcore._native import core
    from mlcore.nn._runtime import n_threads
    from mlcore.seq._packed import Packed

    network.start(decoder, Packed.of(sources))
    found = core.nn.search(
        decoder,
        begin=BEGIN,
        end=END,
        max_length=max_length,
        length_penalty=length_penalty,
        method="beam" if beam_size > 1 else "greedy",
        beam_size=beam_size,
        n_threads=n_threads(),
        **options,
    )
    return [hypotheses[0][0].tolist() for hypotheses in found]
