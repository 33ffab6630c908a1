"""VAE latents against the data space at equal training time, on whole databases.

    python scripts/bench_representations.py FOLDER [FOLDER ...] [--steps 2000] [--out outputs]

The data space trains for ``--steps`` steps a table. A short training of the VAE tells what its steps cost; then its
steps and its denoisers' steps are set such that both have the same processor time in training, half of it for the VAEs.
The table says what each really took. Everything else is ``experiment=fidelity model=data_space``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench_fidelity import DRY_RUN, campaign_row, launch_command

PILOT_STEPS = 400
PILOT = (f"training.autoencoder.steps={PILOT_STEPS}", f"training.diffusion.steps={PILOT_STEPS}")
LATENT, VAE = "model=data_space", "autoencoder=vae"
SHOWN = ("shapes", "pairs", "1-hop", "C2ST", "C2ST-Agg")


def main() -> None:
    """Compare on each database and print a row per representation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("databases", nargs="+")
    parser.add_argument("--steps", type=int, default=2000, help="of the data space's denoisers, a table")
    parser.add_argument("--out", default="outputs")
    parser.add_argument("--override", action="append", default=[], help="a further override of every launch")
    arguments = parser.parse_args()
    if DRY_RUN in arguments.override:
        _print_launches(arguments)
        return
    rows = []
    for database in arguments.databases:
        rows += compared(database, arguments.steps, Path(arguments.out), arguments.override)
        _print(rows)
    (Path(arguments.out) / "bench_representations.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")


def _print_launches(arguments: argparse.Namespace) -> None:
    """Let each launch say what it would run; how long the VAE would train only its pilot tells."""
    for database in arguments.databases:
        for label, overrides in (("data_space", ()), ("vae-pilot", (VAE, *PILOT)), ("vae", (VAE,))):
            campaign = f"representations-{Path(database).name}-{label}"
            given = (LATENT, *overrides, *arguments.override)
            subprocess.run(launch_command(database, "fidelity", campaign, arguments.out, given), check=True)


def compared(database: str, steps: int, out: Path, more: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the rows of both representations; ``more`` are overrides of every launch."""
    space = _launched(database, "data_space", out, "autoencoder=data_space", f"training.diffusion.steps={steps}", *more)
    pilot = _launched(database, "vae-pilot", out, VAE, *PILOT, *more)
    budget = _training_s(space, "autoencoder") + _training_s(space, "diffusion")
    half = {stage: budget / 2 / max(_training_s(pilot, stage), 1e-3) for stage in ("autoencoder", "diffusion")}
    wanted = [f"training.{stage}.steps={max(int(PILOT_STEPS * times), 50)}" for stage, times in half.items()]
    return [space, _launched(database, "vae", out, VAE, *wanted, *more)]


def _launched(database: str, label: str, out: Path, *overrides: str) -> dict[str, Any]:
    campaign, started = f"representations-{Path(database).name}-{label}", time.monotonic()
    subprocess.run(launch_command(database, "fidelity", campaign, str(out), (LATENT, *overrides)), check=True)
    return {**campaign_row(out, campaign, time.monotonic() - started), "label": label, "overrides": overrides}


def _training_s(row: dict[str, Any], stage: str) -> float:
    """Return the processor seconds of a kind of stage over all tables."""
    return sum(took["cpu_s"] for name, took in row["stages"].items() if name.partition("/")[0] == stage)


def _print(rows: list[dict[str, Any]]) -> None:
    print(f"\n| campaign | {' | '.join(SHOWN)} | training, processor s |\n" + "|---" * (len(SHOWN) + 2) + "|")
    for row in rows:
        scores = [row["scores"]["synthetic"].get(name, "-") for name in SHOWN]
        seconds = " + ".join(f"{_training_s(row, stage):.0f}" for stage in ("autoencoder", "diffusion"))
        print(f"| {row['campaign']} | {' | '.join(str(score) for score in scores)} | {seconds} |")


if __name__ == "__main__":
    sys.exit(main())
