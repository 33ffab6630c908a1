"""Out of memory is noted as such where Slurm or the kernel says so, and only there; strict stand-ins, no Slurm."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tabgraphsyn.orchestration.slurm import out_of_memory
from tabgraphsyn.orchestration.slurm.decisions import decisions
from tabgraphsyn.orchestration.slurm.listing import Element, ListedStage, Policy
from tabgraphsyn.orchestration.slurm.node.element import never_began, run_element
from tabgraphsyn.orchestration.slurm.node.requeue import after_death
from tabgraphsyn.orchestration.stored.lease import Owner, acquire

SAID = (
    "slurmstepd-node1: error: StepId=2.0 exceeded memory limit (747757568 > 213909504), being killed\n",
    "slurmstepd: error: Exceeded job memory limit\n",
    "slurmstepd: error: Detected 2 oom-kill event(s) in StepId=61.0. Some of your processes may have been killed\n",
    "slurmstepd: error: Detected 1 oom_kill event in StepId=9_3.0. Some of the step tasks have been OOM Killed.\n",
    "srun: error: n12: task 0: Out Of Memory\n",
)
OTHERS = (
    "srun: error: node1: task 0: Killed\n",
    "slurmstepd-node1: error: *** STEP 2.0 ON node1 CANCELLED AT 2026-11-28T14:39:11 DUE TO TIME LIMIT ***\n",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\n",
    "my stage prints: slurmstepd: error: exceeded memory limit\n",
)


@pytest.fixture
def element(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An element that runs, and what Slurm answers it: the stage's folder."""
    fakes, folder = tmp_path / "bin", tmp_path / "out" / "stages" / "gnn" / "x"
    fakes.mkdir()
    scontrol = fakes / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {fakes}/calls\necho JobId=7 JobState=RUNNING MinMemoryNode=200M\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr("tabgraphsyn.orchestration.slurm.node.requeue._stay", lambda *_: None)
    assert acquire(folder, Owner.current(), 60.0) is not None
    return folder


@pytest.mark.parametrize("text", SAID)
def test_words_of_slurm(text: str):
    assert out_of_memory.says_so("loaded module cuda\n" + text)


@pytest.mark.parametrize("text", OTHERS)
def test_words_that_are_not(text: str):
    assert not out_of_memory.says_so(text)


@pytest.mark.parametrize(
    ("code", "log", "kind"), [(253, "", "out of memory"), (137, SAID[0], "out of memory"), (137, OTHERS[0], "died")]
)
def test_the_cause_that_is_noted(element: Path, monkeypatch: pytest.MonkeyPatch, code: int, log: str, kind: str):
    monkeypatch.setattr(out_of_memory, "_written_in_this_run", lambda: log)
    assert after_death(Policy(), element, code) == code
    (entry,) = decisions(element)
    assert (entry["kind"], entry["exit_code"], entry["memory_mb"]) == (kind, code, 200)
    asked = (element.parents[3] / "bin" / "calls").read_text().splitlines()
    assert asked[-2:] == ["requeue 7", "update JobId=7 MinMemoryNode=300"]


def test_it_gives_up_and_says_how_much_to_ask_for(element: Path):
    codes = [after_death(Policy(max_failures=1), element, 253) for _ in range(2)]
    assert codes == [253, 253]
    last = decisions(element)[-1]
    assert last["kind"] == "gave up"
    assert last["advice"] == "out of memory 2 times without progress: Launch with resources.gnn.mem_gb=1"


def test_a_node_is_not_blamed_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An interpreter that gets too little to start in has met no bad node."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert never_began(tmp_path, 127)
    assert not never_began(tmp_path, 253)


def test_only_this_run_of_the_job_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A requeue appends to the log: what an earlier run was ended for is not this one's."""
    log = tmp_path / "log.out"
    log.write_text(SAID[1])
    monkeypatch.setenv(out_of_memory.LOG_FROM, str(log.stat().st_size))
    kept = os.dup(2)
    try:
        with log.open("a") as handle:
            os.dup2(handle.fileno(), 2)
            assert not out_of_memory.ran_out_of_memory(137)
            handle.write(SAID[0])
            handle.flush()
            assert out_of_memory.ran_out_of_memory(137)
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@pytest.mark.parametrize(("count", "is_so"), [(0, False), (2, True)])
def test_the_kernels_count(tmp_path: Path, count: int, is_so: bool):
    job = tmp_path / "sys" / "system.slice" / "slurmstepd.scope" / "job_7"
    job.mkdir(parents=True)
    (job / "memory.events").write_text(f"low 0\nhigh 0\noom 1\noom_kill {count}\n")
    membership = tmp_path / "cgroup"
    membership.write_text("12:cpu:/\n0::/system.slice/slurmstepd.scope/job_7/step_batch/user/task_0\n")
    assert out_of_memory._kernel_says_so(tmp_path / "sys", membership) is is_so


def test_a_node_is_not_blamed_for_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The shared disk is full before the first attempt: that ends the stage, and no node is left out."""

    def full(*_: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tabgraphsyn.orchestration.slurm.node.element.write_spec", full)
    one = Element(tmp_path / "stages", Policy(), (ListedStage("gnn/" + "0" * 20, {}, {}),))
    assert run_element(one) == 3
    assert "disk: [Errno 28] No space left" in capsys.readouterr().err
