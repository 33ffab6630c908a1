"""Near copies: how many rows lie closer to a training row than real rows do.

Up to the caps every row is held against every training row. Above them an index does the same, exactly, where the line
to hold is nearer than one column's whole difference and the search is not too long; otherwise rows and records are
thinned, and the score says how many were looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tabgraphsyn.data.codes import dense_codes
from tabgraphsyn.evaluation.metric.copies import redrawn_rows
from tabgraphsyn.evaluation.privacy import PrivacyMetric
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.sides.view import View
from tabgraphsyn.evaluation.statistics.distance import TIE, sampled, scaled_rows
from tabgraphsyn.evaluation.statistics.evidence import Evidence, Share, share_of
from tabgraphsyn.evaluation.statistics.near_index import NearIndex
from tabgraphsyn.evaluation.statistics.neighbours import k_nearest
from tabgraphsyn.evaluation.statistics.own import OwnRanks
from tabgraphsyn.evaluation.statistics.owners import presence, shared_share
from tabgraphsyn.ranges import Count, Percent

# Above so many cells of training rows an index would take more than a gigabyte.
MOST_CELLS = 64_000_000
# Records of rows' own entities that the index may have to step over.
MOST_OWN = 20_000_000
# Visits to leaves of the index, each of 2 microseconds (measured in 6 to 12 columns): 40 s on one thread.
MOST_VISITS = 20_000_000
SAMPLE = 200
# Where fewer rows have a value that many entities hold, a category names rather than describes.
MOST_SHARED = 0.5
NAMES_ONLY = "every column holds values of few rows each: what lies near to what cannot be told"


@dataclass(frozen=True)
class _Line:
    """How near real rows lie to training rows of other entities.

    Attributes:
        away: (rows,) distances, 1 where there is none or where it is beyond the index's reach.
        threshold: the distance that a near copy keeps.
        unseen: the share of real rows within it.
    """

    away: np.ndarray
    threshold: float
    unseen: Share

    @staticmethod
    def of(away: np.ndarray, entities: np.ndarray, percentile: float) -> _Line:
        away = np.minimum(away, 1.0)
        threshold = float(np.percentile(away, percentile))
        return _Line(away, threshold, share_of(away <= threshold + TIE, entities))


@dataclass(frozen=True)
class _Indexed:
    """An index over all training rows, the line by it, and how many leaves a row visits on average."""

    index: NearIndex
    line: _Line
    visits: float


@dataclass(frozen=True)
class _Counted:
    """Which rows are near copies.

    Shape:
        near: (rows looked up,) bool. entities: (rows looked up,) int64.
    """

    near: np.ndarray
    entities: np.ndarray
    line: _Line
    training_records: int


class NearCopies(PrivacyMetric):
    """Share of rows closer to a training row than the closest few percent of unseen real rows are.

    Args:
        percentile: of the real rows' distances to training rows of other entities, below which a row is a near copy.
        cap_queries: rows looked up at most where there is no index; real rows from which the line is drawn at most.
        cap_records: real rows searched at most where there is no index.
    """

    name = "near_copies"
    title = "Near copies"
    measures = (
        "Share of rows whose nearest training row is at most as far as a training row of another entity is from the "
        "closest 5 % of real rows (mean difference over columns, numbers by rank)."
    )
    range = "0 to 1"
    direction = "lower"
    reading = (
        "`unseen` is what unseen real rows reach: 0.05, more where rows repeat; `redrawn` the exact copies due "
        "(see `copies`). Above both: copying, or rows that crowd where real ones are dense; DCR and membership tell "
        "which. `rows` of `rows_of` rows were looked up among `training_records` of `training_records_of`: a copy of a "
        "training row that was not searched is not seen. "
        "`by_presence` names categories whose values fewer than five entities hold, in most rows (a person's number, "
        "an order's): there or not is all that counts of them. DCR counts the values."
    )
    finding = "{value:.0%} of rows lie as near to a training row as the nearest {usual:.0%} of unseen real rows"
    source = "Distance-to-closest-record thresholds as in Platzer and Reutterer 2021."

    def __init__(self, *, percentile: Percent = 5.0, cap_queries: Count = 5_000, cap_records: Count = 50_000) -> None:
        self.percentile = percentile
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the share of near copies among the rows of one view."""
        named = self._names(data, view)
        if len(named) == len(view.reference):
            return [self.unscored(view.where, NAMES_ONLY, comparison.name)]
        view = _by_presence(view, named)
        found = self._by_index(data, comparison, view) or self._by_search(data, comparison, view)
        share, line = share_of(found.near, found.entities), found.line
        training = len(data.training_rows[view.table])
        # Exact copies lie near, too, and as many of them are due as new rows reach.
        redrawn = redrawn_rows(data, view, data.training_rows[view.table], data.trained_without_holdout)
        usual = max(line.unseen.value, redrawn.value)
        detail: dict[str, Any] = {"unseen": line.unseen.value, "redrawn": redrawn.value, "excess": share.value - usual}
        detail |= {"threshold": line.threshold, "unseen_rows": len(line.away), "columns": len(view.reference)}
        detail |= {"rows": len(found.near), "rows_of": comparison.candidate.num_rows(view.table)}
        detail |= {"training_records": found.training_records, "training_records_of": training}
        detail["searched"] = found.training_records / training
        if named:
            detail["by_presence"] = named
        evidence = Evidence(detail["excess"], share=share, baselines=(line.unseen, redrawn))
        return [self.of_view(view, share.value, comparison, evidence, **detail)]

    def _names(self, data: EvaluationData, view: View) -> list[str]:
        """Return the categories whose value most real rows share with no other entity.

        Unseen rows are those of other entities: they differ from every training row in such a column by what an entity
        is, and the line would lie a whole column away, or be that of the few that share. Made rows do not: numbers
        counted from 1, like those of the real customers, meet some of these, and so do new rows of known customers.
        """

        def found() -> list[str]:
            entities = data.real_entities(view.table)
            categories = (one for one in view.reference if one.kind == "categorical")
            return [one.name for one in categories if shared_share(one, entities) < MOST_SHARED]

        return data.once(("names", *view.key), found)

    def _by_search(self, data: EvaluationData, comparison: Comparison, view: View) -> _Counted:
        """Return near copies by comparing rows with records one by one, some of each where there are many."""
        line = data.once(("near line", *view.key, *self._settings), lambda: self._searched_line(data, view))
        found = data.nearest(comparison, view, self.cap_queries, self.cap_records)
        entities = data.entities(comparison.candidate, view.table)[found.query_rows]
        return _Counted(found.to_training <= line.threshold + TIE, entities, line, found.training_records)

    def _by_index(self, data: EvaluationData, comparison: Comparison, view: View) -> _Counted | None:
        """Return near copies among all rows; None where a search sees all of them too, or an index takes too long."""
        rows, training = comparison.candidate.num_rows(view.table), len(data.training_rows[view.table])
        real = training + len(data.holdout_rows[view.table])
        if rows <= self.cap_queries and real <= self.cap_records:
            return None
        made = data.once(("near index", *view.key, *self._settings), lambda: self._indexed(data, view))
        if made is None or made.visits * rows > MOST_VISITS:
            return None
        near = made.index.within(scaled_rows(view.reference, view.candidate), made.line.threshold, data.threads)
        return _Counted(near, data.entities(comparison.candidate, view.table), made.line, training)

    @property
    def _settings(self) -> tuple[float, int, int]:
        return self.percentile, self.cap_queries, self.cap_records

    def _searched_line(self, data: EvaluationData, view: View) -> _Line:
        """Return the line by some real rows and some records.

        For held-out rows that is the distance to training; training rows join them as if their entity had been held
        out, so that the line rests on ten times as many rows; nor do ranks count rows of the row's own entity.
        """
        generator = data.generator(self.name, "unseen", view.where)
        real = scaled_rows(view.reference, view.reference)
        entities = dense_codes(data.real_entities(view.table))
        own = OwnRanks.of(view.reference, entities)
        rows = sampled(np.arange(len(real)), self.cap_queries, generator)
        records = sampled(data.training_rows[view.table], self.cap_records, generator)
        away = k_nearest(
            own.seen.take(rows),
            real.take(records),
            1,
            threads=data.threads,
            query_entities=entities[rows],
            record_entities=entities[records],
            own=own,
        )[:, 0]
        return _Line.of(away, entities[rows], self.percentile)

    def _indexed(self, data: EvaluationData, view: View) -> _Indexed | None:
        """Return an index of all training rows and the line by it; None where it cannot tell or is too large."""
        training, entities = data.training_rows[view.table], dense_codes(data.real_entities(view.table))
        if len(training) * len(view.reference) > MOST_CELLS:
            return None
        generator = data.generator(self.name, "unseen", view.where)
        rows = sampled(np.arange(len(entities)), self.cap_queries, generator)
        if np.bincount(entities)[entities[rows]].sum() > MOST_OWN:
            return None
        real = scaled_rows(view.reference, view.reference)
        index, own = NearIndex.of(real.take(training), entities[training]), OwnRanks.of(view.reference, entities)
        unseen = own.placed.take(rows)
        away = index.to_others(unseen, entities[rows], data.threads, own, own.seen.take(rows))
        line = _Line.of(away, entities[rows], self.percentile)
        if not index.reaches(line.threshold):
            return None
        return _Indexed(index, line, index.visits(unseen.take(np.arange(min(SAMPLE, len(rows)))), line.threshold))


def _by_presence(view: View, named: Sequence[str]) -> View:
    """Return the view with some columns reduced to whether there is a value, under names of their own."""
    if not named:
        return view
    reference, candidate = (
        [presence(one) if one.name in named else one for one in side] for side in (view.reference, view.candidate)
    )
    return replace(view, reference=reference, candidate=candidate)
