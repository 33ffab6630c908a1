"""Run whole databases from their files to the report, and print the table of scores, times and memory.

    python scripts/bench_fidelity.py FOLDER [FOLDER ...] [--experiment fidelity] [--out outputs] [--override WORD ...]

A FOLDER holds tables, with a ``metadata.json`` or none; the name of a dataset yaml (``nycflights13``) works too.
``seed=0,1,2`` runs each database once a seed, each a campaign of its own, so that seeds can be added later.
Every database is one ``python -m tabgraphsyn.launch`` and the figures are read from what it wrote.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

DRY_RUN = "dry_run=true"
SEED = "0"
"""The seed of ``conf/config.yaml``."""
#: First parts of overrides that every launch of a recipe has, or that say where it runs.
OF_THE_RECIPE = frozenset(
    ("experiment", "dataset", "campaign", "output_dir", "cluster", "resources", "tracking", "wait", "dry_run")
)
COLUMNS = ("shapes", "pairs", "cardinality", "1-hop", "2-hop", "siblings", "C2ST", "C2ST-Agg", "copies")


def main() -> None:
    """Launch each database and print one row each; a database that fails is named and the others go on."""
    arguments = _arguments()
    rows, failed = [], []
    for database, overrides in itertools.product(arguments.databases, by_seed(arguments.override)):
        campaign = f"{arguments.experiment}-{Path(database).name}{suffix(overrides)}"
        started = time.monotonic()
        command = launch_command(database, arguments.experiment, campaign, arguments.out, overrides)
        code = subprocess.run(command, check=False).returncode
        if code:
            failed.append((database, code))
            continue
        if DRY_RUN in arguments.override:
            continue
        rows.append(campaign_row(Path(arguments.out), campaign, time.monotonic() - started))
        _print(rows)
    if rows:
        (Path(arguments.out) / "bench_fidelity.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")
    for database, code in failed:
        print(f"{database}: exit code {code}", file=sys.stderr)
    sys.exit(3 if failed else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("databases", nargs="+")
    parser.add_argument("--experiment", default="fidelity")
    parser.add_argument("--out", default="outputs")
    parser.add_argument("--override", action="append", default=[], help="a further override, e.g. seed=1")
    return parser.parse_args()


def by_seed(overrides: Sequence[str]) -> list[list[str]]:
    """Return the overrides of each run, one a seed; the seed that holds anyway is not named.

    >>> by_seed(["model=vae", "seed=0,1"])
    [['model=vae'], ['model=vae', 'seed=1']]
    """
    others = [word for word in overrides if not word.startswith("seed=")]
    seeds = [seed for word in overrides if word.startswith("seed=") for seed in word[5:].split(",")] or [SEED]
    return [[*others, *([] if seed == SEED else [f"seed={seed}"])] for seed in seeds]


def suffix(overrides: Sequence[str]) -> str:
    """Return what tells campaigns of one database apart: ``model=data_space`` is another one, where it ran is none.

    >>> suffix(["model=data_space", "cluster.threads=1", "dry_run=true"])
    '-model.data_space'
    """
    kept = [word for word in overrides if re.split(r"[.=]", word.lstrip("+~"))[0] not in OF_THE_RECIPE]
    return "".join(f"-{re.sub(r'[^A-Za-z0-9._-]+', '.', word)}" for word in kept)


def launch_command(database: str, experiment: str, campaign: str, out: str, overrides: Sequence[str]) -> list[str]:
    """Return the command line that runs a folder or a dataset yaml as a campaign."""
    if Path(database).is_dir():
        dataset = ["dataset=folder", f"dataset.path={Path(database).resolve()}", f"dataset.name={Path(database).name}"]
    else:
        dataset = [f"dataset={database}"]
    launch = [sys.executable, "-m", "tabgraphsyn.launch", f"experiment={experiment}", *dataset]
    return [*launch, f"campaign={campaign}", f"output_dir={out}", *overrides]


def campaign_row(out: Path, campaign: str, wall_s: float) -> dict[str, Any]:
    """Return the scores, seconds and memory of a campaign of one point."""
    record = json.loads((out / "campaigns" / campaign / "campaign.json").read_text(encoding="utf-8"))
    point = next(path.parent for path in (out / "campaigns" / campaign).glob("*/metrics.json"))
    scores = json.loads((point / "metrics.json").read_text(encoding="utf-8"))["scores"]
    return {
        "campaign": campaign,
        "wall_s": round(wall_s, 1),
        "scores": {side: _scores(scores, side) for side in ("synthetic", "real_real")},
        "copies": {side: _copies(scores, side) for side in ("synthetic", "real_real")},
        "stages": _stages(out, record),
    }


def _scores(scores: list[dict[str, Any]], side: str) -> dict[str, Any]:
    found: dict[str, Any] = defaultdict(dict)
    names = {
        "column_shapes": "shapes",
        "pair_trends": "pairs",
        "cardinality": "cardinality",
        "sibling_trends": "siblings",
        "c2st_agg": "C2ST-Agg",
    }
    for score in scores:
        if score["comparison"] != side:
            continue
        metric, level, value = score["metric"], score["level"], round(score["value"], 3)
        if metric in names and level == "database":
            found[names[metric]] = value
        elif metric == "khop_trends" and level == "database":
            found[score["where"]] = value
        elif metric in ("c2st", "copies", "c2st_agg") and level == "table":
            found[{"c2st": "C2ST", "copies": "copies", "c2st_agg": "agg by table"}[metric]][score["where"]] = value
    return dict(found)


def _copies(scores: list[dict[str, Any]], side: str) -> dict[str, list[float]]:
    """Return the share of copies of each table and both ends of its interval."""
    return {
        score["where"]: [score["value"], *score["detail"]["interval"]]
        for score in scores
        if score["comparison"] == side and score["metric"] == "copies" and score["level"] == "table"
    }


def _stages(out: Path, record: Any) -> dict[str, dict[str, float]]:
    """Return wall seconds and peak memory of each stage of the campaign's points."""
    text = json.dumps(record)
    stages = {}
    for done in (out / "stages").glob("*/*/done.json"):
        if done.parent.name not in text:
            continue
        manifest = json.loads(done.read_text(encoding="utf-8"))
        name = "/".join(filter(None, (manifest["stage"], manifest["table"])))
        stages[name] = {
            "wall_s": round(manifest["elapsed_s"], 1),
            "cpu_s": round(manifest["cpu_s"], 1),
            "peak_mb": manifest["peak_memory_mb"],
        }
    return stages


def _print(rows: list[dict[str, Any]]) -> None:
    print(f"\n| database | side | {' | '.join(COLUMNS)} | wall s | peak MB |")
    print("|---" * (len(COLUMNS) + 4) + "|")
    for row in rows:
        for side, scores in row["scores"].items():
            cells = [_cell(scores.get(column, "-")) for column in COLUMNS]
            memory = max(stage["peak_mb"] for stage in row["stages"].values())
            print(f"| {row['campaign']} | {side} | {' | '.join(cells)} | {row['wall_s']} | {memory} |")
    for row in rows:
        stages = sorted(row["stages"].items(), key=lambda item: -item[1]["wall_s"])
        print(f"{row['campaign']}: " + ", ".join(f"{name} {stage['wall_s']} s" for name, stage in stages))
        print("\n".join(_more_copies(row)))


def _more_copies(row: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each table with more copies than its holdout, and whether the intervals tell them apart."""
    for table, (share, low, high) in row["copies"]["synthetic"].items():
        usual, usual_low, usual_high = row["copies"]["real_real"].get(table, (0.0, 0.0, 1.0))
        if share > usual:
            told = "told apart" if low > usual_high else "not told apart"
            yield (
                f"{row['campaign']}: copies of {table} {share:.4f} ({low:.4f} to {high:.4f}), "
                f"holdout {usual:.4f} ({usual_low:.4f} to {usual_high:.4f}): {told}"
            )


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{table} {number}" for table, number in value.items())
    return str(value)


if __name__ == "__main__":
    main()
