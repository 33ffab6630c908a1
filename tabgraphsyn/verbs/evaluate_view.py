"""What ``tabgraphsyn evaluate`` prints."""

from __future__ import annotations

from collections.abc import Mapping
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
    style = _STYLES.get(gate["verdict"], "yellow")
    _say(console, f"privacy gate: {gate['verdict']}: {gate['text']}", style)
    loud = [check for check in gate["checks"] if check["verdict"] != "pass"]
    for check in loud[:_SHOWN_FINDINGS]:
        _say(console, f"  {check['verdict']}: {check['where']}: {check['text']}")
    if len(loud) > _SHOWN_FINDINGS:
        console.print(f"  {len(loud) - _SHOWN_FINDINGS} more findings in the file")
    for table, text in gate["weak"].items():
        _say(console, f"  {table}: {text}")
    for where, reason in gate["not_judged"].items():
        if where not in gate["tables"]:
            _say(console, f"  not judged: {where}: {reason}")
    for table, found in gate["tables"].items():
        if found["verdict"] in ("not judged", "published by choice"):
            _say(console, f"  {found['verdict']}: {table}: {found['why']}")


def show_name(name: str) -> None:
    """Print which of several databases follows; nothing where there is one only."""
    if name:
        _say(output(), f"\n{name}", "bold")


def show(scored: Mapping[str, Any], path: Path) -> None:
    """Print the gate, then the scores of databases and tables beside their baselines, and what could not be scored."""
    show_scores(scored)
    _say(output(), f"{path}: {len(scored['scores'])} scores in {scored['timing']['total_s']:.1f} s")


def show_scores(scored: Mapping[str, Any]) -> None:
    """Print what ``show`` prints, of scores that stand in no file."""
    from tabgraphsyn.stages.outside_sweep import described_table

    console = output()
    show_gate(scored["gate"], console)
    for problem in scored["problems"]:
        _say(console, f"synthetic: {problem}", "yellow")
    table = Table("metric", "where", *scored["comparisons"])
    last = ""
    for title, where, values in described_table(scored):
        shown = [f"{values[name]:.3f}" if name in values else "-" for name in scored["comparisons"]]
        table.add_row("" if title == last else title, where, *shown)
        last = title
    console.print(table)
    unscored = [note for note in scored["unscored"] if note["comparison"] == "synthetic"]
    if unscored:
        places = listing(f"{note['metric']}: {note['where']}" for note in unscored)
        _say(console, f"not scored ({len(unscored)}), with reasons in the file: {places}")


def _say(console: Console, text: str, style: str | None = None) -> None:
    """Print a line as it is: nothing in it is markup, and a path is not broken."""
    console.print(text, style=style, markup=False, soft_wrap=True)
