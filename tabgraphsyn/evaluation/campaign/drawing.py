"""The two figures of a campaign as SVG: scores by model with intervals, and privacy against fidelity.

Everything takes its colours from classes, so that a page themes it; ``standalone`` adds a light style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from tabgraphsyn.evaluation.campaign.axes import MARGIN, RIGHT, TOP, WIDTH, Axis, Panel, label, px, x_axis, y_axis
from tabgraphsyn.evaluation.campaign.summary import Baseline, DatasetSummary, Estimate, ModelSummary, ScoreColumn
from tabgraphsyn.evaluation.campaign.wording import better, column_name, estimate_text
from tabgraphsyn.evaluation.report.wording import score as score_text

_PITCH = 22
_LETTER = 5.9
_SQUARE = 300
_NAMES = {"real_real": "real against real", "independent": "independent columns", "copy": "a copy"}

STYLE = """
text { font: 11px Helvetica, Arial, sans-serif; fill: #333; }
.head { font-weight: bold; font-size: 12px; } .axis { stroke: #999; fill: none; } .grid { stroke: #e4e4e4; fill: none; }
.seed { fill: #d1600b; opacity: .35; } .mean { fill: #d1600b; } .interval { stroke: #d1600b; stroke-width: 2; }
.number { fill: #fff; font-size: 9px; font-weight: bold; }
.line-real_real { stroke: #2b6595; stroke-width: 1.6; } .line-independent { stroke: #777; stroke-dasharray: 5 3; }
.line-copy { stroke: #777; stroke-dasharray: 1.5 2.5; } .line-aim { stroke: #2b6595; stroke-dasharray: 5 3; }
.halo { paint-order: stroke; stroke: #fff; stroke-width: 4px; stroke-linejoin: round; }
.mark-real_real { fill: none; stroke: #2b6595; stroke-width: 1.8; }
.mark-independent, .mark-copy { fill: none; stroke: #555; stroke-width: 1.6; }
"""


def score_panel(data: DatasetSummary, column: ScoreColumn, label_width: float | None = None) -> Panel:
    """Return one score of every model: seeds as dots, mean and interval over seeds, baselines as lines."""
    models = [model for model in data.models if column.key in model.estimates]
    left = label_width if label_width is not None else label_room(data)
    axis = _axis([model.estimates[column.key] for model in models], _lines(data, column), left, WIDTH - RIGHT)
    base = TOP + _PITCH * len(models)
    rows = Markup("").join(
        _row(model, model.estimates[column.key], axis, TOP + _PITCH * i + _PITCH / 2) for i, model in enumerate(models)
    )
    lines = Markup("").join(_baseline(name, line, axis, base) for name, line in _lines(data, column).items())
    alt = f"{column_name(column)} by model: " + "; ".join(
        f"{model.name} {estimate_text(model, column.key)}" for model in models
    )
    return Panel(Markup("{}{}{}").format(x_axis(axis, base), lines, rows), WIDTH, base + 24, alt)


def label_room(data: DatasetSummary) -> float:
    """Return how much room the names of the models need, a third of the width at most."""
    return min(WIDTH * 0.36, 14 + _LETTER * max((len(model.name) for model in data.models), default=0))


def privacy_panel(data: DatasetSummary, fidelity: ScoreColumn, privacy: ScoreColumn) -> Panel:
    """Return every model as a numbered point: fidelity to the right, copying upwards; baselines as marks."""
    models = [m for m in data.models if {fidelity.key, privacy.key} <= set(m.estimates)]
    across, up = ([m.estimates[column.key] for m in models] for column in (fidelity, privacy))
    x_lines, y_lines = (_lines(data, column) for column in (fidelity, privacy))
    even = {"even": Baseline(privacy.aim, None, None)} if privacy.direction == "half" else {}
    x = _axis(across, x_lines, MARGIN, WIDTH - RIGHT)
    y = _axis(up, {**y_lines, **even}, _SQUARE, TOP)
    body = [x_axis(x, _SQUARE), y_axis(y), *_aims(x, y, x_lines.get("real_real"), even.get("even"))]
    body += [_mark(n, x, y, x_lines[n], y_lines[n]) for n in ("independent", "copy") if n in x_lines and n in y_lines]
    body += [_numbered(i, *pair, x, y) for i, pair in enumerate(zip(across, up, strict=True), 1)]
    body.append(label(f"{column_name(fidelity)} ({better(fidelity)})", (WIDTH + MARGIN) / 2, _SQUARE + 38, "middle"))
    body.append(
        Markup('<text transform="translate(11 {}) rotate(-90)" text-anchor="middle">{}</text>').format(
            px(_SQUARE / 2), f"{column_name(privacy)} (more is copying)"
        )
    )
    alt = f"{column_name(privacy)} against {column_name(fidelity)}: " + "; ".join(
        f"{number} {m.name}: {estimate_text(m, privacy.key)} and {estimate_text(m, fidelity.key)}"
        for number, m in enumerate(models, 1)
    )
    return Panel(Markup("").join(body), WIDTH, _SQUARE + 46, alt)


def standalone(panels: Sequence[tuple[str, Panel]], columns: int, legend: Sequence[str] = ()) -> str:
    """Return panels in a grid as one SVG document with its own style; ``legend`` lines stand below."""
    columns = min(columns, len(panels))
    height = max(panel.height for _, panel in panels) + 24
    rows = math.ceil(len(panels) / columns)
    width, total = columns * (WIDTH + 20), rows * height + 16 * len(legend) + (8 if legend else 0)
    body = Markup("").join(
        Markup(
            '<g transform="translate({} {})"><text class="head" x="4" y="14">{}</text>'
            '<g transform="translate(0 18)">{}</g></g>'
        ).format(px((i % columns) * (WIDTH + 20)), px((i // columns) * height), title, panel.body)
        for i, (title, panel) in enumerate(panels)
    )
    lines = Markup("").join(label(line, 4, rows * height + 14 + 16 * i, "start") for i, line in enumerate(legend))
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}"><style>{2}</style>'
            '<rect width="100%" height="100%" fill="#fff"/>{3}{4}</svg>\n'
        ).format(px(width), px(total), Markup(STYLE), body, lines)
    )


def _lines(data: DatasetSummary, column: ScoreColumn) -> dict[str, Baseline]:
    return dict(data.baselines.get(column.key, {}))


def _spans(found: Sequence[Estimate]) -> Iterator[float]:
    for each in found:
        yield from (value for value in (*each.values.values(), each.low, each.high) if value is not None)


def _axis(found: Sequence[Estimate], lines: dict[str, Baseline], start: float, end: float) -> Axis:
    """Return a scale of the models' values; baselines widen it fourfold at most, the rest is marked at the edge."""
    values = list(_spans(found))
    low, high = min(values), max(values)
    room = max(high - low, 0.02)
    for line in sorted((each.value for each in lines.values()), key=lambda value: max(low - value, value - high)):
        if max(high, line) - min(low, line) <= 4 * room:
            low, high = min(low, line), max(high, line)
    pad = max(high - low, 0.01) * 0.06
    return Axis(low - pad, high + pad, start, end)


def _row(model: ModelSummary, found: Estimate, axis: Axis, y: float) -> Markup:
    name = model.name
    fits = int((axis.start - 12) / _LETTER)
    dots = Markup("").join(
        Markup('<circle class="seed" cx="{}" cy="{}" r="3"/>').format(px(axis.at(value)), px(y))
        for value in found.values.values()
    )
    bar = Markup("")
    if found.low is not None and found.high is not None:
        bar = Markup('<path class="interval" d="M{} {}H{}"/>').format(
            px(axis.at(found.low)), px(y), px(axis.at(found.high))
        )
    return Markup(
        '<g data-tip="{}"><rect class="hit" x="0" y="{}" width="{}" height="{}"/>{}{}{}'
        '<circle class="mean" cx="{}" cy="{}" r="4.2"/></g>'
    ).format(
        f"{name}: {score_text(found.mean)} over {len(found.values)} {'seed' if len(found.values) == 1 else 'seeds'}",
        px(y - _PITCH / 2),
        WIDTH,
        _PITCH,
        label(name if len(name) <= fits else f"{name[: max(1, fits - 1)]}…", axis.start - 10, y + 4, "end"),
        dots,
        bar,
        px(axis.at(found.mean)),
        px(y),
    )


def _baseline(name: str, line: Baseline, axis: Axis, base: float) -> Markup:
    tip = f"{_NAMES[name]}: {score_text(line.value)}"
    if axis.holds(line.value):
        return Markup('<path class="line-{}" data-tip="{}" d="M{} {}V{}"/>').format(
            name, tip, px(axis.at(line.value)), px(TOP - 4), px(base)
        )
    to_left = line.value < axis.low
    place, tipped = (axis.start + 7, axis.start + 1) if to_left else (axis.end - 7, axis.end - 1)
    y = TOP - 4 + 8 * list(_NAMES).index(name)
    return Markup('<path class="mark-{}" data-tip="{}" d="M{} {}L{} {}L{} {}"/>').format(
        name, tip, px(place), px(y - 3.5), px(tipped), px(y), px(place), px(y + 3.5)
    )


def _aims(x: Axis, y: Axis, real: Baseline | None, even: Baseline | None) -> Iterator[Markup]:
    if even is not None and y.holds(even.value):
        yield Markup('<path class="line-aim" data-tip="even: no copying" d="M{} {}H{}"/>').format(
            px(x.start), px(y.at(even.value)), px(x.end)
        )
    if real is not None and x.holds(real.value):
        yield Markup('<path class="line-real_real" data-tip="{}" d="M{} {}V{}"/>').format(
            f"real against real: {score_text(real.value)}", px(x.at(real.value)), px(y.start), px(y.end)
        )


def _numbered(number: int, across: Estimate, up: Estimate, x: Axis, y: Axis) -> Markup:
    place = x.at(across.mean), y.at(up.mean)
    bars = Markup("")
    if across.low is not None and across.high is not None:
        bars += Markup('<path class="interval" d="M{} {}H{}"/>').format(
            px(x.at(across.low)), px(place[1]), px(x.at(across.high))
        )
    if up.low is not None and up.high is not None:
        bars += Markup('<path class="interval" d="M{} {}V{}"/>').format(
            px(place[0]), px(y.at(up.low)), px(y.at(up.high))
        )
    return Markup(
        '{}<circle class="mean" cx="{}" cy="{}" r="7.5"/>'
        '<text class="number" x="{}" y="{}" text-anchor="middle">{}</text>'
    ).format(bars, px(place[0]), px(place[1]), px(place[0]), px(place[1] + 3.3), number)


def _mark(name: str, x: Axis, y: Axis, across: Baseline, up: Baseline) -> Markup:
    """Return a baseline as a mark with its name; one beyond a scale stands at the edge and says its values."""
    at_x, at_y = x.at(across.value), y.at(up.value)
    shape = "M{0} {1}V{2}" if name == "independent" else "M{3} {1}L{4} {2}M{3} {2}L{4} {1}"
    path = shape.format(px(at_x), px(at_y - 6), px(at_y + 6), px(at_x - 5), px(at_x + 5))
    is_left = at_x < WIDTH * 0.6
    beyond = not (x.holds(across.value) and y.holds(up.value))
    words = f"{_NAMES[name]}{f' (at {score_text(across.value)}, {score_text(up.value)})' if beyond else ''}"
    return Markup('<g data-tip="{}"><path class="mark-{}" d="{}"/>{}</g>').format(
        f"{_NAMES[name]}: {score_text(across.value)}, {score_text(up.value)}",
        name,
        path,
        label(words, at_x + (9 if is_left else -9), at_y + 4, "start" if is_left else "end", "halo"),
    )
