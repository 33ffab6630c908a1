"""``tabgraphsyn evaluate``: score the tables of any generator by the metrics of a sweep point."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.errors import ConfigError, StageError, raise_collected


def evaluate(
    real: Annotated[Path, typer.Option(help="Folder (or file) of the real tables that the generator was trained on.")],
    synthetic: Annotated[Path, typer.Option(help="Folder (or file) of the tables that it made.")],
    metadata: Annotated[
        Path | None, typer.Option(help="SDV metadata of both; default: metadata.json beside the real tables.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for metrics.json.")] = Path("evaluation"),
    holdout: Annotated[
        Path | None,
        typer.Option(help="Folder of real tables that the generator did not see; copying is judged by them."),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="quick | default | fidelity | privacy | syntherela | grdm | full.")
    ] = "default",
    override: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: --set evaluation.seed=1. May be repeated.")
    ] = None,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 takes one per core.", min=0)] = 0,
) -> None:
    """Score synthetic tables of any generator against the real ones: privacy first, then fidelity.

    With --set evaluation.gate.action=fail the command ends with exit code 3 when copying is found; scores are written.
    """
    # Imported here: a command line that only shows its help must not load pandas and XGBoost.
    from tabgraphsyn.data.options import default_metadata_path
    from tabgraphsyn.stages.protocol import described_table, evaluate_folders
    from tabgraphsyn.verbs.evaluate_view import show

    given = {"--real": real, "--synthetic": synthetic, "--holdout": holdout}
    missing = [f"{option}: there is no {str(path)!r}." for option, path in given.items() if path and not path.exists()]
    raise_collected(ConfigError, missing)
    beside = default_metadata_path(real)
    if metadata is None and not beside.is_file():
        raise ConfigError(
            f"{beside}: both sides are read by one metadata file, found none. "
            f"Write it with `tabgraphsyn ingest {real}`, or name another one: --metadata FILE."
        )
    scored = evaluate_folders(
        real=real,
        synthetic=synthetic,
        metadata=metadata or beside,
        out=out,
        holdout=holdout,
        protocol=protocol,
        overrides=tuple(override or ()),
        threads=threads or len(os.sched_getaffinity(0)),
    )
    path = out / "metrics.json"
    show(described_table(scored), scored, path)
    gate = scored["gate"]
    if gate["verdict"] == "fail" and gate["action"] == "fail":
        raise StageError(f"evaluation.gate.action=fail and the privacy gate fails: {gate['text']}. All scores: {path}")
