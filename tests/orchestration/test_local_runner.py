"""What the local runner makes of workers that end while it stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_stages import fake_catalog

from tabgraphsyn.orchestration.local.frontier import Progress
from tabgraphsyn.orchestration.local.runner import Limits, LocalRunner, _Run
from tabgraphsyn.orchestration.planning.plan import PlannedPoint, plan
from tabgraphsyn.orchestration.stored.store import Store


@pytest.mark.parametrize("is_stopping", [True, False])
@pytest.mark.parametrize("code", [-signal.SIGINT, -signal.SIGTERM, 1])
def test_a_worker_hit_before_it_listens_is_stopped_and_not_failed(tmp_path: Path, is_stopping: bool, code: int) -> None:
    fake = {"dataset": {}, "fake": dict.fromkeys(("prepare", "autoencoder", "gnn", "sample", "evaluate"), "")}
    merged = plan([PlannedPoint("p", {**fake, "gnn": {"name": "gin"}, "seed": 0}, "c", ("a",))], fake_catalog())
    view: Any = SimpleNamespace(say=lambda text: None, update=lambda *_: None)
    pool: Any = None
    runner = LocalRunner(
        plan=merged, store=Store(tmp_path / "stages"), runtimes={}, limits=Limits(2, 2), pool=pool, view=view
    )
    runner._stop = SimpleNamespace(requested=is_stopping)  # type: ignore[assignment]
    stage = merged.stages[merged.points["p"]["gnn"]]
    process: Any = None
    runner._settle(_Run(stage, process, 1, (), time.time()), code)
    assert runner.frontier.progress[stage.id] is (Progress.INTERRUPTED if is_stopping else Progress.FAILED)


INTERRUPTED_SERVER = """
import os, signal, sys
from multiprocessing import forkserver
from pathlib import Path
from tabgraphsyn.orchestration.local.processes import ForkPool
here = Path(sys.argv[1])
pool = ForkPool(here / "out", ["imported_slowly"])
pool.warm_up()
open(here / "begun").read()      # a pipe: until the server's import is under way
os.kill(forkserver._forkserver._forkserver_pid, signal.SIGINT)
open(here / "goes_on", "w").close()
worker = pool.start(here / "none" / "spec.json", None)
pool.wait([worker], 60)
assert worker.exit_code() > 0, worker.exit_code()   # there is no such spec; it was started all the same
assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
"""


def test_ctrl_c_while_the_server_imports_does_not_end_it(tmp_path: Path) -> None:
    for name in ("begun", "goes_on"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "imported_slowly.py").write_text(
        f"open({str(tmp_path / 'begun')!r}, 'w').close()\nopen({str(tmp_path / 'goes_on')!r}).read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-c", INTERRUPTED_SERVER, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "KeyboardInterrupt" not in done.stderr
