"""A map of the rows of one table: UMAP fitted on real rows, the synthetic rows placed on it.

The fit sees real rows only, drawn with a fixed seed, so the real half of the map is the same in every report on the
same data and two reports can be laid side by side.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.errors import listing
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.sources import SAMPLING_SEED, ReportSources, present_columns, sample_rows
from tabgraphsyn.evaluation.statistics.feature import Feature, feature_pair, scored_columns

_LEVELS = 20
_DIMENSIONS = 24
_FEWEST_ROWS = 30


@dataclass(frozen=True)
class EmbeddingView:
    """Places of rows on the map.

    Shape:
        real, synthetic: (rows, 2).
    """

    table: str
    real: np.ndarray
    synthetic: np.ndarray


def embedding_view(sources: ReportSources, table: str, options: ReportOptions) -> EmbeddingView | str:
    """Return the map of one table, or the reason why it has none."""
    columns = scored_columns(sources.schema, table)
    if len(columns) < 2:
        return "fewer than two columns besides keys and text"
    names = [column.name for column in columns]
    if absent := set(names) - present_columns(sources.synthetic[table]):
        return f"the synthetic table lacks {listing(sorted(absent))}"
    real = sample_rows(sources.real[table], names, options.umap_rows)
    synthetic = sample_rows(sources.synthetic[table], names, options.umap_rows)
    if min(real.num_rows, synthetic.num_rows) < _FEWEST_ROWS:
        return f"fewer than {_FEWEST_ROWS} rows"
    pairs = [feature_pair(c, real.column(c.name), synthetic.column(c.name), synthetic.num_rows) for c in columns]
    left = np.concatenate([_coordinates(mine, mine) for mine, _ in pairs], axis=1)
    right = np.concatenate([_coordinates(mine, other) for mine, other in pairs], axis=1)
    varies = left.std(0) > 0
    if varies.sum() < 2:
        return "the real columns do not vary"
    return EmbeddingView(table, *_fit(left[:, varies], right[:, varies]))


def _coordinates(fitted: Feature, feature: Feature) -> np.ndarray:
    """Return ``feature`` as coordinates on the scale of ``fitted``: ranks for numbers, one-hot for categories.

    Shape:
        return: (rows, 2) rank in [0, 1] and a flag for missing; or (rows, levels) with equal distance between any two.
    """
    if fitted.kind == "categorical":
        counts = np.bincount(fitted.values[fitted.values >= 0], minlength=1)
        kept = np.argsort(-counts, kind="stable")[:_LEVELS]
        return (feature.values[:, None] == kept[None, :]) / np.sqrt(2)
    known = np.sort(fitted.values[~fitted.missing])
    if not len(known):
        return np.zeros((len(feature.values), 1))
    # The middle of ties, so that a repeated value has one place whichever side it is on.
    rank = (np.searchsorted(known, feature.values, "left") + np.searchsorted(known, feature.values, "right")) / 2
    rank = np.where(feature.missing, 0.5, rank / len(known))
    return np.stack([rank, feature.missing * 0.5], axis=1)


def _fit(real: np.ndarray, synthetic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.decomposition import PCA
    from umap import UMAP  # compiles for many seconds at its first import

    if real.shape[1] > _DIMENSIONS:
        axes = PCA(min(_DIMENSIONS, len(real) - 1), svd_solver="full").fit(real)
        real, synthetic = axes.transform(real), axes.transform(synthetic)
    # Equal rows would be spread apart by UMAP's repulsion; a little noise keeps them a blob on both sides alike.
    noise = numpy_generator(SAMPLING_SEED, "embedding")
    real = real + noise.normal(0, 1e-3, real.shape)
    synthetic = synthetic + noise.normal(0, 1e-3, synthetic.shape)
    model = UMAP(n_neighbors=15, min_dist=0.15, init="pca", random_state=SAMPLING_SEED, n_jobs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # umap warns of its own defaults: a fixed seed means one thread
        model.fit(real.astype(np.float32))
        return model.embedding_, model.transform(synthetic.astype(np.float32))
