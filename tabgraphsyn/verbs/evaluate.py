"""``tabgraphsyn evaluate``: score the tables of any generator by the metrics of a sweep point."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.errors import ConfigError, StageError, raise_collected


def evaluate(
    synthetic: Annotated[
        Path,
        typer.Option(
            help="Folder (or file) of the tables that it made, or a folder of SyntheRela's layout: all its samples."
        ),
    ],
    real: Annotated[
        Path | None,
        typer.Option(
            help="Folder (or file) of the real tables that the generator was trained on; in SyntheRela's layout they "
            "are found beside the synthetic ones."
        ),
    ] = None,
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
    from tabgraphsyn.orchestration.computing.compute import cpu_count, settle_threads

    threads = threads or cpu_count()
    settle_threads(threads)
    # Imported here: a command line that only shows its help must not load pandas and XGBoost.
    from tabgraphsyn.config.checks import protocol_problems
    from tabgraphsyn.stages.outside_sweep import composed_protocol, evaluate_folders
    from tabgraphsyn.verbs.evaluate_progress import progress_bar
    from tabgraphsyn.verbs.evaluate_sources import sources
    from tabgraphsyn.verbs.evaluate_view import show, show_name

    if holdout is not None and not holdout.exists():
        raise ConfigError(f"--holdout: there is no {str(holdout)!r}.")
    overrides = tuple(override or ())
    added = [text.lstrip("+").partition("=")[0] for text in overrides if text.startswith("+")]
    raise_collected(ConfigError, protocol_problems(composed_protocol(protocol, overrides), added))
    failed = []
    for source in sources(real, synthetic, metadata, out):
        with progress_bar(source.name) as begins:
            scored = evaluate_folders(
                real=source.real,
                synthetic=source.synthetic,
                metadata=source.metadata,
                out=source.out,
                holdout=holdout,
                protocol=protocol,
                overrides=overrides,
                threads=threads,
                begins=begins,
            )
        path = source.out / "metrics.json"
        show_name(source.name)
        show(scored, path)
        gate = scored["gate"]
        if gate["verdict"] == "fail" and gate["action"] == "fail":
            failed.append(f"evaluation.gate.action=fail and the privacy gate fails: {gate['text']}. All scores: {path}")
    raise_collected(StageError, failed)
