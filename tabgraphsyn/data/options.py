"""What a dataset yaml says about reading a database, checked."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabgraphsyn.errors import ConfigError, listing, nearest, raise_collected

if TYPE_CHECKING:
    from tabgraphsyn.data.read_limits import ReadLimits

EMBEDDED_PREFIX = "embedded:"
EMBEDDED_FOLDER = Path(__file__).parent / "embedded"
ORPHAN_POLICIES = ("error", "null", "drop")
ALL_NULL_POLICIES = ("error", "drop", "keep")

# What is read is the same under any limit, so they are no part of a result's identity.
LIMIT_KEYS = ("max_columns", "max_cells", "max_value_length", "max_expansion", "max_table_gb", "max_metadata_mb")
# Python calls them encodings of text; none of them is one that a file of rows is written in.
_NO_FILE_ENCODINGS = ("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem")
BY_TABLE_KEYS = ("skip_rows", "header", "skip_after_header", "skip_footer", "comment")

_RULE_EXAMPLE = "{kind: order, table: visits, columns: [start, end]}"

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
        all_null: what happens to columns without any value: ``error``, ``drop``, or ``keep`` them empty.
        tables: the tables to read, or None for all.
        limit: part of the database to keep, or None for all.
        max_columns: a wider table is refused.
        max_cells: a table with more cells is refused.
        max_value_length: a value with more letters is refused.
        max_expansion: a file that holds more bytes of values than so many times its own is refused (64 MB are free).
        max_table_gb: a table of more gigabytes is refused.
        max_metadata_mb: a larger metadata file is refused.
        skip_rows: CSV and Excel: lines before the names; None to find them. This and the next four hold for every
            table, or are a mapping from tables to values.
        header: whether the first line holds names; None to find out. Without names columns are column_1, ...
        skip_after_header: lines under the names that are no rows (units); None to find out.
        skip_footer: lines at the end that are no rows (totals); None to find out.
        comment: CSV: lines that start with it are no rows.
        delimiter: of CSV files, or None to find it.
        encoding: of CSV files, or None for UTF-8 (a byte order mark of UTF-16 is heeded).
        formats: how columns are written, by ``table.column``, where their values leave it open: a datetime pattern, a
            number as an example (``1.234,5``), or ``text``.
        keys: foreign keys by ``table.column`` of the child: ``table.column`` of the parent, None where there is none.
        null_values: what CSV and Excel cells write for a missing value.
        reference: table -> whether its real rows may be published; tables that are not named go by the metadata.
        rules: what holds in every row, as plain mappings (docs/rules.md); None for what is found alone.
    """

    path: Path
    name: str = "dataset"
    metadata: Path | None = None
    orphans: str = "error"
    all_null: str = "error"
    tables: tuple[str, ...] | None = None
    limit: RowLimit | None = None
    max_columns: int = 1000
    max_cells: int = 5_000_000_000
    max_value_length: int = 1_000_000
    max_expansion: float = 50.0
    max_table_gb: float = 200.0
    max_metadata_mb: float = 16.0
    skip_rows: int | Mapping[str, int] | None = None
    header: bool | Mapping[str, bool] | None = None
    skip_after_header: int | Mapping[str, int] | None = None
    skip_footer: int | Mapping[str, int] | None = None
    comment: str | Mapping[str, str] | None = None
    delimiter: str | None = None
    encoding: str | None = None
    null_values: tuple[str, ...] = DEFAULT_NULL_VALUES
    formats: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str | None] = field(default_factory=dict)
    reference: Mapping[str, bool] = field(default_factory=dict)
    rules: tuple[Mapping[str, Any], ...] | None = None

    @property
    def folder(self) -> Path:
        """The data folder: nothing outside it is read."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def limits(self) -> ReadLimits:
        """What one table may hold."""
        # Imported here: asking for a dataset's name must not load arrow.
        from tabgraphsyn.data.read_limits import ReadLimits

        return ReadLimits(
            self.max_columns, self.max_cells, self.max_value_length, self.max_expansion, self.max_table_gb
        )

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
        given = {key: value for key, value in given.items() if value is not None or key not in LIMIT_KEYS}
        path = given.get("path")
        if not isinstance(path, (str, Path)) or not str(path) or str(path) == "???":
            problems.append(
                f"dataset.path: a folder or file of tables is needed, found {path!r}. Set dataset.path=<folder>."
            )
            path = "."
        problems += _choice(given, "orphans", ORPHAN_POLICIES) + _choice(given, "all_null", ALL_NULL_POLICIES)
        problems += _check_values(given)
        if not problems:
            problems += _check_embedded(str(path)) or _check_kind(str(path))
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


def _check_kind(path: str) -> list[str]:
    """Return what is wrong with a path that no folder or file can have, or that is a device or a pipe."""
    try:
        found = resolve_path(path)
        is_odd = found.exists() and not (found.is_dir() or found.is_file())
        found.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        return [f"dataset.path: {listing([path])}: {why}. Set dataset.path to a folder of tables or to one file."]
    return [f"dataset.path: {path!r} is neither a folder nor a file. Copy the data into a file."] if is_odd else []


def _choice(given: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> list[str]:
    # yaml reads a bare ``null`` as None, and ``orphans: null`` is what the error message tells people to write.
    value = given.get(key, "error")
    if (isinstance(value, str) and value in allowed) or (value is None and "null" in allowed):
        return []
    return [f"dataset.{key}: one of {' | '.join(allowed)}, found {value!r}.{nearest(str(value), allowed)}"]


def _check_values(given: Mapping[str, Any]) -> list[str]:
    problems = []
    rules = given.get("rules")
    is_list = isinstance(rules, Sequence) and not isinstance(rules, str)
    if rules is not None and not (is_list and all(isinstance(one, Mapping) for one in rules)):
        problems.append(f"dataset.rules: a list of rules such as {_RULE_EXAMPLE}, or null; found {rules!r}.")
    for key in ("tables", "null_values"):
        value = given.get(key)
        if value is not None and not (isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)):
            problems.append(f"dataset.{key}: a list of strings or null, found {value!r}.")
    problems += _check_reference(given.get("reference"))
    if given.get("tables") in ([], ()):
        problems.append("dataset.tables: at least one name, or null for all tables, found none.")
    formats = given.get("formats")
    if formats is not None and not (isinstance(formats, Mapping) and all(isinstance(x, str) for x in formats.values())):
        problems.append(
            f"dataset.formats: null or {{<table>.<column>: <format>}}, a format being 'text', a pattern such as "
            f"'%d/%m/%Y' or a number such as '1.234,56'; found {formats!r}."
        )
    keys = given.get("keys")
    if keys is not None and not (isinstance(keys, Mapping) and all(_is_place(x) for x in keys.values())):
        problems.append(
            f"dataset.keys: null or {{<table>.<column>: <parent table>.<column>}}, null for a column that is no key; "
            f"found {keys!r}."
        )
    limit = given.get("limit")
    if limit is not None and not _is_limit(limit):
        problems.append(f"dataset.limit: null or {{table: <name>, rows: <at least 2>}}, found {limit!r}.")
    problems += _check_text(given, "name") + _check_text(given, "metadata")
    for key in LIMIT_KEYS:
        problems += _check_limit(key, given.get(key, 1))
    problems += _check_lines(given)
    delimiter = given.get("delimiter")
    if delimiter is not None and not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter.isascii()):
        problems.append(f"dataset.delimiter: one ASCII character or null, found {delimiter!r}.")
    return problems + _check_encoding(given.get("encoding"))


def _is_place(value: Any) -> bool:
    return value is None or (isinstance(value, str) and 0 < value.find(".") < len(value) - 1)


def _check_reference(value: Any) -> list[str]:
    pairs = value.values() if isinstance(value, Mapping) else [True] * len(value) if isinstance(value, list) else None
    names = list(value) if pairs is not None else []
    is_pairs = pairs is not None and all(isinstance(one, bool) for one in pairs)
    if value is None or (is_pairs and all(isinstance(name, str) for name in names)):
        return []
    return [
        "dataset.reference: names of tables whose real rows may be published, [airlines, airports], or "
        f"{{airlines: true, stores: false}}, or null; found {value!r}."
    ]


def _is_limit(limit: Any) -> bool:
    if not isinstance(limit, Mapping) or set(limit) != {"table", "rows"}:
        return False
    rows = limit["rows"]
    return isinstance(limit["table"], str) and type(rows) is int and 2 <= rows < 2**62


def _check_text(given: Mapping[str, Any], key: str) -> list[str]:
    value = given.get(key)
    if value is None or (isinstance(value, str | int | float | Path) and not isinstance(value, bool)):
        return []
    return [f"dataset.{key}: text or null, found {value!r}."]


def _check_limit(key: str, value: Any) -> list[str]:
    is_whole = key in ("max_columns", "max_cells", "max_value_length")
    kinds = (int,) if is_whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < 1e18 or (is_whole and value < 1):
        return [f"dataset.{key}: a number above 0, found {value!r}."]
    return []


def _check_lines(given: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the options about lines, of all tables or by table."""
    problems = []
    for key in BY_TABLE_KEYS:
        value = given.get(key)
        values = list(value.values()) if isinstance(value, Mapping) else [value]
        if isinstance(value, Mapping) and not all(isinstance(name, str) for name in value):
            problems.append(f"dataset.{key}: a mapping from names of tables, found {dict(value)!r}.")
        elif not all(_fits_lines(key, each) for each in values):
            rule = {"header": "true, false or null", "comment": "one or more letters or null"}
            what = rule.get(key, "a whole number, at least 0, or null")
            problems.append(f"dataset.{key}: {what}, or a mapping {{table: value}}, found {value!r}.")
    return problems


def _fits_lines(key: str, value: Any) -> bool:
    if value is None:
        return True
    if key == "header":
        return isinstance(value, bool)
    if key == "comment":
        return isinstance(value, str) and value.strip() != ""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000


def _check_encoding(encoding: Any) -> list[str]:
    if encoding is None:
        return []
    try:
        found = codecs.lookup(str(encoding))
        # What Python keeps under this name turns bytes into bytes: hex, zlib, rot13.
        is_text = found._is_text_encoding and found.name.replace("-", "_") not in _NO_FILE_ENCODINGS
    except (LookupError, ValueError, UnicodeError):
        is_text = False
    if is_text:
        return []
    return [
        f"dataset.encoding: Python knows no encoding {str(encoding)[:80]!r} of text. Common: utf-8, cp1252, utf-16."
    ]


def _build(given: Mapping[str, Any], path: Path) -> DatasetOptions:
    limit = given.get("limit")
    tables, null_values, metadata = given.get("tables"), given.get("null_values"), given.get("metadata")
    reference = given.get("reference") or {}
    return DatasetOptions(
        path=path,
        name=str(given.get("name") or path.name),
        metadata=None if metadata is None else resolve_path(str(metadata)),
        orphans="null" if given.get("orphans", "error") is None else given.get("orphans", "error"),
        all_null=given.get("all_null", "error"),
        tables=None if tables is None else tuple(tables),
        limit=None if limit is None else RowLimit(limit["table"], limit["rows"]),
        **{key: given[key] for key in (*LIMIT_KEYS, *BY_TABLE_KEYS) if key in given},
        delimiter=given.get("delimiter"),
        encoding=given.get("encoding"),
        null_values=DEFAULT_NULL_VALUES if null_values is None else tuple(null_values),
        formats=dict(given.get("formats") or {}),
        keys=dict(given.get("keys") or {}),
        reference=dict(reference) if isinstance(reference, Mapping) else dict.fromkeys(reference, True),
        rules=None if given.get("rules") is None else tuple(given["rules"]),
    )
