"""The stage that reads the user's data, run while launching: table names are known and bad data ends the command."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import read_json, vanishing_folder, write_json
from tabgraphsyn.data.sharers import by_sharers
from tabgraphsyn.data.untrusted import plain_json
from tabgraphsyn.errors import DataError, Interrupted, StageError, TabGraphSynError
from tabgraphsyn.generators.kinds import Catalog
from tabgraphsyn.orchestration.computing.worker import run_stage
from tabgraphsyn.orchestration.planning.plan import Stage, source_stage
from tabgraphsyn.orchestration.planning.spec import Runtime, save_spec
from tabgraphsyn.orchestration.stored.lease import latest_attempt
from tabgraphsyn.orchestration.stored.store import Store

_CONTENT = "content.json"
_LARGE_MB = 20.0
# Reasons of keys that nobody guessed.
_SETTLED = ("from the metadata", "declared in the file", "from dataset.keys")


@dataclass(frozen=True)
class Source:
    """The user's data, read.

    Attributes:
        content: hash of the data.
        tables: names of the tables.
        stage: the stage that read it.
        was_done: it stood in the store already.
        job_mb: its size in MB where a job of the DAG is to read it, else 0.
        notices: what its reader wants to be known before anything is trained: keys that were guessed, tables whose rows
            are published or made anew, columns that are not modelled, what was left open.
    """

    content: str
    tables: tuple[str, ...]
    stage: Stage
    was_done: bool
    job_mb: float = 0.0
    notices: tuple[str, ...] = ()


def read_source(
    config: Mapping[str, Any],
    catalog: Catalog,
    store: Store,
    runtime: Runtime,
    warm_up: Callable[[], None],
    *,
    keep: bool,
    job_above_mb: float = float("inf"),
) -> Source:
    """Return the data's tables, running the source stage unless it is done.

    Args:
        config: of a sweep point.
        catalog: the stage kinds.
        store: where the stage stands or will stand.
        runtime: how it runs.
        warm_up: called before the stage is run.
        keep: write to the store; otherwise to a folder that is removed (a dry run).
        job_above_mb: leave larger data to a job; of them only names, heads and metadata are read here.

    Raises:
        DataError: the data breaks a rule. Nothing of the stage stays behind.
    """
    module = importlib.import_module(catalog.kinds[catalog.source].module)
    dataset = config[catalog.kinds[catalog.source].config_keys[0]]
    is_local = job_above_mb == float("inf")
    # Stages of a test's own catalog need not tell a size, nor have another key than that of the whole content.
    size_mb = module.data_mb(dataset) if hasattr(module, "data_mb") else 0.0
    is_large = size_mb > (_LARGE_MB if is_local else job_above_mb)
    quick = module.quick_key(dataset) if is_large else None
    known = _known(quick, config, catalog, store) if quick is not None else None
    if known is not None:
        return _read(known.content or "", store, known, config, was_done=True)
    if quick is not None and not is_local:
        return Source(quick, module.table_names(dataset), source_stage(config, quick, catalog), False, job_mb=size_mb)
    content = module.content_key(dataset)
    stage = source_stage(config, content, catalog)
    was_done = store.done(stage.id) is not None
    if not was_done:
        warm_up()
    if was_done or keep:
        if not was_done:
            _run(stage, store, runtime)
        _remember(quick, content, store.folder(stage.id))
        return _read(content, store, stage, config, was_done=was_done)
    with vanishing_folder() as folder:
        trial = Store(folder / "stages")
        _run(stage, trial, runtime)
        return _read(content, trial, stage, config, was_done=False)


def _known(quick: str, config: Mapping[str, Any], catalog: Catalog, store: Store) -> Stage | None:
    """Return the done stage that read these large files, whichever key names it."""
    for content in (quick, *_remembered(quick, store, catalog.source)):
        stage = source_stage(config, content, catalog)
        if store.done(stage.id) is not None:
            return stage
    return None


def _remembered(quick: str, store: Store, kind: str) -> Iterator[str]:
    """Yield the content keys of files that a launch on one machine has read whole, by their quick key."""
    for signature in sorted(store.standing(kind)):
        path = store.root / kind / signature / _CONTENT
        if path.is_file():
            record = plain_json(path)
            if record.get("quick") == quick and isinstance(record.get("content"), str):
                yield record["content"]


def _remember(quick: str | None, content: str, folder: Path) -> None:
    """Note by which quick key a launch on a cluster finds what was read here."""
    path = folder / _CONTENT
    if quick is not None and not (path.is_file() and plain_json(path).get("quick") == quick):
        write_json(path, {"quick": quick, "content": content})


def _read(content: str, store: Store, stage: Stage, config: Mapping[str, Any], *, was_done: bool) -> Source:
    artifacts = store.artifacts(stage.id)
    codec = config.get("codec")
    least = codec.get("min_entities") if isinstance(codec, Mapping) else None
    return Source(content, _tables(artifacts), stage, was_done, notices=_notices(artifacts, least))


def _notices(artifacts: Path, min_entities: int | None) -> tuple[str, ...]:
    path = artifacts / "profile.json"
    profile = read_json(path) if path.exists() else {}
    keys = [
        f"foreign key guessed: {one['child_table']}.{'+'.join(one['child_columns'])} to "
        f"{one['parent_table']}.{'+'.join(one['parent_columns'])} ({one['reason']})"
        for one in profile.get("relations", ())
        if not one["reason"].startswith(_SETTLED)
    ]
    left = [f"not modelled: {one['table']}.{one['column']}: {one['reason']}" for one in profile.get("not_modelled", ())]
    kept = [_row_notice(one, min_entities) for one in profile.get("rows_kept", ())]
    return (*keys, *kept, *left, *(f"note: {note}" for note in profile.get("notes", ())))


def _row_notice(one: Mapping[str, Any], min_entities: int | None) -> str:
    """Return what becomes of a table's real rows, with the launch's ``codec.min_entities``."""
    published, reason = one["published"], one["reason"]
    shared_by = one.get("shared_by")
    if shared_by is not None and min_entities is not None:
        published, reason = by_sharers(shared_by, min_entities)
    told = f"{'rows published' if published else 'rows made anew'}: {one['table']}: {reason}"
    if one["declared"]:
        return told
    effect = "makes its rows anew" if published else "publishes its real rows"
    return f"{told}; dataset.reference={{{one['table']}: {str(not published).lower()}}} {effect}"


def _run(stage: Stage, store: Store, runtime: Runtime) -> None:
    folder = store.folder(stage.id)
    existing = [parent for parent in (folder, *folder.parents) if parent.exists()]
    try:
        code = run_stage(save_spec(folder, stage, runtime))
    except BaseException:  # a full disk before the stage could even say so
        _clean(folder, set(existing))
        raise
    if store.done(stage.id) is not None:
        return
    attempt = latest_attempt(folder)
    message = (attempt.error if attempt else None) or f"{stage.label}: exit code {code}"
    _clean(folder, set(existing))
    error: type[TabGraphSynError] = {2: DataError, 75: Interrupted}.get(code, StageError)
    raise error(message)


def _clean(folder: Path, existing: set[Path]) -> None:
    """Remove the folder of a source stage that never was done, and the folders that were made for it."""
    if folder not in existing and folder.exists() and not (folder / "done.json").exists():
        shutil.rmtree(folder)
    for parent in folder.parents:
        if parent in existing or not parent.exists() or any(parent.iterdir()):
            return
        parent.rmdir()


def _tables(artifacts: Path) -> tuple[str, ...]:
    """Return the tables' names, the one with most values first: the longest training starts first."""
    raw = read_json(artifacts / "schema.json")
    columns = {table["name"]: len(table.get("columns", ())) for table in raw["tables"]}
    profile = artifacts / "profile.json"
    rows = read_json(profile)["tables"] if profile.exists() else {}
    values = {name: rows.get(name, {}).get("rows", 0) * count for name, count in columns.items()}
    return tuple(sorted(columns, key=lambda name: -values[name]))
