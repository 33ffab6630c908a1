"""What both figures of a campaign are drawn with: scales, axes, text and panels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

WIDTH = 360
TOP = 10
RIGHT = 12
MARGIN = 46


@dataclass(frozen=True)
class Panel:
    """A drawing and its size."""

    body: Markup
    width: float
    height: float
    alt: str

    def svg(self) -> Markup:
        """Return the drawing as an element of a page."""
        return Markup('<svg class="panel-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
            px(self.width), px(self.height), self.alt, self.body
        )


@dataclass(frozen=True)
class Axis:
    """A linear scale from values to places."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the place of a value; what lies outside is put on the edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Return whether a value lies on the scale."""
        return self.low <= value <= self.high

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values on the scale.

        >>> [round(tick, 3) for tick in Axis(0.91, 0.99, 0, 100).ticks()]
        [0.92, 0.94, 0.96, 0.98]
        """
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [step * i for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def x_axis(axis: Axis, base: float) -> Markup:
    """Return ticks, their grid and the line of a horizontal axis at height ``base``."""
    ticks = Markup("").join(
        Markup('<path class="grid" d="M{0} {1}V{2}"/>{3}').format(
            px(axis.at(tick)), px(TOP - 4), px(base), label(_tick(tick), axis.at(tick), base + 16, "middle")
        )
        for tick in axis.ticks()
    )
    return Markup('{}<path class="axis" d="M{} {}H{}"/>').format(ticks, px(axis.start), px(base), px(axis.end))


def y_axis(axis: Axis) -> Markup:
    """Return ticks, their grid and the line of a vertical axis at the left margin."""
    ticks = Markup("").join(
        Markup('<path class="grid" d="M{} {}H{}"/>{}').format(
            MARGIN, px(axis.at(tick)), WIDTH - RIGHT, label(_tick(tick), MARGIN - 6, axis.at(tick) + 4, "end")
        )
        for tick in axis.ticks()
    )
    return Markup('{}<path class="axis" d="M{} {}V{}"/>').format(ticks, MARGIN, px(axis.start), px(axis.end))


def label(text: str, x: float, y: float, anchor: str, kind: str = "") -> Markup:
    """Return a line of text; ``halo`` as its kind keeps it readable over lines."""
    named = Markup(' class="{}"').format(kind) if kind else Markup("")
    return Markup('<text{} x="{}" y="{}" text-anchor="{}">{}</text>').format(named, px(x), px(y), anchor, text)


def _tick(value: float) -> str:
    text = f"{abs(value):.4f}".rstrip("0").rstrip(".").removeprefix("0") or "0"
    return f"\N{MINUS SIGN}{text}" if value < -1e-9 and text != "0" else text


def px(value: float) -> str:
    """Return a place to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")
