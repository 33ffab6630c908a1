"""``tabgraphsyn sample``: synthetic tables from a bundle, on any machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

from tabgraphsyn.errors import ConfigError, listing, raise_collected

if TYPE_CHECKING:
    import pyarrow as pa

    from tabgraphsyn.generation.bundles.bundle import Bundle
    from tabgraphsyn.generation.fixing.typed import ReadTable
    from tabgraphsyn.generation.fixing.wishes import Wishes
    from tabgraphsyn.generation.sampling_config import SamplingConfig
    from tabgraphsyn.stages.generating import Generation

MOST_UNASKED_ROWS = 20_000_000
"""Rows that a bundle may ask for by its own settings."""


def sample(
    bundle: Path,
    scale: float | None = None,
    seed: int | None = None,
    out: Path | None = None,
    rows: Mapping[str, int] | None = None,
    formats: Sequence[str] | None = None,
    device: str = "auto",
    precision: str | None = None,
    allow_targets: Sequence[str] = (),
    given: Sequence[ReadTable] = (),
    where: Sequence[str] = (),
    balance: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, int]:
    """Write a synthetic database and return the number of rows of each table.

    Args:
        bundle: folder of a bundle; nothing else is read.
        scale: size relative to the real database; None for what the bundle was made with.
        seed: another seed gives other rows; None for the one the bundle was made with.
        out: folder for the tables; ``synthetic`` in the current one when None.
        rows: rows of some tables, in place of ``scale``.
        formats: ``parquet``, ``csv`` or both.
        device: ``cpu``, ``cuda`` or ``auto``.
        precision: ``float32`` or ``bf16``; None for what the bundle was made with.
        allow_targets: packages besides tabgraphsyn whose components the bundle may build.
        given: rows that stand in the sample, see ``given_tables``.
        where: conditions, ``table.column=value``.
        balance: columns whose levels are to be as frequent, ``table.column``.
        say: what the user should know of what was fixed is said here.

    Raises:
        DataError: a bundle that is incomplete or was changed, or given rows that do not fit it.
        ConfigError: a size or device that cannot be, wishes that cannot be met, or a folder that holds the tables in a
            format not asked for.
    """
    # Imported here: a command line that only shows its help must not load torch.
    from tabgraphsyn.data.untrusted import blamed
    from tabgraphsyn.generation.bundles.bundle import Bundle
    from tabgraphsyn.generation.sampling_config import SamplingConfig
    from tabgraphsyn.orchestration.computing.compute import arithmetic_on_one_thread
    from tabgraphsyn.stages.build import build

    with blamed(str(bundle)):
        opened = Bundle.open(bundle, allow_targets)
    _refuse_odd_types(rows, seed, where, balance)
    chosen = {
        "scale": scale,
        "rows": None if rows is None else dict(rows),
        "formats": formats,
        "precision": precision,
    }
    settings = {**opened.manifest["sampling"], **{key: value for key, value in chosen.items() if value is not None}}
    config: SamplingConfig = build(settings, SamplingConfig, allow_targets=tuple(allow_targets))
    if scale is None and rows is None:
        _refuse_many_rows(opened.prepared.plan.real_rows, config)
    wishes = read_wishes(opened, config, given, where, balance)
    for note in wishes.notes:
        say(note)
    folder = Path("synthetic") if out is None else out
    _refuse_leftovers(folder, opened.tables, config.formats)
    generation = replace(_generation(opened, config, seed, device, allow_targets, say), wishes=wishes)
    # No message of numpy, arrow or torch is for the user; what they say here they say of the bundle.
    with blamed(str(bundle)), arithmetic_on_one_thread():
        rows_made = generation.run(folder)
    for table, standing in wishes.given.items():
        say(
            f"{table}: {standing.rows.num_rows:,} given rows stand in the sample as they are, on purpose: whatever "
            "compares it with real data finds them there."
        )
    return rows_made


def read_wishes(
    bundle: Bundle, config: SamplingConfig, given: Sequence[ReadTable], where: Sequence[str], balance: Sequence[str]
) -> Wishes:
    """Return what a user fixes, typed and held against the bundle.

    Raises:
        DataError, ConfigError: all that does not fit it.
    """
    from tabgraphsyn.generation.fixing.condition import parse_condition
    from tabgraphsyn.generation.fixing.wishes import Wishes, WishReader, parse_balance
    from tabgraphsyn.generators.base import named

    if not given and not where and not balance:
        return Wishes()
    maker = named(bundle.generator.rows)
    publishes = config.reference_tables == "keep"
    reader = WishReader(bundle.prepared, holds_cells=maker.holds_cells, publishes=publishes)
    columns = {one.name: list(one.by_name) for one in bundle.prepared.schema.tables}
    conditions = [parse_condition(one, columns) for one in where]
    return reader.read(given, conditions, [parse_balance(one, columns) for one in balance])


def given_tables(texts: Sequence[str]) -> list[ReadTable]:
    """Return the rows of ``--given``: files or folders, or ``TABLE=FILE`` for a file of another name.

    Raises:
        ConfigError: a path that leads nowhere. DataError: files that cannot be read.
    """
    from dataclasses import replace

    from tabgraphsyn.generation.fixing.typed import read_tables

    found = []
    for text in texts:
        table, sign, name = text.partition("=")
        path = Path(text).expanduser()
        is_named = bool(sign) and not path.exists()
        path = Path(name).expanduser() if is_named else path
        if not path.exists():
            raise ConfigError(f"--given: FILE, FOLDER or TABLE=FILE expected, {str(path)!r} does not exist.")
        read = read_tables(path, "--given")
        if is_named and len(read) != 1:
            raise ConfigError(f"--given: {text!r}: one table in the file expected, found {len(read)}.")
        found += [replace(read[0], name=table)] if is_named else read
    return found


def impute(
    bundle: Path,
    tables: Sequence[ReadTable],
    out: Path | None,
    seed: int | None = None,
    device: str = "auto",
    allow_targets: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, pa.Table]:
    """Fill the nulls of foreign tables and return them, (rows,) each, in their own types.

    Args:
        bundle: folder of a bundle whose generator conditions on single values.
        tables: what is filled, with its keys.
        out: folder for the files, under their own names; None to write nothing.
        seed: another seed gives other values; None for the one the bundle was made with.
        device: ``cpu``, ``cuda`` or ``auto``.
        allow_targets: packages besides tabgraphsyn whose components the bundle may build.
        say: what the user should know is said here.

    Raises:
        DataError: a bundle that is incomplete or was changed, or tables that do not fit it.
        ConfigError: a generator that cannot, a device that is not there, or ``out`` that holds the tables themselves.
    """
    import pyarrow.parquet as pq

    from tabgraphsyn.data.files import vanishing_folder
    from tabgraphsyn.data.untrusted import blamed
    from tabgraphsyn.generation.bundles.bundle import Bundle
    from tabgraphsyn.generation.fixing.filling import tables_to_fill
    from tabgraphsyn.generation.fixing.write_back import filled_rows, write_filled
    from tabgraphsyn.generation.sampling_config import SamplingConfig
    from tabgraphsyn.generators.base import named
    from tabgraphsyn.orchestration.computing.compute import arithmetic_on_one_thread
    from tabgraphsyn.stages.build import build
    from tabgraphsyn.stages.generating import files_together

    _refuse_odd_types(None, seed)
    with blamed(str(bundle)):
        opened = Bundle.open(bundle, allow_targets)
    if not named(opened.generator.rows).holds_cells:
        raise ConfigError(
            f"--impute: the generator of this bundle, {opened.generator.__name__}, cannot draw single values for given "
            "ones. Train with model=absorbing."
        )
    if out is not None and any(one.path is not None and one.path.parent.resolve() == out.resolve() for one in tables):
        raise ConfigError(f"--out: {str(out)!r} holds the tables themselves. Choose another folder.")
    filled = tables_to_fill(opened.prepared, tables, say)
    config: SamplingConfig = build(
        {**opened.manifest["sampling"], "formats": ["parquet"], "rows": {}},
        SamplingConfig,
        allow_targets=tuple(allow_targets),
    )
    generation = replace(_generation(opened, config, seed, device, allow_targets, say), filled=filled)
    done = {}
    with blamed(str(bundle)), vanishing_folder() as folder, arithmetic_on_one_thread():
        generation.run(folder)
        with nullcontext() if out is None else files_together(out) as aside:
            for one in tables:
                made = pq.read_table(folder / f"{one.name}.parquet", memory_map=False)
                schema = opened.prepared.schema.table(one.name)
                done[one.name] = (
                    filled_rows(one, made, schema) if aside is None else write_filled(one, made, schema, aside)
                )
    return done


def _refuse_odd_types(rows: object, seed: object, where: object = (), balance: object = ()) -> None:
    """Refuse what a command line cannot hold, but a caller in Python can.

    Raises:
        ConfigError: all that is no text, number or mapping where one is expected.
    """
    problems = []
    if rows is not None and not isinstance(rows, Mapping):
        problems.append(f"rows: {{table: number}} expected, found {rows!r}.")
    is_whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if seed is not None and not (is_whole and int(str(seed)) >= 0):
        problems.append(f"seed: a whole number of at least 0, or None, expected, found {seed!r}.")
    for name, texts in (("where", where), ("balance", balance)):
        if not isinstance(texts, Sequence) or not all(isinstance(one, str) for one in texts):
            problems.append(f"{name}: a text or a list of them expected, found {texts!r}.")
    raise_collected(ConfigError, problems)


def _refuse_many_rows(real_rows: Mapping[str, int], config: SamplingConfig) -> None:
    """Refuse a size that only the bundle asks for: days of work are for the user to ask for."""
    asked = sum(config.rows.values()) + sum(real_rows.values()) * config.scale
    if asked > MOST_UNASKED_ROWS:
        raise ConfigError(
            f"the bundle asks for about {asked:,.0f} rows, more than {MOST_UNASKED_ROWS:,} are made only if you ask "
            "for them. Say how many you want: --scale or --rows."
        )


def _refuse_leftovers(folder: Path, tables: Sequence[str], formats: Sequence[str]) -> None:
    """Refuse a folder that would hold a table twice, new in one format and old in the other.

    The old file may be anything, real data too, so it is for the user to remove.
    """
    from tabgraphsyn.generation.sampling_config import FORMATS

    others = [name for name in FORMATS if name not in formats]
    left = [f"{table}.{name}" for table in tables for name in others if (folder / f"{table}.{name}").exists()]
    if left:
        raise ConfigError(
            f"--out: {str(folder)!r} holds {listing(left, 5)} already, which --format {' '.join(formats)} would leave "
            "beside other rows of the same name. Remove them, add their format, or choose another folder."
        )


def first_seed(bundle: Path, seed: int | None, allow_targets: Sequence[str] = ()) -> int:
    """Return ``seed``, or the one that the bundle was made with."""
    from tabgraphsyn.generation.bundles.bundle import Bundle

    return int(Bundle.open(bundle, allow_targets).manifest["provenance"]["seed"]) if seed is None else seed


def parse_rows(pairs: Sequence[str]) -> dict[str, int]:
    """Return ``{"users": 100}`` for ``["users=100"]``.

    >>> parse_rows(["users=100", "items=7"])
    {'users': 100, 'items': 7}

    Raises:
        ConfigError: a pair of another form.
    """
    rows = {}
    for pair in pairs:
        table, sign, count = pair.rpartition("=")
        if not sign or not table or not count.isdigit():
            raise ConfigError(f"--rows: TABLE=NUMBER expected, found {pair!r}.")
        rows[table] = int(count)
    return rows


def _generation(
    bundle: Bundle,
    config: SamplingConfig,
    seed: int | None,
    device: str,
    allow_targets: Sequence[str],
    say: Callable[[str], None],
) -> Generation:
    from tabgraphsyn.orchestration.computing.compute import cpu_count
    from tabgraphsyn.stages.generating import Generation

    return Generation(
        bundle=bundle,
        config=config,
        seed=int(bundle.manifest["provenance"]["seed"]) if seed is None else seed,
        device=_resolved(device),
        threads=cpu_count(),
        allow_targets=tuple(allow_targets),
        say=say,
    )


def _resolved(device: str) -> str:
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise ConfigError(f"--device: 'cpu', 'cuda' or 'auto' expected, found {device!r}.")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device: this machine offers no 'cuda'. Use --device cpu.")
    return device
