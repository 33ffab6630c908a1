"""Small charts as inline SVG: they need no script, weigh a few kilobytes and take their colours from the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from tabgraphsyn.evaluation.report.wording import percent

WIDTH = 300
_LABEL = 104
_PITCH = 17


@dataclass(frozen=True)
class Bar:
    """One category: its name and the share of rows on each side."""

    name: str
    real: float
    synthetic: float


def histogram(real: np.ndarray, synthetic: np.ndarray, tips: Sequence[str], ticks: Sequence[str], alt: str) -> Markup:
    """Return real shares as filled bars and synthetic shares as a stepped line over the same bins.

    Shape:
        real, synthetic: (bins,), shares of rows. tips: (bins,), ticks: labels spread from left to right.
    """
    height, base = 118, 100
    top = max(float(real.max(initial=0)), float(synthetic.max(initial=0)), 1e-9)
    edges = np.linspace(0, WIDTH, len(real) + 1)
    levels = base - 92 * real / top
    bars = Markup("").join(
        Markup('<rect class="real" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            left + 0.4, level, right - left - 0.8, base - level
        )
        for left, right, level in zip(edges[:-1], edges[1:], levels, strict=True)
        if level < base
    )
    hits = Markup("").join(
        Markup('<rect class="hit" x="{:.1f}" y="0" width="{:.1f}" height="{}" data-tip="{}"/>').format(
            left, right - left, base, tip
        )
        for left, right, tip in zip(edges[:-1], edges[1:], tips, strict=True)
    )
    line = _steps(edges, base - 92 * synthetic / top, base)
    return _svg(height, alt, bars, line, _axis(base), _ticks(ticks, height - 4), hits)


def bars(rows: Sequence[Bar], alt: str) -> Markup:
    """Return a row per category: the real share above, the synthetic share below."""
    top = max((max(row.real, row.synthetic) for row in rows), default=0) or 1.0
    room = WIDTH - _LABEL - 44
    drawn = Markup("").join(
        Markup(
            '<g data-tip="{tip}"><rect class="hit" x="0" y="{y}" width="{width}" height="{pitch}"/>'
            '<text x="{label}" y="{text}" text-anchor="end">{name}</text>'
            '<rect class="real" x="{start}" y="{first}" width="{real:.1f}" height="5.5"/>'
            '<rect class="synthetic-bar" x="{start}" y="{second}" width="{synthetic:.1f}" height="5.5"/>'
            '<text class="value" x="{value:.1f}" y="{text}">{share}</text></g>'
        ).format(
            tip=f"{row.name}: real {percent(row.real)}, synthetic {percent(row.synthetic)}",
            y=index * _PITCH,
            width=WIDTH,
            pitch=_PITCH,
            label=_LABEL - 8,
            text=index * _PITCH + 12,
            name=_shortened(row.name),
            start=_LABEL,
            first=index * _PITCH + 2.5,
            second=index * _PITCH + 8.5,
            real=room * row.real / top,
            synthetic=room * row.synthetic / top,
            value=_LABEL + room * max(row.real, row.synthetic) / top + 5,
            share=percent(row.synthetic),
        )
        for index, row in enumerate(rows)
    )
    return _svg(max(1, len(rows)) * _PITCH, alt, drawn)


def _svg(height: int, alt: str, *content: Markup) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, height, alt, Markup("").join(content)
    )


def _steps(edges: np.ndarray, levels: np.ndarray, base: int) -> Markup:
    corners = np.repeat(np.round(levels, 1), 2)
    places = np.repeat(np.round(edges, 1), 2)[1:-1]
    path = " ".join(f"L{x:g} {y:g}" for x, y in zip(places, corners, strict=True))
    return Markup('<path class="synthetic-line" d="M0 {} {} L{} {}"/>').format(base, path, WIDTH, base)


def _axis(base: int) -> Markup:
    return Markup('<path class="axis" d="M0 {0}.5H{1}"/>').format(base, WIDTH)


def _ticks(labels: Sequence[str], y: int) -> Markup:
    last = max(1, len(labels) - 1)
    anchors = ["start", *["middle"] * (len(labels) - 2), "end"][: len(labels)]
    return Markup("").join(
        Markup('<text x="{:.0f}" y="{}" text-anchor="{}">{}</text>').format(WIDTH * i / last, y, anchor, label)
        for i, (label, anchor) in enumerate(zip(labels, anchors, strict=True))
    )


def _shortened(name: str) -> str:
    """Return as much of ``name`` as fits the label column; capitals and digits are wider."""
    room = float(_LABEL - 10)
    for index, letter in enumerate(name):
        room -= 7.3 if letter.isupper() or letter in "mw@%" or ord(letter) > 0x2E80 else 5.4
        if room < 0:
            return f"{name[: max(1, index - 1)]}…"
    return name
