"""Which columns are worth predicting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tabgraphsyn.data.schema import Schema
from tabgraphsyn.errors import ConfigError, listing, nearest, raise_collected
from tabgraphsyn.evaluation.statistics.feature import Feature, scored_columns
from tabgraphsyn.evaluation.statistics.predictors import Rows, linear, ranks, skill

FEWEST_LEVELS, MOST_LEVELS = 2, 20
LARGEST_SHARE = 0.95
MOST_MISSING = 0.5
SCREENING_ROWS = 2_000
# A column that follows from others is the dependencies metric's; it is taken only where there is no other.
DETERMINED = 0.95


def given_targets(schema: Schema, names: Sequence[str], metric: str) -> dict[str, list[str]]:
    """Return the targets that a config names as ``table.column``, per table.

    Raises:
        ConfigError: one that is no column of the schema, or a key, an id or text; all of them at once.
    """
    known = {
        f"{table}.{column.name}": (table, column.name)
        for table in schema.table_names
        for column in scored_columns(schema, table)
    }
    raise_collected(
        ConfigError,
        [
            f"evaluation.metrics.{metric}.targets: {name!r} is no column that can be predicted (keys, ids and text "
            f"cannot).{nearest(name, known)} There are {listing(known)}."
            for name in names
            if name not in known
        ],
    )
    chosen: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        table, column = known[name]
        chosen.setdefault(table, []).append(column)
    return chosen


def why_no_target(feature: Feature) -> str:
    """Return why a column cannot be predicted sensibly, or nothing.

    A target is a category of 2 to 20 levels, or a number, that is neither nearly constant nor mostly missing.
    """
    known = feature.values[~feature.missing]
    if len(known) < (1 - MOST_MISSING) * len(feature.values) or len(known) == 0:
        return f"missing in {1 - len(known) / max(len(feature.values), 1):.0%} of the real training rows"
    counts = np.unique(known, return_counts=True)[1]
    if counts.max() > LARGEST_SHARE * len(known):
        return f"nearly constant: one value in {counts.max() / len(known):.1%} of the real training rows"
    if feature.kind == "categorical" and len(counts) > MOST_LEVELS:
        return f"{len(counts)} levels; at most {MOST_LEVELS} can be told apart sensibly"
    return ""


def without(target: str, features: Sequence[Feature]) -> list[Feature]:
    """Return the features other than the target itself."""
    return [feature for feature in features if feature.name != target]


def chosen_targets(
    columns: Mapping[str, Feature], features: Sequence[Feature], wanted: int, seed: int
) -> dict[str, float]:
    """Return the columns that a linear model predicts best from real training rows, with its skill, best first.

    A column of which nothing can be learnt tells nothing about synthetic rows either; one that is all but determined
    by the others comes last.

    Args:
        columns: the columns of a table, on its real training rows.
        features: what they are predicted from, on the same rows.
        wanted: number of columns to return.
        seed: seed of the rows that are looked at.
    """
    possible = [name for name, column in columns.items() if not why_no_target(column)]
    skills = {name: _screened(columns[name], without(name, features), seed) for name in possible}
    ordered = sorted(possible, key=lambda name: (skills[name] > DETERMINED, -skills[name], possible.index(name)))
    return {name: skills[name] for name in ordered[:wanted]}


def _screened(column: Feature, features: Sequence[Feature], seed: int) -> float:
    """Return a linear model's skill on one half of some rows after the other, less what chance gives."""
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(~column.missing))[: 2 * SCREENING_ROWS]
    if not features or len(rows) < 4:
        return 0.0
    halves = [prepared(column, features, part, column.values[rows]) for part in np.array_split(rows, 2)]
    reached = [
        skill(linear(fit, test.features, column.levels, seed), test.target, column.levels)
        for fit, test in (halves, halves[::-1])
    ]
    return float(np.mean(reached)) - 1 / float(np.sqrt(len(rows)))


def prepared(column: Feature, features: Sequence[Feature], rows: np.ndarray, among: np.ndarray) -> Rows:
    """Return rows with their target: classes, or ranks among ``among``. ``rows`` have the target.

    Shape:
        they are (rows,) int64.
    """
    taken = [feature.take(rows) for feature in features]
    values = column.values[rows]
    return Rows(taken, values.astype(np.int64) if column.kind == "categorical" else ranks(values, among))
