"""The command line of ``tabgraphsyn sample``; the function behind it is ``verbs.sample.sample``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.errors import ConfigError, nearest
from tabgraphsyn.verbs.sample import first_seed, parse_rows
from tabgraphsyn.verbs.sample import sample as write_samples

PLAIN, SYNTHERELA = "plain", "syntherela"
LAYOUTS = (PLAIN, SYNTHERELA)


def sample(
    bundle: Annotated[Path, typer.Argument(help="A finished sweep point, or 'bundle' in it; nothing else is read.")],
    scale: Annotated[
        float | None, typer.Option(help="Size relative to the real database; default: as the bundle was made.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, other rows; default: the bundle's.", min=0)] = None,
    out: Annotated[Path, typer.Option(help="Folder for the tables; files of the same names are replaced.")] = Path(
        "synthetic"
    ),
    rows: Annotated[
        list[str] | None, typer.Option("--rows", help="Rows of one table: --rows users=500. May be repeated.")
    ] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="parquet or csv. May be repeated; default: both.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto | cpu | cuda.")] = "auto",
    precision: Annotated[
        str | None,
        typer.Option(
            help="float32 | bf16, about twice as fast where the device multiplies in it; default: the bundle's."
        ),
    ] = None,
    allow_targets: Annotated[
        list[str] | None,
        typer.Option("--allow-target", help="A package besides tabgraphsyn whose components the bundle may build."),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            help="plain: tables in --out; syntherela: CSV in --out/synthetic/<dataset>/<method>/<run>/sample<n>."
        ),
    ] = "plain",
    dataset: Annotated[str, typer.Option(help="Folder of the data set in SyntheRela's layout.")] = "",
    method: Annotated[str, typer.Option(help="Folder of the method in SyntheRela's layout.")] = "TABGRAPHSYN",
    run: Annotated[str, typer.Option(help="Folder of the run in SyntheRela's layout.")] = "1",
    samples: Annotated[
        int, typer.Option(help="Databases to draw, each with the next seed; more than one in a layout.", min=1)
    ] = 1,
    describe: Annotated[
        bool, typer.Option("--describe", help="Only say in words what the bundle holds of the real data.")
    ] = False,
) -> None:
    """Write synthetic tables from a trained bundle; no real data is needed or read."""
    bundle, out = bundle.expanduser(), out.expanduser()
    if describe:
        from tabgraphsyn.generation.bundle import Bundle
        from tabgraphsyn.generation.description import described

        print("\n".join(described(Bundle.open(bundle, allow_targets or ()))))
        return
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
        )
        for table, count in made.items():
            print(f"{count:12,} rows  {table}")
        print(f"{sum(made.values()):12,} rows in {time.monotonic() - started:.1f} s: {place.resolve()}")


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
