"""Real data as Python holds them: files, a data set that the configs know, or tables in memory."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabgraphsyn.errors import ConfigError, DataError, listing, nearest
from tabgraphsyn.python.overrides import Setting, overrides, setting

if TYPE_CHECKING:
    from tabgraphsyn.orchestration.stored.store import Store


@dataclass(frozen=True, eq=False)
class Database:
    """Real tables; nothing is read before ``fit`` or ``evaluate`` asks for them.

    Attributes:
        name: what results are called after.
        settings: the config's ``dataset``: a group's option, or the keys of ``dataset=folder``.
        folder: private folder of tables that came from memory, and of what was read for scores; it goes with the
            object.
        in_memory: tables or metadata came from memory, so that their files lie elsewhere each time.
    """

    name: str
    settings: Mapping[str, Any]
    folder: Path = field(repr=False)
    in_memory: bool = False

    @property
    def overrides(self) -> list[Setting]:
        """What a command line would say of the data."""
        chosen = {key: value for key, value in self.settings.items() if key != "group"}
        return [*overrides({"dataset": self.settings["group"]}), *_of_dataset(chosen)]

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables, read now if nobody has; all that is wrong with them is said then."""
        return tuple(table.name for table in self.ingested().schema.tables)

    def ingested(self, store: Store | None = None) -> Any:
        """Return the checked, typed tables as stages see them (``data.schema.Database``).

        Args:
            store: one in which they may stand already; None reads them into the private folder.

        Raises:
            ConfigError, DataError: what is wrong with them.
        """
        from tabgraphsyn.data.schema import Database as StageDatabase

        return StageDatabase.ingested(self.source(store))

    def source(self, store: Store | None = None) -> Path:
        """Return the folder of what the ingest stage made of the data; see ``ingested``."""
        from tabgraphsyn.python.running import read_data

        return read_data(self.overrides, self.folder / "outputs" if store is None else store.root.parent)


def load(
    data: str | Path | Mapping[str, Any], *, metadata: Any = None, name: str | None = None, **options: Any
) -> Database:
    """Return a database.

    Args:
        data: a folder or file of tables (csv, parquet, Excel, SQLite, DuckDB), a mapping from names to tables of pandas
            or arrow, or the name of a data set of ``conf/dataset``.
        metadata: keys and types: the path of an SDV json file, what such a file holds as a dict, or SDV's own
            ``Metadata``. None: ``metadata.json`` beside the tables, else they are inferred.
        name: what results are called after.
        options: further keys of the config's ``dataset``: ``orphans="null"``, ``reference=["airlines"]``, ...

    Raises:
        DataError: no such data, or what is no table.
        ConfigError: metadata of another kind.
    """
    folder = Path(tempfile.mkdtemp(prefix="tabgraphsyn-"))
    try:
        made = _database(data, metadata, name, options, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made


def _database(data: Any, metadata: Any, name: str | None, options: dict[str, Any], folder: Path) -> Database:
    described = {} if metadata is None else {"metadata": str(_metadata_file(metadata, folder))}
    in_memory = isinstance(data, Mapping) or (metadata is not None and not isinstance(metadata, str | Path))
    named = {} if name is None else {"name": name}
    if isinstance(data, Mapping):
        from tabgraphsyn.python.frames import arrow_tables, write_parquet

        (folder / "tables").mkdir()
        write_parquet(arrow_tables(data), folder / "tables")
        settings = {"path": str(folder / "tables"), "name": name or "frames", **described, **options}
        return Database(name or "frames", {"group": "folder", **settings}, folder, in_memory)
    if not isinstance(data, str | Path):
        raise DataError(
            f"load: a folder, a file, or a mapping from names to tables expected, found {type(data).__name__}. "
            "One table alone: load({'its name': table})."
        )
    path = Path(data).expanduser()
    if not path.exists() and str(data) in (known := _data_sets()):
        return Database(name or str(data), {"group": str(data), **named, **described, **options}, folder, in_memory)
    if not path.exists():
        known = _data_sets()
        raise DataError(
            f"load: there is no {str(path)!r} (looked from {str(Path.cwd())!r}), and no data set of that name."
            f"{nearest(str(data), known)} There are {listing(known)}."
        )
    settings = {"path": str(path.resolve()), **named, **described, **options}
    return Database(name or path.resolve().name.split(".")[0], {"group": "folder", **settings}, folder, in_memory)


def _data_sets() -> list[str]:
    from tabgraphsyn.config.composition import group_options

    return [each for each in group_options().get("dataset", []) if each != "folder"]


def _metadata_file(metadata: Any, folder: Path) -> Path:
    """Return a file of SDV metadata: the given one, or one written from a dict or from SDV's own object."""
    if isinstance(metadata, str | Path):
        path = Path(metadata).expanduser().resolve()
        if not path.is_file():
            raise DataError(f"metadata: there is no file {str(path)!r}.")
        return path
    raw = metadata.to_dict() if hasattr(metadata, "to_dict") else metadata
    if not isinstance(raw, Mapping):
        kind = type(metadata).__name__
        raise ConfigError(f"metadata: a path, a dict, or SDV's Metadata expected, found {kind}.")
    path = folder / "metadata.json"
    try:
        path.write_text(json.dumps(raw), encoding="utf-8")
    except (TypeError, ValueError) as error:
        raise ConfigError(f"metadata: what a json file can hold expected ({error}).") from error
    return path


def _of_dataset(options: Mapping[str, Any]) -> list[Setting]:
    """Return overrides of ``dataset.*``; a mapping is a value here, not keys below."""
    return [setting(f"dataset.{key}", value) for key, value in options.items()]
