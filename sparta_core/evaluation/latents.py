"""The geometry of latent space: projections, neighbours, distances in time, and agreement with the calendar."""

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor


def pca(embeddings: Tensor, components: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (N, E) on their principal components (N, components), and the shares of variance these explain."""
    model = PCA(components, svd_solver="full")
    points = model.fit_transform(embeddings.double().cpu().numpy())
    return points, model.explained_variance_ratio_


def tsne(embeddings: Tensor, seed: int) -> np.ndarray:
    """Embeddings (N, E) as points (N, 2) whose neighbours are the embeddings' (van der Maaten and Hinton, 2008)."""
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(
        embeddings.float().cpu().numpy())


def analogues(embeddings: Tensor, day: int, count: int, gap: int) -> tuple[Tensor, Tensor]:
    """The `count` days nearest to `day` in latent space that lie at least `gap` days before it, nearest first.

    Returns their indices and Euclidean distances; fewer where the past is short.
    """
    past = embeddings[: max(0, day - gap + 1)]
    distances = torch.linalg.vector_norm(past - embeddings[day], dim=1)
    nearest = distances.argsort()[:count]
    return nearest, distances[nearest]
