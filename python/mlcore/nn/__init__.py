"""Neural networks: tensors and their tape, layers under PyTorch's names, optimizers, training and estimators."""

from mlcore.nn import functional, init, optim
from mlcore.nn._runtime import (
    Generator,
    generator,
    idle_memory,
    manual_seed,
    random_stream,
    release_memory,
    set_num_threads,
    threads,
)
from mlcore.nn.estimators._classifier import NeuralClassifier
from mlcore.nn.estimators._regressor import NeuralRegressor
from mlcore.nn.layers._activation import (
    ELU,
    GELU,
    Hardswish,
    LeakyReLU,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from mlcore.nn.layers._attention import MultiheadAttention
from mlcore.nn.layers._batch_norm import BatchNorm1d, BatchNorm2d
from mlcore.nn.layers._containers import Flatten, Identity, ModuleDict, ModuleList, Residual, Sequential
from mlcore.nn.layers._convolution import Conv1d, Conv2d
from mlcore.nn.layers._dropout import Dropout, GaussianNoise
from mlcore.nn.layers._embedding import Embedding
from mlcore.nn.layers._group_norm import GroupNorm, InstanceNorm1d, InstanceNorm2d
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    FocalLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SigmoidFocalLoss,
    SmoothL1Loss,
)
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.layers._norm import LayerNorm, RMSNorm
from mlcore.nn.layers._padding import (
    CircularPad1d,
    CircularPad2d,
    ConstantPad1d,
    ConstantPad2d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReplicationPad1d,
    ReplicationPad2d,
    ZeroPad1d,
    ZeroPad2d,
)
from mlcore.nn.layers._pair_attention import AdditiveAttention, NadarayaWatson
from mlcore.nn.layers._pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    AvgPool2d,
    MaxPool1d,
    MaxPool2d,
)
from mlcore.nn.layers._position import PositionalEncoding
from mlcore.nn.layers._recurrent import GRU, LSTM, RNN
from mlcore.nn.layers._serialization import load_weights, save_weights
from mlcore.nn.layers._summary import summary
from mlcore.nn.layers._transformer import TransformerDecoderLayer, TransformerEncoderLayer
from mlcore.nn.layers._transformer_stacks import Transformer, TransformerDecoder, TransformerEncoder
from mlcore.nn.layers._transposed_convolution import ConvTranspose1d, ConvTranspose2d
from mlcore.nn.tensor import (
    ShapeError,
    SparseGradient,
    Tensor,
    as_tensor,
    concatenate,
    grad_enabled,
    no_grad,
    stack,
    where,
)
from mlcore.nn.training._averaging import EMA, SWA, CheckpointAverage
from mlcore.nn.training._batches import ArrayBatches
from mlcore.nn.training._gradient_flow import GradientFlowWarning, NonFiniteError
from mlcore.nn.training._history import History
from mlcore.nn.training._trainer import Trainer

__all__ = [
    "ELU",
    "EMA",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "SWA",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdditiveAttention",
    "ArrayBatches",
    "AvgPool1d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "CheckpointAverage",
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "FocalLoss",
    "GaussianNoise",
    "Generator",
    "GradientFlowWarning",
    "GroupNorm",
    "Hardswish",
    "History",
    "HuberLoss",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "KLDivLoss",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiheadAttention",
    "NLLLoss",
    "NadarayaWatson",
    "NeuralClassifier",
    "NeuralRegressor",
    "NonFiniteError",
    "PReLU",
    "Parameter",
    "PositionalEncoding",
    "RMSNorm",
    "ReLU",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "Residual",
    "Sequential",
    "ShapeError",
    "SiLU",
    "Sigmoid",
    "SigmoidFocalLoss",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "SparseGradient",
    "Tanh",
    "Tensor",
    "Trainer",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "ZeroPad1d",
    "ZeroPad2d",
    "as_tensor",
    "concatenate",
    "functional",
    "generator",
    "grad_enabled",
    "idle_memory",
    "init",
    "load_weights",
    "manual_seed",
    "no_grad",
    "optim",
    "random_stream",
    "release_memory",
    "save_weights",
    "set_num_threads",
    "stack",
    "summary",
    "threads",
    "where",
]
