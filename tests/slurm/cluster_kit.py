"""A devcluster and launches on it, for the tests and for scripts/chaos.py and scripts/bench_plan.py."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(ROOT)]

from stage_conf import stage_conf, write_files  # noqa: E402

from tabgraphsyn.orchestration.stored import ledger  # noqa: E402
from tabgraphsyn.orchestration.stored.packed import record_of  # noqa: E402

SBIN = "/usr/sbin:/usr/local/sbin:/sbin"

CONFIG = stage_conf(
    cluster="dev",
    path="x",
    more="""
        resources:
          prepare: {mem_gb: 0.2}
          autoencoder: {mem_gb: 0.2}
          gnn: {mem_gb: 0.2}
          sample: {mem_gb: 0.2}
          evaluate: {mem_gb: 0.2}
    """,
    files={
        "dataset/single.yaml": "name: single\ntables: [a]\npath: x\n",
        "gnn/sage.yaml": "name: sage\n",
        "cluster/here.yaml": "executor: local\nworkers: 2\nthreads: 2\ngpus: 0\npreload: false\n",
        "cluster/dev.yaml": """
        executor: slurm
        threads: 1
        preload: false
        cpu_partition: cpu
        heartbeat_s: 1
        lease_timeout_s: 15
        signal_s: 30
        fuse: []
        """,
    },
)


def is_installed() -> bool:
    path = f"{os.environ.get('PATH', '')}:{SBIN}"
    return all(shutil.which(name, path=path) for name in ("slurmctld", "slurmd", "sbatch", "munged"))


def write_conf(folder: Path) -> Path:
    return write_files(folder, CONFIG)


PATIENCE = 4.0
"""A wait ends when what is waited for is there, so a long one costs nothing, and a busy machine is no fault."""


def wait_until(is_true: Callable[[], object], timeout_s: float, what: str) -> None:
    """Wait for ``timeout_s`` on an idle machine, ``PATIENCE`` times as long on a busy one."""
    end = time.monotonic() + timeout_s * PATIENCE
    while not is_true():
        assert time.monotonic() < end, f"{what}: not in {timeout_s * PATIENCE:.0f} s"
        time.sleep(0.1)


@dataclass
class DevCluster:
    """A running ``slurm/devcluster``."""

    folder: Path

    def up(self, *options: str) -> None:
        subprocess.run(
            [sys.executable, str(ROOT / "slurm" / "devcluster"), "up", "--folder", str(self.folder), *options],
            check=True,
            capture_output=True,
            text=True,
            timeout=400,
        )

    def down(self) -> None:
        command = [sys.executable, str(ROOT / "slurm" / "devcluster"), "down", "--folder", str(self.folder)]
        subprocess.run(command, check=False, capture_output=True, timeout=60)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "SBATCH_"))},
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)]),
            "OMP_NUM_THREADS": "1",
        }

    def call(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=240, check=False)
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def queue(self) -> dict[str, str]:
        """State by element id; a controller that is down for a moment is waited for."""
        for _ in range(20):
            text = self.call("squeue", "-h", "-r", "-o", "%i %T", check=False)
            if text or "UP" in self.call("scontrol", "ping", check=False):
                break
            time.sleep(0.5)
        lines = text.splitlines()
        return dict(line.split() for line in lines)  # type: ignore[misc]

    def _lives(self, name: str) -> bool:
        try:
            return psutil.Process(self.daemon(name)).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def daemon(self, name: str) -> int:
        return int((self.folder / f"{name}.pid").read_text())

    def start_slurmd(self, node: str) -> None:
        path = shutil.which("slurmd", path=f"{os.environ.get('PATH', '')}:{SBIN}")
        subprocess.run([str(path), "-N", node], env=self.environment, check=True, timeout=30, start_new_session=True)

    def stop_slurmctld(self) -> None:
        """End the controller as an administrator does: it saves its state.

        Killed, it forgets the jobs of the last seconds and gives their numbers again, which the nodes then refuse: that
        is another trouble than a controller that cannot be asked.
        """
        controller = psutil.Process(self.daemon("slurmctld"))
        controller.terminate()
        psutil.wait_procs([controller], timeout=120)

    def start_slurmctld(self) -> None:
        path = shutil.which("slurmctld", path=f"{os.environ.get('PATH', '')}:{SBIN}")
        subprocess.run([str(path)], env=self.environment, check=True, timeout=30, start_new_session=True)
        wait_until(lambda: self.call("scontrol", "ping", check=False).find("UP") >= 0, 30, "slurmctld")

    def node_states(self) -> dict[str, str]:
        """State by node; a star behind it: the controller does not hear of the node."""
        lines = self.call("sinfo", "-h", "-N", "-p", "cpu", "-o", "%N %T", check=False).splitlines()
        return dict(line.split() for line in lines)  # type: ignore[misc]

    def restore_nodes(self, timeout_s: float = 300) -> None:
        """Do what an administrator does until both nodes work: start a daemon that is gone, resume what is down.

        Once is not enough: the controller may put a node down after it was resumed, for what it heard before.
        """
        started = time.monotonic()
        end = started + timeout_s
        while True:
            states = self.node_states()
            if len(states) == 2 and set(states.values()) <= {"idle", "mixed", "allocated", "completing"}:
                return
            assert time.monotonic() < end, f"nodes back: not in {timeout_s:.0f} s: {states}, {self.call('sinfo', '-R')}"
            for node in ("node1", "node2"):
                if time.monotonic() - started > 20 and not self._lives(f"slurmd-{node}"):
                    self.start_slurmd(node)
                if states.get(node, "down").startswith(("down", "drain", "fail")):
                    self.call("scontrol", "update", f"nodename={node}", "state=resume", check=False)
            time.sleep(1.0)


@contextmanager
def throw_away_cluster(*options: str) -> Iterator[tuple[Path, DevCluster]]:
    """A devcluster, and a folder for what runs on it: gone afterwards, also when this process is told to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="tgs-") as name:
        cluster = DevCluster(Path(name) / "c")
        try:
            cluster.up(*options)
            yield Path(name), cluster
        finally:
            cluster.down()


@dataclass
class Launches:
    """Launches whose output lies in one folder."""

    folder: Path
    conf: Path
    environment: Mapping[str, str]
    base: tuple[str, ...] = field(default_factory=tuple)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(HERE / "slurm_launch.py"), f"output_dir={self.out}", *self.base, *arguments]
        return subprocess.Popen(
            command,
            env={**self.environment, "FAKE_CONF": str(self.conf)},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0, timeout_s: float = 280) -> str:
        process = self.start(*arguments)
        try:
            text, _ = process.communicate(timeout=timeout_s)
        except BaseException:  # whoever is told to end leaves no launch behind
            process.terminate()
            raise
        assert process.returncode == code, text
        return text

    def verb(self, *arguments: str, code: int | None = 0) -> str:
        """Return what a verb printed, having checked its exit code unless any will do."""
        command = [sys.executable, "-m", "tabgraphsyn", *arguments, "--output-dir", str(self.out)]
        done = subprocess.run(
            command,
            env=dict(self.environment),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert code in (None, done.returncode), done.stdout + done.stderr
        return done.stdout if code is not None else done.stdout + done.stderr

    def states(self, campaign: str | None = None) -> dict[str, dict]:
        """Stage status by id."""
        found = json.loads(self.verb("status", *([campaign] if campaign else []), "--json"))["campaigns"]
        return {stage["id"]: stage for each in found for point in each["points"] for stage in point["stages"]}

    def marks(self, what: str) -> Counter[str]:
        folder = self.out / "marks"
        names = [path.name.rsplit("-", 1)[0] for path in folder.glob(f"{what}-*")] if folder.is_dir() else []
        return Counter(names)

    def hashes(self) -> dict[str, str]:
        """Hash of every published file."""
        found = {}
        for path in sorted(self.out.glob("stages/*/*/done.json")):
            for name, output in json.loads(path.read_text())["outputs"].items():
                found[f"{path.parent.relative_to(self.out / 'stages')}/{name}"] = output["sha256"]
        return found

    def hurry(self) -> None:
        """Let trainings do what is left of them at once."""
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "hurry").touch()

    def done(self, kind: str = "*") -> int:
        return len(list(self.out.glob(f"stages/{kind}/*/done.json")))

    def wait_for(self, pattern: str, timeout_s: float = 60) -> Path:
        wait_until(lambda: next(iter(self.out.glob(pattern)), None), timeout_s, pattern)
        return next(iter(self.out.glob(pattern)))

    def wait_done(self, count: int, kind: str = "*", timeout_s: float = 90) -> None:
        wait_until(lambda: self.done(kind) >= count, timeout_s, f"{count} done of {kind}")

    def requeues(self) -> list[dict]:
        texts = []
        for folder in sorted(self.out.glob("stages/*/*")):
            path = folder / "requeues.jsonl"
            texts.append(path.read_text() if path.exists() else record_of(folder).get("files", {}).get(path.name, ""))
        return [json.loads(line) for text in texts for line in text.splitlines()]

    def ledger(self) -> list[dict]:
        """Submissions as they are known to be now, as plain values."""
        return json.loads(json.dumps([asdict(each) for each in ledger.read(self.out)]))
