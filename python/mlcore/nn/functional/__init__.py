"""The operations that layers are made of, under PyTorch's names where it has them.

All take tensors or NumPy arrays (float32; ids and classes are integers) and return tensors.
"""

from mlcore.nn.functional._activation import (
    elu,
    gelu,
    hardswish,
    leaky_relu,
    mish,
    prelu,
    relu,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from mlcore.nn.functional._attention import packed_attention, scaled_dot_product_attention
from mlcore.nn.functional._batch_norm import batch_norm
from mlcore.nn.functional._binary_cross_entropy import binary_cross_entropy
from mlcore.nn.functional._convolution import conv1d, conv2d
from mlcore.nn.functional._cross_entropy import cross_entropy, focal_loss, nll_loss
from mlcore.nn.functional._dropout import dropout, gaussian_noise
from mlcore.nn.functional._embedding import embedding
from mlcore.nn.functional._group_norm import group_norm, instance_norm
from mlcore.nn.functional._linear import linear
from mlcore.nn.functional._linear_cross_entropy import linear_cross_entropy
from mlcore.nn.functional._losses import (
    binary_cross_entropy_with_logits,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    sigmoid_focal_loss,
    smooth_l1_loss,
)
from mlcore.nn.functional._norm import layer_norm, rms_norm
from mlcore.nn.functional._padding import pad
from mlcore.nn.functional._pair_attention import additive_attention, dot_attention, kernel_regression
from mlcore.nn.functional._pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
)
from mlcore.nn.functional._position import add_positions, rotary_embedding, sinusoids
from mlcore.nn.functional._recurrent import gru, lstm, rnn
from mlcore.nn.functional._softmax import log_softmax, logsumexp, softmax
from mlcore.nn.functional._transposed_convolution import conv_transpose1d, conv_transpose2d

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "add_positions",
    "additive_attention",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cross_entropy",
    "dot_attention",
    "dropout",
    "elu",
    "embedding",
    "focal_loss",
    "gaussian_noise",
    "gelu",
    "group_norm",
    "gru",
    "hardswish",
    "huber_loss",
    "instance_norm",
    "kernel_regression",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "linear_cross_entropy",
    "log_softmax",
    "logsumexp",
    "lstm",
    "max_pool1d",
    "max_pool2d",
    "mish",
    "mse_loss",
    "nll_loss",
    "packed_attention",
    "pad",
    "prelu",
    "relu",
    "rms_norm",
    "rnn",
    "rotary_embedding",
    "scaled_dot_product_attention",
    "sigmoid",
    "sigmoid_focal_loss",
    "silu",
    "sinusoids",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
]
