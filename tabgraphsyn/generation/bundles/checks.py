"""What must agree between the files of a bundle, beyond the form of each: files, names, tables, components."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tabgraphsyn.config.components import component_problems
from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.metadata import metadata_dict, parse_metadata
from tabgraphsyn.data.reading.names import table_name_problem
from tabgraphsyn.data.rules.kept import RowRules
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.data.tensors import declared
from tabgraphsyn.data.untrusted import blamed, builtins
from tabgraphsyn.errors import DataError, listing
from tabgraphsyn.generation.bundles.forms import FORMS, TABLE_FORMS, ManifestForm, PlanForm
from tabgraphsyn.generators.base import Generator, named

MOST_LETTERS = 400
MOST_REFERENCE_BYTES = 4 << 30
_KNOWN = (
    r"known/{table}(\.json|\.\d+\.parquet|\.composition\d+\.safetensors"
    r"|\.(panels|timeline|compositions|coarse|rules|traits)\.json)"
)


def file_problems(manifest: ManifestForm, present: set[str], generator: type[Generator]) -> list[str]:
    """Return which files are missing, not listed, or none of a bundle's; names of tables are checked first."""
    names = [table_name_problem(name, "tables") for name in manifest.tables]
    if wrong := [text for text in names if text]:
        return wrong
    listed = set(manifest.files)
    own = generator.files(tuple(manifest.tables))
    required = {*FORMS, "structure.safetensors", *(name for name, content in own.items() if content.is_required)}
    required |= {f"{kind}/{table}.json" for kind in TABLE_FORMS for table in manifest.tables}
    optional = "|".join(
        f"{_KNOWN.format(table=re.escape(table))}|reference/{re.escape(table)}\\.parquet" for table in manifest.tables
    )
    strange = [name for name in listed - required - set(own) if not re.fullmatch(optional, name)]
    problems = []
    for words, found in (
        ("files that are listed, but missing", listed - present),
        ("files that are not listed in bundle.json", present - listed),
        ("files that a bundle has, which are not listed in bundle.json", required - listed),
        ("files that no bundle has", set(strange)),
    ):
        if found:
            problems.append(f"{words}: {listing(sorted(found), 5)}. Copy the whole bundle again.")
    return problems


def content_problems(
    folder: Path,
    manifest: ManifestForm,
    forms: Mapping[str, Any],
    allow_targets: Sequence[str],
    generator: type[Generator],
) -> list[str]:
    """Return what does not agree between the files of a bundle; the first kind of mistakes that is found."""
    schema = _schema(folder, forms)
    for problems in (
        _table_problems(manifest, forms, schema),
        _component_problems(manifest, forms, allow_targets, generator),
        _codec_problems(folder, manifest, forms, schema),
        named(generator.checks)(manifest, forms, schema) if generator.checks else (),
        _known_problems(manifest, forms, schema),
        _header_problems(folder, manifest, forms),
    ):
        # Names and values are the stranger's, and as long as the stranger likes.
        cut = (text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} ..." for text in problems)
        if found := [f"{folder}: {text}" for text in cut]:
            return found
    return []


def _schema(folder: Path, forms: Mapping[str, Any]) -> Schema:
    """Return the schema, read by the same rules as a user's metadata."""
    schema = Schema.from_dict(builtins(forms["schema.json"]))
    parse_metadata(json.dumps(metadata_dict(schema)).encode(), f"{folder}/schema.json")
    if len(set(schema.table_names)) < len(schema.tables):
        raise DataError(f"{folder}/schema.json: tables of different names expected, found a name twice.")
    for table in schema.tables:
        if len(table.by_name) < len(table.columns):
            raise DataError(f"{folder}/schema.json: {table.name}: columns of different names expected.")
    return schema


def _table_problems(manifest: ManifestForm, forms: Mapping[str, Any], schema: Schema) -> Iterator[str]:
    """Yield which lists of tables and relations are not those of the schema."""
    plan, structure = forms["plan.json"], forms["structure.json"]
    keys = structure.state.plan
    tables, relations = {*schema.table_names}, {relation.name for relation in schema.relations}
    for where, found in (
        ("bundle.json: tables", manifest.tables),
        ("plan.json: order", plan.order),
        ("structure.json: tables", keys.tables),
    ):
        if len(found) != len(tables) or set(found) != tables:
            yield f"{where}: each table of schema.json once expected, found {listing(found, 5)}."
    if list(manifest.tables) != list(plan.order):
        yield "bundle.json: tables: the order of plan.json expected."
    for where, found in (
        ("plan.json: driver", plan.driver),
        ("plan.json: real_rows", plan.real_rows),
        ("plan.json: training_rows", plan.training_rows),
        ("structure.json: driver", keys.driver),
        ("structure.json: key types", structure.keys.types),
    ):
        if set(found) != tables:
            yield f"{where}: an entry for each table expected, found {listing(found, 5)}."
    if {name for name, *_ in keys.links} != relations or len(keys.links) != len(relations):
        yield "structure.json: links: each relation of schema.json once expected."
    for where, found, wanted in (
        ("structure.json: rows", structure.state.rows, plan.training_rows),
        ("structure.json: real_rows", keys.real_rows, plan.real_rows),
        ("structure.json: driver", keys.driver, plan.driver),
        ("structure.json: reference", sorted(keys.reference), sorted(plan.reference_tables)),
    ):
        if found != wanted:
            yield f"{where}: what plan.json and schema.json say expected."
    for table, driver in plan.driver.items():
        if driver is not None and driver not in {one.name for one in schema.relations if one.child_table == table}:
            yield f"plan.json: driver: {table!r} has no relation {driver!r}."
    for table, rows in plan.real_rows.items():
        if rows < plan.training_rows.get(table, 0):
            yield f"plan.json: real_rows: {table!r} has fewer rows than training_rows."
    if not set(plan.reference_tables) <= tables:
        yield "plan.json: reference_tables: tables of schema.json expected."
    for table, keys_of in plan.file_order.items():
        own = {one.name for one in schema.relations if one.child_table == table}
        columns = set(schema.attribute_columns(table)) if table in tables else set()
        if any(one.name not in (own if one.is_key else columns) for one in keys_of):
            yield f"plan.json: file_order: columns and relations of {table!r} expected, found others."


def _component_problems(
    manifest: ManifestForm, forms: Mapping[str, Any], allow_targets: Sequence[str], generator: type[Generator]
) -> Iterator[str]:
    """Yield what a launch would say of the components, and which are not those that ``bundle.json`` lists."""
    found = components(generator, forms, manifest.tables)
    named_here = {"generator": manifest.generator, "sampling": manifest.sampling}
    if "sampler" in generator.sampling_keys:
        named_here["sampler"] = manifest.sampler or {}
    for role, component in {**found, **named_here}.items():
        group = role.partition("/")[0]
        for text in component_problems({group: component, "allow_targets": list(allow_targets)}, generator):
            yield f"{role}: {text}"
    if found != manifest.components:
        yield "bundle.json: components: those of the other files expected."


def components(
    generator: type[Generator], forms: Mapping[str, Any], tables: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """Return role -> component of all that the json files of a bundle name: ``gnn``, ``denoiser/<table>``, ..."""
    found: dict[str, Mapping[str, Any]] = {"structure": _value(forms["structure.json"], "structure")}
    for table in ("", *tables):
        for name, content in generator.files((table,) if table else ()).items():
            if generator.kind(content.kind).per_table is bool(table) and name in forms:
                roles = {key: f"{key}/{table}" if table else key for key in content.components}
                found |= {role: _value(forms[name], key) for key, role in roles.items()}
    return found


def _value(form: Any, key: str) -> Any:
    return form[key] if isinstance(form, Mapping) else getattr(form, key)


def _codec_problems(folder: Path, manifest: ManifestForm, forms: Mapping[str, Any], schema: Schema) -> Iterator[str]:
    for table in manifest.tables:
        form = forms[f"codec/{table}.json"]
        where = f"codec/{table}.json"
        if form.table != table:
            yield f"{where}: files of table {table!r} name it, found another name in one."
        if tuple(column.name for column in form.columns) != schema.attribute_columns(table):
            yield f"{where}: the columns of {table!r} that are no keys expected, in the order of schema.json."
            continue
        with blamed(f"{folder}/{where}"):
            codec = TableCodec.from_dict(builtins(form))
            layout = codec.layout.to_dict()
            codec.decoding_order  # noqa: B018  (columns that wait for each other)
        if any(one.given not in (None, *codec.columns) for one in codec.columns.values()):
            yield f"{where}: a column follows from another one of the table."
        if builtins(form.layout) != layout:
            yield f"{where}: the layout of the codec expected, found another."


def _known_problems(manifest: ManifestForm, forms: Mapping[str, Any], schema: Schema) -> Iterator[str]:
    """Yield which relations and columns, of what is known of rows, the schema does not have."""
    for table in manifest.tables:
        own = {one.name for one in schema.relations_of_child(table)}
        attributes = set(schema.attribute_columns(table))
        named: dict[str, tuple[set[str], set[str]]] = {}
        if known := forms.get(f"known/{table}.json"):
            relations = {*known.relations, *(name for one in known.columns for name in one.relations)}
            named[".json"] = relations, {one.column for one in known.columns}
            if known.table != table or len(known.level_of) != len(known.relations):
                yield f"known/{table}.json: one list of levels for each relation expected."
            if not {name for one in known.columns for name in one.relations} <= set(known.relations):
                yield f"known/{table}.json: columns: relations of the table's list expected."
            files = {f"known/{table}.{number}.parquet" for number in range(len(known.columns))}
            if not files <= set(manifest.files):
                yield f"known/{table}.json: a parquet file for each known column expected."
        if coarse := forms.get(f"known/{table}.coarse.json"):
            layout = forms[f"codec/{table}.json"].layout
            if [len(one) for one in coarse.shares] != [field.levels for field in layout.categorical] or not (
                len(coarse.middle) == len(coarse.width) == len(layout.numerical)
            ):
                yield f"known/{table}.coarse.json: a share for each level and a width for each number expected."
        if rules := forms.get(f"known/{table}.rules.json"):
            where = f"known/{table}.rules.json"
            read = RowRules.from_dict(table, builtins(rules), where)
            operands, below = _operands(table, forms["plan.json"], schema), schema.relations_of_parent(table)
            found = read.problems(operands, own, [one.name for one in below])
            yield from (f"{where}: {text}." for text in found)
        if panels := forms.get(f"known/{table}.panels.json"):
            named[".panels.json"] = {one.relation for one in panels}, {one.column for one in panels}
        if timelines := forms.get(f"known/{table}.timeline.json"):
            under = {
                one.name
                for each in schema.relations_of_parent(table)
                for one in schema.relations_of_child(each.child_table)
            }
            if timelines[0].column not in attributes or not set(timelines[0].keys) <= under:
                yield f"known/{table}.timeline.json: a column of {table!r} and keys of its children expected."
        if traits := forms.get(f"known/{table}.traits.json"):
            yield from _trait_problems(table, builtins(traits), forms["plan.json"], schema)
        for ending, (relations, columns) in named.items():
            if not relations <= own or not columns <= attributes:
                yield f"known/{table}{ending}: relations and columns of {table!r} expected, found others."


def _trait_problems(table: str, traits: Sequence[Mapping[str, Any]], plan: PlanForm, schema: Schema) -> Iterator[str]:
    """Yield what of the hidden fields of a table its keys do not have."""
    names = [one["relation"] for one in traits]
    own = {one.name for one in schema.relations_of_parent(table) if not one.is_self_reference}
    if len(set(names)) != len(names) or not set(names) <= own:
        yield f"known/{table}.traits.json: relations to {table!r}, each once, expected, found others."
    rows = plan.training_rows.get(table, 0) if table in plan.published else 0
    if any(len(one["own_levels"]) != rows for one in traits):
        yield f"known/{table}.traits.json: values of the {rows} rows of a published table expected."


def _operands(table: str, plan: PlanForm, schema: Schema) -> Iterator[Operand]:
    """Yield the columns that rules about a row may read: its own, and those of rows above that are made before it."""
    yield from (Operand(one.name) for one in schema.table(table).columns)
    earlier = set(plan.order[: plan.order.index(table)])
    for through in schema.ways_of(table):
        way = schema.way(through)
        if {one.parent_table for one in way} <= earlier:
            yield from (Operand(one.name, through) for one in schema.table(way[-1].parent_table).columns)


def _header_problems(folder: Path, manifest: ManifestForm, forms: Mapping[str, Any]) -> Iterator[str]:
    """Yield which files of arrays hold more than they may, as headers and footers say; nothing is read yet."""
    for name in (name for name in manifest.files if name.endswith(".safetensors")):
        declared(folder / name)
    plan = forms["plan.json"]
    for name in (name for name in manifest.files if name.endswith(".parquet")):
        table = name.partition("/")[2].removesuffix(".parquet")
        with blamed(f"{folder}/{name}"):
            footer = pq.read_metadata(folder / name)
        if name.startswith("reference/"):
            if table not in plan.reference_tables or footer.num_rows != plan.training_rows.get(table):
                yield f"{name}: the training rows of a table of reference_tables expected."
        else:
            rows = plan.training_rows.get(table.rpartition(".")[0], 0)
            if footer.num_rows > rows or footer.num_rows < 1:
                yield f"{name}: from 1 to {rows} rows expected, found {footer.num_rows}."
        size = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
        if size > MOST_REFERENCE_BYTES:
            yield f"{name}: at most {MOST_REFERENCE_BYTES:,} bytes expected, found {size:,}."
