"""Support vector machines."""

from mlcore.svm._linear_svc import LinearSVC
from mlcore.svm._linear_svr import LinearSVR
from mlcore.svm._one_class import OneClassSVM
from mlcore.svm._svc import SVC, NuSVC
from mlcore.svm._svr import SVR, NuSVR

__all__ = ["SVC", "SVR", "LinearSVC", "LinearSVR", "NuSVC", "NuSVR", "OneClassSVM"]
