"""Commands as a user types them, and what they leave."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FEW_STEPS = ("training=quick", "training.absorbing.steps=6")
FEW_LATENT_STEPS = (
    *("model=data_space", "training=quick", "training.gnn.steps=4", "training.diffusion.steps=6", "sampler.steps=3"),
)
LIGHT_EVALUATION = ("evaluation=quick", "~evaluation.metrics.c2st", "~evaluation.metrics.c2st_agg", "report=quick")
ONE_THREAD = ("cluster.threads=1", "cluster.workers=2")


@dataclass(frozen=True)
class Ended:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def counts(self) -> tuple[int, int]:
        """Stages computed and cached, from the last line of a launch."""
        found = re.search(r"\((\d+) computed, (\d+) cached", self.out)
        assert found, self.out + self.err
        return int(found[1]), int(found[2])


@dataclass(frozen=True)
class Shell:
    """Runs commands the way a user does, in a folder of their own."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command."""
        own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TABGRAPHSYN_CONF": str(self.folder / "my_conf")}
        return {**os.environ, **own, **self.extra}

    def run(self, module: str, *arguments: str, code: int = 0) -> Ended:
        """Run ``python -m module arguments`` and hold its exit code against ``code``."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Ended(done.returncode, done.stdout, done.stderr)

    def launch(self, *overrides: str, code: int = 0) -> Ended:
        """Run ``python -m tabgraphsyn.launch``."""
        return self.run("tabgraphsyn.launch", *overrides, code=code)

    def verb(self, *arguments: str, code: int = 0) -> Ended:
        """Run ``python -m tabgraphsyn VERB ...``."""
        return self.run("tabgraphsyn", *arguments, code=code)


def file_hashes(folder: Path, names: Sequence[str] = ("*",)) -> dict[str, str]:
    """Return relative path -> hash of the files that match one of the patterns."""
    found = {path for name in names for path in folder.rglob(name) if path.is_file()}
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
