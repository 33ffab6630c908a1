"""Disturb a sweep on a real Slurm and compare every result with an undisturbed run.

``python scripts/chaos.py --kills 30 --seed 1`` starts a throw-away cluster, launches a sweep in its preemptible
partition, and while it runs preempts, requeues, cancels, kills processes and daemons with signal 9, takes nodes down,
and fills the disk where it may mount a small one. At the end every artifact's hash must equal the undisturbed run's,
every published file must be true to its manifest, and nothing may have been published twice. By Slurm's own records no
job was requeued or cancelled without a cause, another user's jobs beside it are unharmed, the queue is empty, and no
node was idle beside work that could run (``chaos_records``). Exit code 1 otherwise.

``--stages real`` runs the project's own stages on a few planes and their flights. A report shows how long its stages
took and how much memory they had; it is compared without those figures, everything else by its hash. The lines that a
training logged are compared too, without their times. ``--keep DIR`` leaves both runs there if all is not well.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
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

from chaos_records import Foreign, Records
from chaos_sweeps import SWEEPS, differences
from cluster_kit import DevCluster, Launches, throw_away_cluster

from tabgraphsyn.orchestration.stored.lease import attempt_numbers


def main() -> int:
    """Run it and print a summary as json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=8, help="disturbances")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", choices=sorted(SWEEPS), default="fake", help="trivial stages or the project's own")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop disturbing after so long")
    parser.add_argument("--timeout", type=float, default=1500.0, help="seconds until it gives up")
    parser.add_argument("--keep", type=Path, help="a new folder for both runs' files and logs if all is not well")
    options = parser.parse_args()
    with throw_away_cluster("--grace", "5") as (folder, cluster):
        folder.chmod(0o755)  # another user's jobs read the cluster's files
        code = 1
        try:
            code = Chaos(folder, cluster, options).run()
        finally:
            if options.keep and code:
                keep(folder, options.keep)
            cluster.down()  # its jobs write to the disk that goes now
            subprocess.run(["umount", str(folder / "launches" / "out")], capture_output=True, check=False)
        return code


def keep(folder: Path, target: Path) -> None:
    """Leave both runs' files and the cluster's logs in ``target``."""
    for name in ("here", "launches"):
        if (folder / name).exists():
            shutil.copytree(folder / name, target / name, symlinks=True)
    shutil.copytree(folder / "c" / "log", target / "log")
    print(f"kept: {target}", file=sys.stderr)


class Chaos:
    """One sweep and its disturbances."""

    def __init__(self, folder: Path, cluster: DevCluster, options: argparse.Namespace) -> None:
        self.cluster = cluster
        self.options = options
        self.random = random.Random(options.seed)
        self.sweep = SWEEPS[options.stages](folder, cluster, options.kills)
        self.launches = self.sweep.disturbed
        self.has_own_disk = self._mount()
        self.counts: Counter[str] = Counter()
        self.records = Records(cluster)
        self.foreign = Foreign(folder, cluster)

    def _mount(self) -> bool:
        """Give the results a small disk of their own where this user may mount one."""
        self.launches.out.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self.sweep.disk_mb}m", "tmpfs", str(self.launches.out)]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            return False

    def run(self) -> int:
        """Disturb, mend, compare."""
        sweep, here = self.sweep, self.sweep.undisturbed
        started = time.monotonic()
        here.run(*sweep.arguments, *sweep.here, timeout_s=self.options.timeout)
        undisturbed_s = time.monotonic() - started
        wanted = here.hashes()
        stages = here.done()
        started = time.monotonic()
        self.launches.run(*sweep.arguments, *sweep.on_cluster)
        self.records.start()
        while sum(self.counts.values()) < self.options.kills and self.launches.done() < stages:
            if time.monotonic() - started > min(self.options.seconds, self.options.timeout):
                break
            time.sleep(self.random.uniform(0.5, 3.0))
            self.disturb()
            self.repair_if_nothing_runs()
        is_done = self.mended(stages, started)
        self.records.end()
        strange = self.strange() if is_done else []
        different = differences(wanted, self.launches.hashes())
        verified = self.launches.verb("verify", "chaos", code=None)
        summary = {
            "stages_are": self.options.stages,
            "disturbances": dict(self.counts),
            "in_all": sum(self.counts.values()),
            "stages": stages,
            "done": self.launches.done(),
            "files_compared": len(wanted),
            "different": different,
            "attempts": sum(len(attempt_numbers(each)) for each in self.launches.out.glob("stages/*/*")),
            "files_of_done_stages": self.files_of_done_stages(),
            "requeues": Counter(entry["kind"] for entry in self.launches.requeues()),
            "strange": strange,
            "idle_beside_work_s": round(self.records.idle_beside_work_s),
            "verify": (verified.strip().splitlines() or ["said nothing"])[-1],
            "seconds_undisturbed": round(undisturbed_s, 1),
            "seconds": round(time.monotonic() - started, 1),
        }
        print(json.dumps(summary, indent=2))
        is_right = is_done and not different and "0 damaged" in verified
        is_well = is_right and not strange
        ending = "all well" if is_well else "STRANGE" if is_right else "RESULTS DIFFER" if is_done else "NOT FINISHED"
        print(f"chaos: {ending}, {summary['in_all']} of {self.options.kills} disturbances", flush=True)
        return 0 if is_well else 1

    def files_of_done_stages(self) -> float:
        """Return how many files a done stage has besides its artifacts, on the average."""
        folders = [path.parent for path in self.launches.out.glob("stages/*/*/done.json")]
        files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        return round(sum("artifacts" not in path.parts for path in files) / max(1, len(folders)), 2)

    def strange(self) -> list[str]:
        """Return what Slurm's records tell that nobody caused, and what is left in the queue."""
        found = self.records.unexplained() + self.foreign.harmed()
        if self.records.idle_beside_work_s:
            found.append(f"a node was idle beside work for {self.records.idle_beside_work_s:.0f} s")
        end = time.monotonic() + 60
        while (left := self.own()) and time.monotonic() < end:
            time.sleep(1.0)
        return [*found, *(f"{element} is left in the queue" for element in left)]

    def own(self) -> list[str]:
        """Return the elements in the queue that are not the other user's."""
        return sorted(set(self.cluster.queue()) - self.foreign.elements)

    def repair_if_nothing_runs(self) -> None:
        """Repair where a person would: a node that failed to start an element leaves it held in the queue."""
        queue = self.cluster.queue()
        if not any(queue[element] == "RUNNING" for element in self.own() if element in queue):
            self.repair()

    def repair(self) -> None:
        """Do what a person does who finds the queue empty; what the outage itself refuses is tried again later."""
        text = self.launches.verb("repair", "chaos", "--json", code=None)
        if "Traceback" in text:
            raise SystemExit(f"chaos: repair broke\n{text}")
        try:
            self.records.note({"cancel"}, set(json.loads(text[text.index("{") :])["cancelled"]))
        except (ValueError, KeyError):
            print(f"repair: {text.strip().splitlines()[-1:]}", file=sys.stderr)

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

    def _running(self, node: str | None = None) -> list[str]:
        """Return this sweep's elements that run, all or those of a node."""
        where = ("-w", node) if node else ()
        found = self.cluster.call("squeue", "-h", "-r", "-t", "R,CG,CF", *where, "-o", "%i", check=False).split()
        return sorted(set(found) - self.foreign.elements)

    def _hits(self, elements: list[str], *kinds: str) -> None:
        """Remember what a disturbance may do to elements; those of the other user share its nodes."""
        self.records.note({"requeue", *kinds}, {*elements, *self.foreign.elements})

    def kill_process(self) -> bool:
        """Signal 9 to a process that runs a stage."""
        jobs: dict[int, str] = {}
        for path in self.launches.out.glob("stages/*/*/attempts/*.json"):
            try:
                record = json.loads(path.read_text())
            except FileNotFoundError:  # its stage is done, and its records are packed
                continue
            if "outcome" not in record and psutil.pid_exists(record["owner"]["pid"]):
                jobs[record["owner"]["pid"]] = record["owner"]["job"]
        if not jobs:
            return False
        pid = self.random.choice(sorted(jobs))
        lines = self.cluster.call("squeue", "-h", "-r", "-t", "R", "-o", "%A %i", check=False).splitlines()
        self.records.note({"requeue"}, {dict(line.split() for line in lines).get(jobs[pid], jobs[pid])})  # type: ignore[misc]
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def requeue(self) -> bool:
        """Requeue as an administrator does."""
        running = self._running()
        if not running:
            return False
        chosen = self.random.choice(running)
        self.records.note({"requeue"}, {chosen})
        self.cluster.call("scontrol", "requeue", chosen, check=False)
        return True

    def cancel(self) -> bool:
        """Cancel an element, and repair."""
        running = self._running()
        if not running:
            return False
        chosen = self.random.choice(running)
        self.records.note({"cancel"}, {chosen})
        self.cluster.call("scancel", chosen, check=False)
        time.sleep(1.0)
        self.repair()
        return True

    def preempt(self) -> bool:
        """Take both nodes with a job of the partition that preempts, for some seconds."""
        running = self._running()
        if not running:
            return False
        command = ["sbatch", "--parsable", "-p", "high", "-N2", "--exclusive", "-t", "2", "-o", "/dev/null", "--wrap"]
        job = self.cluster.call(*command, "sleep 2", check=False)
        if not job:
            return False
        end = time.monotonic() + 30
        while job in self.cluster.queue() and time.monotonic() < end:
            # What starts while it waits for both nodes is hit as well.
            self._hits([*running, *self._running()])
            self.records.excuse()
            time.sleep(0.5)
        if job in self.cluster.queue():
            self.records.note({"cancel"}, {job})
            self.cluster.call("scancel", job, check=False)  # it must hit nobody later
        return True

    def node_down(self) -> bool:
        """Take a node down and bring it back."""
        node = self.random.choice(("node1", "node2"))
        running = self._running(node)
        self.cluster.call("scontrol", "update", f"nodename={node}", "state=down", "reason=chaos", check=False)
        self._away([*running, *self._running(node)])
        time.sleep(2.0)
        self.cluster.restore_nodes()
        return True

    def kill_slurmd(self) -> bool:
        """Signal 9 to a node's daemon: its jobs live on while Slurm thinks of the node as lost."""
        node = self.random.choice(("node1", "node2"))
        running = self._running(node)
        os.kill(self.cluster.daemon(f"slurmd-{node}"), signal.SIGKILL)
        self._away(running)
        time.sleep(self.random.choice((2.0, 25.0)))  # shorter and longer than SlurmdTimeout
        self._away([*running, *self._running(node)])
        self.cluster.start_slurmd(node)
        self.cluster.restore_nodes()
        self._away([*running, *self._running(node)])
        return True

    def _away(self, elements: list[str]) -> None:
        """Remember that a node or the controller is away that these elements are with."""
        self._hits(elements)
        self.records.excuse(60.0)

    def kill_slurmctld(self) -> bool:
        """Signal 9 to the controller: nobody answers for some seconds."""
        self._away(self._running())
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
        self.records.note({"requeue"}, set(self._running()))
        try:
            with ballast.open("wb") as handle:
                for _ in range(self.sweep.disk_mb):
                    handle.write(b"\0" * (1 << 20))
        except OSError:
            pass
        time.sleep(2.0)
        ballast.unlink()
        self.records.note({"requeue"}, set(self._running()))
        return True

    def mended(self, stages: int, started: float) -> bool:
        """Wait for the end and repair what a person would; return False, having said what is left, if it takes long."""
        self.cluster.restore_nodes()
        while self.launches.done() < stages:
            if time.monotonic() - started > self.options.timeout:
                print(self.cluster.call("squeue", "-r", check=False), file=sys.stderr)
                print(self.launches.verb("status", "chaos", code=None), file=sys.stderr)
                return False
            time.sleep(2.0)
            self.cluster.restore_nodes()  # one may be drained later for ids that its controller gave twice
            self.repair_if_nothing_runs()
        return True


if __name__ == "__main__":
    sys.exit(main())
