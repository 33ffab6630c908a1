"""Scores of synthetic tables: the privacy gate first, then every metric of a protocol."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabgraphsyn.errors import ConfigError, DataError, raise_collected
from tabgraphsyn.python.database import Database
from tabgraphsyn.python.overrides import as_text, overrides
from tabgraphsyn.python.tables import Tables

if TYPE_CHECKING:
    from tabgraphsyn.orchestration.stored.store import Store


@dataclass(frozen=True, eq=False)
class Scores:
    """What ``evaluate`` found: the content of ``metrics.json``."""

    found: Mapping[str, Any]

    @property
    def verdict(self) -> str:
        """What the privacy gate says: pass, published by choice, not judged, warn or fail."""
        return str(self.found["gate"]["verdict"])

    def value(self, metric: str, where: str = "database", comparison: str = "synthetic") -> float:
        """Return one score; ``where`` is ``database``, a table, or a place as the report writes it.

        Raises:
            ConfigError: nothing of that name was scored.
        """
        rows = [row for row in self.found["scores"] if row["metric"] == metric and row["comparison"] == comparison]
        for row in rows:
            if row["where"] == where:
                return float(row["value"])
        known = sorted({str(row["where"]) for row in rows} or {row["metric"] for row in self.found["scores"]})
        from tabgraphsyn.errors import listing, nearest

        asked = where if rows else metric
        raise ConfigError(f"{metric} of {where}: no such score.{nearest(asked, known)} There are {listing(known)}.")

    def frame(self) -> Any:
        """Return all scores as a pandas frame, a row each: metric, where, level, comparison, value, ..."""
        import pandas as pd

        rows = [{name: row[name] for name in row if name != "detail"} for row in self.found["scores"]]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``metrics.json``."""
        return dict(self.found)

    def save(self, path: Path | str) -> Path:
        """Write ``metrics.json`` and return its path."""
        from tabgraphsyn.data.files import write_json

        target = Path(path).expanduser()
        write_json(target, {key: value for key, value in self.found.items() if key not in ("timing", "problems")})
        return target

    def report(self) -> None:
        """Print the gate with what it found, then the scores of databases and tables beside their baselines."""
        from tabgraphsyn.terminal import escaped_output
        from tabgraphsyn.verbs.evaluate_view import show_scores

        with escaped_output():
            show_scores(self.found)

    def __repr__(self) -> str:
        return f"Scores({len(self.found['scores'])} scores, privacy gate: {self.verdict})"


def evaluate(
    database: Database,
    tables: Tables | Mapping[str, Any] | str | Path,
    *,
    protocol: str = "default",
    progress: bool = True,
    threads: int = 0,
    **settings: Any,
) -> Scores:
    """Score synthetic tables against a real database by the metrics of a sweep point.

    Args:
        database: from ``load``.
        tables: what ``Model.sample`` returned (copying is then judged by the rows that the model's fit held out),
            anybody else's tables by name, or a folder of them.
        protocol: a yaml of ``conf/evaluation``: quick, default, fidelity, privacy, syntherela, grdm, full.
        progress: show what is computed.
        threads: CPU threads; 0 takes one per core.
        settings: overrides below ``evaluation``: ``seed=1``, ``metrics={"c2st": {"folds": 3}}``.

    Raises:
        ConfigError: no such protocol or setting.
        DataError: real data that break a rule, or tables that were made from other data.
        StageError: a metric failed.
    """
    if not isinstance(database, Database):
        raise ConfigError(f"evaluate: a database of tabgraphsyn.load expected, found {type(database).__name__}.")
    from tabgraphsyn.config.checks import protocol_problems
    from tabgraphsyn.data.files import vanishing_folder
    from tabgraphsyn.data.given import given_words, read_given
    from tabgraphsyn.data.rules.store import load_rules
    from tabgraphsyn.evaluation.sides.other_generators import read_database
    from tabgraphsyn.orchestration.computing.compute import cpu_count, settle_threads
    from tabgraphsyn.python.running import process_kept
    from tabgraphsyn.stages.outside_sweep import composed_protocol, scored_data, unsplit_data

    config = composed_protocol(protocol, tuple(map(as_text, overrides({"evaluation": settings})) if settings else ()))
    raise_collected(ConfigError, protocol_problems(config, []))
    split = _split(tables)
    source = database.source(split[0] if split else None)
    with process_kept(), vanishing_folder() as folder, _shown(progress) as begins:
        settle_threads(threads or cpu_count())
        real = _database(source)
        (folder / "scratch").mkdir()
        place = _written(tables, folder)
        read = read_database(place, real.schema, folder / "scratch")
        rows = {name: read.database[name].num_rows for name in real.schema.table_names}
        given = dict(tables.given) if isinstance(tables, Tables) else read_given(place, rows)
        if split is None:
            declared = load_rules(source / "rules.json")
            data = unsplit_data(real, read.database, config, threads or cpu_count(), declared=declared)
        else:
            data = _split_data(*split, source, real, read.database, tables, config, threads or cpu_count())
        scored = scored_data(replace(data, given=given) if given else data, config, begins=begins)
    return Scores({**scored, "problems": [*read.problems, *given_words(given, rows)]})


def _database(source: Path) -> Any:
    from tabgraphsyn.data.schema import Database as StageDatabase

    return StageDatabase.ingested(source)


def _shown(progress: bool) -> Any:
    from contextlib import nullcontext

    from tabgraphsyn.verbs.evaluate_progress import progress_bar

    # A line a metric is for logs; in a notebook they would push the scores out of sight.
    return progress_bar() if progress and sys.stderr.isatty() else nullcontext(lambda _: None)


def _split(tables: Any) -> tuple[Store, Mapping[str, str]] | None:
    """Return store and stages of the fit that made the tables, or None for somebody else's."""
    model = tables.model if isinstance(tables, Tables) else None
    if model is None or model.output_dir is None or not {"ingest", "prepare"} <= set(model.stages):
        return None
    from tabgraphsyn.orchestration.stored.store import Store

    store = Store(model.output_dir / "stages")
    is_there = all(store.done(model.stages[label]) is not None for label in ("ingest", "prepare"))
    return (store, model.stages) if is_there else None


def _split_data(
    store: Store,
    stages: Mapping[str, str],
    source: Path,
    real: Any,
    synthetic: Any,
    tables: Any,
    config: Mapping[str, Any],
    threads: int,
) -> Any:
    from tabgraphsyn.data.prepared import Prepared
    from tabgraphsyn.stages.evaluate import split_data

    if source != store.artifacts(stages["ingest"]):
        raise DataError(
            "evaluate: these tables were sampled from a model of other data than this database. Give the database that "
            "the model was fitted to, or a dict of the tables to compare any two."
        )
    prepared = Prepared(store.artifacts(stages["prepare"]))
    return split_data(real, synthetic, prepared, tables.model.bundle, config, threads)


def _written(tables: Any, folder: Path) -> Path:
    """Return a folder of the tables."""
    if isinstance(tables, str | Path):
        path = Path(tables).expanduser()
        if not path.exists():
            raise DataError(f"evaluate: there is no {str(path)!r}.")
        return path
    from tabgraphsyn.python.frames import arrow_tables, write_parquet

    rows = tables.rows if isinstance(tables, Tables) else arrow_tables(tables)
    (folder / "synthetic").mkdir()
    write_parquet(rows, folder / "synthetic")
    return folder / "synthetic"
