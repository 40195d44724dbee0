"""Neural networks: tensors and their tape, layers under PyTorch's names, optimizers, training and estimators."""

from mlcore.nn import functional, init, optim
from mlcore.nn._activation import (
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
from mlcore.nn._arithmetic import concatenate, stack, where
from mlcore.nn._attention import MultiheadAttention
from mlcore.nn._averaging import EMA, SWA
from mlcore.nn._batch_norm import BatchNorm1d, BatchNorm2d
from mlcore.nn._batches import ArrayBatches
from mlcore.nn._classifier import NeuralClassifier
from mlcore.nn._containers import Flatten, Identity, ModuleDict, ModuleList, Residual, Sequential
from mlcore.nn._convolution import Conv1d, Conv2d
from mlcore.nn._dropout import Dropout, GaussianNoise
from mlcore.nn._embedding import Embedding
from mlcore.nn._gradient_flow import GradientFlowWarning, NonFiniteError
from mlcore.nn._group_norm import GroupNorm, InstanceNorm1d, InstanceNorm2d
from mlcore.nn._history import History
from mlcore.nn._linear import Linear
from mlcore.nn._losses import (
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
from mlcore.nn._module import Module, Parameter
from mlcore.nn._norm import LayerNorm, RMSNorm
from mlcore.nn._padding import (
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
from mlcore.nn._pair_attention import AdditiveAttention, NadarayaWatson
from mlcore.nn._pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    AvgPool2d,
    MaxPool1d,
    MaxPool2d,
)
from mlcore.nn._position import PositionalEncoding
from mlcore.nn._recurrent import GRU, LSTM, RNN
from mlcore.nn._regressor import NeuralRegressor
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
from mlcore.nn._serialization import load_weights, save_weights
from mlcore.nn._summary import summary
from mlcore.nn._tape import ShapeError, SparseGradient, Tensor, as_tensor, grad_enabled, no_grad
from mlcore.nn._trainer import Trainer
from mlcore.nn._transformer import TransformerDecoderLayer, TransformerEncoderLayer
from mlcore.nn._transposed_convolution import ConvTranspose1d, ConvTranspose2d

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
    "TransformerDecoderLayer",
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
