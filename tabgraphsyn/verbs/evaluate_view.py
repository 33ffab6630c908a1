"""What ``tabgraphsyn evaluate`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tabgraphsyn.errors import listing
from tabgraphsyn.verbs.console import output

_STYLES = {"pass": "green", "fail": "bold red"}
_SHOWN_FINDINGS = 10


def show_gate(gate: Mapping[str, Any], console: Console) -> None:
    """Print what the privacy gate found, before anything about fidelity."""
    if gate["action"] == "off":
        return
    console.print(
        f"privacy gate: {gate['verdict']}: {gate['text']}",
        style=_STYLES.get(gate["verdict"], "yellow"),
        markup=False,
        soft_wrap=True,
    )
    loud = [check for check in gate["checks"] if check["verdict"] != "pass"]
    for check in loud[:_SHOWN_FINDINGS]:
        console.print(f"  {check['verdict']}: {check['where']}: {check['text']}", markup=False, soft_wrap=True)
    if len(loud) > _SHOWN_FINDINGS:
        console.print(f"  {len(loud) - _SHOWN_FINDINGS} more findings in the file")
    for table, text in gate["weak"].items():
        console.print(f"  {table}: {text}", markup=False, soft_wrap=True)
    for where, reason in gate["not_judged"].items():
        console.print(f"  not judged: {where}: {reason}", markup=False, soft_wrap=True)


def show_name(name: str) -> None:
    """Print which of several databases follows; nothing where there is one only."""
    if name:
        output().print(f"\n{name}", style="bold", markup=False, soft_wrap=True)


def show(rows: Sequence[tuple[str, str, Mapping[str, float]]], scored: Mapping[str, Any], path: Path) -> None:
    """Print the gate, then the scores of databases and tables beside their baselines, and what could not be scored."""
    console = output()
    show_gate(scored["gate"], console)
    for problem in scored["problems"]:
        console.print(f"synthetic: {problem}", style="yellow", markup=False, soft_wrap=True)
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
        console.print(f"not scored ({len(unscored)}), with reasons in the file: {places}", markup=False, soft_wrap=True)
    console.print(
        f"{path}: {len(scored['scores'])} scores in {scored['timing']['total_s']:.1f} s", markup=False, soft_wrap=True
    )
