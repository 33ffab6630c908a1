"""Real and synthetic values of every column, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from tabgraphsyn.evaluation.report.chart import Bar, bars, histogram
from tabgraphsyn.evaluation.report.columns import ColumnView
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.wording import moment, percent, short

_TAIL = 0.005
_LARGEST = 1e307
_GRID_STEPS = (86_400e6, 3_600e6, 60e6, 1e6, 1.0)


@dataclass(frozen=True)
class Fact:
    """A statistic of both sides."""

    name: str
    real: str
    synthetic: str


@dataclass(frozen=True)
class ColumnPanel:
    """A picture of one column and what it says in words."""

    name: str
    kind: str
    picture: Markup
    facts: tuple[Fact, ...]
    note: str = ""


_KIND_NAMES = {"number": "number", "date": "date", "category": "category", "length": "length of text"}


def column_panel(view: ColumnView, options: ReportOptions) -> ColumnPanel:
    """Return the picture of one column."""
    if view.problem:
        return _panel(view, Markup(""), (), f"No picture: {view.problem}.")
    if not len(view.real.values) or not len(view.synthetic.values):
        side = "real" if not len(view.real.values) else "synthetic"
        return _panel(view, Markup(""), (_missing(view),), f"No picture: every {side} value is missing.")
    if view.kind == "category":
        return _category_panel(view, options)
    return _number_panel(view, options)


def _number_panel(view: ColumnView, options: ReportOptions) -> ColumnPanel:
    bins = make_bins(view.real.values, view.synthetic.values, options.bins)
    real, synthetic = (_binned(side.values, bins.edges) for side in (view.real, view.synthetic))
    span = float(bins.edges[-1] - bins.edges[0])
    starts, ends = ([_label(view, float(value), span) for value in side] for side in (bins.first, bins.last))
    tips = [
        f"{low if low == high else f'{low} to {high}'}: real {percent(r)}, synthetic {percent(s)}"
        for low, high, r, s in zip(starts, ends, real, synthetic, strict=True)
    ]
    facts = (*_number_facts(view, span), _missing(view))
    alt = f"Histogram of {view.where}, real against synthetic. " + "; ".join(
        f"{f.name}: real {f.real}, synthetic {f.synthetic}" for f in facts
    )
    middle = _label(view, float(bins.edges[0] + bins.edges[-1]) / 2, span)
    ticks = [starts[0], middle, ends[-1]] if len(starts) > 2 else [starts[0], ends[-1]]
    note = "Shown: the length of the values, not their text." if view.kind == "length" else ""
    return _panel(view, histogram(real, synthetic, tips, ticks, alt), facts, note)


@dataclass(frozen=True)
class Bins:
    """Bins of a histogram.

    Shape:
        edges: (bins + 1,).

    Attributes:
        step: distance of the grid that the values lie on; 0 where they lie on none.
    """

    edges: np.ndarray
    step: float = 0.0

    @property
    def first(self) -> np.ndarray:
        """First value of each bin, (bins,)."""
        return self.edges[:-1] + self.step / 2

    @property
    def last(self) -> np.ndarray:
        """Last value of each bin, (bins,)."""
        return self.edges[1:] - self.step / 2


def make_bins(real: np.ndarray, synthetic: np.ndarray, bins: int) -> Bins:
    """Return bins over the middle 99 % of both sides; values on a grid get bins of whole grid steps.

    The synthetic side widens the range by at most the real width on either side: one wild value must not squeeze
    the real shape into one bar.
    """
    # Twice the width of the range must be a number too.
    real, synthetic = (np.clip(side, -_LARGEST, _LARGEST) for side in (real, synthetic))
    low, high = np.quantile(real, [_TAIL, 1 - _TAIL])
    other_low, other_high = np.quantile(synthetic, [_TAIL, 1 - _TAIL])
    width = max(high - low, abs(high) * 1e-9, 1e-12)
    low, high = max(min(low, other_low), low - width), min(max(high, other_high), high + width)
    step = grid_step(real)
    if step:
        low, high = np.floor(low / step) * step, np.ceil(high / step) * step
        per_bin = np.ceil(((high - low) / step + 1) / bins)
        count = np.ceil(((high - low) / step + 1) / per_bin)
        return Bins(low - step / 2 + step * per_bin * np.arange(count + 1), step)
    edges = np.linspace(low, high, bins + 1)
    if np.any(np.diff(edges) <= 0):  # one value, or several too close for floating point to lie between them
        edges = np.linspace(low - 0.5, high + 0.5, bins + 1)
    return Bins(edges)


def grid_step(values: np.ndarray) -> float | None:
    """Return the coarsest of a day, an hour, a minute, a second (in microseconds) and 1 that divides all values.

    Shape:
        (rows,).

    A bin that holds now one, now two grid values would show teeth that are not there.
    """
    return next((step for step in _GRID_STEPS if not np.any(values % step)), None)


def _binned(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the share of present values in each bin; what lies outside is counted in the edge bins."""
    counted, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return counted / max(1, len(values))


def _label(view: ColumnView, value: float, span: float) -> str:
    return moment(value, span) if view.kind == "date" else short(value)


def _number_facts(view: ColumnView, span: float) -> tuple[Fact, ...]:
    real, synthetic = view.real.values, view.synthetic.values
    if view.kind == "date":
        middle = [moment(float(np.median(side)), min(span, 2e14)) for side in (real, synthetic)]
        return (Fact("median", *middle),)
    return (
        Fact("mean", short(float(real.mean())), short(float(synthetic.mean()))),
        Fact("spread (sd)", short(float(real.std())), short(float(synthetic.std()))),
    )


def _missing(view: ColumnView) -> Fact:
    return Fact("missing", percent(view.real.missing_share), percent(view.synthetic.missing_share))


def _category_panel(view: ColumnView, options: ReportOptions) -> ColumnPanel:
    real, synthetic = view.shares
    named = [name for name, share in real.items() if round(share * view.real.rows) >= options.rare_below]
    named = sorted(named, key=lambda name: (-real[name], name))[: options.categories]
    rows = [Bar(name, real[name], synthetic.get(name, 0.0)) for name in named]
    rest = _rest(real, synthetic, set(named))
    pooled = len(real) - len(named)
    if pooled:
        rows.append(Bar("1 other" if pooled == 1 else f"{pooled:,} others", *rest))
    invented = sum(share for name, share in synthetic.items() if name not in real)
    if invented:
        rows.append(Bar("not in real", 0.0, invented))
    facts = (Fact("distinct", f"{len(real):,}", f"{len(synthetic):,}"), _missing(view))
    alt = f"Shares of the categories of {view.where}. " + "; ".join(
        f"{row.name}: real {percent(row.real)}, synthetic {percent(row.synthetic)}" for row in rows[:5]
    )
    note = "" if named else f"No category is held by {options.rare_below} real rows or more, so none is named."
    return _panel(view, bars(rows, alt), facts, note)


def _rest(real: dict[str, float], synthetic: dict[str, float], named: set[str]) -> tuple[float, float]:
    others: Iterable[str] = [name for name in real if name not in named]
    return sum(real[name] for name in others), sum(synthetic.get(name, 0.0) for name in others)


def _panel(view: ColumnView, picture: Markup, facts: tuple[Fact, ...], note: str) -> ColumnPanel:
    return ColumnPanel(view.column.name, _KIND_NAMES[view.kind], picture, facts, note)
