"""Stage ``ingest``: a user's tables, read, typed, checked. It runs inside ``launch``, before anything is queued.

On a cluster, large data are read by a job; what needs no rows is checked by the launch all the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import file_sha256
from tabgraphsyn.data.options import BY_TABLE_KEYS, DatasetOptions
from tabgraphsyn.data.reading.suffixes import data_files
from tabgraphsyn.errors import DataError
from tabgraphsyn.stages.context import StageContext

VERSION = "3"
_OPTIONS = (
    "orphans",
    "all_null",
    "tables",
    "delimiter",
    "encoding",
    "null_values",
    "rules",
    "formats",
    "keys",
    *BY_TABLE_KEYS,
)


def run(context: StageContext) -> None:
    """Write ``schema.json``, ``metadata.json``, ``profile.json`` and ``tables/<t>.parquet``.

    Raises:
        ConfigError: the dataset yaml breaks a rule.
        DataError: the tables or the metadata break a rule; nothing is written then.
    """
    # Imported here so that asking for the content key alone loads no reader.
    from tabgraphsyn.data.ingest.ingestion import ingest_database

    profile = ingest_database(DatasetOptions.from_mapping(context.config["dataset"]), context.artifacts)
    for name, table in profile["tables"].items():
        context.log.info("%s: %d rows, %d columns", name, table["rows"], len(table["columns"]))
    for note in profile["notes"]:
        context.log.info("note: %s", note)


def data_mb(dataset: Mapping[str, Any]) -> float:
    """Return how large the files of a data set are, in MB."""
    return sum(file.stat().st_size for file in data_files(DatasetOptions.from_mapping(dataset).path)) / 1e6


def table_names(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the tables without reading a row.

    Raises:
        DataError: what is wrong with files, heads and metadata.
    """
    from tabgraphsyn.data.ingest.read import tables_of

    return tables_of(DatasetOptions.from_mapping(dataset))


def with_absolute_path(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return a data set's yaml for another process, in whatever folder that is started."""
    options = DatasetOptions.from_mapping(dataset)
    return {**dataset, "path": str(options.path.absolute())}


def content_key(dataset: Mapping[str, Any]) -> str:
    """Return a hash of everything that the stage's result depends on: file contents and reading options.

    Where the files lie, what the dataset is called and the limits of reading are no part of it.

    Raises:
        ConfigError: the dataset yaml breaks a rule.
        DataError: the files do not exist or cannot be read.
    """
    options = DatasetOptions.from_mapping(dataset)
    if not options.path.exists():
        raise DataError(
            f"dataset.path: {str(options.path)!r} does not exist (looked from {str(Path.cwd())!r}). "
            f"Set dataset.path to a folder of tables or to one file."
        )
    parts: dict[str, Any] = {
        "version": VERSION,
        "files": {file.name: _file_hash(file) for file in data_files(options.path)},
        "metadata": _metadata_hash(options),
        "options": {key: getattr(options, key) for key in _OPTIONS},
        "reference": dict(sorted(options.reference.items())),
        "limit": None if options.limit is None else [options.limit.table, options.limit.rows],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _metadata_hash(options: DatasetOptions) -> str | None:
    path = options.metadata_path
    if path is None:
        return None
    if not path.is_file():
        raise DataError(f"dataset.metadata: no file {str(path)!r}. Correct it, or set it to null to infer one.")
    return _file_hash(path)


def _file_hash(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}. Check its permissions.") from error
