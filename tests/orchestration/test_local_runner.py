"""What the local runner makes of workers that end while it stops."""

from __future__ import annotations

import signal
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
