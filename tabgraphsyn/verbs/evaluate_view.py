"""What ``tabgraphsyn evaluate`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from tabgraphsyn.errors import listing
from tabgraphsyn.verbs.console import output


def show(rows: Sequence[tuple[str, str, Mapping[str, float]]], scored: Mapping[str, Any], path: Path) -> None:
    """Print the scores of databases and tables beside their baselines, and what could not be scored."""
    console = output()
    for problem in scored["problems"]:
        console.print(f"synthetic: {problem}", style="yellow", markup=False)
    table = Table("metric", "where", *scored["comparisons"])
    last = ""
    for title, where, values in rows:
        shown = [f"{values[name]:.3f}" if name in values else "-" for name in scored["comparisons"]]
        table.add_row("" if title == last else title, where, *shown)
        last = title
    console.print(table)
    unscored = [note for note in scored["unscored"] if note["comparison"] == "synthetic"]
    if unscored:
        places = listing(f"{note['metric']}: {note['where']}" for note in unscored)
        console.print(f"not scored ({len(unscored)}), with reasons in the file: {places}", markup=False)
    console.print(f"{path}: {len(scored['scores'])} scores in {scored['timing']['total_s']:.1f} s", markup=False)
