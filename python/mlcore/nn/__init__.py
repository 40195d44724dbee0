"""Neural networks: tensors and their tape, layers under PyTorch's names, optimizers, training and estimators."""

from mlcore.nn import functional, init, optim
from mlcore.nn._activation import GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from mlcore.nn._arithmetic import concatenate, stack, where
from mlcore.nn._attention import MultiheadAttention
from mlcore.nn._averaging import EMA, SWA
from mlcore.nn._batch_norm import BatchNorm1d, BatchNorm2d
from mlcore.nn._batches import ArrayBatches
from mlcore.nn._classifier import NeuralClassifier
from mlcore.nn._containers import Flatten, Identity, ModuleList, Residual, Sequential
from mlcore.nn._convolution import Conv1d, Conv2d
from mlcore.nn._dropout import Dropout, GaussianNoise
from mlcore.nn._embedding import Embedding
from mlcore.nn._gradient_flow import GradientFlowWarning, NonFiniteError
from mlcore.nn._history import History
from mlcore.nn._linear import Linear
from mlcore.nn._losses import (
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
from mlcore.nn._pair_attention import AdditiveAttention, NadarayaWatson
from mlcore.nn._pooling import AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
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

__all__ = [
    "EMA",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "SWA",
    "AdaptiveAvgPool2d",
    "AdditiveAttention",
    "ArrayBatches",
    "AvgPool1d",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv1d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "FocalLoss",
    "GaussianNoise",
    "Generator",
    "GradientFlowWarning",
    "History",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "Module",
    "ModuleList",
    "MultiheadAttention",
    "NLLLoss",
    "NadarayaWatson",
    "NeuralClassifier",
    "NeuralRegressor",
    "NonFiniteError",
    "Parameter",
    "PositionalEncoding",
    "RMSNorm",
    "ReLU",
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
