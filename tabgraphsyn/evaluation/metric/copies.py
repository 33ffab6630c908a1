"""Exact copies: how many rows are, value for value, training rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.data.codes import dense_codes, tuple_codes
from tabgraphsyn.evaluation.privacy import PrivacyMetric
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.sides.view import View
from tabgraphsyn.evaluation.statistics.distinct import distinct
from tabgraphsyn.evaluation.statistics.evidence import Evidence, Share, share_of
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.redrawn import redrawn_share

# Independent draws for the chance of a copy: enough rows that the yardstick itself is not uncertain.
CHANCE_ROWS = 20_000
MOST_DRAWS = 50


class Copies(PrivacyMetric):
    """Share of rows whose non-key columns all equal those of some training row."""

    name = "copies"
    # Real rows are held against real rows of other entities, so that no holdout is needed to judge.
    needs_holdout = False
    least_holdout_rows = 0
    title = "Exact copies"
    measures = "Share of rows that equal a training row in every column besides keys."
    range = "0 to 1"
    direction = "lower"
    reading = (
        "Real rows repeat each other too where columns are few and coarse. The line to hold is not 0 but `unseen` "
        "(real rows that equal a training row of another entity), `chance` (rows of columns drawn one by one) and "
        "`redrawn` (real rows with one column drawn anew, which need not keep out of each other's way as the lessons "
        "of one room do); `excess` is what exceeds the largest of them."
    )
    finding = "{value:.1%} of rows equal a training row; {usual:.1%} are due by chance"
    source = "Identical match share of the privacy literature, beside what real rows and independent draws reach."

    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the share of copies among the rows of one view."""
        codes, other = row_codes(view.reference, view.candidate)
        # Without a holdout every real row may have been seen; real against real is then one half against the other.
        is_known = data.trained_without_holdout or comparison.name == "real_real"
        training_rows = data.training_rows[view.table] if is_known else np.arange(len(codes))
        seen = distinct(codes[training_rows])
        share = share_of(np.isin(other, seen), data.entities(comparison.candidate, view.table))
        entities, generator = data.real_entities(view.table), data.generator("chance", view.where)
        unseen = data.once(("unseen copies", *view.key, is_known), lambda: unseen_share(codes, training_rows, entities))
        chance = data.once(
            ("chance", *view.key, is_known), lambda: chance_share(view.reference, training_rows, generator)
        )
        redrawn = redrawn_rows(data, view, training_rows, is_known)
        excess = share.value - max(unseen.value, chance.value, redrawn.value)
        evidence = Evidence(excess, share=share, baselines=(unseen, chance, redrawn))
        detail = {"unseen": unseen.value, "chance": chance.value, "redrawn": redrawn.value, "excess": excess}
        detail |= {"rows": len(other), "columns": len(view.reference), "distinct_training": len(seen)}
        return [self.of_view(view, share.value, comparison, evidence, **detail)]


def redrawn_rows(data: EvaluationData, view: View, training_rows: np.ndarray, is_known: bool) -> Share:
    """Return the share of real rows that equal a training row once one column is drawn anew (computed once a view)."""

    def found() -> Share:
        columns = [dense_codes(feature.as_number, is_sorted=False) for feature in view.reference]
        return redrawn_share(
            columns, training_rows, data.real_entities(view.table), data.generator("redrawn", view.where)
        )

    return data.once(("redrawn", *view.key, is_known), found)


def row_codes(real: Sequence[Feature], other: Sequence[Feature]) -> tuple[np.ndarray, np.ndarray]:
    """Return one code per row of both sides: equal codes just where all columns agree (missing equals missing)."""
    rows = len(real[0].values)
    both = (np.concatenate([left.as_number, right.as_number]) for left, right in zip(real, other, strict=True))
    codes = tuple_codes([dense_codes(values, is_sorted=False) for values in both], is_missing=False)
    return codes[:rows], codes[rows:]


def unseen_share(codes: np.ndarray, training_rows: np.ndarray, entities: np.ndarray) -> Share:
    """Return the share of real rows that equal a training row of another entity.

    That is what a holdout measures, on all rows instead of a tenth of them.

    Shape:
        codes: (rows,) int64, equal for equal rows. entities: (rows,) int64.

    >>> unseen_share(np.array([0, 0, 1, 1, 2]), np.arange(4), np.array([0, 0, 1, 2, 3])).value
    0.4
    """
    code, both = dense_codes(codes), tuple_codes([codes, entities], is_missing=False)
    every, own = (
        np.bincount(number[training_rows], minlength=int(number.max(initial=0)) + 1)[number] for number in (code, both)
    )
    return share_of(every > own, entities)


def chance_share(real: Sequence[Feature], training_rows: np.ndarray, generator: np.random.Generator) -> Share:
    """Return the share of rows drawn column by column from the training rows that equal one of them."""
    training = [feature.take(training_rows) for feature in real]
    draws = min(MOST_DRAWS, max(1, CHANCE_ROWS // len(training_rows)))
    shuffled = [
        Feature(
            feature.name,
            feature.kind,
            np.concatenate([feature.values[generator.permutation(len(training_rows))] for _ in range(draws)]),
            feature.levels,
        )
        for feature in training
    ]
    codes, drawn = row_codes(training, shuffled)
    return Share(float(np.isin(drawn, codes).mean()), float(len(drawn)))
