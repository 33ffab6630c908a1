"""Stage ``ingest``: a user's tables, read, typed, checked. It runs inside ``launch``, before anything is queued.

On a cluster, large data are read by a job; what needs no rows is checked by the launch all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import file_sha256
from tabgraphsyn.data.options import BY_TABLE_KEYS, DatasetOptions
from tabgraphsyn.data.reading.suffixes import data_files
from tabgraphsyn.errors import DataError
from tabgraphsyn.stages.context import StageContext

VERSION = "4"
_BLOCK_BYTES = 1 << 20
QUICK = "quick-"
"""How a key begins that stands for files too large to be read on a login node."""
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
    """Return how large the files of a data set are, in MB.

    Raises:
        ConfigError, DataError: as ``content_key``.
    """
    return sum(file.stat().st_size for file in data_files(_existing(dataset).path)) / 1e6


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
    return _key(_existing(dataset), _file_hash)


def quick_key(dataset: Mapping[str, Any]) -> str:
    """Return what stands for the content of files that are too large to be read on a login node.

    Of each file: its size, when it was written and when that was last noted (whatever writes to a file changes the
    latter), and a hash of both ends. The same file gives the same key; a copy of it gives another.

    Raises:
        ConfigError, DataError: as ``content_key``.
    """
    return QUICK + _key(_existing(dataset), _file_marks)


def is_same_content(dataset: Mapping[str, Any], content: str) -> bool:
    """Return whether the files are those that ``content`` was made of, by either key.

    Raises:
        ConfigError, DataError: as ``content_key``.
    """
    return content == (quick_key(dataset) if content.startswith(QUICK) else content_key(dataset))


def _existing(dataset: Mapping[str, Any]) -> DatasetOptions:
    options = DatasetOptions.from_mapping(dataset)
    if not options.path.exists():
        raise DataError(
            f"dataset.path: {str(options.path)!r} does not exist (looked from {str(Path.cwd())!r}). "
            f"Set dataset.path to a folder of tables or to one file."
        )
    return options


def _key(options: DatasetOptions, of_file: Callable[[Path], object]) -> str:
    parts: dict[str, Any] = {
        "version": VERSION,
        "files": {file.name: of_file(file) for file in data_files(options.path)},
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


def _file_marks(path: Path) -> list[object]:
    try:
        with path.open("rb") as handle:
            found = os.fstat(handle.fileno())
            ends = handle.read(_BLOCK_BYTES)
            handle.seek(max(0, found.st_size - _BLOCK_BYTES))
            ends += handle.read(_BLOCK_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}. Check its permissions.") from error
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, hashlib.sha256(ends).hexdigest()]


def _file_hash(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}. Check its permissions.") from error
