# What every _core_<level> extension module offers. There is no module of this name: mlcore._native.core stands for it.
from typing import Any

from mlcore._core import boosting as boosting
from mlcore._core import cluster as cluster
from mlcore._core import embedding as embedding
from mlcore._core import linear_model as linear_model
from mlcore._core import metrics as metrics
from mlcore._core import neighbors as neighbors
from mlcore._core import nn as nn
from mlcore._core import svm as svm
from mlcore._core import testing as testing
from mlcore._core import text as text

def build_info() -> dict[str, Any]: ...
def available_cpus() -> int: ...
