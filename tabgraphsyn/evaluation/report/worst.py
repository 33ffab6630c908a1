"""Why a column scores low, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.evaluation.report.columns import ColumnView
from tabgraphsyn.evaluation.report.wording import percent, short

NAMED_ROWS = 5
"""Real rows that must hold a value before it is named."""


@dataclass(frozen=True)
class Finding:
    """One difference between the sides.

    Attributes:
        size: roughly the share of rows that it touches, to rank findings by.
    """

    size: float
    text: str


def reason(view: ColumnView) -> str:
    """Return the largest differences of one column, at most two, as a sentence."""
    if view.problem:
        return f"{view.problem[:1].upper()}{view.problem[1:]}."
    findings = sorted(_findings(view), key=lambda found: -found.size)[:2]
    if not findings:
        return "No single difference stands out; the shapes differ a little throughout."
    text = "; ".join(found.text for found in findings)
    return f"{text[:1].upper()}{text[1:]}."


def _findings(view: ColumnView) -> Iterator[Finding]:
    real, synthetic = view.real, view.synthetic
    gap = synthetic.missing_share - real.missing_share
    if abs(gap) > 0.01:
        word = "too many" if gap > 0 else "too few"
        yield Finding(
            abs(gap),
            f"{word} missing values ({percent(synthetic.missing_share)} against {percent(real.missing_share)})",
        )
    if not len(real.values) or not len(synthetic.values):
        return
    yield from _category_findings(view) if view.kind == "category" else _number_findings(view)


def _category_findings(view: ColumnView) -> Iterator[Finding]:
    real, synthetic = view.shares
    common = [name for name, share in real.items() if share * view.real.rows >= NAMED_ROWS]
    named = None
    if common:
        name = max(common, key=lambda each: abs(synthetic.get(each, 0.0) - real[each]))
        gap = synthetic.get(name, 0.0) - real[name]
        if abs(gap) > 0.01:
            named, word = name, "too often" if gap > 0 else "too rarely"
            yield Finding(
                abs(gap), f"{name!r} comes {word} ({percent(synthetic.get(name, 0.0))} against {percent(real[name])})"
            )
    lost = [name for name in real if name not in synthetic and name != named]
    lost_share = sum(real[name] for name in lost)
    if lost_share > 0.01:
        yield Finding(
            lost_share, f"{len(lost):,} of {len(real):,} categories never come ({percent(lost_share)} of rows)"
        )
    invented = sum(share for name, share in synthetic.items() if name not in real)
    if invented > 0.001:
        yield Finding(invented, f"{percent(invented)} of rows hold a category that the real data does not have")


def _number_findings(view: ColumnView) -> Iterator[Finding]:
    real, synthetic = view.real.values, view.synthetic.values
    unit = "days" if view.kind == "date" else ""
    scale = 86_400_000_000 if view.kind == "date" else 1
    quartiles = np.quantile(real, [0.25, 0.5, 0.75])
    width = float(quartiles[2] - quartiles[0]) or float(real.std()) or 1.0
    shift = float(np.median(synthetic) - quartiles[1])
    if abs(shift) > 0.05 * width:
        word = "late" if view.kind == "date" else "high"
        word = word if shift > 0 else {"late": "early", "high": "low"}[word]
        size = min(1.0, 0.4 * abs(shift) / width)
        yield Finding(size, f"the middle lies {short(abs(shift) / scale)} {unit} too {word}".replace("  ", " "))
    spread = float(np.subtract(*np.quantile(synthetic, [0.75, 0.25])))
    ratio = spread / width
    if abs(ratio - 1) > 0.1:
        word = "wide" if ratio > 1 else "narrow"
        yield Finding(
            min(1.0, 0.3 * abs(ratio - 1)), f"the middle half is too {word} ({short(ratio, 2)} times the real)"
        )
    outside = float(np.mean((synthetic < real.min()) | (synthetic > real.max())))
    if outside > 0.001:
        yield Finding(outside, f"{percent(outside)} of values lie outside the real range")
    yield from _repeated(real, synthetic, view)


def _repeated(real: np.ndarray, synthetic: np.ndarray, view: ColumnView) -> Iterator[Finding]:
    """Yield a value that the real column repeats much more, or less, than the synthetic one."""
    values, counts = np.unique(real, return_counts=True)
    most = values[counts.argmax()]
    share = counts.max() / len(real)
    gap = float(np.mean(synthetic == most)) - share
    if counts.max() >= NAMED_ROWS and share > 0.02 and abs(gap) > 0.01 and view.kind != "date":
        word = "too often" if gap > 0 else "too rarely"
        yield Finding(
            abs(gap), f"the value {short(float(most))} comes {word} ({percent(share + gap)} against {percent(share)})"
        )
