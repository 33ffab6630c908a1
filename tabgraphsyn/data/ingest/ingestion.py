"""A database of any format, read, typed, checked and written as parquet with its schema and profile."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.files import folder_written_aside, write_json
from tabgraphsyn.data.ingest.build_schema import declared_schema, inferred_schema
from tabgraphsyn.data.ingest.missing_words import with_missing_words
from tabgraphsyn.data.ingest.profile import profile_dict
from tabgraphsyn.data.ingest.read import read_tables
from tabgraphsyn.data.ingest.subset import check_limit, keep_part
from tabgraphsyn.data.ingest.table_files import rewrite
from tabgraphsyn.data.ingest.table_queries import MEMORY_MB, ColumnValues, TableQueries
from tabgraphsyn.data.ingest.validate import check_orphans, other_key_problems, primary_key_problems, shape_problems
from tabgraphsyn.data.ingest.work import IngestWork
from tabgraphsyn.data.link import link_relation
from tabgraphsyn.data.metadata import metadata_dict
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.reference import proposals
from tabgraphsyn.data.rules.declared import declared_rules, held_against, metadata_rules
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.store import save_rules
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Database, Schema
from tabgraphsyn.errors import ConfigError, DataError, listing, nearest, raise_collected

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def ingest_database(options: DatasetOptions, folder: Path, *, use_metadata: bool = True) -> dict[str, Any]:
    """Write ``schema.json``, ``metadata.json``, ``profile.json``, ``rules.json`` (the declared ones) and the tables.

    Nothing is left behind when anything is wrong; every problem found is in the one error.

    Args:
        use_metadata: read the metadata if there is one; otherwise types and keys are inferred in any case.

    Raises:
        DataError: the tables or the metadata break a rule, or the disk is full.
    """
    with _no_space_explained(folder), folder_written_aside(folder) as aside:
        scratch = aside / "scratch"
        scratch.mkdir()
        (aside / "tables").mkdir()
        work = IngestWork(options, aside, scratch, options.metadata_path if use_metadata else None)
        read_tables(work)
        profile = _check_and_describe(work)
        for path in sorted(scratch.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        scratch.rmdir()
    return profile


@contextmanager
def _no_space_explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.Error) as error:
        if isinstance(error, duckdb.OutOfMemoryException):
            raise DataError(
                f"{folder}: comparing the values of a table takes more memory than it may ({MEMORY_MB} MB): very long "
                f"texts, most likely. Shorten them, or leave the table out with dataset.tables."
            ) from error
        full = isinstance(error, OSError) and error.errno in _NO_SPACE
        if not full and "No space left" not in str(error):
            raise
        raise DataError(
            f"{folder}: no space left on the disk while tables were written; nothing was kept. Free some space, or set "
            f"output_dir to a larger disk."
        ) from error


def _check_and_describe(work: IngestWork) -> dict[str, Any]:
    """Find or check the keys, apply the policies, and write schema, metadata and profile."""
    tables = {name: list(targets) for name, targets in work.targets.items()}
    with TableQueries(work.scratch) as queries:
        for name, columns in tables.items():
            queries.add(name, work.table_path(name), columns)
        values = _values(queries, tables)
        schema = inferred_schema(work, queries, values) if work.declared is None else declared_schema(work)
        schema = with_missing_words(_with_reference(schema, work.options.reference), work, values)
        if work.options.limit is not None:
            check_limit(schema, work.options.limit)
        changed = _apply_policies(work, schema, queries) | _apply_limit(work, schema, queries)
        if changed:
            values = _values(queries, tables)
            work.problems += shape_problems({name: queries.rows(name) for name in work.raws}, {}, "drop")
            raise_collected(DataError, work.problems)
        rules = _declared(work, schema)
        types = {name: {column: target.type for column, target in work.targets[name].items()} for name in tables}
        scans = {name: dict(work.raws[name].scans) for name in tables}
        sources = {name: work.raws[name].reader.location for name in tables}
        profile = profile_dict(schema, types, values, scans, sources, work.reasons, queries)
    save_rules(work.folder / "rules.json", rules)
    write_json(work.folder / "schema.json", schema.to_dict())
    write_json(work.folder / "metadata.json", metadata_dict(schema))
    profile["rows_kept"] = _rows_kept(Database.open(schema, work.folder / "tables"))
    write_json(work.folder / "profile.json", profile)
    return profile


def _rows_kept(database: Database) -> list[dict[str, Any]]:
    """Return what becomes of the real rows of every table that others refer to, with the usual ``min_entities``.

    ``shared_by`` says what another one makes of it.
    """
    found = proposals(database, CodecConfig().min_entities)
    return [
        {"table": name, "published": one.is_published, "declared": one.is_declared, "reason": one.reason}
        | ({} if one.shared_by is None else {"shared_by": one.shared_by})
        for name, one in found.items()
    ]


def _with_reference(schema: Schema, chosen: Mapping[str, bool]) -> Schema:
    unknown = [name for name in chosen if name not in schema.table_names]
    if unknown:
        raise ConfigError(
            f"dataset.reference: no table {listing(unknown)}; there are {listing(schema.table_names)}."
            f"{nearest(unknown[0], schema.table_names)}"
        )
    return schema.with_reference(chosen)


def _declared(work: IngestWork, schema: Schema) -> list[Rule]:
    """Return the rules that the data set declares, having noted which of them its own rows break."""
    declared = declared_rules(work.options.rules, schema)
    found, unread = metadata_rules(work.metadata_path, schema)
    if not declared and not found:
        work.reasons.notes += unread
        return []
    database = Database.open(schema, work.folder / "tables")
    linked = {relation.name: link_relation(database, relation) for relation in schema.relations}
    rules, broken = held_against([*declared, *found], RuleTables(database, linked))
    work.reasons.notes += [*unread, *broken]
    return rules


def _values(queries: TableQueries, tables: dict[str, list[str]]) -> dict[str, dict[str, ColumnValues]]:
    return {name: queries.values(name, columns) for name, columns in tables.items()}


def _apply_policies(work: IngestWork, schema: Schema, queries: TableQueries) -> set[str]:
    """Check keys and repair orphans; return the tables that changed."""
    work.problems += primary_key_problems(schema, queries) + other_key_problems(schema, queries)
    changed: set[str] = set()
    while True:  # rows that are dropped may leave orphans behind in their own children
        repairs, problems = check_orphans(schema, queries, work.options.orphans)
        raise_collected(DataError, work.problems + problems)
        if not repairs.drop and not repairs.nulls:
            return changed
        work.reasons.notes += repairs.notes
        for table in {*repairs.drop, *repairs.nulls}:
            keep = np.ones(queries.rows(table), dtype=bool)
            keep[repairs.drop.get(table, np.empty(0, dtype=np.int64))] = False
            rewrite(work.table_path(table), keep=keep, nulls=repairs.nulls.get(table, ()))
            changed.add(table)


def _apply_limit(work: IngestWork, schema: Schema, queries: TableQueries) -> set[str]:
    """Keep the part that ``dataset.limit`` asks for; return the tables that were cut."""
    limit = work.options.limit
    if limit is None:
        return set()
    cut = keep_part(schema, limit, queries)
    masks = {}
    for table in cut:
        rows = queries.execute(f"SELECT row FROM keep_{queries.view(table)}").fetchnumpy()["row"]
        masks[table] = np.zeros(queries.rows(table), dtype=bool)
        masks[table][np.asarray(rows, dtype=np.int64)] = True
    for table, mask in masks.items():
        rewrite(work.table_path(table), keep=mask)
    if cut:
        work.reasons.notes.append(f"dataset.limit: {limit.rows} rows of {limit.table} and what belongs to them.")
    return set(cut)
