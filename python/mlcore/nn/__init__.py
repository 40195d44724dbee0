"""Neural networks: tensors, layers, optimizers and training."""

from mlcore.nn import _arithmetic, functional, init
from mlcore.nn._arithmetic import concatenate, stack
from mlcore.nn._containers import Flatten, Identity, ModuleList, Residual, Sequential
from mlcore.nn._linear import Linear
from mlcore.nn._module import Module, Parameter
from mlcore.nn._runtime import Generator, generator, manual_seed, set_num_threads, threads
from mlcore.nn._serialization import load_weights, save_weights
from mlcore.nn._summary import summary
from mlcore.nn._tape import ShapeError, SparseGradient, Tensor, as_tensor, grad_enabled, no_grad
