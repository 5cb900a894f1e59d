"""The geometry of latent space: projections, neighbours, distances in time, and agreement with the calendar."""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.data.sample import Sample
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.tasks.embeddings import embed
from sparta_core.training.cached import Rows, cached
from sparta_core.training.records import open_record, run_of
from sparta_core.training.stages import representation

TASK, FILE = "latent", "latents.nc"
DAYS = 256  # the paper's, from the first of the downstream days
RATIOS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95)
SEASONS = 4


def pca(embeddings: Tensor, components: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (N, E) on their principal components (N, components), and the shares of variance these explain."""
    from sklearn.decomposition import PCA  # here, as all of sklearn: it takes two seconds, and every task is imported

    model = PCA(components, svd_solver="full")
    points = model.fit_transform(embeddings.double().cpu().numpy())
    return points, model.explained_variance_ratio_


def tsne(embeddings: Tensor, seed: int) -> np.ndarray:
    """Embeddings (N, E) as points (N, 2) whose neighbours are the embeddings' (van der Maaten and Hinton, 2008)."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    made = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
    return made.fit_transform(embeddings.float().cpu().numpy())


def analogues(embeddings: Tensor, day: int, count: int, gap: int) -> tuple[Tensor, Tensor]:
    """The `count` days nearest to `day` in latent space that lie at least `gap` days before it, nearest first.

    Returns their indices and Euclidean distances; fewer where the past is short.
    """
    past = embeddings[: max(0, day - gap + 1)]
    distances = torch.linalg.vector_norm(past - embeddings[day], dim=1)
    nearest = distances.argsort()[:count]
    return nearest, distances[nearest]


def temporal_distance(embeddings: Tensor) -> Tensor:
    """|z_{t+1} - z_t|^2 of consecutive days' embeddings (N, E): (N - 1,)."""
    return (embeddings[1:] - embeddings[:-1]).square().sum(1)


def cycle_distance(embeddings: Tensor) -> Tensor:
    """|z_{t+1} - 2 z_t + z_{t-1}|^2 of consecutive days' embeddings (N, E): (N - 2,)."""
    return (embeddings[2:] - 2 * embeddings[1:-1] + embeddings[:-2]).square().sum(1)


def random_pair_distance(embeddings: Tensor) -> float:
    """Mean squared distance of all pairs of different embeddings (N, E): twice their total variance."""
    return 2 * float(embeddings.double().var(0).sum())


def season_agreement(embeddings: Tensor, seasons: np.ndarray, seed: int) -> tuple[float, float]:
    """Adjusted Rand index and normalised mutual information of four k-means clusters (N, E) and the seasons (N,).

    1 where clusters are seasons; the first is about 0 for clusters that know nothing of them.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    clusters = KMeans(SEASONS, n_init=10, random_state=seed).fit_predict(embeddings.float().cpu().numpy())
    return adjusted_rand_score(seasons, clusters), normalized_mutual_info_score(seasons, clusters)


def distance_scores(experiment: Experiment, days: int = DAYS, ratios: Sequence[float] = RATIOS) -> xr.Dataset:
    """The geometry of the experiment's latent space on the first `days` downstream days; trains what is missing.

    Of days masked at the downstream ratio: temporal_distance and cycle_distance, each `_mean`, `_std` and
    `_scaled`, the mean over that of random pairs, and cycle_over_temporal, 3 for white noise and near 0 where
    the latent path is smooth. Of whole days: kmeans_ari and kmeans_nmi with the calendar's seasons, on all
    downstream days. sparse_to_full (ratio): squared distance of a day masked and whole, over random pairs.
    """

    def score() -> xr.Dataset:
        record, model = open_record(experiment), representation(experiment)
        downstream = record.split("downstream")
        first = downstream[:days]

        def embedded(chosen: Sample, ratio: float) -> Tensor:
            generator = torch.Generator(record.device).manual_seed(experiment.seed)
            return embed(model, chosen, ratio, generator).double()

        whole = embedded(downstream, 0.0)
        full = whole[: len(first)]
        apart = [(embedded(first, ratio) - full).square().sum(1).mean().item() for ratio in ratios]
        ari, nmi = season_agreement(whole, record.season[record.splits["downstream"]], experiment.seed)
        scores = path_scores(embedded(first, experiment.downstream_mask_ratio)).assign_coords(ratio=list(ratios))
        return scores.assign(
            kmeans_ari=ari, kmeans_nmi=nmi, sparse_to_full=("ratio", np.array(apart) / random_pair_distance(full)),
        ).assign_attrs(mask_ratio=experiment.downstream_mask_ratio, days=len(first), source=record.source)

    return cached(run_of(experiment, experiment.representation), FILE, TASK, score, _rows, days=days,
                  ratios=list(ratios), mask_ratio=experiment.downstream_mask_ratio)  # fmt: skip


def _rows(scores: xr.Dataset) -> Rows:
    for name in scores:
        if not scores[name].dims:
            yield f"mask{scores.attrs['mask_ratio']:g}_{scores.attrs['days']}days", str(name), float(scores[name])


def path_scores(embeddings: Tensor) -> xr.Dataset:
    """The scalars of `distance_scores` that follow from consecutive days' embeddings (N, E).

    DataError for fewer than three days and for values that are not finite.
    """
    if len(embeddings) < 3 or not torch.isfinite(embeddings).all():
        raise DataError(f"a path through latent space needs three days or more and finite values; "
                        f"here are {len(embeddings)} days")
    pairs = random_pair_distance(embeddings)
    made = {}
    for name, distance in (("temporal", temporal_distance(embeddings)), ("cycle", cycle_distance(embeddings))):
        made[f"{name}_distance_mean"] = float(distance.mean())
        made[f"{name}_distance_std"] = float(distance.std(correction=0))
        made[f"{name}_distance_scaled"] = float(distance.mean()) / pairs
    made["cycle_over_temporal"] = made["cycle_distance_mean"] / made["temporal_distance_mean"]
    return xr.Dataset(made)
