"""The encoder that predicts without a tape: the numbers of the module, the bits of any batch, 8-bit integers."""

import itertools

import numpy as np
import pytest

from mlcore import nn
from mlcore._native import core

OFFSETS = np.array([0, 7, 7, 8, 40, 45, 170, 181])
D, HEADS, HIDDEN = 24, 3, 40


def module(*, norm_first=False, rotary=False, activation="relu", bias=True, norm=False):
    layer = nn.TransformerEncoderLayer(
        D, HEADS, HIDDEN, 0.0, activation, norm_first=norm_first, rotary=rotary, bias=bias
    )
    encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(D) if norm else None)
    rng = np.random.default_rng(3)
    for name, parameter in encoder.named_parameters():
        centre = 1 if "norm" in name and name.endswith("weight") else 0
        parameter.data[...] = rng.normal(centre, 0.2, parameter.shape)
    return encoder


def native(encoder, **options):
    layers = [{name: t.data for name, t in layer.named_parameters()} for layer in encoder.layers]
    first = encoder.layers[0]
    norm = encoder.norm
    return core.nn.TransformerEncoder(
        layers,
        n_heads=first.nhead,
        norm_first=first.norm_first,
        rotary=first.self_attn.rotary,
        activation=first.linear1.activation,
        final_norm=None if norm is None else (norm.weight.data, norm.bias.data),
        n_threads=1,
        **options,
    )


def rows(n=int(OFFSETS[-1])):
    return np.random.default_rng(1).normal(size=(n, D)).astype(np.float32)


@pytest.mark.parametrize(("norm_first", "rotary", "bias"), list(itertools.product((False, True), repeat=3)))
def test_numbers_of_the_module(norm_first, rotary, bias):
    activation = "gelu" if rotary else "relu"
    encoder = module(norm_first=norm_first, rotary=rotary, activation=activation, bias=bias, norm=norm_first)
    with nn.no_grad():
        expected = encoder(rows(), offsets=OFFSETS).data
    found = native(encoder)(rows(), OFFSETS, n_threads=2)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("quantize", [False, True])
def test_bits_of_a_sequence_do_not_depend_on_the_batch_or_on_threads(quantize):
    encoder, x = native(module(rotary=True), quantize=quantize), rows()
    together = encoder(x, OFFSETS, n_threads=1)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(encoder(x, OFFSETS, n_threads=n_threads), together)
    for begin, end in itertools.pairwise(OFFSETS):
        for n_threads in (1, 3):
            alone = encoder(x[begin:end], np.array([0, end - begin]), n_threads=n_threads)
            np.testing.assert_array_equal(alone, together[begin:end])


def test_many_short_sequences():
    offsets = np.arange(0, 1001, 2)
    x, encoder = rows(1000), module(norm_first=True)
    with nn.no_grad():
        expected = encoder(x, offsets=offsets).data
    np.testing.assert_allclose(native(encoder)(x, offsets, n_threads=2), expected, atol=1e-5)


def test_quantised_numbers_are_close():
    encoder, x = module(norm_first=True, norm=True), rows()
    floats, integers = (native(encoder, quantize=q)(x, OFFSETS, n_threads=1) for q in (False, True))
    cosines = (floats * integers).sum(1) / (np.linalg.norm(floats, axis=1) * np.linalg.norm(integers, axis=1))
    assert cosines.min() > 0.999
    assert not np.array_equal(floats, integers)


def test_quantised_rows_that_are_not_finite_become_nan():
    x = rows(20)
    x[3, 5], x[15, 0] = np.nan, -np.inf
    encoder = native(module(), quantize=True)
    found = encoder(x, np.array([0, 10, 20]), n_threads=1)
    assert np.isnan(found).all()  # attention spreads them over their sequences
    assert np.isfinite(encoder(x, np.array([0, 3, 4, 15, 16, 20]), n_threads=1)[[0, 1, 2, 5, 14, 18]]).all()


def test_no_rows():
    assert native(module())(rows(0), np.array([0]), n_threads=2).shape == (0, D)
    assert native(module())(rows(0), np.array([0, 0, 0]), n_threads=2).shape == (0, D)


PROGRAM = """
import numpy as np
from mlcore._native import core
rng = np.random.default_rng(2)
draw = lambda *shape: rng.normal(0, 0.2, shape).astype(np.float32)
layer = {
    "self_attn.in_proj_weight": draw(96, 32), "self_attn.out_proj.weight": draw(32, 32),
    "linear1.weight": draw(70, 32), "linear1.bias": draw(70), "linear2.weight": draw(32, 70),
}
encoder = core.nn.TransformerEncoder([layer] * 2, n_heads=4, quantize=True, n_threads=1)
print(encoder(draw(50, 32), np.array([0, 17, 18, 50]), n_threads=1).tobytes().hex())
"""


def test_int8_has_the_same_bits_without_special_instructions(isa_levels, run_python):
    for level in isa_levels:
        with_them = run_python(PROGRAM, env={"MLCORE_ISA": level})
        without = run_python(PROGRAM, env={"MLCORE_ISA": level, "MLCORE_INT8": "plain"})
        assert with_them.returncode == 0, with_them.stderr
        assert len(with_them.stdout) > 50 * 32 * 8
        assert with_them.stdout == without.stdout


def test_arguments_are_checked():
    layer = {name: t.data for name, t in module().layers[0].named_parameters()}

    def make(layers, n_heads=HEADS, **options):
        return core.nn.TransformerEncoder(layers, n_heads=n_heads, n_threads=1, **options)

    with pytest.raises(ValueError, match="an encoder needs a layer or more"):
        make([])
    with pytest.raises(TypeError, match="layer 0 must be a dict of arrays"):
        make([3])
    with pytest.raises(ValueError, match=r"layer 0: there is no linear1\.weight"):
        make([{name: array for name, array in layer.items() if name != "linear1.weight"}])
    with pytest.raises(ValueError, match=r"layer 1: linear2\.bias .*\(24,\)"):
        make([layer, layer | {"linear2.bias": np.zeros(3, np.float32)}])
    with pytest.raises(TypeError, match=r"norm1\.weight"):
        make([layer | {"norm1.weight": np.zeros(D)}])
    with pytest.raises(ValueError, match="n_heads must divide the 24 features, got 5"):
        make([layer], n_heads=5)
    with pytest.raises(ValueError, match="even number of features a head, got 3"):
        make([layer], n_heads=8, rotary=True)
    with pytest.raises(ValueError, match="activation"):
        make([layer], activation="swish")
    with pytest.raises(TypeError, match="final_norm must be a pair"):
        make([layer], final_norm=3)
    with pytest.raises(ValueError, match="epsilon"):
        make([layer], epsilon=-1.0)
    encoder = make([layer])
    with pytest.raises(ValueError, match="rows"):
        encoder(np.zeros((3, 5), np.float32), np.array([0, 3]), n_threads=1)
    with pytest.raises(ValueError, match="must begin with 0 and end with the number of rows, 3"):
        encoder(np.zeros((3, D), np.float32), np.array([0, 4]), n_threads=1)
    with pytest.raises(ValueError, match="offsets are 2 and 1"):
        encoder(np.zeros((3, D), np.float32), np.array([0, 2, 1, 3]), n_threads=1)
