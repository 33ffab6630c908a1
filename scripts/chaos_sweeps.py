"""The sweeps that ``scripts/chaos.py`` disturbs: of trivial stages, or of the project's own on a small database."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster_kit import DevCluster, Launches, write_conf

_KILLS_A_SEED = 7
SETTINGS = (
    "cluster.pack_records=true",
    "cluster.cpu_partition=low",
    "cluster.max_failures=50",
    "cluster.max_preemptions=1000",
)

# What a report shows of the run itself: wall time, memory, the hour. Everything else in it is compared.
_MEASURED = re.compile(r"<(td|span)\b([^>]*) data-measured>.*?</\1>", re.DOTALL)

_EVALUATION = """
defaults:
  - gate: default
  - metric@metrics.copies: copies
  - metric@metrics.near_copies: near_copies
  - metric@metrics.dcr: dcr
  - metric@metrics.copies_joined: copies_joined
  - metric@metrics.column_shapes: column_shapes
  - metric@metrics.cardinality: cardinality
  - _self_
comparisons: [synthetic]
seed: 0
"""


@dataclass(frozen=True)
class Sweep:
    """One sweep, launched twice.

    Attributes:
        disturbed: on the cluster.
        undisturbed: on this machine, with nothing in its way.
        arguments: what both compute.
        on_cluster: where the disturbed one runs.
        here: where the other runs.
        disk_mb: of the small disk that the disturbed one gets: room for its results, and little more.
    """

    disturbed: Launches
    undisturbed: Launches
    arguments: tuple[str, ...]
    on_cluster: tuple[str, ...]
    here: tuple[str, ...]
    disk_mb: int = 64


class ProjectLaunches(Launches):
    """Launches of the project's own stages."""

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``python -m tabgraphsyn.launch`` with the evaluation above at hand."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tabgraphsyn.launch", f"output_dir={self.out}", *self.base, *arguments]
        return subprocess.Popen(
            command,
            env={**self.environment, "TABGRAPHSYN_CONF": str(self.conf)},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def hashes(self) -> dict[str, str]:
        """Hash of every published file; text of a report without what it measured, and lines of trainings."""
        found = super().hashes()
        for name in found:
            if name.endswith("/report.html"):
                stage, _, file = name.rpartition("/")
                found[name] = without_measured((self.out / "stages" / stage / "artifacts" / file).read_text())
        for kind in ("autoencoder", "gnn", "absorbing"):
            for path in self.out.glob(f"stages/{kind}/*/metrics.jsonl"):
                found[str(path.relative_to(self.out / "stages"))] = training_lines(path.read_text())
        return found


def training_lines(text: str) -> str:
    """Return what a training logged without its times, a line a step, names in order."""
    lines = [json.loads(line) for line in text.splitlines()]
    return "\n".join(
        json.dumps({key: value for key, value in line.items() if not key.endswith("_s")}) for line in lines
    )


def without_measured(page: str) -> str:
    """Return a report without the times and memory that its stages took, which no second run repeats."""
    return _MEASURED.sub("", page)


def points(seeds: int) -> tuple[str, ...]:
    """Return the sweep: two models times so many seeds."""
    return ("-m", "gnn=gin,gat", f"seed={','.join(map(str, range(seeds)))}", "campaign=chaos")


def fake_sweep(folder: Path, cluster: DevCluster, kills: int) -> Sweep:
    """Return a sweep of chains of hashes: a lost or repeated step shows."""
    conf = write_conf(folder / "conf")
    steps = max(40, 18 * kills)
    return Sweep(
        disturbed=Launches(folder / "launches", conf, cluster.environment),
        undisturbed=Launches(folder / "here", conf, cluster.environment),
        arguments=(*points(2), f"fake.autoencoder=train:{steps}:0.1", f"fake.gnn=train:{steps}:0.1"),
        on_cluster=SETTINGS,
        here=("cluster=here", "cluster.workers=8", "cluster.threads=8"),  # they sleep, mostly
    )


def real_sweep(folder: Path, cluster: DevCluster, kills: int) -> Sweep:
    """Return a sweep of the project's stages on a few planes and their flights, with very few steps.

    Its stages take seconds, so more disturbances need more points: it must not be over before all are made.
    """
    conf = folder / "conf"
    (conf / "evaluation").mkdir(parents=True)
    (conf / "evaluation" / "chaos.yaml").write_text(_EVALUATION)
    steps = max(30, 4 * kills)
    trained = {"gnn": steps, "absorbing": steps}
    arguments = (
        *points(max(2, kills // _KILLS_A_SEED)),
        *("dataset=nycflights13_quick", "dataset.tables=[planes,flights]", "dataset.limit.rows=20"),
        *("training=quick", "evaluation=chaos", "report=quick", "generator.width=32", "gnn.hidden_dim=16"),
        *(f"training.{kind}.steps={count}" for kind, count in trained.items()),
        *(f"training.{kind}.warmup_steps=5" for kind in trained),
        *(f"training.{kind}.save_every_s=1" for kind in trained),
        "cluster.threads=1",
        "resources.evaluate.threads=1",
    )
    on_cluster = (
        *("cluster=slurm", "cluster.heartbeat_s=1", "cluster.lease_timeout_s=15", "cluster.signal_s=30"),
        *(f"resources.{stage}.mem_gb=0.8" for stage in _stages()),
    )
    return Sweep(
        disturbed=ProjectLaunches(folder / "launches", conf, cluster.environment),
        undisturbed=ProjectLaunches(folder / "here", conf, cluster.environment),
        arguments=arguments,
        on_cluster=(*on_cluster, *SETTINGS),
        here=("cluster=local", "cluster.workers=2"),
        disk_mb=256,
    )


def _stages() -> tuple[str, ...]:
    return ("prepare", "structure", "autoencoder", "gnn", "absorbing", "sample", "evaluate", "report")


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return the files that differ, or that only one side has."""
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


SWEEPS = {"fake": fake_sweep, "real": real_sweep}
