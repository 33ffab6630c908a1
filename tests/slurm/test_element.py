"""What a task of an array does with its element: its exit codes, and two copies of one job side by side."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from slurm_stages import slurm_catalog

from tabgraphsyn.orchestration.planning.plan import source_stage
from tabgraphsyn.orchestration.planning.spec import Runtime, stage_spec
from tabgraphsyn.orchestration.slurm.listing import Element, ListedStage, Policy, read_element, write_list
from tabgraphsyn.orchestration.slurm.node.element import end_element, run_element
from tabgraphsyn.orchestration.stored.lease import attempt_numbers


def element(tmp_path: Path, tables: tuple[str, ...] = ("a",)) -> Element:
    stages = []
    for name in tables:
        node = source_stage({"dataset": {"name": name, "tables": [name], "path": "x"}}, name, slurm_catalog())
        spec = stage_spec(node, Runtime(module="slurm_stages", place_keys=node.kind.place_keys, heartbeat_s=0.2))
        stages.append(ListedStage(node.id, spec, {"cpus": 1, "mem_gb": 1.0, "timeout_min": 1, "gpus": 0}))
    path = tmp_path / "list"
    write_list(path, tmp_path / "stages", Policy(), {4: stages})
    return read_element(path, 4)


def test_an_element_ends_with_zero_only_if_all_is_done(tmp_path: Path):
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "4", "PYTHONPATH": os.pathsep.join(sys.path)}
    found = element(tmp_path, ("a", "b"))
    command = [sys.executable, "-m", "tabgraphsyn.orchestration.slurm.node.element", str(tmp_path / "list")]
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert subprocess.run([*command, "--ended", "0"], env=environment, check=False).returncode == 0
    first, second = found.stages
    (found.folder(second) / "done.json").unlink()
    assert end_element(found, 0) == 3  # no job to requeue: not a success either
    assert run_element(found) == 0
    assert attempt_numbers(found.folder(first)) == [1]


def test_two_copies_of_a_job_publish_once(tmp_path: Path):
    """Only slurmd dead: Slurm runs the old and the new copy side by side. The older must not publish."""
    element(tmp_path)
    raw = (tmp_path / "list").read_text().replace('"module":"slurm_stages"', '"module":"slow_copy"')
    (tmp_path / "list").write_text(raw)
    (tmp_path / "slow_copy.py").write_text(
        "import os, time\n"
        "def run(context):\n"
        "    restart, end = os.environ['SLURM_RESTART_COUNT'], time.monotonic() + 120\n"
        "    while restart == '0' and not (context.artifacts.parent / 'artifacts').exists():\n"
        "        assert time.monotonic() < end, 'the new copy has not published'\n"
        "        time.sleep(0.05)\n"
        "    (context.artifacts / 'out.txt').write_text(restart)\n"
    )
    command = [sys.executable, "-m", "tabgraphsyn.orchestration.slurm.node.element", str(tmp_path / "list")]

    def copy(restart: int) -> subprocess.Popen:
        paths = os.pathsep.join([str(tmp_path), *sys.path])
        own = {"SLURM_ARRAY_TASK_ID": "4", "SLURM_JOB_ID": "77", "SLURM_RESTART_COUNT": str(restart)}
        return subprocess.Popen(command, env={**os.environ, **own, "PYTHONPATH": paths, "PATH": "/nonexistent"})

    old = copy(0)
    end = time.monotonic() + 120
    while not list(tmp_path.glob("stages/*/*/attempts/1.json")):
        assert time.monotonic() < end
        time.sleep(0.05)
    new = copy(1)
    assert new.wait(timeout=120) == 0
    assert old.wait(timeout=120) != 0 or len(list(tmp_path.glob("stages/*/*/attempts/*.json"))) == 2
    (out,) = tmp_path.glob("stages/*/*/artifacts/out.txt")
    assert out.read_text() == "1"
