"""Exact copies: how many rows are, value for value, training rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.evaluation.base import Result
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.feature import Feature
from tabgraphsyn.evaluation.privacy import PrivacyMetric
from tabgraphsyn.evaluation.side import Comparison, Side


class Copies(PrivacyMetric):
    """Share of rows whose non-key columns all equal those of some training row."""

    name = "copies"
    needs_holdout = False
    title = "Exact copies"
    measures = "Share of rows that equal a training row in every column besides keys, beside the holdout rows' share."
    range = "0 to 1"
    direction = "lower"
    reading = (
        "Held-out real rows repeat training rows too where columns are few: the line to hold is the real-against-real "
        "value (holdout rows), not 0. `excess` is the difference, `excess_sd` its standard error."
    )
    source = "Identical match share of the privacy literature, beside the share among held-out rows."

    def table(self, data: EvaluationData, comparison: Comparison, table: str) -> Sequence[Result]:
        """Return the share of copies in one table."""
        whole = Side(comparison.reference.whole).features(table)
        codes, other = row_codes(whole, comparison.candidate.features(table))
        training = np.unique(codes[data.training_rows[table]])
        held_out = codes[data.holdout_rows[table]]
        # Without a holdout every real row may have been seen; the baseline is then one half against the other.
        seen = training if data.trained_without_holdout or comparison.name == "real_real" else np.unique(codes)
        share = float(np.isin(other, seen).mean())
        baseline = float(np.isin(held_out, training).mean())
        error = float(np.sqrt(share * (1 - share) / len(other) + baseline * (1 - baseline) / len(held_out)))
        detail = {"holdout": baseline, "excess": share - baseline, "excess_sd": error, "rows": len(other)}
        detail |= {"columns": len(whole), "distinct_training": len(seen)}
        return [self.score("table", table, share, comparison.name, table=table, **detail)]


def row_codes(real: Sequence[Feature], other: Sequence[Feature]) -> tuple[np.ndarray, np.ndarray]:
    """Return one code per row of both sides: equal codes just where all columns agree (missing equals missing)."""
    rows = len(real[0].values)
    codes = np.zeros(rows + len(other[0].values), np.int64)
    for left, right in zip(real, other, strict=True):
        column = np.concatenate([left.as_number, right.as_number])
        _, part = np.unique(column, return_inverse=True, equal_nan=True)
        # Dense again after each column, so that the product of two codes stays below 2 ** 63.
        _, codes = np.unique(codes * (int(part.max(initial=0)) + 1) + part, return_inverse=True)
    return codes[:rows], codes[rows:]
