"""``tabgraphsyn ingest``: profile a user's tables, write SDV metadata and a dataset yaml to edit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.orchestration.slurm.step_job import is_login_node, memory_gb, run_step, step_command
from tabgraphsyn.verbs.ingest_write import check_heads, checked_places, large_mb, parsed_settings, write_dataset
from tabgraphsyn.verbs.site_cluster import site_config


def ingest(
    source: Annotated[
        Path, typer.Argument(help="A folder of tables or one file: CSV, parquet, Excel, SQLite, DuckDB.")
    ],
    name: Annotated[
        str | None, typer.Option(help="What the dataset is called; default: the name of the source.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for metadata.json; default: beside the data, if that can be written.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Infer anew and replace a metadata.json and yaml that exist.")
    ] = False,
    delimiter: Annotated[str | None, typer.Option(help="Of CSV files; default: found.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of CSV files; default: UTF-8.")] = None,
    orphans: Annotated[
        str | None, typer.Option(help="Foreign keys without a match: error | null | drop; default: counted and shown.")
    ] = None,
    all_null: Annotated[str, typer.Option(help="Columns without any value: error | drop | keep.")] = "error",
    max_columns: Annotated[int, typer.Option(help="A wider table is refused.")] = 1000,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Any dataset.KEY that a message names: header=false, skip_rows.orders=2."
        ),
    ] = None,
    here: Annotated[
        bool,
        typer.Option("--here", help="Read the data in this process, however large they are."),
    ] = False,
    site: Annotated[
        str | None, typer.Option("--site", help="conf/cluster/<site>.yaml: where a job reads large data (20 MB).")
    ] = None,
    mem_gb: Annotated[float | None, typer.Option(help="Memory of that job; default: by the size of the data.")] = None,
) -> None:
    """Profile tables, guess types and keys with reasons, and write metadata.json and a dataset yaml.

    Where Slurm is at hand, data above 20 MB (or what the site's policy says) are read by a job.
    """
    options = {
        "orphans": orphans,
        "all_null": all_null,
        "max_columns": max_columns,
        "delimiter": delimiter,
        "encoding": encoding,
        **parsed_settings(settings or []),
    }
    if not here and is_login_node() and (size_mb := large_mb(source, site)):
        checked_places(source, name, out, overwrite=overwrite)
        check_heads(source, options)
        raise typer.Exit(_in_a_job(sys.argv[1:], site, size_mb, mem_gb))
    written = write_dataset(source, name, out, options, overwrite=overwrite)
    from tabgraphsyn.verbs.ingest_view import show

    show(written)


def _in_a_job(typed: list[str], site: str | None, size_mb: float, mem_gb: float | None) -> int:
    """Run what was typed in a job, and return its exit code."""
    config = site_config(site)
    wanted = config["resources"]["ingest"]
    memory = mem_gb or memory_gb(size_mb, float(wanted.get("mem_gb", 4)))
    command = step_command(
        "tgs-ingest", [*typed, "--here"], config["cluster"], mem_gb=memory, minutes=int(wanted.get("timeout_min", 60))
    )
    print(
        f"{size_mb:,.0f} MB: read by a job of {memory:g} GB, names and heads are checked; "
        "--here reads them in this process",
        file=sys.stderr,
    )
    return run_step(command)
