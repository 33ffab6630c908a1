"""What a report reads: tables, scores and the records of the stages that made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Database, Schema, Table
from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.errors import StageError, listing
from tabgraphsyn.evaluation.report.left_out import Codecs
from tabgraphsyn.tracking.jsonl import step_lines, whole_lines

#: Rows are drawn with this seed in every report, so that two reports show the same real rows.
SAMPLING_SEED = 20_130_101


@dataclass(frozen=True)
class StageRecord:
    """What one stage left about itself.

    Attributes:
        role: ``prepare``, ``diffusion/<table>``, ...
        spec: ``spec.json``, or empty.
        done: ``done.json``, or empty.
        metrics: lines of ``metrics.jsonl``, empty for a stage that logged none.
    """

    role: str
    spec: Mapping[str, Any]
    done: Mapping[str, Any]
    metrics: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class ReportSources:
    """Everything a report shows comes from here."""

    schema: Schema
    real: Database
    synthetic: Database
    plan: Mapping[str, Any]
    holdout_rows: Mapping[str, int]
    metrics: Mapping[str, Any]
    stages: tuple[StageRecord, ...]
    profile: Mapping[str, Any] = field(default_factory=dict)
    codecs: Codecs = field(default_factory=Codecs)

    def stage(self, role: str) -> StageRecord | None:
        """Return the record of one role, or None where the sweep point has no such stage."""
        return next((record for record in self.stages if record.role == role), None)


def read_sources(inputs: Mapping[str, Path]) -> ReportSources:
    """Read what ``inputs`` (role -> artifacts folder) hold; rows are read later, by column.

    Raises:
        StageError: a role or a file that every report needs is missing.
    """
    missing = [role for role in ("ingest", "prepare", "sample", "evaluate") if role not in inputs]
    if missing:
        raise StageError(f"report: no input {listing(missing)}; it has {listing(inputs)}.")
    prepare = inputs["prepare"]
    schema = Schema.from_dict(_required(prepare / Prepared.SCHEMA))
    sides = {
        "real": Database.open(schema, inputs["ingest"] / "tables").as_numbers(),
        "synthetic": Database.sampled(schema, inputs["sample"]).as_numbers(),
    }
    for side, database in sides.items():
        absent = [t.schema.name for t in database.tables.values() if not Path(str(t.source)).is_file()]
        if absent:
            raise StageError(f"report: the {side} database has no file for table {listing(absent)}.")
    return ReportSources(
        schema=schema,
        real=sides["real"],
        synthetic=sides["synthetic"],
        plan=_optional(prepare / Prepared.PLAN),
        holdout_rows=_holdout_rows(prepare / Prepared.HOLDOUT, schema),
        metrics=_required(inputs["evaluate"] / "metrics.json"),
        profile=_optional(inputs["ingest"] / "profile.json") or {},
        codecs=Codecs.of(_codecs(prepare / Prepared.CODEC, schema)),
        stages=tuple(_stage_record(role, artifacts.parent) for role, artifacts in inputs.items()),
    )


def _codecs(folder: Path, schema: Schema) -> dict[str, Any]:
    found = {name: _optional(folder / f"{name}.json") for name in schema.table_names}
    return {name: raw for name, raw in found.items() if raw}


def present_columns(table: Table) -> set[str]:
    """Return the columns that a table really has, whatever its schema says."""
    if isinstance(table.source, Path):
        return set(pq.read_schema(table.source).names)
    return set(table.source.column_names)


def sample_rows(table: Table, columns: list[str], limit: int) -> pa.Table:
    """Return at most ``limit`` rows of ``columns``, drawn without replacement, in row order; (rows, columns)."""
    rows = table.read(columns)
    if rows.num_rows <= limit:
        return rows
    generator = numpy_generator(SAMPLING_SEED, "report", table.schema.name)
    chosen = np.sort(generator.choice(rows.num_rows, size=limit, replace=False))
    return rows.take(pa.array(chosen))


def _required(path: Path) -> Any:
    if not path.is_file():
        raise StageError(f"{path.name}: the report needs it and {path.parent} has none. Run the stage again.")
    return read_json(path)


def _optional(path: Path) -> Any:
    try:
        return read_json(path) if path.is_file() else {}
    except FileNotFoundError:  # packed at this moment
        return {}


def _holdout_rows(folder: Path, schema: Schema) -> dict[str, int]:
    paths = {name: folder / f"{name}.npy" for name in schema.table_names}
    return {name: int(np.load(path).sum()) for name, path in paths.items() if path.is_file()}


def _stage_record(role: str, folder: Path) -> StageRecord:
    # Before done.json, into which they are packed.
    spec, logged = _optional(folder / "spec.json"), whole_lines(folder / "metrics.jsonl")
    done = _optional(folder / "done.json")
    packed = done.get("record", {})
    return StageRecord(
        role=role,
        spec=spec or packed.get("spec", {}),
        done=done,
        metrics=tuple(logged or step_lines(packed.get("files", {}).get("metrics.jsonl", ""))),
    )
