"""What an interruption costs on a real Slurm: ``python scripts/bench_slurm.py --repeat 5 --watch-s 130``.

On a throw-away cluster, with trivial stages of one step in 0.05 s: from a preempting job's submission to its start
(the scheduler's decision, SIGTERM, saving, leaving), from the end of the interrupted attempt to that start, from
requeueing and from the free node to the first new step, scheduler calls of ``status --watch``, files of an attempt.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "slurm"))

from cluster_kit import DevCluster, Launches, throw_away_cluster, wait_until, write_conf

STEPS = 100_000
PRIOR = ("sbatch", "--parsable", "-p", "high", "-N2", "--exclusive", "-t", "5")


def main() -> int:
    """Print the figures as json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="preemptions, and as many requeues")
    parser.add_argument("--watch-s", type=float, default=130.0, help="seconds of `status --watch`")
    options = parser.parse_args()
    with throw_away_cluster("--grace", "20") as (folder, cluster):
        print(json.dumps(Bench(folder, cluster).figures(options.repeat, options.watch_s), indent=2))
    return 0


class Bench:
    """One stage that trains for long, and what is done to it."""

    def __init__(self, folder: Path, cluster: DevCluster) -> None:
        self.cluster = cluster
        self.launches = Launches(folder / "launches", write_conf(folder / "conf"), cluster.environment)
        self.started = folder / "started"

    def figures(self, repeat: int, watch_s: float) -> dict[str, object]:
        """Return all figures."""
        settings = ("dataset=single", "cluster.cpu_partition=low", "cluster.max_preemptions=1000")
        self.launches.run("campaign=bench", f"fake.gnn=train:{STEPS}:0.05", *settings)
        self.stage = self.launches.wait_for("stages/gnn/*/metrics.jsonl").parent
        self._next_step(self._step(), 60)
        preempted = [self.preempted() for _ in range(repeat)]
        requeued = [self.requeued() for _ in range(repeat)]
        found: dict[str, object] = {
            "preempting_job_submitted_to_running_s": summary([each[0] for each in preempted]),
            "interrupted_attempt_ended_to_node_taken_s": summary([each[1] for each in preempted]),
            "preempting_job_gone_to_first_new_step_s": summary([each[2] for each in preempted]),
            "scontrol_requeue_to_first_new_step_s": summary(requeued),
            "files": self.files(),
        }
        if watch_s:
            found["watching"] = self.watching(watch_s)
        self.launches.verb("cancel", "bench")
        return found

    def preempted(self) -> tuple[float, float, float]:
        """Preempt once; return seconds to the other job's start, from the attempt's end to it, and to new steps."""
        attempt = self._attempts()
        self.started.unlink(missing_ok=True)
        note = f"date +%s.%N > {self.started}.part; mv {self.started}.part {self.started}; sleep 300"
        begun = time.time()
        job = self.cluster.call(*PRIOR, "-o", "/dev/null", "--wrap", note)
        wait_until(self.started.exists, 120, "the preempting job")
        taken = float(self.started.read_text())
        ended = self._ended(attempt)
        step = self._step()
        self.cluster.call("scancel", job)
        gone = time.time()
        self._next_step(step, 180)
        return taken - begun, taken - ended, time.time() - gone

    def requeued(self) -> float:
        """Requeue as an administrator does; return seconds to the first step that was not there before."""
        attempt = self._attempts()
        wait_until(lambda: "RUNNING" in self.cluster.queue().values(), 60, "a running element")
        running = [element for element, state in self.cluster.queue().items() if state == "RUNNING"]
        begun = time.time()
        self.cluster.call("scontrol", "requeue", running[0])
        self._ended(attempt)
        self._next_step(self._step(), 180)
        return time.time() - begun

    def _ended(self, attempt: int) -> float:
        """Wait for the end of an attempt and return when it was."""
        path = self.stage / "attempts" / f"{attempt}.json"
        wait_until(lambda: "ended" in json.loads(path.read_text()), 60, f"the end of attempt {attempt}")
        return float(json.loads(path.read_text())["ended"])

    def watching(self, seconds: float) -> dict[str, object]:
        """Watch for a while; return counted calls and what they make in an hour."""
        command = [sys.executable, "-m", "tabgraphsyn", "status", "bench", "--watch", "--rpc-report"]
        process = subprocess.Popen(
            [*command, "--output-dir", str(self.launches.out)],
            env=dict(self.launches.environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(seconds)
        process.terminate()
        _, said = process.communicate(timeout=30)
        looks = re.findall(r"scheduler calls: (.*)", said)
        last = sum(int(number) for number in re.findall(r"(\d+) \w+", looks[-1])) if looks else 0
        first = sum(int(number) for number in re.findall(r"(\d+) \w+", looks[0])) if looks else 0
        per_look = (last - first) / (len(looks) - 1) if len(looks) > 1 else float(last)
        pause_s = seconds / max(len(looks), 1)
        return {
            "seconds": seconds,
            "looks": len(looks),
            "calls": looks[-1] if looks else "none",
            "calls_per_look": round(per_look, 2),
            "calls_per_hour_at_one_look_in_30_s": round(per_look * 120),
            "seconds_per_look": round(pause_s, 1),
        }

    def files(self) -> dict[str, object]:
        """Count what the stage and its job left, beside artifacts."""
        names = [path.relative_to(self.stage).parts for path in self.stage.rglob("*") if path.is_file()]
        per_attempt = Counter(parts[0] for parts in names)
        attempts = per_attempt.get("attempts", 1)
        job_logs = len(list(self.launches.out.glob("slurm/launches/*/*_log.out")))
        elements = sum(len(each["elements"]) for each in self.launches.ledger())
        return {
            "attempts": attempts,
            "in_the_stage_folder": dict(per_attempt),
            "per_attempt": round(len(names) / attempts, 2),
            "job_logs_per_element": round(job_logs / elements, 2),
        }

    def _lines(self) -> list[str]:
        return (self.stage / "metrics.jsonl").read_text().splitlines()

    def _step(self) -> int:
        lines = [line for line in self._lines() if line.endswith("}")]
        return int(json.loads(lines[-1])["step"]) if lines else 0

    def _attempts(self) -> int:
        return len(list((self.stage / "attempts").glob("*.json")))

    def _next_step(self, step: int, timeout_s: float) -> None:
        wait_until(lambda: self._step() > step + 1, timeout_s, f"a step after {step}")


def summary(seconds: Sequence[float]) -> dict[str, object]:
    """Return median, maximum and every value."""
    rounded = [round(each, 2) for each in seconds]
    return {"median": round(statistics.median(seconds), 2), "max": max(rounded), "all": rounded}


if __name__ == "__main__":
    sys.exit(main())
