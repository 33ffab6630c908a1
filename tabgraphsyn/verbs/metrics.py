"""``tabgraphsyn metrics``: what each metric measures and how to read it."""

from __future__ import annotations

from typing import Annotated

import typer

from tabgraphsyn.errors import ConfigError, listing, nearest
from tabgraphsyn.verbs.console import output


def metrics(
    name: Annotated[str | None, typer.Argument(help="One metric; default: all of them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
) -> None:
    """List the metrics: what each measures, its range and direction, how to read it, and its source."""
    # Imported here: a command line that only shows its help must not load pandas and XGBoost.
    import json

    from tabgraphsyn.evaluation.run import described
    from tabgraphsyn.stages.outside_sweep import all_metrics

    known = {key: described(metric) for key, metric in all_metrics().items()}
    if name is not None and name not in known:
        raise ConfigError(f"metrics: one of {listing(known, 50)} expected, found {name!r}.{nearest(name, known)}")
    chosen = [text for key, text in known.items() if name in (None, key)]
    if as_json:
        typer.echo(json.dumps(chosen, indent=2, ensure_ascii=False))
        return
    console = output()
    words = {"higher": "higher is better", "lower": "lower is better", "half": "0.5 is ideal"}
    for text in chosen:
        group = "privacy" if text["privacy"] else "fidelity"
        console.print(f"\n{text['name']}  {text['title']} ({group})", style="bold", markup=False)
        console.print(f"  {text['measures']}", markup=False)
        console.print(f"  {text['range']}; {words[text['direction']]}. {text['reading']}", markup=False)
        console.print(f"  Source: {text['source']}", markup=False)
