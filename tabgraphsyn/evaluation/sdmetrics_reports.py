"""SDMetrics' own reports on our tables."""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tabgraphsyn.data.metadata import one_or_list, relationships
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.evaluation.base import ComparisonMetric
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison, Side

WORST_SHOWN = 12
OVERALL = "database"


Spreads = Mapping[str, dict[str, Any]]
"""By place (a property, or ``OVERALL``): what a score's detail says of its spread."""


class SDMetricsReport(ComparisonMetric):
    """A report of SDMetrics: its overall score, its properties, and what it could not compute."""

    @abstractmethod
    def report(self) -> Any:
        """Return a fresh report object of SDMetrics."""

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return the overall score and one score per property."""
        if comparison.name == "real_real":
            reason = (
                "SDMetrics reads whole databases, and a split one has broken keys; column_shapes, pair_trends, "
                "khop_trends and cardinality give its properties' real-against-real line"
            )
            return [self.unscored("database", reason, comparison.name)]
        empty = [name for name in comparison.schema.table_names if comparison.candidate.num_rows(name) == 0]
        if empty:
            return [self.unscored("database", f"SDMetrics cannot read tables without rows: {empty}", comparison.name)]
        metadata = metadata_of(comparison.schema)
        left_out = [each for each in metadata["relationships"] if self.leaves_out(each)]
        metadata["relationships"] = [each for each in metadata["relationships"] if each not in left_out]
        real, other = frames(comparison.reference, comparison), frames(comparison.candidate, comparison)
        report = self.report()
        seed = data.seed_of(self.name) % (2**32)
        with warnings.catch_warnings(), _seeded(seed):
            warnings.simplefilter("ignore")
            report.generate(real, other, metadata, verbose=False)
        results = self._results(report, comparison, self.spreads(report, data, comparison))
        for each in left_out:
            where = f"{each['child_table_name']}.{'+'.join(_listed(each['child_foreign_key']))}"
            reason = "SDMetrics joins no table with itself; keys, cardinality and khop_trends score the key"
            results.append(self.unscored(where, reason, comparison.name))
        return results

    def leaves_out(self, relationship: Mapping[str, Any]) -> bool:
        """Return True for a relationship that SDMetrics' report cannot take."""
        return False

    @abstractmethod
    def spreads(self, report: Any, data: EvaluationData, comparison: Comparison) -> Spreads:
        """Return what the details of the overall score and of each property say of their spread, by place."""

    def _results(self, report: Any, comparison: Comparison, spreads: Spreads) -> list[Result]:
        results: list[Result] = []
        for name, value in report.get_properties().itertuples(index=False):
            where = str(name)
            errors = _errors(report, where)
            if value is None or not math.isfinite(value):
                reason = f"SDMetrics gives no value: {errors[0] if errors else 'nothing it applies to'}"
                results.append(self.unscored(where, reason, comparison.name))
            else:
                detail: dict[str, Any] = {
                    "property": where,
                    "not_computed": len(errors),
                    "errors": errors[:WORST_SHOWN],
                }
                results.append(
                    self.score("database", where, value, comparison.name, **detail, **spreads.get(where, {}))
                )
        overall = report.get_score()
        if not math.isfinite(overall):
            return [self.unscored("database", "SDMetrics gives no overall value", comparison.name), *results]
        detail = self.stated() | spreads.get(OVERALL, {})
        return [self.score("database", OVERALL, overall, comparison.name, **detail), *results]

    def stated(self) -> dict[str, Any]:
        """Return the settings that a reader must know beside the value."""
        import sdmetrics

        return {"sdmetrics": sdmetrics.__version__}


def property_scores(report: Any) -> dict[str, float]:
    """Return the properties that have a value."""
    values = {str(name): value for name, value in report.get_properties().itertuples(index=False)}
    return {name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)}


def _errors(report: Any, name: str) -> list[str]:
    details = report.get_details(name)
    if "Error" not in details.columns:
        return []
    failed = details[details["Error"].notna()]
    columns = [column for column in ("Table", "Column", "Column 1", "Column 2") if column in failed.columns]
    return [
        " ".join([*map(str, row[:-1]), str(row[-1])]) for row in failed[[*columns, "Error"]].itertuples(index=False)
    ]


class _seeded:
    """SDMetrics draws from numpy's global generator; it is seeded, and put back as it was."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __enter__(self) -> None:
        self.state = np.random.get_state()
        np.random.seed(self.seed)

    def __exit__(self, *_: object) -> None:
        np.random.set_state(self.state)


def frames(side: Side, comparison: Comparison) -> dict[str, pd.DataFrame]:
    """Return the tables of one side with the columns of the schema; an absent column is missing throughout.

    Shape:
        (rows, columns).
    """
    made = {}
    for table in comparison.schema.tables:
        keys = comparison.schema.key_columns(table.name)
        # Keys as text: SDMetrics' joins fail where one side counts in numbers and the other in strings.
        frame = side.frame(table.name, as_text=keys).reindex(columns=[column.name for column in table.columns])
        for column in table.columns:
            values = frame[column.name]
            if column.sdtype == "numerical":
                # What cannot be read as a number is missing; column_shapes and null_rates score it.
                frame[column.name] = pd.to_numeric(values, errors="coerce").astype("float64")
            elif column.sdtype == "datetime":
                frame[column.name] = pd.to_datetime(values, errors="coerce")
            elif column.sdtype in ("categorical", "boolean"):
                frame[column.name] = values.astype("object").where(values.notna(), None)
        made[table.name] = frame
    return made


def metadata_of(schema: Schema) -> dict[str, Any]:
    """Return the schema as SDMetrics reads it."""
    tables: dict[str, Any] = {}
    for table in schema.tables:
        keys = set(schema.key_columns(table.name))
        columns = {
            column.name: {"sdtype": "id" if column.name in keys else _sdtype(column.sdtype)} for column in table.columns
        }
        tables[table.name] = {"columns": columns}
        if table.primary_key:
            tables[table.name]["primary_key"] = one_or_list(table.primary_key)
    return {"tables": tables, "relationships": relationships(schema)}


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _sdtype(name: str) -> str:
    # SDMetrics knows neither text nor ids that are no keys; both are left out of its scores as "unknown".
    return name if name in ("numerical", "datetime", "categorical", "boolean") else "unknown"
