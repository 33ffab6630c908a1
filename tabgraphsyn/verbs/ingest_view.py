"""How ``tabgraphsyn ingest`` shows what it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tabgraphsyn.verbs.console import output
from tabgraphsyn.verbs.ingest_write import Written


def show(written: Written, console: Console | None = None) -> None:
    """Print tables, relations and notes with the reason of each guess, and the next command."""
    console = console or output()
    for name, table in written.profile["tables"].items():
        console.print(_columns(name, table))
    if written.profile["relations"]:
        console.print(_relations(written.profile["relations"]))
    for note in written.profile["notes"]:
        console.print(f"[yellow]note[/yellow] {escape(note)}")
    console.print(f"metadata  {escape(str(written.metadata))}", soft_wrap=True)
    console.print(f"dataset   {escape(str(written.yaml))}", soft_wrap=True)
    if written.orphans:
        console.print("Foreign keys without a match become missing (orphans: null); the yaml can say error or drop.")
    console.print(f"Correct them if a guess is wrong, then: python -m tabgraphsyn.launch dataset={written.name}")


def _columns(name: str, table: Mapping[str, Any]) -> Table:
    key = table["primary_key"]
    shown = ", ".join(key["columns"]) or "none"
    view = Table(
        title=escape(f"{name}: {table['rows']:,} rows from {table['source']}"),
        caption=escape(f"primary key: {shown} ({key['reason']})"),
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("column", "type", "missing", "distinct", "from", "to", "why"):
        view.add_column(heading, overflow="fold", justify="right" if heading in ("missing", "distinct") else "left")
    for column, found in table["columns"].items():
        missing = f"{found['nulls'] / max(table['rows'], 1):.1%}" if found["nulls"] else ""
        why = "; ".join([found["reason"], *found["notes"]])
        bounds = ("" if found[end] is None else escape(str(found[end])) for end in ("minimum", "maximum"))
        view.add_row(escape(column), found["sdtype"], missing, f"{found['distinct']:,}", *bounds, escape(why))
    return view


def _relations(relations: list[Mapping[str, Any]]) -> Table:
    view = Table(title="foreign keys", title_justify="left")
    for heading in ("child", "parent", "missing", "children per parent", "without children", "why"):
        view.add_column(heading, overflow="fold")
    for relation in relations:
        view.add_row(
            escape(f"{relation['child_table']}.{'+'.join(relation['child_columns'])}"),
            escape(f"{relation['parent_table']}.{'+'.join(relation['parent_columns'])}"),
            f"{relation['null_share']:.1%}",
            f"{relation['children_mean']:.1f} (at most {relation['children_most']:,})",
            f"{relation['childless_share']:.1%}",
            escape(relation["reason"]),
        )
    return view
