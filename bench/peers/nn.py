"""Kernels and layers of networks beside PyTorch: times side by side, values and gradients compared.

Both libraries get the same arrays, weights and number of threads. Each workload runs in blocks that alternate between
the two; the first call of a block is not timed, because the threads of the other library may still be spinning.
Agreement is asserted: a fast wrong answer fails. The part "memory" runs each case in a process of its own.
"""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _bench import in_child, machine, memory_mb, parser, reset_peak, table

from mlcore import nn
from mlcore.nn import functional as F

PARTS = ("linear", "softmax", "attention", "sentences", "norm", "recurrent", "optimizer", "encoder", "memory")

Arrays = Sequence[Any]


@dataclass
class Workload:
    """The same computation in both libraries."""

    name: str
    target: float
    """How many times PyTorch's speed we aim at."""
    ours: Callable[[], Arrays]
    theirs: Callable[[], Arrays]
    """Return outputs and gradients."""
    tolerance: float = 1e-5
    """Relative to the largest entry of an array; infinite where random numbers differ."""
    flops: float = 0


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def leaf(values: np.ndarray) -> nn.Tensor:
    return nn.Tensor(values, requires_grad=True)


def peer(values: np.ndarray, grad: bool = True) -> torch.Tensor:
    return torch.from_numpy(values).requires_grad_(grad)


def copy_weights(module: nn.Module, other: torch.nn.Module) -> None:
    module.load_state_dict({name: values.numpy() for name, values in other.state_dict().items()})


# ---- workloads ----


def linear() -> Iterator[Workload]:
    for n in (512, 1024, 2048):
        x, w, b = draw(n, n), draw(n, n, seed=1), draw(n, seed=2)
        tx, tw, tb = (torch.from_numpy(a) for a in (x, w, b))
        yield Workload(
            f"linear {n} x {n} x {n}",
            0.95,
            lambda x=x, w=w, b=b: [F.linear(x, w, b).data],
            lambda tx=tx, tw=tw, tb=tb: [torch.nn.functional.linear(tx, tw, tb)],
            flops=2.0 * n**3,
        )


def softmax() -> Iterator[Workload]:
    x, y = draw(4096, 32000), np.random.default_rng(1).integers(0, 32000, 4096)
    ours, theirs, labels = leaf(x), peer(x), torch.from_numpy(y)

    def run() -> Arrays:
        ours.grad = None
        loss = F.cross_entropy(ours, y)
        loss.backward()
        return [loss.data, ours.grad]

    def run_peer() -> Arrays:
        theirs.grad = None
        loss = torch.nn.functional.cross_entropy(theirs, labels)
        loss.backward()
        return [loss.detach(), theirs.grad]

    yield Workload("softmax and cross-entropy, forward + backward, 4096 x 32000", 2.5, run, run_peer)
    yield Workload(
        "softmax, forward, 4096 x 32000",
        1,
        lambda: [F.softmax(x, -1).data],
        lambda: [torch.softmax(theirs.detach(), -1)],
    )


def attention() -> Iterator[Workload]:
    for shape in ((8, 12, 512, 64), (1, 8, 4096, 64)):
        arrays = [draw(*shape, seed=i) for i in range(4)]
        *qkv, g = arrays
        for causal in (False, True):
            tensors, peers = [leaf(a) for a in qkv], [peer(a) for a in qkv]
            peer_g = torch.from_numpy(g)
            pairs = shape[0] * shape[1] * shape[2] ** 2 * (0.5 if causal else 1)

            def run(tensors: Any = tensors, causal: bool = causal) -> Arrays:
                with nn.no_grad():
                    return [F.scaled_dot_product_attention(*tensors, is_causal=causal).data]

            def run_peer(peers: Any = peers, causal: bool = causal) -> Arrays:
                with torch.no_grad():
                    return [torch.nn.functional.scaled_dot_product_attention(*peers, is_causal=causal)]

            def train(tensors: Any = tensors, causal: bool = causal, g: np.ndarray = g) -> Arrays:
                for t in tensors:
                    t.grad = None
                y = F.scaled_dot_product_attention(*tensors, is_causal=causal)
                y.backward(g)
                return [y.data, *(t.grad for t in tensors)]

            def train_peer(peers: Any = peers, causal: bool = causal, g: Any = peer_g) -> Arrays:
                for t in peers:
                    t.grad = None
                y = torch.nn.functional.scaled_dot_product_attention(*peers, is_causal=causal)
                y.backward(g)
                return [y.detach(), *(t.grad for t in peers)]

            kind = " causal" if causal else ""
            yield Workload(
                f"attention{kind} {shape}, forward", 1.8 if causal else 1.2, run, run_peer, flops=4 * pairs * shape[3]
            )
            yield Workload(
                f"attention{kind} {shape}, forward + backward", 1.5, train, train_peer, flops=14 * pairs * shape[3]
            )


def sentences() -> Iterator[Workload]:
    """Attention of a batch of sentences: packed rows beside padding and a mask; all read one projection."""
    n_heads, batch = 4, 160
    for shortest, longest in ((20, 30), (5, 60)):
        for depth in (32, 64):
            lengths = np.random.default_rng(0).integers(shortest, longest + 1, batch)
            offsets, width = np.concatenate([[0], np.cumsum(lengths)]), n_heads * depth
            present = np.arange(longest) < lengths[:, None]
            rows, g = draw(offsets[-1], 3 * width), draw(offsets[-1], width, seed=1)
            padded = np.zeros((batch, longest, 3 * width), np.float32)
            padded[present] = rows
            mask, peer_g = torch.from_numpy(present), torch.zeros(batch, longest, width)
            peer_g[mask] = torch.from_numpy(g)
            x, y = leaf(rows), peer(padded)

            def train(x: Any = x, g: Any = g, offsets: Any = offsets) -> Arrays:
                x.grad = None
                out = F.packed_attention([x], n_heads, offsets=offsets)[0]
                out.backward(g)
                return [out.data, x.grad]

            def train_peer(y: Any = y, g: Any = peer_g, mask: Any = mask, depth: int = depth) -> Arrays:
                y.grad = None
                heads = [part.unflatten(-1, (n_heads, depth)).transpose(1, 2) for part in y.chunk(3, -1)]
                out = torch.nn.functional.scaled_dot_product_attention(*heads, attn_mask=mask[:, None, None])
                out = out.transpose(1, 2).flatten(2)
                out.backward(g)
                return [out.detach()[mask], y.grad[mask]]

            yield Workload(
                f"attention of {batch} sentences of {shortest} to {longest}, 4 heads of {depth}, forward + backward",
                3,
                train,
                train_peer,
                flops=14 * float((lengths**2).sum()) * width,
            )


def norm() -> Iterator[Workload]:
    x, g = draw(8192, 768), draw(8192, 768, seed=1)
    ours, theirs = nn.LayerNorm(768), torch.nn.LayerNorm(768)
    a, b, tg = leaf(x), peer(x), torch.from_numpy(g)

    def run() -> Arrays:
        a.grad = None
        ours.zero_grad()
        y = ours(a)
        y.backward(g)
        return [y.data, a.grad, ours.weight.grad, ours.bias.grad]

    def run_peer() -> Arrays:
        b.grad = None
        theirs.zero_grad()
        y = theirs(b)
        y.backward(tg)
        return [y.detach(), b.grad, theirs.weight.grad, theirs.bias.grad]

    yield Workload("layer norm, forward + backward, 8192 x 768", 2, run, run_peer)


def recurrent() -> Iterator[Workload]:
    x, g = draw(32, 64, 256), draw(32, 64, 512, seed=1)
    theirs = torch.nn.LSTM(256, 512, batch_first=True)
    ours = nn.LSTM(256, 512, batch_first=True)
    copy_weights(ours, theirs)
    lengths = np.random.default_rng(2).integers(8, 65, 32)
    packed_g = torch.from_numpy(g * (np.arange(64)[None, :, None] < lengths[:, None, None]))
    a, b = leaf(x), peer(x)

    def run(lengths: Any = None, g: np.ndarray = g) -> Arrays:
        a.grad = None
        ours.zero_grad()
        y = ours(a, lengths=lengths)[0]
        y.backward(g)
        return [y.data, a.grad, *(p.grad for p in ours.parameters())]

    def run_peer() -> Arrays:
        b.grad = None
        theirs.zero_grad()
        y = theirs(b)[0]
        y.backward(torch.from_numpy(g))
        return [y.detach(), b.grad, *(p.grad for p in theirs.parameters())]

    def run_packed() -> Arrays:
        b.grad = None
        theirs.zero_grad()
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            b, torch.from_numpy(lengths), batch_first=True, enforce_sorted=False
        )
        y = torch.nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True, total_length=64)[0]
        y.backward(packed_g)
        return [y.detach(), b.grad, *(p.grad for p in theirs.parameters())]

    flops = 3 * 2.0 * 32 * 64 * (256 + 512) * 2048
    yield Workload("LSTM 32 x 64 steps, 256 -> 512, forward + backward", 1.2, run, run_peer, flops=flops)
    yield Workload("LSTM, lengths 8 .. 64, forward + backward", 3, lambda: run(lengths, packed_g.numpy()), run_packed)


def optimizer() -> Iterator[Workload]:
    values, gradients = draw(10, 1000, 1000), draw(10, 1000, 1000, seed=1)
    for name, options in (("default", {}), ("fused", {"fused": True})):
        ours, theirs = [nn.Parameter(v) for v in values], [torch.nn.Parameter(torch.tensor(v)) for v in values]
        for p, q, g in zip(ours, theirs, gradients, strict=True):
            p.grad, q.grad = g.copy(), torch.tensor(g)
        step, step_peer = nn.optim.AdamW(ours, lr=1e-3), torch.optim.AdamW(theirs, lr=1e-3, **options)

        def run(step: Any = step, ours: Any = ours) -> Arrays:
            step.step()
            return [ours[0].data]

        def run_peer(step: Any = step_peer, theirs: Any = theirs) -> Arrays:
            step.step()
            return [theirs[0].detach()]

        yield Workload(f"AdamW, 10 million parameters, PyTorch's {name}", 2, run, run_peer, tolerance=1e-5)


def encoder() -> Iterator[Workload]:
    x = draw(32, 128, 384)
    for dropout in (0.0, 0.1):
        theirs = torch.nn.TransformerEncoderLayer(384, 6, 1536, batch_first=True, dropout=dropout)
        ours = nn.TransformerEncoderLayer(384, 6, 1536, batch_first=True, dropout=dropout)
        copy_weights(ours, theirs)
        step, step_peer = nn.optim.AdamW(ours.parameters()), torch.optim.AdamW(theirs.parameters())

        def run(ours: Any = ours, step: Any = step) -> Arrays:
            step.zero_grad()
            y = ours(x)
            y.backward(y.data / y.size)
            step.step()
            return [y.data]

        def run_peer(theirs: Any = theirs, step: Any = step_peer) -> Arrays:
            step.zero_grad()
            y = theirs(torch.from_numpy(x))
            y.backward(y.detach() / y.numel())
            step.step()
            return [y.detach()]

        tolerance = np.inf if dropout else 1e-3  # after several steps
        yield Workload(
            f"Transformer encoder layer, training step, 32 x 128 x 384, dropout {dropout}",
            1.3,
            run,
            run_peer,
            tolerance,
        )


# ---- runs ----


def as_array(values: Any) -> np.ndarray:
    return values.numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def agree(work: Workload) -> float:
    """Largest difference of any output or gradient, relative to its largest entry."""
    worst = 0.0
    for a, b in zip(work.ours(), work.theirs(), strict=True):
        a, b = as_array(a), as_array(b)
        worst = max(worst, float(np.abs(a - b).max() / np.abs(b).max()))
    assert worst <= work.tolerance, f"{work.name}: results differ by {worst}"
    return worst


def seconds(work: Workload, repeats: int) -> tuple[float, float]:
    """Median of both, in blocks that alternate."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for run, times in zip((work.ours, work.theirs), found, strict=True):
            run()
            gc.collect()
            for _ in range(3):
                start = time.perf_counter()
                run()
                times.append(time.perf_counter() - start)
    return statistics.median(found[0]), statistics.median(found[1])


def speed(part: str, repeats: int) -> None:
    rows = []
    for work in globals()[part]():
        difference = agree(work)
        ours, theirs = seconds(work, repeats)
        rate = f"{work.flops / ours / 1e9:.0f} GFLOP/s" if work.flops else ""
        shown = f"{difference:.1e}" if np.isfinite(work.tolerance) else "random"
        rows.append([work.name, ours * 1e3, theirs * 1e3, theirs / ours, work.target, rate, shown])
    table(part, ["workload", "mlcore ms", "PyTorch ms", "times PyTorch", "target", "mlcore rate", "difference"], rows)


def memory_of(library: str, steps: int) -> None:
    """Print the MB that attention forward + backward adds at its peak, heads 8, dimension 64, one thread."""
    arrays = [draw(1, 8, steps, 64, seed=i) for i in range(3)]
    small = [a[:, :, :64] for a in arrays]

    def run(arrays: Any) -> None:
        if library == "mlcore":
            tensors: Any = [leaf(np.ascontiguousarray(a)) for a in arrays]
            F.scaled_dot_product_attention(*tensors).sum().backward()
        else:
            tensors = [peer(np.ascontiguousarray(a)) for a in arrays]
            torch.nn.functional.scaled_dot_product_attention(*tensors).sum().backward()

    run(small)
    reset_peak()
    before = memory_mb("VmRSS")
    run(arrays)
    print(json.dumps(memory_mb("VmHWM") - before))


def memory() -> None:
    rows = [
        [steps, *(in_child(__file__, "--child-memory", name, str(steps)) for name in ("mlcore", "PyTorch"))]
        for steps in (1024, 2048, 4096, 8192)
    ]
    table("memory that attention forward + backward adds (1, 8, T, 64)", ["T", "mlcore MB", "PyTorch MB"], rows)


def main() -> None:
    if sys.argv[1:2] == ["--child-memory"]:
        memory_of(sys.argv[2], int(sys.argv[3]))
        return
    args = parser(__doc__ or "", PARTS).parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    nn.set_num_threads(args.threads)
    print(machine(args.threads, ["torch"]))
    for part in args.parts or PARTS:
        if part == "memory":
            memory()
        else:
            speed(part, args.repeats)


if __name__ == "__main__":
    main()
