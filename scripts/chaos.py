"""Disturb a sweep on a real Slurm and compare every result with an undisturbed run.

``python scripts/chaos.py --kills 30 --seed 1`` starts a throw-away cluster, launches a sweep in its preemptible
partition, and while it runs preempts, requeues, cancels, kills processes and daemons with signal 9, takes nodes down,
and fills the disk where it may mount a small one. At the end every artifact's hash must equal the undisturbed run's,
every published file must be true to its manifest, and nothing may have been published twice. Exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "slurm"))

from cluster_kit import DevCluster, Launches, write_conf

SWEEP = ("-m", "gnn=gin,gat", "seed=0,1", "campaign=chaos")
DISK_MB = 64


def main() -> int:
    """Run it and print a summary as json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=8, help="disturbances")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=1500.0, help="seconds until it gives up")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tgs-") as name:
        cluster = DevCluster(Path(name) / "c")
        cluster.up("--grace", "5")
        try:
            return Chaos(Path(name), cluster, options).run()
        finally:
            cluster.down()
            subprocess.run(["umount", str(Path(name) / "launches" / "out")], capture_output=True, check=False)


class Chaos:
    """One sweep and its disturbances."""

    def __init__(self, folder: Path, cluster: DevCluster, options: argparse.Namespace) -> None:
        self.cluster = cluster
        self.options = options
        self.random = random.Random(options.seed)
        self.launches = Launches(folder / "launches", write_conf(folder / "conf"), cluster.environment)
        self.here = Launches(folder / "here", folder / "conf", cluster.environment)
        self.has_own_disk = self._mount()
        steps = max(40, 12 * options.kills)
        self.sweep = (*SWEEP, f"fake.autoencoder=train:{steps}:0.1", f"fake.gnn=train:{steps}:0.1")
        self.counts: Counter[str] = Counter()

    def _mount(self) -> bool:
        """Give the results a small disk of their own where this user may mount one."""
        self.launches.out.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(self.launches.out)]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            return False

    def run(self) -> int:
        """Disturb, mend, compare."""
        started = time.monotonic()
        self.here.run(*self.sweep, "cluster=here")
        wanted = self.here.hashes()
        stages = len(list(self.here.out.glob("stages/*/*/done.json")))
        settings = ("cluster.cpu_partition=low", "cluster.max_failures=50", "cluster.max_preemptions=1000")
        self.launches.run(*self.sweep, *settings)
        disturbed = time.monotonic()
        while sum(self.counts.values()) < self.options.kills and self.launches.done() < stages:
            time.sleep(self.random.uniform(0.5, 3.0))
            self.disturb()
            if not self.cluster.queue():
                self.launches.verb("repair", "chaos")
        self.mend(stages, started)
        found = self.launches.hashes()
        problems = [path for path in wanted if found.get(path) != wanted[path]]
        verified = self.launches.verb("verify", "chaos")
        summary = {
            "disturbances": dict(self.counts),
            "in_all": sum(self.counts.values()),
            "stages": stages,
            "done": self.launches.done(),
            "files_compared": len(wanted),
            "different": problems,
            "attempts": len(list(self.launches.out.glob("stages/*/*/attempts/*.json"))),
            "requeues": Counter(entry["kind"] for entry in self.launches.requeues()),
            "verify": verified.strip().splitlines()[-1],
            "seconds": round(time.monotonic() - disturbed, 1),
        }
        print(json.dumps(summary, indent=2))
        is_well = not problems and set(found) == set(wanted) and "0 damaged" in verified
        print("chaos: all well" if is_well else "chaos: RESULTS DIFFER")
        return 0 if is_well else 1

    def disturb(self) -> None:
        """Do one thing at random; what finds nothing to disturb does not count."""
        kinds: list[Callable[[], bool]] = [
            *([self.kill_process] * 3),
            *([self.requeue] * 2),
            *([self.preempt] * 2),
            self.cancel,
            self.node_down,
            self.kill_slurmd,
            self.kill_slurmctld,
            self.break_sacct,
        ]
        if self.has_own_disk:
            kinds.append(self.fill_disk)
        chosen = self.random.choice(kinds)
        if chosen():
            self.counts[chosen.__name__] += 1
            print(f"{sum(self.counts.values()):3} {chosen.__name__}", file=sys.stderr, flush=True)

    def _running(self) -> list[str]:
        return sorted(element for element, state in self.cluster.queue().items() if state == "RUNNING")

    def kill_process(self) -> bool:
        """Signal 9 to a process that runs a stage."""
        pids = []
        for path in self.launches.out.glob("stages/*/*/attempts/*.json"):
            record = json.loads(path.read_text())
            if "outcome" not in record and psutil.pid_exists(record["owner"]["pid"]):
                pids.append(record["owner"]["pid"])
        if not pids:
            return False
        try:
            os.kill(self.random.choice(sorted(pids)), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def requeue(self) -> bool:
        """Requeue as an administrator does."""
        running = self._running()
        if not running:
            return False
        self.cluster.call("scontrol", "requeue", self.random.choice(running), check=False)
        return True

    def cancel(self) -> bool:
        """Cancel an element, and repair."""
        running = self._running()
        if not running:
            return False
        self.cluster.call("scancel", self.random.choice(running), check=False)
        time.sleep(1.0)
        self.launches.verb("repair", "chaos")
        return True

    def preempt(self) -> bool:
        """Take both nodes with a job of the partition that preempts, for some seconds."""
        if not self._running():
            return False
        command = ["sbatch", "--parsable", "-p", "high", "-N2", "--exclusive", "-t", "2", "-o", "/dev/null", "--wrap"]
        job = self.cluster.call(*command, "sleep 2")
        end = time.monotonic() + 30
        while job in self.cluster.queue() and time.monotonic() < end:
            time.sleep(0.5)
        return True

    def node_down(self) -> bool:
        """Take a node down and bring it back."""
        node = self.random.choice(("node1", "node2"))
        self.cluster.call("scontrol", "update", f"nodename={node}", "state=down", "reason=chaos")
        time.sleep(2.0)
        self.cluster.restore_nodes()
        return True

    def kill_slurmd(self) -> bool:
        """Signal 9 to a node's daemon: its jobs live on while Slurm thinks of the node as lost."""
        node = self.random.choice(("node1", "node2"))
        os.kill(self.cluster.daemon(f"slurmd-{node}"), signal.SIGKILL)
        time.sleep(self.random.choice((2.0, 25.0)))  # shorter and longer than SlurmdTimeout
        self.cluster.start_slurmd(node)
        self.cluster.restore_nodes()
        return True

    def kill_slurmctld(self) -> bool:
        """Signal 9 to the controller: nobody answers for some seconds."""
        os.kill(self.cluster.daemon("slurmctld"), signal.SIGKILL)
        time.sleep(3.0)
        self.cluster.start_slurmctld()
        return True

    def break_sacct(self) -> bool:
        """Ask for the status while sacct fails: it must still answer."""
        with tempfile.TemporaryDirectory() as name:
            fake = Path(name) / "sacct"
            fake.write_text("#!/bin/sh\necho 'sacct: error: no accounting' >&2\nexit 1\n")
            fake.chmod(0o755)
            environment = {**self.launches.environment, "PATH": f"{name}:{os.environ['PATH']}"}
            Launches(self.launches.folder, self.launches.conf, environment).verb("status", "chaos", "--json")
        return True

    def fill_disk(self) -> bool:
        """Leave no byte free for some seconds."""
        ballast = self.launches.out / "ballast"
        try:
            with ballast.open("wb") as handle:
                for _ in range(DISK_MB):
                    handle.write(b"\0" * (1 << 20))
        except OSError:
            pass
        time.sleep(2.0)
        ballast.unlink()
        return True

    def mend(self, stages: int, started: float) -> None:
        """Wait for the end; repair what a person would repair."""
        self.cluster.restore_nodes()
        while self.launches.done() < stages:
            if time.monotonic() - started > self.options.timeout:
                print(self.cluster.call("squeue", "-r", check=False), file=sys.stderr)
                raise SystemExit(f"chaos: {self.launches.done()} of {stages} stages done in {self.options.timeout} s")
            time.sleep(2.0)
            if not self.cluster.queue():
                self.launches.verb("repair", "chaos")


if __name__ == "__main__":
    sys.exit(main())
