"""How long a launch of a large sweep takes on a real Slurm: ``python scripts/bench_plan.py --points 1000``.

Starts a throw-away cluster, launches points x 6 trivial stages, counts calls and files, and cancels, or with ``--run``
waits for the end.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "slurm"))

from cluster_kit import DevCluster, Launches, throw_away_cluster, write_conf


def main() -> int:
    """Print the figures as json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--run", action="store_true", help="wait until every stage is done")
    options = parser.parse_args()
    with throw_away_cluster() as (folder, cluster):
        print(json.dumps(measured(folder, cluster, options), indent=2))
    return 0


def measured(folder: Path, cluster: DevCluster, options: argparse.Namespace) -> dict[str, object]:
    """Return the figures of one launch."""
    launches = Launches(folder / "launches", write_conf(folder / "conf"), cluster.environment)
    started, cpu_s = time.monotonic(), children_cpu_s()
    text = launches.run("-m", "dataset=single", f"seed=range(0,{options.points})", "campaign=bench")
    elapsed_s, cpu_s = time.monotonic() - started, children_cpu_s() - cpu_s
    files = sum(path.is_file() for path in launches.out.rglob("*"))
    calls = re.findall(r"scheduler calls: (.*)", text)
    found: dict[str, object] = {
        "points": options.points,
        "stages": int(re.findall(r"(\d+) stages", text)[0]),
        "seconds_to_the_end_of_launch": round(elapsed_s, 2),
        "cpu_seconds_of_launch": round(cpu_s, 2),
        "jobs": len(launches.ledger()),
        "scheduler_calls": calls[0] if calls else None,
        "files_after_launch": files,
        "files_of_submission": sum(path.is_file() for path in (launches.out / "slurm").rglob("*")),
    }
    started = time.monotonic()
    launches.verb("status", "bench", "--json")
    found["seconds_of_status"] = round(time.monotonic() - started, 2)
    if options.run:
        launches.wait_done(int(str(found["stages"])), timeout_s=7200)
        found["seconds_to_the_end_of_the_sweep"] = round(time.monotonic() - started, 1)
        found["files_per_stage"] = round(
            sum(p.is_file() for p in launches.out.rglob("*")) / int(str(found["stages"])), 2
        )
    else:
        started = time.monotonic()
        launches.verb("cancel", "bench")
        found["seconds_of_cancel"] = round(time.monotonic() - started, 2)
    return found


def children_cpu_s() -> float:
    """Return the CPU seconds of the processes that this one waited for: other load does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
