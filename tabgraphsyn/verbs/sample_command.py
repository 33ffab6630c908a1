"""The command line of ``tabgraphsyn sample``; the function behind it is ``verbs.sample.sample``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.errors import ConfigError, listing, nearest
from tabgraphsyn.verbs.sample import first_seed, given_tables, parse_rows
from tabgraphsyn.verbs.sample import impute as fill
from tabgraphsyn.verbs.sample import sample as write_samples

PLAIN, SYNTHERELA = "plain", "syntherela"
LAYOUTS = (PLAIN, SYNTHERELA)


BundleArgument = Annotated[
    Path, typer.Argument(help="A finished sweep point, or 'bundle' in it; nothing else is read.")
]
ScaleOption = Annotated[
    float | None, typer.Option(help="Size relative to the real database; default: as the bundle was made.")
]
SeedOption = Annotated[int | None, typer.Option(help="Another seed, other rows; default: the bundle's.", min=0)]
OutOption = Annotated[Path, typer.Option(help="Folder for the tables; files of the same names are replaced.")]
RowsOption = Annotated[
    list[str] | None, typer.Option("--rows", help="Rows of one table: --rows users=500. May be repeated.")
]
FormatOption = Annotated[
    list[str] | None, typer.Option("--format", help="parquet or csv. May be repeated; default: both.")
]
DeviceOption = Annotated[str, typer.Option(help="auto | cpu | cuda.")]
PrecisionOption = Annotated[
    str | None,
    typer.Option(help="float32 | bf16, about twice as fast where the device multiplies in it; default: the bundle's."),
]
TargetsOption = Annotated[
    list[str] | None,
    typer.Option("--allow-target", help="A package besides tabgraphsyn whose components the bundle may build."),
]
LayoutOption = Annotated[
    str,
    typer.Option(help="plain: tables in --out; syntherela: CSV in --out/synthetic/<dataset>/<method>/<run>/sample<n>."),
]
DatasetOption = Annotated[str, typer.Option(help="Folder of the data set in SyntheRela's layout.")]
MethodOption = Annotated[str, typer.Option(help="Folder of the method in SyntheRela's layout.")]
RunOption = Annotated[str, typer.Option(help="Folder of the run in SyntheRela's layout.")]
SamplesOption = Annotated[
    int, typer.Option(help="Databases to draw, each with the next seed; more than one in a layout.", min=1)
]
GivenOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Rows that stand in the sample: FILE or TABLE=FILE or a folder; empty cells are drawn. Repeatable."
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(help="'TABLE.COLUMN=VALUE', also != < <= > >= and 'TABLE.COLUMN in A, B'. May be repeated."),
]
BalanceOption = Annotated[
    list[str] | None, typer.Option(help="TABLE.COLUMN: each of its values as often. May be repeated.")
]
ImputeOption = Annotated[
    Path | None, typer.Option(help="Fill the empty cells of the tables in this folder or file, nothing else.")
]
DescribeOption = Annotated[
    bool, typer.Option("--describe", help="Only say in words what the bundle holds of the real data.")
]


def sample(
    bundle: BundleArgument,
    scale: ScaleOption = None,
    seed: SeedOption = None,
    out: OutOption = Path("synthetic"),
    rows: RowsOption = None,
    formats: FormatOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = None,
    allow_targets: TargetsOption = None,
    layout: LayoutOption = PLAIN,
    dataset: DatasetOption = "",
    method: MethodOption = "TABGRAPHSYN",
    run: RunOption = "1",
    samples: SamplesOption = 1,
    given: GivenOption = None,
    where: WhereOption = None,
    balance: BalanceOption = None,
    impute: ImputeOption = None,
    describe: DescribeOption = False,
) -> None:
    """Write synthetic tables from a trained bundle; no real data is needed or read."""
    bundle, out = bundle.expanduser(), out.expanduser()
    if describe:
        from tabgraphsyn.generation.bundles.bundle import Bundle
        from tabgraphsyn.generation.bundles.description import described

        print("\n".join(described(Bundle.open(bundle, allow_targets or ()))))
        return
    if impute is not None:
        refuse_beside_impute(scale, rows, formats, given, where, balance, samples)
        _impute(bundle, impute.expanduser(), out, seed, device, tuple(allow_targets or ()))
        return
    standing = given_tables(given or [])
    places = sample_places(layout, out, dataset=dataset, method=method, run=run, samples=samples)
    for number, place in enumerate(places):
        started = time.monotonic()
        made = write_samples(
            bundle,
            scale=scale,
            seed=seed if number == 0 else first_seed(bundle, seed, allow_targets or ()) + number,
            out=place,
            rows=parse_rows(rows) if rows else None,
            formats=formats or (["csv"] if layout == SYNTHERELA else None),
            device=device,
            precision=precision,
            allow_targets=tuple(allow_targets or ()),
            given=standing,
            where=where or (),
            balance=balance or (),
            say=lambda text: print(f"note: {text}"),
        )
        for table, count in made.items():
            print(f"{count:12,} rows  {table}")
        print(f"{sum(made.values()):12,} rows in {time.monotonic() - started:.1f} s: {place.resolve()}")


def _impute(
    bundle: Path, tables: Path, out: Path, seed: int | None, device: str, allow_targets: tuple[str, ...]
) -> None:
    from tabgraphsyn.generation.fixing.typed import read_tables

    if not tables.exists():
        raise ConfigError(f"--impute: a folder of tables or one file expected, {str(tables)!r} does not exist.")
    read, started = read_tables(tables, "--impute"), time.monotonic()
    done = fill(bundle, read, out, seed, device, allow_targets, lambda text: print(f"note: {text}"))
    for one in read:
        empty, left = (
            sum(rows.column(name).null_count for name in rows.column_names) for rows in (one.rows, done[one.name])
        )
        print(f"{empty - left:12,} of {empty:,} empty cells filled  {one.name}")
    print(f"{time.monotonic() - started:.1f} s: {out.resolve()}")


def refuse_beside_impute(*others: object) -> None:
    """Refuse options that say nothing where tables are filled.

    Raises:
        ConfigError: one of them is there.
    """
    names = ("--scale", "--rows", "--format", "--given", "--where", "--balance", "--samples")
    used = [name for name, value in zip(names, others, strict=True) if value not in (None, [], 1)]
    if used:
        raise ConfigError(f"--impute: {listing(used)} beside it: filled tables keep their rows and formats. Drop them.")


def sample_places(layout: str, out: Path, *, dataset: str, method: str, run: str, samples: int) -> list[Path]:
    """Return one folder per sample.

    Raises:
        ConfigError: no such layout, a name that is no folder, or several samples for one folder.
    """
    if layout not in LAYOUTS:
        raise ConfigError(
            f"--layout: one of {', '.join(LAYOUTS)} expected, found {layout!r}.{nearest(layout, LAYOUTS)}"
        )
    if layout == PLAIN:
        if samples > 1:
            raise ConfigError(f"--samples: {samples} samples do not fit one folder. Add --layout syntherela.")
        return [out]
    if not dataset:
        raise ConfigError(
            "--dataset: SyntheRela's layout names the data set, and a bundle does not know what it is called. Add "
            "--dataset NAME, the name of the folder with the real tables."
        )
    # Imported here: the command line reads this file before anything heavy is loaded.
    from tabgraphsyn.evaluation.sides.syntherela import SampleFolder

    return [SampleFolder(dataset, method, run, number, out).tables for number in range(1, samples + 1)]
