"""What a dataset yaml says about reading a database, checked."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tabgraphsyn.errors import ConfigError, listing, nearest, raise_collected

EMBEDDED_PREFIX = "embedded:"
EMBEDDED_FOLDER = Path(__file__).parent / "embedded"
ORPHAN_POLICIES = ("error", "null", "drop")
ALL_NULL_POLICIES = ("error", "drop")

# What pandas reads as missing by default, so that a table means the same here and there.
DEFAULT_NULL_VALUES = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip


@dataclass(frozen=True)
class RowLimit:
    """Keep ``rows`` rows of ``table`` and what hangs together with them."""

    table: str
    rows: int


@dataclass(frozen=True)
class DatasetOptions:
    """One dataset, as ``conf/dataset/<name>.yaml`` describes it.

    Attributes:
        path: a folder of tables, or one file; ``embedded:<name>`` is resolved to the packaged folder.
        name: what the dataset is called in listings.
        metadata: SDV metadata; None means ``<path>/metadata.json`` (``<stem>.metadata.json`` for a file) if it exists.
        orphans: what happens to foreign keys without a match: ``error``, ``null`` or ``drop``.
        all_null: what happens to columns without any value: ``error`` or ``drop``.
        tables: the tables to read, or None for all.
        limit: part of the database to keep, or None for all.
        max_columns: a wider table is refused.
        delimiter: of CSV files, or None to find it.
        encoding: of CSV files, or None for UTF-8 (a byte order mark of UTF-16 is heeded).
        null_values: what CSV and Excel cells write for a missing value.
    """

    path: Path
    name: str = "dataset"
    metadata: Path | None = None
    orphans: str = "error"
    all_null: str = "error"
    tables: tuple[str, ...] | None = None
    limit: RowLimit | None = None
    max_columns: int = 1000
    delimiter: str | None = None
    encoding: str | None = None
    null_values: tuple[str, ...] = DEFAULT_NULL_VALUES

    @property
    def folder(self) -> Path:
        """The data folder: nothing outside it is read."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def metadata_path(self) -> Path | None:
        """The metadata file to read, or None when there is none."""
        if self.metadata is not None:
            return self.metadata
        beside = default_metadata_path(self.path)
        return beside if beside.is_file() else None

    @staticmethod
    def from_mapping(dataset: Mapping[str, Any]) -> DatasetOptions:
        """Return the options that the plain values of a dataset yaml spell.

        Raises:
            ConfigError: unknown keys or values outside their rule, all of them at once.
        """
        problems = _unknown_keys(dataset)
        given = {key: value for key, value in dataset.items() if key in _KEYS}
        path = given.get("path")
        if not isinstance(path, (str, Path)) or not str(path) or str(path) == "???":
            problems.append(
                f"dataset.path: a folder or file of tables is needed, found {path!r}. Set dataset.path=<folder>."
            )
            path = "."
        problems += _choice(given, "orphans", ORPHAN_POLICIES) + _choice(given, "all_null", ALL_NULL_POLICIES)
        problems += _check_values(given)
        if not problems:
            problems += _check_embedded(str(path))
        raise_collected(ConfigError, problems)
        return _build(given, resolve_path(str(path)))


_KEYS = tuple(field.name for field in fields(DatasetOptions))


def default_metadata_path(path: Path) -> Path:
    """Return where the metadata of a data folder or file stands by default."""
    if path.is_dir():
        return path / "metadata.json"
    return path.with_name(f"{path.name.split('.')[0]}.metadata.json")


def resolve_path(path: str) -> Path:
    """Return the path that ``dataset.path`` means, ``embedded:`` and ``~`` resolved."""
    if path.startswith(EMBEDDED_PREFIX):
        return EMBEDDED_FOLDER / path.removeprefix(EMBEDDED_PREFIX)
    return Path(path).expanduser()


def _unknown_keys(dataset: Mapping[str, Any]) -> list[str]:
    return [
        f"dataset.{key}: no such key; a dataset has {', '.join(_KEYS)}.{nearest(str(key), _KEYS)}"
        for key in dataset
        if key not in _KEYS
    ]


def _check_embedded(path: str) -> list[str]:
    if not path.startswith(EMBEDDED_PREFIX):
        return []
    names = sorted(folder.name for folder in EMBEDDED_FOLDER.iterdir() if folder.is_dir())
    name = path.removeprefix(EMBEDDED_PREFIX)
    if name in names:
        return []
    return [f"dataset.path: no embedded data set {name!r}; there are {listing(names)}.{nearest(name, names)}"]


def _choice(given: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> list[str]:
    # yaml reads a bare ``null`` as None, and ``orphans: null`` is what the error message tells people to write.
    value = given.get(key, "error")
    if value in allowed or (value is None and "null" in allowed):
        return []
    return [f"dataset.{key}: one of {' | '.join(allowed)}, found {value!r}.{nearest(str(value), allowed)}"]


def _check_values(given: Mapping[str, Any]) -> list[str]:
    problems = []
    for key in ("tables", "null_values"):
        value = given.get(key)
        if value is not None and (isinstance(value, str) or not all(isinstance(item, str) for item in value)):
            problems.append(f"dataset.{key}: a list of strings or null, found {value!r}.")
    if given.get("tables") in ([], ()):
        problems.append("dataset.tables: at least one name, or null for all tables, found none.")
    limit = given.get("limit")
    if limit is not None and not _is_limit(limit):
        problems.append(f"dataset.limit: null or {{table: <name>, rows: <at least 2>}}, found {limit!r}.")
    max_columns = given.get("max_columns", 1)
    if isinstance(max_columns, bool) or not isinstance(max_columns, int) or max_columns < 1:
        problems.append(f"dataset.max_columns: a number above 0, found {max_columns!r}.")
    delimiter = given.get("delimiter")
    if delimiter is not None and not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter.isascii()):
        problems.append(f"dataset.delimiter: one ASCII character or null, found {delimiter!r}.")
    return problems + _check_encoding(given.get("encoding"))


def _is_limit(limit: Any) -> bool:
    if not isinstance(limit, Mapping) or set(limit) != {"table", "rows"}:
        return False
    rows = limit["rows"]
    return isinstance(limit["table"], str) and isinstance(rows, int) and not isinstance(rows, bool) and rows >= 2


def _check_encoding(encoding: Any) -> list[str]:
    if encoding is None:
        return []
    try:
        codecs.lookup(str(encoding))
    except LookupError:
        return [f"dataset.encoding: Python knows no encoding {encoding!r}. Common ones: utf-8, cp1252, utf-16."]
    return []


def _build(given: Mapping[str, Any], path: Path) -> DatasetOptions:
    limit = given.get("limit")
    tables, null_values, metadata = given.get("tables"), given.get("null_values"), given.get("metadata")
    return DatasetOptions(
        path=path,
        name=str(given.get("name") or path.name),
        metadata=None if metadata is None else resolve_path(str(metadata)),
        orphans="null" if given.get("orphans", "error") is None else given.get("orphans", "error"),
        all_null=given.get("all_null", "error"),
        tables=None if tables is None else tuple(tables),
        limit=None if limit is None else RowLimit(limit["table"], limit["rows"]),
        max_columns=given.get("max_columns", 1000),
        delimiter=given.get("delimiter"),
        encoding=given.get("encoding"),
        null_values=DEFAULT_NULL_VALUES if null_values is None else tuple(null_values),
    )
