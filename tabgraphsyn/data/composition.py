"""Which lookup rows the children of a row refer to: an hour of weather with its flights' carriers and destinations.

All keys are known before any row is generated, and a row's children say much about it: the flights of seven o'clock go
elsewhere than those of midnight. A parent generated without that knowledge contradicts its own children's keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from tabgraphsyn.data.files import read_json, write_json, written_aside
from tabgraphsyn.data.known import Known, KnownRows

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
    """

    relation: str
    child: str
    components: np.ndarray = field(repr=False)
    mean: np.ndarray = field(repr=False)
    std: np.ndarray = field(repr=False)

    @staticmethod
    def fit(
        relation: str, child: str, pointer: np.ndarray, rows: int, level: np.ndarray, levels: tuple[int, ...]
    ) -> Composition | None:
        """Return the composition of training rows; None where there are too few rows or nothing varies.

        Args:
            relation, child: see the class.
            pointer: (child rows,) int64, row of the parent, negative for none.
            rows: number of parents.
            level: (child rows, relations) int64, see ``KnownRows``.
            levels: number of levels of each.
        """
        counts = _root_counts(pointer, rows, level, levels)
        few = counts[np.unique(np.linspace(0, rows - 1, min(rows, FIT_ROWS_MAX)).astype(np.int64))] if rows else counts
        width = min(WIDTH_MAX, counts.shape[1] - 1, few.shape[0] // ROWS_PER_WIDTH)
        if width < 1 or few.nnz == 0:
            return None
        _, _, components = randomized_svd(few, n_components=width, random_state=0)
        projected = few @ components.T
        std = projected.std(axis=0)
        kept = std > 1e-6
        if not kept.any():
            return None
        arrays = (components[kept], projected.mean(axis=0)[kept], std[kept])
        return Composition(relation, child, *(np.ascontiguousarray(array, dtype=np.float32) for array in arrays))

    def features(self, pointer: np.ndarray, rows: int, level: np.ndarray, levels: tuple[int, ...]) -> np.ndarray:
        """Return the standardised projections, (rows, width) float32, within five standard deviations."""
        projected = _root_counts(pointer, rows, level, levels) @ self.components.T
        return ((projected - self.mean) / self.std).clip(-5, 5).astype(np.float32)


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
            save_file({"components": one.components, "mean": one.mean, "std": one.std}, aside)
    write_json(folder / f"{table}.compositions.json", [[one.relation, one.child] for one in compositions])


def load_compositions(folder: Path, table: str) -> list[Composition]:
    """Read what ``save_compositions`` wrote; none where it wrote nothing."""
    path = folder / f"{table}.compositions.json"
    named = read_json(path) if path.exists() else []
    return [
        Composition(relation, child, **load_file(folder / f"{table}.composition{number}.safetensors"))
        for number, (relation, child) in enumerate(named)
    ]


def known_rows(
    folder: Path,
    table: str,
    rows: int,
    pointers: Callable[[str], np.ndarray],
    lookup: Callable[[Known], Mapping[str, np.ndarray]],
) -> tuple[KnownRows, tuple[int, ...]]:
    """Return all that the keys of a database say of a table's rows, and the number of levels.

    Args:
        folder: what prepare wrote, or a bundle's copy.
        table: the table.
        rows: number of its rows.
        pointers: relation name -> row of the parent table.
        lookup: relations of a table to lookup tables -> row of the lookup table, as in training.
    """
    known = Known.load(folder, table)
    own = known.rows(lookup(known)) if known.relations else KnownRows.none(rows)
    numbers = [own.numbers]
    for one in load_compositions(folder, table):
        child = Known.load(folder, one.child)
        level = child.rows(lookup(child)).level
        numbers.append(one.features(pointers(one.relation), rows, level, child.levels))
    return KnownRows(own.level, np.concatenate(numbers, axis=1), is_composed=len(numbers) > 1), known.levels
