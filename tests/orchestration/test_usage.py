"""usage counts what runs as running, and proposes resources that a launch takes with resources=measured."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from test_status_rows import write_campaign

from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.orchestration.reading.measured import Measured, measured
from tabgraphsyn.orchestration.stored.lease import Owner
from tabgraphsyn.orchestration.stored.store import Store
from tabgraphsyn.verbs import cli


def attempt(folder: Path, number: int, ago_s: float, outcome: str | None, lasted_s: float) -> None:
    (folder / "attempts").mkdir(parents=True, exist_ok=True)
    record = {"owner": asdict(Owner.current()), "started": time.time() - ago_s}
    if outcome is not None:
        record |= {"outcome": outcome, "ended": time.time() - ago_s + lasted_s, "exit_code": 0, "error": None}
    (folder / "attempts" / f"{number}.json").write_text(json.dumps(record))


def done(folder: Path, table: str | None, memory_mb: float, seconds: float) -> None:
    manifest = {"outputs": {}, "table": table, "peak_memory_mb": memory_mb, "elapsed_s": seconds}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "done.json").write_text(json.dumps(manifest))
    (folder / "spec.json").write_text("{}")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write_campaign(tmp_path, 2)
    stages = tmp_path / "stages"
    attempt(stages / "gnn" / "gin00000", 1, 7200, None, 0)  # it runs: this process lives and just wrote the file
    attempt(stages / "gnn" / "gin00001", 1, 7200, "interrupted", 3500)
    attempt(stages / "gnn" / "gin00001", 2, 3000, "done", 1800)
    done(stages / "gnn" / "gin00001", None, 2000, 1800)
    done(stages / "autoencoder" / "00000", "a", 300, 60)
    attempt(stages / "autoencoder" / "00000", 1, 9000, "done", 60)
    return tmp_path


def test_what_runs_is_not_lost(store: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["usage", "c", "--json", "--output-dir", str(store)]) == 0
    gnn = next(each for each in json.loads(capsys.readouterr().out) if each["stage"] == "gnn")
    assert gnn["running_h"] == pytest.approx(2.0, abs=0.05)
    assert gnn["lost_h"] == pytest.approx(3500 / 3600, abs=0.01) and gnn["used_h"] == pytest.approx(0.5, abs=0.01)
    os.utime(store / "stages" / "gnn" / "gin00000" / "attempts" / "1.json", (1, 1))  # silent since long
    assert cli.main(["usage", "c", "--json", "--output-dir", str(store)]) == 0
    gnn = next(each for each in json.loads(capsys.readouterr().out) if each["stage"] == "gnn")
    assert gnn["running_h"] == 0


def test_proposals_are_overrides_of_a_launch(store: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["usage", "c", "--propose", "--output-dir", str(store)]) == 0
    text = capsys.readouterr().out.strip()
    # 2,000 MB and half as much again; nearly one hour and a half with its interruption, twice.
    assert "resources.gnn.mem_gb=3 resources.gnn.timeout_min=180" in text
    assert "resources.autoencoder.mem_gb=1 resources.autoencoder.timeout_min=10" in text
    composed = compose_points(text.split(), multirun=False)
    assert not composed.problems
    assert composed.points[0].config["resources"]["gnn"]["mem_gb"] == 3


def test_history_is_by_kind_and_table(store: Path):
    found = measured(Store(store / "stages"))
    assert found[("autoencoder", "a")] == Measured(1, 300, 60) == found[("autoencoder", None)]
    assert found[("gnn", None)].seconds == pytest.approx(5300, abs=1)


def test_resources_may_be_taken_from_history():
    (point,) = compose_points(["resources=measured", "resources.gnn.measured=false"], multirun=False).points
    resources = point.config["resources"]
    assert resources["diffusion"]["measured"] and not resources["gnn"]["measured"]
    assert resources["diffusion"]["timeout_min"] == 480  # where there is no history
