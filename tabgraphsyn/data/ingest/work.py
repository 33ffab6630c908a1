"""What is known of a database while it is being read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tabgraphsyn.data.ingest.column_scan import ColumnScan
from tabgraphsyn.data.ingest.convert import Target
from tabgraphsyn.data.ingest.profile import Reasons
from tabgraphsyn.data.ingest.raw_table import RawTable
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.schema import Schema


@dataclass
class IngestWork:
    """The state of one ingestion.

    Attributes:
        options: the dataset yaml, checked.
        folder: where the result is written, aside.
        scratch: for files that live only as long as the ingestion.
        metadata_path: the metadata to read, or None to infer.
        declared: the schema that the metadata declares.
        raws: tables read once, by name.
        targets: table -> column -> the type it becomes.
        problems: everything that is wrong so far.
        reasons: why the schema is as it is.
    """

    options: DatasetOptions
    folder: Path
    scratch: Path
    metadata_path: Path | None
    declared: Schema | None = None
    raws: dict[str, RawTable] = field(default_factory=dict)
    targets: dict[str, dict[str, Target]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    reasons: Reasons = field(default_factory=Reasons)

    def table_path(self, table: str) -> Path:
        """Return where a table's rows are written."""
        return self.folder / "tables" / f"{table}.parquet"

    def scan(self, table: str, column: str) -> ColumnScan:
        """Return what was seen of a column."""
        return self.raws[table].scans[column]
