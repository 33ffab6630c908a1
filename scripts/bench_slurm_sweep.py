"""A real sweep on a throw-away Slurm: jobs, dependencies, shared stages, wall time.

``launch/slurm_sweep.sh`` runs it. Further arguments are overrides: ``training.absorbing.steps=50`` for a shorter one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "slurm"))

from chaos_sweeps import ProjectLaunches
from cluster_kit import throw_away_cluster

SWEEP = ("-m", "experiment=quickstart", "gnn=gin,gat,sage", "seed=0,1,2", "campaign=sweep")
# The nodes of the devcluster are this very machine: as many stages at once as it has cores are enough.
CLUSTER = ("cluster=slurm", "cluster.cpu_partition=cpu", "cluster.threads=1", "cluster.heartbeat_s=5")
# What a point's folder holds besides its report and scores.
LARGE = shutil.ignore_patterns("bundle", "synthetic")


def main() -> int:
    """Launch, wait, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds until it stops waiting")
    parser.add_argument("--at-once", type=int, default=2, help="elements that run at once")
    parser.add_argument("--keep", type=Path, default=None, help="folder for the campaign's reports and scores")
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_args()
    if "dry_run=true" in options.overrides:  # what it would run, on a machine without Slurm, too
        command = [sys.executable, "-m", "tabgraphsyn.launch", *SWEEP, "cluster=inline", *options.overrides]
        return subprocess.run(command, check=False).returncode
    with throw_away_cluster("--cpus", str(max(1, options.at_once // 2))) as (folder, cluster):
        launches = ProjectLaunches(folder / "launches", folder / "conf", cluster.environment)
        return run(launches, options)


def run(launches: ProjectLaunches, options: argparse.Namespace) -> int:
    """Launch the sweep and print what became of it."""
    started = time.monotonic()
    text = launches.run(*SWEEP, *CLUSTER, *options.overrides)
    launch_s = time.monotonic() - started
    plan = json.loads(next(launches.out.glob("campaigns/*/campaign.json")).read_text())
    stages = {stage for point in plan["points"].values() for stage in point["stages"].values()}
    while launches.done() < len(stages) and time.monotonic() - started < options.timeout:
        time.sleep(2.0)
    elapsed_s = time.monotonic() - started
    print(table(launches.ledger()))
    print(shared(plan["points"]))
    done = launches.done()
    calls = text.rsplit("scheduler calls: ", 1)[-1].splitlines()[0]
    print(f"\nlaunch {launch_s:.1f} s ({calls}); {done} of {len(stages)} stages done after {elapsed_s:.0f} s")
    print(f"CPU time of the stages: {cpu_s(launches.out):.0f} s")
    if options.keep is not None:
        shutil.copytree(launches.out / "campaigns", options.keep, dirs_exist_ok=True, ignore=LARGE)
        print(f"reports and scores: {options.keep}")
    if done < len(stages):
        print(launches.verb("status", "sweep", code=None)[-3000:])
    return 0 if done == len(stages) else 1


def table(ledger: Sequence[Mapping[str, object]]) -> str:
    """Return a line per job: id, elements, stage, what it waits for."""
    lines = ["| job | elements | stage | after |", "|---|---|---|---|"]
    for job in ledger:
        stage = str(job["name"]).split(":")[2]
        elements = job["elements"]
        assert isinstance(elements, dict)
        lines.append(f"| {job['job']} | {len(elements)} | {stage} | {job['dependency'] or 'nothing'} |")
    return "\n".join(lines)


def shared(points: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    """Return per kind how many stages the points have together, and how many of them are computed."""
    wanted: Counter[str] = Counter()
    computed: dict[str, set[str]] = {}
    for point in points.values():
        for stage in point["stages"].values():
            kind = stage.split("/")[0]
            wanted[kind] += 1
            computed.setdefault(kind, set()).add(stage)
    lines = ["", "| stage | of all points | computed |", "|---|---|---|"]
    lines += [f"| {kind} | {count} | {len(computed[kind])} |" for kind, count in wanted.items()]
    lines.append(f"| all | {wanted.total()} | {sum(map(len, computed.values()))} |")
    return "\n".join(lines)


def cpu_s(out: Path) -> float:
    """Return the CPU seconds that the done stages took."""
    return sum(float(json.loads(path.read_text())["cpu_s"]) for path in out.glob("stages/*/*/done.json"))


if __name__ == "__main__":
    sys.exit(main())
