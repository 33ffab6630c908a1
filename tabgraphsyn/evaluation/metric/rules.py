"""Rules: how many rows break what holds in every real row, or what the data set declares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tabgraphsyn.data.rules.rule import Checked, Rule
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.rules.value_kinds import Fixed
from tabgraphsyn.evaluation.base import ComparisonMetric, mean_score
from tabgraphsyn.evaluation.score import Result, Score
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison, Side
from tabgraphsyn.evaluation.statistics.evidence import share_of


class Rules(ComparisonMetric):
    """Share of rows that keep each rule that `prepare` found in the training rows, or that the data set declares.

    Every row is looked at, so a value is exact for the tables given; its interval says what other tables of as many
    entities by the same generator may show. A rule that held-out real rows break too, and a strong habit (a column that
    follows from another in nearly every row), is shown and does not count.
    """

    name = "rules"
    title = "Rules kept"
    measures = (
        "Share of rows that keep each rule of the real data: sums, products, orders, fixed columns, groups of which "
        "one is set, missing values, uniqueness, what holds within and across the rows of a parent. For the database "
        "the mean over rules."
    )
    range = "0 to 1"
    direction = "higher"
    reading = (
        "1 is the only good value. `broken` in the detail counts rows, `real_broken` the held-out real rows that break "
        "the same rule: where there are any, it was no rule, and it does not count."
    )
    source = "docs/rules.md; a rule must hold in all training rows and could have failed (shuffled columns)."

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per rule and the mean over those that count."""
        if not data.rules:
            return [self.unscored("database", "no rule was found in the training rows", comparison.name)]
        tables = dict.fromkeys(rule.table for rule in data.rules)
        candidates = {table: _tables(comparison.candidate, table) for table in tables}
        parts = data.map(lambda rule: self._one(rule, data, comparison, candidates[rule.table]), data.rules)
        counted = [part for part in parts if isinstance(part, Score) and part.detail["counts"]]
        if not counted:
            reason = "no rule counts: real rows break those that there are, or no row is asked"
            return [self.unscored("database", reason, comparison.name), *parts]
        broken = [part for part in counted if part.detail["broken"]]
        worst = min(counted, key=lambda part: part.value)
        summary = {"rules": len(counted), "rules_broken": len(broken), "worst": worst.where}
        return [*mean_score(self, "database", "database", counted, **summary, worst_value=worst.value), *parts]

    def _one(self, rule: Rule, data: EvaluationData, comparison: Comparison, candidate: RuleTables) -> Result:
        where, reference = f"{rule.table}: {rule.statement()}", self._training(data, rule.table)
        unread = _unread(rule, candidate, reference)
        rows = candidate.num_rows(rule.table)
        real = self._yardstick(rule, data)
        detail: dict[str, Any] = {
            "kind": rule.kind,
            "table": rule.table,
            "source": rule.support.source,
            "training_rows": rule.support.rows,
            "training_broken": rule.support.broken,
            "real_rows": real[0],
            "real_broken": real[1],
            "counts": _counts(rule, real[1]),
        }
        if unread or not rows:
            reason = f"absent or of another type: {', '.join(unread)}" if unread else "no rows"
            if comparison.is_baseline:
                return self.unscored(where, reason, comparison.name)
            return self.score("pair", where, 0.0, comparison.name, **detail, rows=rows, broken=rows, reason=reason)
        checked = rule.check(candidate, reference)
        if not checked.applies.any():
            return self.unscored(where, "no row that the rule is about", comparison.name)
        return self._share(rule, checked, where, data, comparison, detail)

    def _share(
        self,
        rule: Rule,
        checked: Checked,
        where: str,
        data: EvaluationData,
        comparison: Comparison,
        detail: dict[str, Any],
    ) -> Score:
        asked, broken = checked.counts
        entities = data.entities(comparison.candidate, rule.table)[checked.applies]
        share = share_of(~checked.broken[checked.applies], entities)
        detail |= {"rows": asked, "broken": broken, **share.described()}
        return self.score("pair", where, share.value, comparison.name, **detail)

    def _training(self, data: EvaluationData, table: str) -> RuleTables:
        return data.once(("rules", "training", table), lambda: _tables(data.holdout_comparison.reference, table))

    def _yardstick(self, rule: Rule, data: EvaluationData) -> tuple[int, int]:
        """Return how many held-out real rows a rule is about, and how many of them break it."""

        def counted() -> tuple[int, int]:
            side = data.holdout_comparison.candidate
            held = data.once(("rules", "holdout", rule.table), lambda: _tables(side, rule.table))
            return rule.check(held, self._training(data, rule.table)).counts if held.num_rows(rule.table) else (0, 0)

        return data.once(("rules", rule.table, rule.statement()), counted)


def _tables(side: Side, table: str) -> RuleTables:
    """Return a side for rules about one table: of it this side's rows alone, of others all, parents among them."""
    if side.rows is None:
        return RuleTables(side.whole.database, side.whole.pointers)
    mask = np.zeros(side.whole.num_rows[table], dtype=bool)
    mask[side.rows[table]] = True
    return RuleTables(side.whole.database, side.whole.pointers, {table: mask})


def _counts(rule: Rule, real_broken: int) -> bool:
    if rule.support.source != "found":
        return rule.support.broken == 0
    return real_broken == 0 and not (isinstance(rule, Fixed) and rule.strength < 1)


def _unread(rule: Rule, candidate: RuleTables, reference: RuleTables) -> list[str]:
    """Return the columns of a rule that the candidate lacks, or holds as words where real ones are numbers or times."""
    missing = rule.missing(candidate)
    if missing:
        return missing
    changed = []
    for one in rule.operands:
        for is_such in (RuleTables.is_number, RuleTables.is_time):
            if is_such(reference, rule.table, one) and not is_such(candidate, rule.table, one):
                changed.append(str(one))
    return changed
