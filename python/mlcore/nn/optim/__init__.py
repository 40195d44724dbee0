"""Optimizers and schedules of learning rates, under PyTorch's names."""

from mlcore.nn.optim._clipping import clip_grad_norm_, clip_grad_value_, weight_decay_groups
from mlcore.nn.optim._cycles import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from mlcore.nn.optim._optimizer import Optimizer
from mlcore.nn.optim._plateau import ReduceLROnPlateau
from mlcore.nn.optim._rules import SGD, Adagrad, Adam, AdamW, NAdam, RMSprop
from mlcore.nn.optim._schedules import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    InverseSqrtLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    Schedule,
    SequentialLR,
    StepLR,
    warmup_cosine,
    warmup_linear,
)

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "InverseSqrtLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "NAdam",
    "OneCycleLR",
    "Optimizer",
    "PolynomialLR",
    "RMSprop",
    "ReduceLROnPlateau",
    "Schedule",
    "SequentialLR",
    "StepLR",
    "clip_grad_norm_",
    "clip_grad_value_",
    "warmup_cosine",
    "warmup_linear",
    "weight_decay_groups",
]
