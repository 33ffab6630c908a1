"""``tabgraphsyn reproduce``: compute a crate again, judge, and write the outcome into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabgraphsyn.errors import EXIT_INTERRUPTED, EXIT_STAGE

if TYPE_CHECKING:
    from tabgraphsyn.exports.outcomes import OutcomeForm

_REPRODUCED = Path("reproduced")


def reproduce(
    crate: Annotated[Path, typer.Argument(help="Folder or .zip that `tabgraphsyn export` wrote.")],
    claim: Annotated[
        str | None, typer.Option("--claim", help="Judge one claim of claims.csv, or those of one row or recipe.")
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option("--stage", help="Compute up to this stage: sample, absorbing/flights ... May be repeated."),
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="Where the real tables lie, if not embedded.")] = None,
    cluster: Annotated[str, typer.Option("--cluster", help="conf/cluster to run on.")] = "local",
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", help="Store of its own; default: reproduced/<name of the crate>.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="cluster.threads=2 and the like. May be repeated.")
    ] = None,
) -> None:
    """Compute a crate's stages again; exit code 3 if the result is another.

    On the same class of machine the bits must be equal; on another one the scores must lie in the stated intervals.
    `--stage sample` and `--stage evaluate` need no training: the crate holds what they read. The outcome becomes part
    of the crate. On Slurm it submits and leaves; give the same command again when the jobs are done.
    """
    from tabgraphsyn.exports.again import checked_overrides
    from tabgraphsyn.exports.archive import is_archive, opened_crate, pack
    from tabgraphsyn.exports.outcomes import add_outcome
    from tabgraphsyn.exports.reproduce import reproduce as computed

    path = crate.expanduser()
    store = (output_dir or _REPRODUCED / path.stem).expanduser().resolve()
    with opened_crate(path) as folder:
        outcome = computed(
            folder,
            claim=claim,
            stages=stage or [],
            data=data,
            output_dir=store,
            overrides=[f"cluster={cluster}", *checked_overrides(settings or [])],
        )
        _tell(outcome)
        if outcome.verdict == "not judged":
            raise typer.Exit(EXIT_INTERRUPTED)
        written = add_outcome(folder, outcome)
        if is_archive(path):
            pack(folder, path)
    print(f"{outcome.what}: {outcome.verdict}. The outcome is {written} of {path}")
    if outcome.verdict != "reproduced":
        raise typer.Exit(EXIT_STAGE)


def _tell(outcome: OutcomeForm) -> None:
    from tabgraphsyn.exports.findings import Finding

    for verdict, piece, text in outcome.findings:
        print(Finding(piece, verdict, text).line())  # type: ignore[arg-type]
