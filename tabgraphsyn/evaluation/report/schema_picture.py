"""The schema as a picture: tables, row counts, keys, and children per parent on both sides."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tabgraphsyn.data.schema import Relation, Schema, TableSchema
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


@dataclass(frozen=True)
class DrawnKey:
    """A foreign key and how many children a parent has on average, real and synthetic; None where nobody counted."""

    relation: Relation
    real: float | None
    synthetic: float | None


def schema_picture(sources: ReportSources, views: Sequence[RelationView]) -> Markup:
    """Return the picture of the schema of one sweep point."""
    rows = {
        name: (sources.real[name].num_rows, sources.synthetic[name].num_rows) for name in sources.schema.table_names
    }
    return drawn_schema(
        sources.schema, rows, [DrawnKey(view.relation, view.real.mean, view.synthetic.mean) for view in views]
    )


def drawn_schema(schema: Schema, rows: Mapping[str, tuple[int, int]], views: Sequence[DrawnKey]) -> Markup:
    """Return the picture; parents stand left of their children, and each foreign key is a line into its row.

    Args:
        schema: tables and keys.
        rows: real and synthetic rows by table.
        views: every foreign key.
    """
    keys = {name: [view for view in views if view.relation.child_table == name] for name in schema.table_names}
    heights = {name: _HEAD + _ROW * len(found) + (8 if found else 0) for name, found in keys.items()}
    placement = place(heights, [(v.relation.parent_table, v.relation.child_table) for v in views], _GAP)
    layers = max(placement.layer.values()) + 1
    width = layers * (_BOX + _GUTTER) - _GUTTER + 2 * _MARGIN + 18
    height = placement.height + 2 * _MARGIN
    lines = Markup("").join(
        _line(view, index, placement, heights) for found in keys.values() for index, view in enumerate(found)
    )
    boxes = Markup("").join(
        _box(schema.table(name), rows[name], found, placement, heights[name]) for name, found in keys.items()
    )
    alt = f"Schema of {len(keys)} tables and {len(views)} foreign keys; the tables below hold the same numbers."
    return Markup(
        '<svg class="schema" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}" role="img" '
        'aria-label="{2}">'
        "{3}{4}</svg>"
    ).format(width, height, alt, lines, boxes)


def _left(placement: Placement, name: str) -> float:
    return _MARGIN + placement.layer[name] * (_BOX + _GUTTER)


def _box(
    table: TableSchema, rows: tuple[int, int], views: Sequence[DrawnKey], placement: Placement, height: float
) -> Markup:
    name = table.name
    left, top = _left(placement, name), _MARGIN + placement.top[name]
    key = ", ".join(table.primary_key) or "no primary key"
    foreign = Markup("").join(_key_row(view, index, left, top) for index, view in enumerate(views))
    rule = Markup('<path class="axis" d="M{} {}h{}"/>').format(left, top + _HEAD, _BOX) if views else Markup("")
    return Markup(
        '<g><rect class="box" x="{left}" y="{top}" width="{width}" height="{height}" rx="6"/>'
        '<text class="table" x="{text}" y="{line1}">{name}</text>'
        '<text class="rows" x="{right}" y="{line1}" text-anchor="end"><tspan class="ink-real">{real}</tspan>'
        '<tspan dx="6" class="ink-synthetic">{synthetic}</tspan></text>'
        '<text class="key" x="{text}" y="{line2}">{key}</text>'
        '<text class="key" x="{text}" y="{line3}">{columns}</text>{rule}{foreign}</g>'
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
        columns="1 column" if len(table.columns) == 1 else f"{len(table.columns)} columns",
        real=count(rows[0]),
        synthetic=count(rows[1]),
        rule=rule,
        foreign=foreign,
    )


def _key_row(view: DrawnKey, index: int, left: float, top: float) -> Markup:
    y = top + _HEAD + _ROW * index + 19
    return Markup(
        '<text class="foreign" x="{}" y="{y}">{}</text><text class="rows" x="{}" y="{y}" text-anchor="end">'
        '<tspan class="ink-real">{}</tspan><tspan dx="6" class="ink-synthetic">{}</tspan></text>'
    ).format(
        left + 12,
        _cut(f"{', '.join(view.relation.child_columns)} → {view.relation.parent_table}", 24),
        left + _BOX - 12,
        f"\N{MULTIPLICATION SIGN}{short(view.real)}",
        short(view.synthetic),
        y=y,
    )


def _line(view: DrawnKey, index: int, placement: Placement, heights: Mapping[str, float]) -> Markup:
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
