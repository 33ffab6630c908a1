"""What large sweeps cost on a real Slurm: ``python scripts/bench_plan.py --points 1000 10000``.

Starts a throw-away cluster, launches points x 4 trivial stages while nothing may start, and measures what a launch and
each verb take: CPU seconds of the client (other load does not count), peak memory, calls of Slurm's commands, files.
With two sizes it states how each figure grows: 1.0 is in proportion to the points. ``--run`` lets the last sweep end.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "slurm"))

from cluster_kit import HERE, DevCluster, Launches, throw_away_cluster, write_conf

VERBS = {
    "status": ("status", "bench"),
    "status --json": ("status", "bench", "--json"),
    "status --point": ("status", "bench", "--stage", "gnn", "--point", "seed=7"),
    "repair": ("repair", "bench"),
    "usage": ("usage", "bench"),
    "gc": ("gc",),
    "cancel": ("cancel", "bench"),
}


def main() -> int:
    """Print the figures as json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--run", action="store_true", help="wait until every stage of the last sweep is done")
    options = parser.parse_args()
    with throw_away_cluster() as (folder, cluster):
        cluster.call("scontrol", "update", "partitionname=cpu", "state=down")
        found = {str(points): measured(folder, cluster, points) for points in options.points}
        if len(options.points) > 1:
            found["growth"] = growth(found, options.points[0], options.points[-1])
        if options.run:
            cluster.call("scontrol", "update", "partitionname=cpu", "state=up")
            found["run"] = to_the_end(folder, cluster, options.points[-1])
    print(json.dumps(found, indent=2))
    return 0


def measured(folder: Path, cluster: DevCluster, points: int) -> dict[str, object]:
    """Return the figures of one sweep, planned, shown and cancelled."""
    launches = launches_of(folder, cluster, points)
    launches.folder.mkdir(parents=True)
    environment = {**launches.environment, "FAKE_CONF": str(launches.conf)}
    launch = [sys.executable, str(HERE / "slurm_launch.py"), f"output_dir={launches.out}", *sweep(points)]
    found: dict[str, object] = {"points": points, "launch": timed(launch, environment)}
    found["stages"] = int(re.findall(r"(\d+) stages", str(found["launch"]["said"]))[0])  # type: ignore[index]
    found["arrays"] = len(launches.ledger())
    found["files after launch"] = sum(path.is_file() for path in launches.out.rglob("*"))
    found["files of its jobs"] = sum(path.is_file() for path in (launches.out / "slurm" / "launches").rglob("*"))
    for name, words in VERBS.items():
        command = [sys.executable, "-m", "tabgraphsyn", *words, "--output-dir", str(launches.out)]
        found[name] = timed(command, environment)
    for each in found.values():
        if isinstance(each, dict):
            each.pop("said")
    return found


def launches_of(folder: Path, cluster: DevCluster, points: int) -> Launches:
    """Return the launches of one size."""
    return Launches(folder / f"launches-{points}", write_conf(folder / "conf"), cluster.environment)


def sweep(points: int) -> list[str]:
    """Return the arguments of a sweep over seeds: trivial stages, four a point and two for all."""
    return ["-m", "dataset=single", f"seed=range(0,{points})", "campaign=bench"]


def timed(command: Sequence[str], environment: dict[str, str]) -> dict[str, object]:
    """Run a command; return CPU and wall seconds, peak memory in MB, and what it said of the scheduler's calls."""
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said[-2000:]
    calls = re.findall(r"scheduler calls: (.*)", said)
    return {
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "wall_s": round(time.monotonic() - started, 2),
        "peak_mb": round(used.ru_maxrss / 1024),
        "lines": said.count("\n"),
        **({"calls": calls[-1]} if calls else {}),
        "said": said,
    }


def growth(found: dict[str, dict[str, object]], small: int, large: int) -> dict[str, dict[str, float]]:
    """Return the exponents with which CPU seconds and memory grow with the points."""
    first, last = found[str(small)], found[str(large)]
    return {
        name: {
            key: round(math.log(float(last[name][key]) / float(first[name][key])) / math.log(large / small), 2)  # type: ignore[index]
            for key in ("cpu_s", "peak_mb")
        }
        for name in ("launch", *VERBS)
    }


def to_the_end(folder: Path, cluster: DevCluster, points: int) -> dict[str, float]:
    """Launch the cancelled sweep again and wait for it."""
    launches = launches_of(folder, cluster, points)
    started = time.monotonic()
    launches.run(*sweep(points), timeout_s=3600)
    stages = 4 * points + 2
    launches.wait_done(stages, timeout_s=7200)
    files = sum(path.is_file() for path in launches.out.rglob("*"))
    return {"seconds": round(time.monotonic() - started, 1), "files a stage": round(files / stages, 2)}


if __name__ == "__main__":
    sys.exit(main())
