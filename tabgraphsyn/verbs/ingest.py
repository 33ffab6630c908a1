"""``tabgraphsyn ingest``: profile a user's tables, write SDV metadata and a dataset yaml to edit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.verbs.ingest_write import parsed_settings, write_dataset


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
    all_null: Annotated[str, typer.Option(help="Columns without any value: error | drop.")] = "error",
    max_columns: Annotated[int, typer.Option(help="A wider table is refused.")] = 1000,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Any dataset.KEY that a message names: header=false, skip_rows.orders=2."
        ),
    ] = None,
) -> None:
    """Profile tables, guess types and keys with reasons, and write metadata.json and a dataset yaml."""
    options = {
        "orphans": orphans,
        "all_null": all_null,
        "max_columns": max_columns,
        "delimiter": delimiter,
        "encoding": encoding,
        **parsed_settings(settings or []),
    }
    written = write_dataset(source, name, out, options, overwrite=overwrite)
    from tabgraphsyn.verbs.ingest_view import show

    show(written)
