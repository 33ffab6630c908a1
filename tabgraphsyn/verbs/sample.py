"""``tabgraphsyn sample``: synthetic tables from a bundle, on any machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tabgraphsyn.errors import ConfigError, listing

if TYPE_CHECKING:
    from tabgraphsyn.generation.sampling_config import SamplingConfig

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

    Raises:
        DataError: a bundle that is incomplete or was changed.
        ConfigError: a size or device that cannot be, or a folder that holds the tables in a format not asked for.
    """
    # Imported here: a command line that only shows its help must not load torch.
    from tabgraphsyn.data.untrusted import blamed
    from tabgraphsyn.generation.bundle import Bundle
    from tabgraphsyn.generation.sampling_config import SamplingConfig
    from tabgraphsyn.orchestration.compute import arithmetic_on_one_thread, cpu_count
    from tabgraphsyn.stages.build import build
    from tabgraphsyn.stages.generating import Generation

    with blamed(str(bundle)):
        opened = Bundle.open(bundle, allow_targets)
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
    folder = Path("synthetic") if out is None else out
    _refuse_leftovers(folder, opened.tables, config.formats)
    generation = Generation(
        bundle=opened,
        config=config,
        seed=int(opened.manifest["provenance"]["seed"]) if seed is None else seed,
        device=_resolved(device),
        threads=cpu_count(),
        allow_targets=tuple(allow_targets),
    )
    # No message of numpy, arrow or torch is for the user; what they say here they say of the bundle.
    with blamed(str(bundle)), arithmetic_on_one_thread():
        return generation.run(folder)


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
    from tabgraphsyn.generation.bundle import Bundle

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


def _resolved(device: str) -> str:
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise ConfigError(f"--device: 'cpu', 'cuda' or 'auto' expected, found {device!r}.")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device: this machine offers no 'cuda'. Use --device cpu.")
    return device
