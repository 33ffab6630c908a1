"""The schema as a picture: tables, row counts, keys, and children per parent on both sides."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from tabgraphsyn.evaluation.report.relations import RelationView
from tabgraphsyn.evaluation.report.schema_layout import Placement, place
from tabgraphsyn.evaluation.report.sources import ReportSources
from tabgraphsyn.evaluation.report.wording import count, short

_BOX = 236
_GUTTER = 84
_HEAD = 62
_ROW = 22
_GAP = 26
_MARGIN = 8


def schema_picture(sources: ReportSources, views: Sequence[RelationView]) -> Markup:
    """Return the picture; parents stand left of their children, and each foreign key is a line into its row."""
    keys = {name: [view for view in views if view.relation.child_table == name] for name in sources.schema.table_names}
    heights = {name: _HEAD + _ROW * len(found) + (8 if found else 0) for name, found in keys.items()}
    placement = place(heights, [(v.relation.parent_table, v.relation.child_table) for v in views], _GAP)
    layers = max(placement.layer.values()) + 1
    width = layers * (_BOX + _GUTTER) - _GUTTER + 2 * _MARGIN + 18
    height = placement.height + 2 * _MARGIN
    lines = Markup("").join(
        _line(view, index, placement, heights) for found in keys.values() for index, view in enumerate(found)
    )
    boxes = Markup("").join(_box(sources, name, found, placement, heights[name]) for name, found in keys.items())
    alt = f"Schema of {len(keys)} tables and {len(views)} foreign keys; the tables below hold the same numbers."
    return Markup(
        '<svg class="schema" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}" role="img" '
        'aria-label="{2}">'
        "{3}{4}</svg>"
    ).format(width, height, alt, lines, boxes)


def _left(placement: Placement, name: str) -> float:
    return _MARGIN + placement.layer[name] * (_BOX + _GUTTER)


def _box(
    sources: ReportSources, name: str, views: Sequence[RelationView], placement: Placement, height: float
) -> Markup:
    left, top = _left(placement, name), _MARGIN + placement.top[name]
    table = sources.schema.table(name)
    key = ", ".join(table.primary_key) or "no primary key"
    rows = Markup("").join(_key_row(view, index, left, top) for index, view in enumerate(views))
    rule = Markup('<path class="axis" d="M{} {}h{}"/>').format(left, top + _HEAD, _BOX) if views else Markup("")
    return Markup(
        '<g><rect class="box" x="{left}" y="{top}" width="{width}" height="{height}" rx="6"/>'
        '<text class="table" x="{text}" y="{line1}">{name}</text>'
        '<text class="rows" x="{right}" y="{line1}" text-anchor="end"><tspan class="ink-real">{real}</tspan>'
        '<tspan dx="6" class="ink-synthetic">{synthetic}</tspan></text>'
        '<text class="key" x="{text}" y="{line2}">{key}</text>'
        '<text class="key" x="{text}" y="{line3}">{columns} columns</text>{rule}{rows}</g>'
    ).format(
        left=left,
        top=top,
        width=_BOX,
        height=height,
        text=left + 12,
        right=left + _BOX - 12,
        line1=top + 21,
        line2=top + 38,
        line3=top + 53,
        name=_cut(name, 18),
        key=_cut(f"key: {key}" if table.primary_key else key, 36),
        columns=len(table.columns),
        real=count(sources.real[name].num_rows),
        synthetic=count(sources.synthetic[name].num_rows),
        rule=rule,
        rows=rows,
    )


def _key_row(view: RelationView, index: int, left: float, top: float) -> Markup:
    y = top + _HEAD + _ROW * index + 19
    return Markup(
        '<text class="foreign" x="{}" y="{y}">{}</text><text class="rows" x="{}" y="{y}" text-anchor="end">'
        '<tspan class="ink-real">{}</tspan><tspan dx="6" class="ink-synthetic">{}</tspan></text>'
    ).format(
        left + 12,
        _cut(f"{view.columns} → {view.relation.parent_table}", 24),
        left + _BOX - 12,
        f"\N{MULTIPLICATION SIGN}{short(view.real.mean)}",
        short(view.synthetic.mean),
        y=y,
    )


def _line(view: RelationView, index: int, placement: Placement, heights: Mapping[str, float]) -> Markup:
    parent, child = view.relation.parent_table, view.relation.child_table
    end = (_left(placement, child), _MARGIN + placement.top[child] + _HEAD + _ROW * index + 15)
    start = (_left(placement, parent) + _BOX, _MARGIN + placement.top[parent] + min(30.0, heights[parent] / 2))
    dot = Markup('<circle class="port" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(*end)
    if placement.layer[parent] >= placement.layer[child]:
        return _loop(start, (end[0] + _BOX, end[1]))
    way = [
        (_left(placement, node) + side * _BOX, _MARGIN + placement.top[node])
        for node in placement.chains.get((parent, child), ())
        for side in (0, 1)
    ]
    return Markup('<path class="edge" d="{}"/>{}').format(_curve([start, *way, end]), dot)


def _loop(start: tuple[float, float], end: tuple[float, float]) -> Markup:
    """Return a key that refers to its own table, or back to the right, as a bow on the right."""
    bow = max(start[0], end[0]) + 22
    path = f"M{start[0]:.1f} {start[1]:.1f}C{bow:.1f} {start[1]:.1f} {bow:.1f} {end[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
    return Markup('<path class="edge" d="{}"/><circle class="port" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(path, *end)


def _curve(points: Sequence[tuple[float, float]]) -> str:
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        middle = (x0 + x1) / 2
        path += f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    return path


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
