"""Clustering: groups of rows that nobody has labelled, and how many of them there are."""

from mlcore.cluster._agglomerative import AgglomerativeClustering
from mlcore.cluster._choose_k import KChoice, choose_k
from mlcore.cluster._condensed_tree import CondensedTree
from mlcore.cluster._dbscan import DBSCAN
from mlcore.cluster._gaussian_mixture import GaussianMixture
from mlcore.cluster._hdbscan import HDBSCAN
from mlcore.cluster._kmeans import KMeans
from mlcore.cluster._mini_batch import MiniBatchKMeans
from mlcore.cluster._nearest_neighbors import NearestNeighbors
from mlcore.cluster._plus_plus import kmeans_plusplus

__all__ = [
    "DBSCAN",
    "HDBSCAN",
    "AgglomerativeClustering",
    "CondensedTree",
    "GaussianMixture",
    "KChoice",
    "KMeans",
    "MiniBatchKMeans",
    "NearestNeighbors",
    "choose_k",
    "kmeans_plusplus",
]
