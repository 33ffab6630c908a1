"""Which lookup rows the children of a row refer to: an hour of weather with its flights' carriers and destinations.

All keys are known before any row is generated, and a row's children say much about it: the flights of seven o'clock go
elsewhere than those of midnight. A parent generated without that knowledge contradicts its own children's keys. Rows
of a family stand in order, so the places of an hour's flights among the flights of their planes tell early from late.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy import sparse

from tabgraphsyn.data.files import read_json, write_json, written_aside
from tabgraphsyn.data.graph_features import sibling_ranks
from tabgraphsyn.data.tensors import finite_arrays

WIDTH_MAX = 32
ROWS_PER_WIDTH = 20
FIT_ROWS_MAX = 100_000


@dataclass(frozen=True)
class Composition:
    """The main directions of how often a row's children refer to each lookup row (principal component analysis).

    Attributes:
        relation: name of the relation from the children.
        child: their table.
        components: (width, levels) float32.
        mean, std: (width,) float32, of the projections of the training rows.
        family: name of the relation that makes the children siblings of others, or empty.
        place: (2,) float32, mean and deviation of the mean relative place of a row's children in those families.
    """

    relation: str
    child: str
    components: np.ndarray = field(repr=False)
    mean: np.ndarray = field(repr=False)
    std: np.ndarray = field(repr=False)
    family: str = ""
    place: np.ndarray = field(default_factory=lambda: np.array([0, 1], dtype=np.float32), repr=False)

    @staticmethod
    def fit(
        relation: str,
        child: str,
        pointer: np.ndarray,
        rows: int,
        level: np.ndarray,
        levels: tuple[int, ...],
        family: tuple[str, np.ndarray] | None = None,
    ) -> Composition | None:
        """Return the composition of training rows; None where there are too few rows or nothing varies.

        Args:
            relation, child: see the class.
            pointer: (child rows,) int64, row of the parent, negative for none.
            rows: number of parents.
            level: (child rows, relations) int64, see ``KnownRows``.
            levels: number of levels of each.
            family: name and pointer of the relation that makes the children siblings of others.
        """
        counts = _root_counts(pointer, rows, level, levels)
        few = counts[np.unique(np.linspace(0, rows - 1, min(rows, FIT_ROWS_MAX)).astype(np.int64))] if rows else counts
        width = min(WIDTH_MAX, counts.shape[1] - 1, few.shape[0] // ROWS_PER_WIDTH)
        if width < 1 or few.nnz == 0:
            return None
        # Only prepare needs it: sampling, which reads compositions, need not load scikit-learn.
        from sklearn.utils.extmath import randomized_svd

        _, _, components = randomized_svd(few, n_components=width, random_state=0)
        projected = few @ components.T
        std = projected.std(axis=0)
        kept = std > 1e-6
        if not kept.any():
            return None
        arrays = (components[kept], projected.mean(axis=0)[kept], std[kept])
        first, mean, spread = (np.ascontiguousarray(array, dtype=np.float32) for array in arrays)
        if family is None:
            return Composition(relation, child, first, mean, spread)
        places = _mean_places(pointer, rows, family[1])
        known = places[~np.isnan(places)]
        centre, width_of = (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)
        place = np.array([centre, width_of if width_of > 1e-6 else 1.0], dtype=np.float32)
        return Composition(relation, child, first, mean, spread, family[0], place)

    def features(
        self,
        pointer: np.ndarray,
        rows: int,
        level: np.ndarray,
        levels: tuple[int, ...],
        siblings: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return (rows, width, or one more with a family) float32, standardised, within five standard deviations.

        Args:
            pointer, rows, level, levels: as for ``fit``.
            siblings: (child rows,) pointer of the relation ``family``.
        """
        projected = _root_counts(pointer, rows, level, levels) @ self.components.T
        features = (projected - self.mean) / self.std
        if siblings is not None:
            places = (_mean_places(pointer, rows, siblings) - self.place[0]) / self.place[1]
            features = np.concatenate([features, np.nan_to_num(places)[:, None]], axis=1)
        return features.clip(-5, 5).astype(np.float32)


def _mean_places(pointer: np.ndarray, rows: int, siblings: np.ndarray) -> np.ndarray:
    """Return the mean relative place (0 to 1) of each row's children among their siblings, NaN without children."""
    rank, size = sibling_ranks(siblings)
    child = np.flatnonzero((pointer >= 0) & (siblings >= 0) & (size > 1))
    total = np.bincount(pointer[child], ((rank + 0.5) / size)[child], minlength=rows)
    count = np.bincount(pointer[child], minlength=rows)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _root_counts(pointer: np.ndarray, rows: int, level: np.ndarray, levels: tuple[int, ...]) -> sparse.csr_matrix:
    """Return the square roots of how often a row's children refer to each level, (rows, sum of levels)."""
    child = np.flatnonzero(pointer >= 0)
    start = np.cumsum([0, *levels[:-1]])
    column = (level[child] + start).reshape(-1)
    row = np.repeat(pointer[child], level.shape[1])
    counts = sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(rows, sum(levels)))
    counts.data = np.sqrt(counts.data)
    return counts


def save_compositions(folder: Path, table: str, compositions: list[Composition]) -> None:
    """Write the compositions of a table's rows beside what is known of them."""
    for number, one in enumerate(compositions):
        with written_aside(folder / f"{table}.composition{number}.safetensors") as aside:
            arrays = {"components": one.components, "mean": one.mean, "std": one.std, "place": one.place}
            save_file(arrays, aside)
    named = [[one.relation, one.child, one.family] for one in compositions]
    write_json(folder / f"{table}.compositions.json", named)


def load_compositions(folder: Path, table: str) -> list[Composition]:
    """Read what ``save_compositions`` wrote; none where it wrote nothing."""
    path = folder / f"{table}.compositions.json"
    named = read_json(path) if path.exists() else []
    files = [folder / f"{table}.composition{number}.safetensors" for number in range(len(named))]
    return [
        Composition(relation, child, family=family, **finite_arrays(file))
        for file, (relation, child, family) in zip(files, named, strict=True)
    ]
